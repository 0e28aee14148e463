"""Convolutions, their gradients and pooling on the xla executor: see random_convolutions.py."""

import re

import numpy as np
import pytest
from tests.executors.random_convolutions import compiled, definition, differences, fault
from tests.executors.test_random_convolutions import FIT

from thalweg import ops
from thalweg.backprop import gradients
from thalweg.executors.executor import leaf_types
from thalweg.executors.numpy import NumpyExecutor
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph
from thalweg.ops.contraction import products_in

pytestmark = pytest.mark.needs("jax")

BLOCK = 12
CASES = FIT[:48]
OF_DOUBLES = FIT[48:60]


@pytest.mark.parametrize("first", range(0, len(CASES), BLOCK))
def test_float32(first):
    """Against PyTorch, else against the numpy executor."""
    for case in CASES[first : first + BLOCK]:
        assert not (text := fault(XlaExecutor(), case, threads=(1,))), f"{case}\n{text}"


def test_float64():
    for case in OF_DOUBLES:
        want = definition(case)
        (got,) = compiled(case, XlaExecutor(), "float64")
        sizes = {name: abs(y).max(initial=0.0) * 8 for name, y in want.items()}
        assert not (found := differences(case, got, want, sizes, "float64")), f"{case}\n{found}"


def both_ways(groups, precision=None):
    """A convolution and its gradients."""
    x = ops.input_node("x", (3, 9, 8, 4))
    kernel = ops.input_node("kernel", (3, 2, 4 // groups, 8))
    with products_in(precision):
        y = ops.convolve(x, kernel, (2, 1), ((1, 1), (0, 1)), (1, 2), groups)
    slope = ops.input_node("slope", y.shape)
    by_x, by_kernel = gradients(ops.reduce_sum(y * slope), [x, kernel])
    return Graph({"y": y, "by_x": by_x, "by_kernel": by_kernel})


def lowered(graph, platform):
    """What XLA gets, for a device that need not be there."""
    import jax

    from thalweg.executors.xla.step import one_step, simplified

    data = {name: jax.ShapeDtypeStruct(kind.shape, kind.dtype) for name, kind in leaf_types(graph)[0].items()}
    return (
        jax.jit(one_step(simplified(graph), platform == "cpu"))
        .trace({}, data)
        .lower(lowering_platforms=(platform,))
        .as_text()
    )


@pytest.mark.parametrize("precision", [None, "bfloat16"])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gpus_get_one_convolution_for_each(groups, precision):
    """None of them as copied windows, or in parts."""
    text = lowered(both_ways(groups, precision), "cuda")
    assert text.count("stablehlo.convolution") == 3
    assert not any(f"stablehlo.{name}" in text for name in ("concatenate", "dot_general", "case", "if"))


@pytest.mark.parametrize(("groups", "count"), [(1, 3), (2, 6), (4, 0)])
def test_cpus_get_convolutions_in_the_order_that_is_fast(groups, count):
    """One for each group; where every channel is a group of its own, sums of products."""
    orders = re.findall(r"dim_numbers = (.+?\]->.+?\])", lowered(both_ways(groups), "cpu"))
    assert orders == count * ["[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_bfloat16(groups):
    """The factors are rounded, the sums are not."""
    graph = both_ways(groups, "bfloat16")
    r = np.random.default_rng(0)
    data = {name: r.standard_normal(kind.shape).astype("float32") for name, kind in leaf_types(graph)[0].items()}
    want, got = (run(graph, data, executor) for executor in (NumpyExecutor(), XlaExecutor()))
    for name, array in want.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-5)


def run(graph, data, executor):
    outputs = {name: np.empty(node.shape, node.dtype) for name, node in graph.outputs.items()}
    executor.compile(graph, gather=False).run({}, data, None, outputs)
    return outputs
