"""Numbers that a dtype holds."""

import math

import numpy as np
import pytest

from thalweg.errors import DTypeError
from thalweg.graph.types import DTYPES, FLOATS
from thalweg.ops.leaf import Constant, constant, held, whole_numbers


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype not in FLOATS])
def test_whole_numbers_are_held_from_the_smallest_to_the_largest(dtype):
    bounds = whole_numbers(dtype)
    assert bounds is not None
    for value in (*bounds, float(bounds[0]), np.int64(bounds[1])):
        assert held(value, dtype) == value
    for value in (bounds[0] - 1, bounds[1] + 1, math.inf, -math.inf, math.nan, 0.5, 10**400):
        with pytest.raises(DTypeError) as caught:
            held(value, dtype)
        assert str(bounds[1]) in caught.value.expected


def test_floats_round():
    assert whole_numbers("float32") is None
    assert held(0.1, "float32") == float(np.float32(0.1))
    assert held(1e300, "float32") == math.inf
    assert math.isnan(held(math.nan, "float64"))


def test_a_constant_is_a_number_of_python():
    for value, dtype, kind in ((np.float32(1.5), "float64", float), (True, "int32", int), (1, "bool", bool)):
        op = constant(value, dtype).op
        assert isinstance(op, Constant)
        assert type(op.value) is kind
