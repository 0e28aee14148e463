"""Whole steps: in many parts as in one, and tasks alike with one function."""

import ctypes

import numpy as np
import pytest
from tests.executors import random_programs

from thalweg import ops
from thalweg.executors.native.code import step
from thalweg.executors.native.code.builder import Builder, Module
from thalweg.executors.native.code.llvm import Part, compile_object
from thalweg.executors.native.code.step import generate, supported, target, writer_of
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.plan import cost
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.run.loader import load
from thalweg.graph.node import Graph, Node
from thalweg.ops import input_node, state_node, transpose
from thalweg.ops.convolution import flip
from thalweg.ops.lookup import Take, take
from thalweg.ops.softmax import Softmax


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("first_seed", range(0, 16, 8))
def test_a_program_in_many_parts_does_the_same(first_seed, checked, monkeypatch, tmp_path):
    monkeypatch.setattr(step, "PART_CHARACTERS", 1)
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    for seed in range(first_seed, first_seed + 8):
        assert not random_programs.fault(NativeExecutor(checked=checked), random_programs.make(seed), (1, 2)), seed


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("first_seed", range(0, 16, 8))
def test_a_program_that_is_not_optimized_does_the_same(first_seed, checked, monkeypatch, tmp_path):
    monkeypatch.setattr(cost, "NEGLIGIBLE", 2.0)
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    for seed in range(first_seed, first_seed + 8):
        assert not random_programs.fault(NativeExecutor(checked=checked), random_programs.make(seed), (1, 2)), seed


def test_only_what_takes_next_to_nothing_of_a_step_is_not_optimized():
    x, w = input_node("x", (256, 1024)), state_node("w", (1024, 1024))
    graph = Graph({"y": x @ w, "z": ops.exp(input_node("small", (8,)))})
    parts = list(generate(make_plan(graph, target(AVX2), gather=False), AVX2, checked=False))
    others, quick = ("".join(p.text for p in parts if p.optimized is optimized) for optimized in (True, False))
    assert "define hidden void @tile" in others
    assert "define hidden void @tile" not in quick
    assert "define hidden void @kernel" in quick
    assert "define void @run" in quick
    *tasks, run = generate(make_plan(layers(2), target(AVX2), False), AVX2, checked=False)
    assert all(part.optimized for part in tasks)
    assert "@kernel" not in run.text.replace("call void @kernel", "").replace("declare hidden void @kernel", "")


def layers(count: int) -> Graph:
    x = input_node("x", (32, 48))
    for layer in range(count):
        bias = ops.broadcast(state_node(f"{layer}/bias", (48,)), (32, 48), (1,))
        x = ops.tanh(x @ state_node(f"{layer}/kernel", (48, 48)) + bias)
    return Graph({"y": x})


def test_the_code_of_layers_alike_is_written_once():
    few, many = (
        "".join(
            part.text for part in generate(make_plan(layers(count), target(AVX2), gather=False), AVX2, checked=False)
        )
        for count in (3, 12)
    )
    assert few.count("define hidden") == many.count("define hidden")
    assert many.count("call void @kernel") == 12


def writer(y: Node) -> str:
    """Of the first task of a graph."""
    plan = make_plan(Graph({"y": y}), target(AVX2), gather=False)
    return type(writer_of(plan.stages[0][0], Module(AVX2))).__name__


def test_who_writes_a_task():
    x = input_node("x", (32, 48))
    assert writer(x @ state_node("w", (48, 16))) == "Tiles"
    assert writer(ops.reduce_sum(x, (1,))) == "Sweep"
    assert writer(transpose(x) @ x) == "Tiles"
    assert writer(ops.contract(x, state_node("w", (16, 48)), (0, 2), (1, 2), (0, 1))) == "TransposedCopy"
    backwards = flip(state_node("w", (16, 48)), (0,))
    assert writer(ops.contract(x, backwards, (0, 2), (1, 2), (0, 1))) == "Sweep"
    assert writer(take(x, input_node("rows", (5,), "int32"))) == "Lookup"


def test_what_is_supported_follows_from_the_lowerings():
    assert supported(Take)
    assert not supported(Softmax)


def test_shares_are_whole_and_even():
    """Of 1 to 8 threads: they follow each other, and none has two units more than another."""
    counts = [*range(2, 20), 100, 10_007]
    host = this_host()
    build = Builder(Module(host), ["out"], ["thread", "threads"], buffers=False)
    (straight, mirrored) = step._shares(build)
    for place, units in enumerate(counts):
        for half, share in enumerate((straight, mirrored)):
            for side, value in enumerate(step._share(build, units, share)):
                build.line(f"%at{place}.{half}.{side} = getelementptr i64, ptr %out, i64 {4 * place + 2 * half + side}")
                build.line(f"store i64 {value.text}, ptr %at{place}.{half}.{side}")
    code = load([compile_object(Part(f"define void @shares{build.text()}"), host)])
    shares = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(code.address("shares"))
    for threads in range(1, 9):
        found = np.zeros((threads, len(counts), 2, 2), np.int64)
        for thread in range(threads):
            shares(found[thread].ctypes.data, thread, threads)
        for place, units in enumerate(counts):
            for parts in (found[:, place, 0], found[::-1, place, 1]):
                assert parts[0, 0] == 0
                assert parts[-1, 1] == units
                assert (parts[1:, 0] == parts[:-1, 1]).all()
                assert np.ptp(parts[:, 1] - parts[:, 0]) <= 1
