"""Initializers: the numbers depend on seed and path alone; statistics are compared with Keras's in tests/oracles."""

import math

import numpy as np
import pytest

import thalweg
from thalweg import initializers
from thalweg.errors import ArgumentError, ShapeError
from thalweg.initializers import (
    GlorotUniform,
    Identity,
    Orthogonal,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
    fans,
)


def test_one_key_one_value():
    make = GlorotUniform()
    first = make((30, 20), seed=3, path="dense/kernel")
    np.testing.assert_array_equal(first, make((30, 20), seed=3, path="dense/kernel"))
    assert (first != make((30, 20), seed=4, path="dense/kernel")).all()
    assert (first != make((30, 20), seed=3, path="dense_1/kernel")).all()


def test_own_seed():
    values = RandomNormal(seed=1)((50,), seed=3, path="a")
    np.testing.assert_array_equal(values, RandomNormal(seed=1)((50,), seed=4, path="a"))
    assert (values != RandomNormal(seed=1)((50,), seed=3, path="b")).all()


def test_the_numbers_do_not_change():
    """A new version of thalweg or NumPy that draws others would break "same seed, same bits"."""
    values = GlorotUniform()((2, 2), "float64", seed=0, path="dense/kernel")
    np.testing.assert_allclose(values, RECORDED, rtol=1e-15)


RECORDED = [[-0.5056513620045212, 1.1767725882890097], [0.09041071095314403, 0.2759036883740698]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_shape(dtype):
    for name in initializers.registry.names():
        values = initializers.get(name)((3, 4), dtype)
        assert (values.shape, values.dtype) == ((3, 4), np.dtype(dtype))
        if name not in ("orthogonal", "identity"):
            assert initializers.get(name)((), dtype).shape == ()
        assert initializers.get(name)((0, 3), dtype).shape == (0, 3)


def test_bounds():
    limit = math.sqrt(6 / (30 + 50))
    assert np.abs(GlorotUniform()((30, 50), "float64")).max() <= limit
    assert np.abs(TruncatedNormal(stddev=3.0)((200, 200), "float64")).max() <= 6


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 5), (3, 5)), ((2, 4, 3, 5), (24, 40)), ((0, 5), (0, 5))],
)
def test_fans(shape, expected):
    assert fans(shape) == expected


@pytest.mark.parametrize("options", [{"scale": 0.0}, {"mode": "fan"}, {"distribution": "normal"}, {"seed": -1}])
def test_bad_arguments(options):
    with pytest.raises(ArgumentError):
        VarianceScaling(**options)


def test_keras_names():
    aliases = {"normal": "RandomNormal", "uniform": "RandomUniform", "zero": "Zeros", "one": "Ones"}
    for alias, name in aliases.items():
        assert type(initializers.get(alias)).__name__ == name


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (2, 3, 4), (1, 3)])
def test_orthogonal(shape):
    """The shorter sides are orthogonal vectors of length ``gain``; every sign is as likely."""
    values = Orthogonal(gain=2.0)(shape, "float64", seed=1).reshape(-1, shape[-1])
    products = values @ values.T if len(values) < shape[-1] else values.T @ values
    np.testing.assert_allclose(products, 4 * np.eye(len(products)), atol=1e-12)
    firsts = np.array([Orthogonal()(shape, "float64", seed=seed).flat[0] for seed in range(100)])
    assert 30 < (firsts > 0).sum() < 70


def test_identity():
    np.testing.assert_array_equal(Identity(gain=3.0)((2, 3), "float64"), [[3, 0, 0], [0, 3, 0]])


@pytest.mark.parametrize(("initializer", "shape"), [("orthogonal", (3,)), ("identity", (3,)), ("identity", (3, 3, 3))])
def test_what_has_no_matrix(initializer, shape):
    with pytest.raises(ShapeError, match="does not fit"):
        initializers.get(initializer)(shape)


def test_of_a_layer():
    with pytest.raises(ShapeError, match="layer 'dense'"):
        thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(3, bias_initializer="identity")])
