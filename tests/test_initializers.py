"""Initializers: the numbers depend on seed and path alone; statistics are compared with Keras's in tests/oracles."""

import math

import numpy as np
import pytest

from thalweg import initializers
from thalweg.errors import ArgumentError
from thalweg.initializers import GlorotUniform, RandomNormal, TruncatedNormal, VarianceScaling, fans


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
