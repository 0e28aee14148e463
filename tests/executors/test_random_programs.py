"""Random programs: every executor against the numpy one, and the comparison itself."""

from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import COMPILED, EXECUTORS
from tests.executors import random_programs

from thalweg.executors.numpy import NumpyExecutor, NumpyProgram
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph, Kind, Op, apply
from thalweg.graph.text import from_text, to_text
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify
from thalweg.ops import add, concatenate, filled, input_node, reduce_sum, state_node, transpose
from thalweg.ops.broadcast import ReduceSum
from thalweg.ops.concatenate import Concatenate
from thalweg.ops.contraction import Contraction
from thalweg.passes.simplify import simplify

BLOCK = 25
"""Programs a test: a crash of the process is then narrowed down to so many seeds."""

SHARES = {"native": 1.0, "xla": 2.0}
FEWER = 0.2
"""Of the programs asked for, so many are run: by the checked build and the other vector widths one in five."""

QUICK = 100
"""Only so many count as quick, and only on the plain native executor."""


def pytest_generate_tests(metafunc):
    if "first_seed" in metafunc.fixturenames:
        count = metafunc.config.getoption("programs")
        cases = []
        for name in COMPILED:
            most = int(count * SHARES.get(name, FEWER))
            for seed in range(0, most, BLOCK):
                marks = [] if name == "native" and seed < QUICK else [pytest.mark.slow]
                marks += [pytest.mark.needs("jax")] if name == "xla" else []
                block = (EXECUTORS[name], seed, min(BLOCK, most - seed))
                cases.append(pytest.param(*block, id=f"{name}-{seed}", marks=marks))
        metafunc.parametrize(("runs_on", "first_seed", "count"), cases)


def test_random_programs(runs_on, first_seed, count):
    """With one thread as numpy computes them, and with 2 to 8 to the same bits; XLA decides itself about threads."""
    for seed in range(first_seed, first_seed + count):
        program, threads = random_programs.make(seed), (1,) if isinstance(runs_on, XlaExecutor) else (1, 2 + seed % 7)
        if random_programs.fault(runs_on, program, threads):
            pytest.fail(random_programs.report(runs_on, program, threads), pytrace=False)


def test_they_are_the_same_every_time():
    assert to_text(random_programs.make(3).graph) == to_text(random_programs.make(3).graph)


def test_they_print_and_read_back():
    for seed in range(60):
        text = to_text(random_programs.make(seed).graph)
        assert to_text(from_text(text)) == text


def test_they_use_every_operation():
    used = {n.op.name for seed in range(400) for n in random_programs.make(seed).graph.nodes()}
    assert used >= {
        *("contraction", "reduce_sum", "reduce_max", "reduce_min", "arg_max", "softmax", "log_sum_exp", "concatenate"),
        *(
            "broadcast",
            "reshape",
            "transpose",
            "slice",
            "pad",
            "select",
            "cast",
            "iota",
            "random_bits",
            "power",
            "floor",
            "convolution",
            "windows",
            "transposed_convolution",
            "kernel_gradient",
        ),
    }


def test_simplify_keeps_their_values():
    class Simplified(NumpyExecutor):
        def compile(self, graph, *, gather):
            better = simplify(graph, lambda op: op.kind is not Kind.COMPOSITE and op is not Concatenate)
            verify(better)
            return NumpyProgram(better, gather)

    for seed in range(100):
        program = random_programs.make(seed)
        if random_programs.fault(Simplified(), program):
            pytest.fail(random_programs.report(Simplified(), program), pytrace=False)


class _Rounded(Op, kind=Kind.COMPOSITE):
    """Another operation's result, worked out in another order or in double precision."""

    def __init__(self, op: Op) -> None:
        self.op = op

    def infer(self, *inputs: TensorType) -> TensorType:
        return self.op.infer(*inputs)

    def reference(self, *inputs: np.ndarray) -> np.ndarray:
        kind = self.op.infer(*map(TensorType.of, inputs)).dtype
        if isinstance(self.op, Contraction):
            x, y = (np.flip(x) for x in inputs)
            return np.flip(np.einsum(x, self.op.x, y, self.op.y, self.op.out, optimize=False))
        if isinstance(self.op, ReduceSum):
            return np.flip(np.asarray(np.flip(inputs[0]).sum(self.op.axes, dtype=kind)))
        wide = [x.astype(np.float64) if x.dtype == np.float32 else x for x in inputs]
        return np.asarray(self.op.reference(*wide)).astype(kind)


