"""Convolutions, their gradients and pooling on the xla executor: see random_convolutions.py."""

import pytest
from tests.executors.random_convolutions import compiled, definition, differences, fault
from tests.executors.test_random_convolutions import FIT

from thalweg import ops
from thalweg.backprop import gradients
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph

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


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_windows_are_copied(groups, dtype):
    """XLA gets a convolution and its gradients as three convolutions."""
    x = ops.input_node("x", (3, 9, 8, 4), dtype)
    kernel = ops.input_node("kernel", (3, 2, 4 // groups, 6), dtype)
    y = ops.convolve(x, kernel, (2, 1), ((1, 1), (0, 1)), (1, 2), groups)
    slope = ops.input_node("slope", y.shape, dtype)
    by_x, by_kernel = gradients(ops.reduce_sum(y * slope), [x, kernel])
    text = XlaExecutor().explain(Graph({"y": y, "by_x": by_x, "by_kernel": by_kernel}), "stablehlo", gather=False)
    assert text.count("stablehlo.convolution") == 3
    assert "stablehlo.concatenate" not in text
    assert "stablehlo.dot_general" not in text
