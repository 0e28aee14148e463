"""Many small products side by side: in the order in which memory lies, with the same bits as one after the other."""

from dataclasses import replace

import numpy as np
import pytest
from tests.executors.native.plan.test_turned import result

from thalweg.executors.native.code.step import target
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX2, AVX512
from thalweg.executors.native.machine import executable_hosts
from thalweg.executors.native.plan.legalise import WORTH_TURNING
from thalweg.executors.native.plan.plan import make_order
from thalweg.executors.native.plan.tiles import TERMS, tiling_of
from thalweg.graph.node import Graph
from thalweg.ops import relu, state_node
from thalweg.ops.contraction import contract, products_in


def gradient(terms, several, rows, lanes, dtype="float32"):
    """Of the kernels of ``several`` layers, each of features of its own, with something after it."""
    x, g = state_node("x", (terms, several, rows), dtype), state_node("g", (terms, several, lanes), dtype)
    kernel = state_node("kernel", (several, rows, lanes), dtype)
    return Graph({"y": relu(kernel - contract(x, g, (0, 1, 2), (0, 1, 3), (1, 2, 3)))})


def narrow(terms, rows, lanes, dtype="float32"):
    """The gradient of a layer of few units, with something after it."""
    x, g = state_node("x", (terms, rows), dtype), state_node("g", (terms, lanes), dtype)
    kernel = state_node("kernel", (rows, lanes), dtype)
    return Graph({"y": relu(kernel - contract(x, g, (0, 1), (0, 2), (1, 2)))})


def layers(rows, several, summed, lanes, dtype="float32"):
    """What these layers give."""
    x, kernel = state_node("x", (rows, several, summed), dtype), state_node("kernel", (several, summed, lanes), dtype)
    return Graph({"y": relu(contract(x, kernel, (0, 1, 2), (1, 2, 3), (0, 1, 3)))})


def one_by_one(host):
    """What has to stay in the first cache does not, so that products come one after the other."""
    return replace(host, core=replace(host.core, l1_bytes=0))


def tiling(graph, host):
    nests = make_order(graph, target(host), gather=False).nests
    (product,) = (nest for nest in nests if nest.kernel.contraction is not None)
    return tiling_of(product, host)


GRADIENTS = [(2 * TERMS, 3, 16, 3), (3 * TERMS + 5, 5, 16, 3), (100, 2, 3, 16), (70, 7, 17, 2), (TERMS, 3, 16, 3)]
NARROW = [(WORTH_TURNING // 128, 128, 2), (500, 20, 3), (500, 37, 1), (3000, 64, 2)]
FORWARD = [(33, 3, 16, 3), (20, 5, 3, 16), (1, 4, 2, 7)]


@pytest.mark.parametrize("host", executable_hosts(), ids=lambda host: host.name)
def test_the_bits_are_those_of_one_product_after_the_other(host):
    for dtype, precision in (("float32", None), ("float64", None), ("float32", "bfloat16")):
        with products_in(precision):
            graphs = [gradient(*s, dtype) for s in GRADIENTS] + [layers(*s, dtype) for s in FORWARD]
            graphs += [narrow(*s, dtype) for s in NARROW]
        for graph in graphs:
            expected = result(NativeExecutor(host=one_by_one(host)), graph)
            for threads in (1, 3):
                got = result(NativeExecutor(host=host, checked=True), graph, threads)
                np.testing.assert_array_equal(got, expected)


def test_some_terms_are_added_to_all_sums_in_turn():
    cut = tiling(gradient(3 * TERMS, 48, 16, 3), AVX512)
    assert cut.block == TERMS
    assert tiling(gradient(TERMS, 48, 16, 3), AVX512).block == 0
    assert tiling(gradient(3 * TERMS, 48, 16, 3), one_by_one(AVX512)).block == 0


def test_lanes_run_along_the_axis_that_fills_a_vector():
    for sizes in ((100, 48, 16, 3), (100, 48, 3, 16)):
        for host in (AVX512, AVX2):
            cut = tiling(gradient(*sizes), host)
            assert (cut.nest.dims[cut.row].size, cut.nest.dims[cut.lane].size) == (3, 16)
    cut = tiling(gradient(100, 48, 16, 12), AVX512)
    assert cut.nest.dims[cut.lane].size == 12


def test_so_they_do_in_a_layer_of_few_units_that_has_enough_to_add_up():
    for host in (AVX512, AVX2):
        for terms, lanes in ((WORTH_TURNING // 128, 128), (WORTH_TURNING // 128 - 1, 2)):
            cut = tiling(narrow(terms, 128, 2), host)
            assert cut.nest.dims[cut.lane].size == lanes


def test_products_run_faster_than_their_rows():
    cut = tiling(layers(100, 48, 16, 3), AVX512)
    assert cut.order == (cut.outer[0], "row", "panel")
    assert tiling(layers(100, 48, 16, 3), one_by_one(AVX512)).order == ("row", "panel", cut.outer[0])
