"""Whole steps: in many parts as in one, and tasks alike with one function."""

import pytest
from tests.executors import random_programs

from thalweg import ops
from thalweg.executors.native.code import step
from thalweg.executors.native.code.builder import Module
from thalweg.executors.native.code.step import generate, supported, target, writer_of
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.plan import cost
from thalweg.executors.native.plan.plan import make_plan
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
    assert all(part.optimized for part in generate(make_plan(layers(2), target(AVX2), False), AVX2, checked=False))


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
