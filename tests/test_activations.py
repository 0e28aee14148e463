"""Activations of arrays; their values and gradients are in tests/oracles."""

import numpy as np
import pytest

from thalweg import activations, ops
from thalweg.errors import DTypeError
from thalweg.ops.reference import on_arrays

X = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("name", activations.registry.names())
def test_arrays_give_what_nodes_give(name):
    arguments = {"threshold": (0.5, -1.0)}.get(name, ())

    def function(x):
        return activations.get(name)(x, *arguments)

    got = function(X)
    assert (type(got), got.dtype, got.shape) == (np.ndarray, np.float32, (3, 2) if name == "glu" else X.shape)
    np.testing.assert_array_equal(got, on_arrays(lambda x: {"y": function(x)}, X)["y"])
    assert function(X.astype(np.float64)).dtype == np.float64


def test_lists_numbers_and_arguments():
    np.testing.assert_array_equal(activations.relu([-1, 2]), np.array([0, 2], np.float32))
    np.testing.assert_allclose(activations.leaky_relu(-2.0, negative_slope=0.1), -0.2, rtol=1e-6)
    np.testing.assert_allclose(activations.softmax(X, axis=0).sum(0), np.ones(4), rtol=1e-6)  # type: ignore[attr-defined]
    with pytest.raises(DTypeError):
        activations.relu(["a"])


def test_operations_themselves_take_arrays_too():
    np.testing.assert_array_equal(ops.relu(X), np.maximum(X, 0))
