"""Products with a transposed second operand: read as it lies, or copied, with the same bits."""

from dataclasses import replace

import numpy as np
import pytest

from thalweg.executors.native.code.step import target
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX2, AVX512
from thalweg.executors.native.machine import executable_hosts
from thalweg.executors.native.plan.plan import make_order
from thalweg.executors.native.plan.tiles import tiling_of
from thalweg.executors.native.plan.turned import is_worth_turning, vectors_of
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.ops import broadcast, relu, state_node
from thalweg.ops.contraction import contract
from thalweg.state.layout import empty


def gradient(rows, lanes, summed, dtype="float32"):
    """A layer's gradient by its input, with something after it."""
    g, weights = state_node("g", (rows, summed), dtype), state_node("weights", (lanes, summed), dtype)
    product = contract(g, weights, (0, 1), (2, 1), (0, 2))
    return Graph({"y": relu(product + broadcast(state_node("bias", (lanes,), dtype), (rows, lanes), (1,)))})


def host_that(turns, host):
    """Copies are made of what fits in the first cache: of everything, or of nothing."""
    return replace(host, core=replace(host.core, l1_bytes=0 if turns else 1 << 40))


def result(executor, graph, threads=1):
    """Of normal numbers."""
    r, state = np.random.default_rng(0), {}
    for node in graph.nodes():
        if not node.inputs:
            state[node.op.label] = empty(TensorType(node.shape, node.dtype))
            state[node.op.label][...] = r.normal(size=node.shape)
    y = np.zeros(graph.outputs["y"].shape, graph.outputs["y"].dtype)
    executor.compile(graph, gather=False).run(state, {}, None, {"y": y}, threads)
    return y


SIZES = [(2, 5, 33), (10, 35, 64), (16, 16, 16), (19, 33, 20), (41, 50, 2), (70, 21, 9)]


@pytest.mark.parametrize("host", executable_hosts(), ids=lambda host: host.name)
def test_the_bits_are_those_of_the_copy(host):
    for dtype in ("float32", "float64"):
        for sizes in SIZES:
            graph = gradient(*sizes, dtype)
            copied = result(NativeExecutor(host=host_that(False, host)), graph)
            for threads in (1, 3):
                turned = result(NativeExecutor(host=host_that(True, host), checked=True), graph, threads)
                np.testing.assert_array_equal(turned, copied)


@pytest.mark.parametrize("turns", [False, True])
def test_weights_are_copied_or_read_as_they_lie(turns):
    nests = make_order(gradient(10, 300, 400), target(host_that(turns, AVX512)), gather=False).nests
    (product,) = (nest for nest in nests if nest.kernel.contraction is not None)
    copies = [access.buffer.type.shape for nest in nests if nest is not product for access in nest.stores.values()]
    assert sorted(copies) == [(400, 10) if turns else (400, 300)]
    cut = tiling_of(product, AVX512)
    assert cut.turned is turns
    assert not turns or (cut.rows.parts(), cut.panels.count) == (((10, 1),), 19)


def test_what_is_worth_it():
    def worth(rows, lanes, summed, has_rows_last=False):
        return is_worth_turning(rows, lanes, summed, "float32", AVX512, has_rows_last=has_rows_last)

    assert worth(10, 1232, 1452)
    assert worth(128, 512, 512)
    assert worth(250, 256, 256, has_rows_last=True)
    assert not worth(250, 256, 256)  # nearly as much to copy
    assert not worth(64, 64, 64)  # weights in the first cache
    assert not worth(1, 50, 100)
    assert not worth(400, 4096, 4096)  # too large to be read for each vector of lanes


def test_the_sums_stay_in_registers():
    for host in (AVX512, AVX2):
        for rows in (1, 7, 16, 100):
            vectors = vectors_of(rows, "float32", host)
            assert vectors >= 1
            assert vectors * host.lanes("float32") + vectors + host.spare <= host.registers