def rewritten(change):
    """An executor whose graphs went through ``change(node, inputs)`` first."""

    class Rewriting(NumpyExecutor):
        def compile(self, graph, *, gather):
            new = {}
            for node in graph.nodes():
                new[node] = change(node, tuple(new[x] for x in node.inputs))
            return NumpyProgram(graph.rebuilt(new), gather)

    return Rewriting()


def test_rounding_is_not_taken_for_a_fault():
    """Sums in another order and functions rounded otherwise, as another executor has them."""

    def change(node, inputs):
        floats = node.inputs and all(x.type.is_float for x in node.inputs) and node.type.is_float
        return apply(_Rounded(node.op) if floats and node.op.name != "cast" else node.op, *inputs)

    for seed in range(150):
        program = random_programs.make(seed)
        assert not random_programs.fault(rewritten(change), program), seed


def test_a_fault_is_found_and_shrunk():
    """An executor that forgets one addition in a thousand parts."""

    def change(node, inputs):
        made = apply(node.op, *inputs)
        return made * 1.001 if node.op.name == "add" and node.type.is_float else made

    wrong = rewritten(change)
    programs = [random_programs.make(seed) for seed in range(30)]
    found = [p for p in programs if random_programs.fault(wrong, p)]
    assert len(found) > 10
    text = random_programs.report(wrong, found[0])
    assert f"random program {found[0].seed}" in text
    assert "add(" in text
    assert sum(line.startswith(("output", "update")) for line in text.splitlines()) == 1


def test_an_update_in_place_too_early_is_found():
    """An executor that overwrites each state at once although another new value still needs the old one."""

    class Hasty(NumpyProgram):
        def _step(self, inputs, state, outputs):
            for name, node in self.graph.updates.items():
                NumpyProgram(Graph({}, {name: node}), self.gather)._step(inputs, state, {})
            NumpyProgram(Graph(self.graph.outputs), self.gather)._step(inputs, state, outputs)

    class HastyExecutor(NumpyExecutor):
        def compile(self, graph, *, gather):
            return Hasty(graph, gather)

    found = [seed for seed in range(60) if random_programs.fault(HastyExecutor(), random_programs.make(seed))]
    assert len(found) > 15, "too few of the programs have hazards"


# --- hazards by hand ----------------------------------------------------------------------------------------------


def hazards():
    a, b, m = state_node("a", (5, 5)), state_node("b", (5, 5)), state_node("m", (37, 37))
    n, x = state_node("n", (), "int64"), input_node("x", (5, 5))
    both = a + x
    return {
        "swap": Graph({"a": a, "b": b}, {"a": b, "b": a}),
        "ring": Graph({}, {"a": b, "b": state_node("c", (5, 5)), "c": a}),
        "transposed": Graph({}, {"m": transpose(m)}),
        "both": Graph({"y": both}, {"a": both, "b": both}),
        "old and new": Graph({"old": a, "new": both}, {"a": both}),
        "other's old": Graph({}, {"a": a + x, "b": a * 2.0}),
        "product of itself": Graph({}, {"a": (a @ a) * 0.1}),
        "row of itself": Graph({}, {"a": a - a[0]}),
        "sum of itself": Graph({}, {"a": a / (1.0 + reduce_sum(a * a))}),
        "rolled": Graph({}, {"a": concatenate((a[1:], a[:1]), 0)}),
        "view output": Graph({"y": transpose(a), "z": a[1:3]}, {"a": a + 1.0}),
        "unread": Graph({}, {"new": x * 2.0}),
        "input": Graph({"x": x}, {"a": x}),
        "constant": Graph({"one": filled((3, 4), 1.0)}, {"a": filled((5, 5), 2.0)}),
        "counter": Graph({"n": n}, {"n": add(n, 1)}),
        "unchanged": Graph({"a": a}, {"a": a}),
        "nothing": Graph({}, {}),
    }


@pytest.mark.parametrize("steps", [None, 1, 3])
@pytest.mark.parametrize("name", hazards())
def test_hazard(name, steps, compiled):
    graph = hazards()[name]
    maker = random_programs.Maker(7)
    maker.batch = 5
    program = maker.with_arrays(graph)
    x = {"x": maker.array(TensorType((5 if steps is None else 11, 5)))} if program.data else {}
    index = None if steps is None else maker.r.integers(0, 11, (steps, 5))
    program = replace(program, data=x, index=index)
    assert not random_programs.fault(compiled, program, (1, 2))
