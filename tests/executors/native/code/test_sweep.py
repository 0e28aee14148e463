"""Sweeps: short rows several at a time, and rows of the data that are asked for before they are read."""

import numpy as np
import pytest

from thalweg import ops
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.code.sweep import ROWS_AT_ONCE
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX512
from thalweg.executors.native.machine import executable_hosts
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.ops import broadcast, input_node, reduce_sum
from thalweg.ops.convolution import windows
from thalweg.state.layout import empty


def graph(rows: int) -> Graph:
    """A cross-entropy: two sums, one after the other, of rows that lie in the data, with a label each."""
    x, labels = input_node("x", (rows, 10)), input_node("y", (rows,), "int32")
    right = ops.equal(ops.iota(x.shape, 1), labels[:, None])
    return Graph({"loss": -reduce_sum(ops.select(right, ops.log_softmax(x), 0.0), (1,)), "p": ops.softmax(x)})


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 13, 30])
@pytest.mark.parametrize("checked", [False, True])
def test_any_number_of_rows_on_any_number_of_threads(rows, checked):
    r = np.random.default_rng(rows)
    data = {"x": r.standard_normal((40, 10)).astype(np.float32), "y": r.integers(0, 10, 40).astype(np.int32)}
    index = r.integers(0, 40, (2, rows))

    def results(executor, threads):
        outputs = {"loss": np.zeros((2, rows), np.float32), "p": np.zeros((2, rows, 10), np.float32)}
        executor.compile(graph(rows), gather=True).run({}, data, index, outputs, threads)
        return outputs

    want = results(NumpyExecutor(), 1)
    alone = results(NativeExecutor(checked=checked), 1)
    for name, array in want.items():
        np.testing.assert_allclose(alone[name], array, rtol=3e-6, atol=1e-6)
    for threads in (2, 3):
        assert {name: a.tobytes() for name, a in results(NativeExecutor(checked=checked), threads).items()} == {
            name: a.tobytes() for name, a in alone.items()
        }


def test_rows_of_the_data_are_asked_for_ahead():
    def asked(graph: Graph) -> int:
        plan = make_plan(graph, target(AVX512), gather=True)
        text = "".join(part.text for part in generate(plan, AVX512, checked=False))
        return text.count("call void @llvm.prefetch.p0(ptr %")

    assert asked(Graph({"y": input_node("x", (16, 64)) * 2.0})) == 4  # lines of a row
    assert asked(graph(8)) == 2 * ROWS_AT_ONCE  # a line of x and one of y for each row of a turn
    assert asked(graph(7)) == 0  # an odd number of rows is worked on one by one


def test_taps_ask_for_rows_of_which_they_read_a_part():
    def asked(channels: int) -> int:
        seen = windows(input_node("x", (8, 18, 18, channels)), (3, 3), (1, 1))
        g = broadcast(input_node("g", (8, 16, 16, channels)), seen.shape, (0, 1, 2, 5))
        plan = make_plan(Graph({"y": reduce_sum(seen * g, (0, 1, 2))}), target(AVX512), gather=False)
        text = "".join(part.text for part in generate(plan, AVX512, checked=False))
        return text.count("call void @llvm.prefetch.p0(ptr %")

    assert asked(128) == 2 * 2  # two vectors of x and of g
    assert asked(16) == 0  # all of a row


@pytest.mark.parametrize("host", executable_hosts(), ids=lambda host: host.name)
@pytest.mark.parametrize("rows", [3, 32, 100, 1000])
def test_a_sum_is_the_same_to_the_bit_whatever_is_made_of_its_row_beside(host, rows):
    """As the statistics of a measured step, which are float64."""
    x = input_node("x", (4, rows))
    data = {"x": np.random.default_rng(rows).standard_normal((4, rows)).astype(np.float32)}

    def total(**beside):
        outputs = {"total": reduce_sum(ops.tanh(x), (1,)), **beside}
        found = {name: np.zeros(node.shape, node.dtype) for name, node in outputs.items()}
        NativeExecutor(host).compile(Graph(outputs), gather=False).run({}, data, None, found, 1)
        return found["total"]

    wide = ops.cast(ops.tanh(x), "float64")
    assert total(wide=wide, squares=reduce_sum(wide * wide, (1,))).tobytes() == total().tobytes()


@pytest.mark.parametrize("several", [1, 5, 6, 12])
@pytest.mark.parametrize("columns", [3, 16, 20])
def test_narrow_sums_side_by_side_are_those_of_one_after_the_other(several, columns):
    """Such as the gradient of a frequency for each column of a table; the order of each sum stays."""
    x, g = ops.state_node("x", (40, several)), ops.state_node("g", (40, several, columns))
    summed = reduce_sum(g * broadcast(x, g.shape, (0, 1)), (0,))
    graph, r = Graph({"y": ops.relu(summed)}), np.random.default_rng(0)
    state = {"x": r.standard_normal((40, several)), "g": r.standard_normal((40, several, columns))}
    results = []
    for host in executable_hosts():
        for threads in (1, 3):
            own = {name: empty(TensorType(array.shape)) for name, array in state.items()}
            for name, array in state.items():
                own[name][...] = array
            results.append(np.zeros((several, columns), np.float32))
            program = NativeExecutor(host=host, checked=True).compile(graph, gather=False)
            program.run(own, {}, None, {"y": results[-1]}, threads)
    expected = np.maximum(np.einsum("kc,kcw->cw", state["x"], state["g"]), 0)
    np.testing.assert_allclose(results[0], expected, rtol=1e-4, atol=1e-5)
    fused = [host.fma for host in executable_hosts() for _ in (1, 3)]
    for got, fma in zip(results, fused, strict=True):
        assert got.tobytes() == results[fused.index(fma)].tobytes()
