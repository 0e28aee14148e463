"""Legal graphs compute the same, from contractions that tiles can do."""

import numpy as np
import pytest
from tests.executors import random_programs

from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.plan.legalise import ENOUGH_UNITS, MOST_TAPS, WORTH_SHARING, legalise
from thalweg.executors.native.plan.plan import prepared
from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph, Kind
from thalweg.graph.verify import verify
from thalweg.ops import convolve, input_node, reduce_sum, state_node
from thalweg.ops.contraction import Contraction, contract
from thalweg.ops.convolution import Windows


def legal(y, gather=False):
    return legalise(prepared(Graph({"y": y}), target(AVX2)), gather, AVX2)


def contractions(graph: Graph):
    return [node for node in graph.nodes() if isinstance(node.op, Contraction)]


@pytest.mark.parametrize("first_seed", range(0, 60, 20))
def test_they_compute_the_same(first_seed):
    for seed in range(first_seed, first_seed + 20):
        program = random_programs.make(seed)
        before = prepared(program.graph, target(AVX2))
        after = legalise(before, gather=False, host=AVX2).graph
        verify(after)
        rows = slice(None) if program.index is None else program.index[0]
        data = {name: array[rows] for name, array in program.data.items()}
        want, got = (evaluate(graph, data, program.state) for graph in (before, after))
        for old, new in zip(before.roots(), after.roots(), strict=True):
            x, y = (np.asarray(values, np.float64) for values in (want[old], got[new]))
            scale = np.abs(x[np.isfinite(x)]).max(initial=1)
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4 * scale, err_msg=str(seed))


def test_a_product_that_lies_right_stays_as_it_is():
    x, w = input_node("x", (8, 6)), state_node("w", (6, 10))
    graph = legal(x @ w)
    assert graph.dense == set()
    assert contractions(graph.graph)[0].inputs == (x, w)


def test_weights_are_turned_where_lanes_run_along_another_axis():
    """The gradient by a layer's input."""
    g, w = input_node("g", (8, 10)), state_node("w", (6, 10))
    graph = legal(contract(g, w, (0, 2), (1, 2), (0, 1)))
    (copy,) = graph.dense
    assert copy.op.name == "transpose"
    assert copy.inputs == (w,)


def test_a_matrix_times_a_vector_is_a_product_and_a_sum():
    graph = legal(contract(input_node("x", (8, 6)), state_node("w", (6,)), (0, 1), (1,), (0,)))
    assert contractions(graph.graph) == []


def test_rows_of_the_data_are_copied_before_a_product():
    x, w = input_node("x", (8, 6)), state_node("w", (6, 10))
    assert legal(x @ w, gather=True).dense == {x}


def test_margins_are_left_out_by_tiles():
    graph = legal(convolve(input_node("x", (2, 9, 9, 3)), state_node("k", (3, 3, 3, 4)), padding=[(1, 1)] * 2)).graph
    windows = [node.op for node in graph.nodes() if isinstance(node.op, Windows)]
    assert any(op.bordered_axes() for op in windows)


def test_margins_of_long_windows_are_stored():
    """Each tile at the edge has code of its own."""
    x, kernel = input_node("x", (1, 3 * MOST_TAPS, 2)), state_node("k", (MOST_TAPS + 1, 2, 4))
    graph = legal(convolve(x, kernel, padding=[(MOST_TAPS // 2, MOST_TAPS // 2)])).graph
    assert not any(node.op.bordered_axes() for node in graph.nodes() if isinstance(node.op, Windows))


def test_a_long_sum_is_done_in_two_steps_that_threads_can_share():
    x = input_node("x", (ENOUGH_UNITS, WORTH_SHARING, 3))
    graph = legal(reduce_sum(x, (0, 1))).graph
    assert [node.op.axes for node in graph.nodes() if node.op.kind is Kind.REDUCTION] == [(1,), (0,)]
    short = input_node("x", (ENOUGH_UNITS, 16, 3))
    graph = legal(reduce_sum(short, (0, 1))).graph
    assert [node.op.axes for node in graph.nodes() if node.op.kind is Kind.REDUCTION] == [(0, 1)]


def test_a_sum_over_all_places_of_all_images_stands_alone():
    """Nothing is computed on its tiles: it is added up block by block."""
    x, g = input_node("x", (64 * 1024, 16)), input_node("g", (64 * 1024, 32))
    graph = legal(contract(x, g, (0, 1), (0, 2), (1, 2)) * 2.0)
    assert graph.dense & set(contractions(graph.graph))
