"""Types of tensors."""

import numpy as np
import pytest

from thalweg.graph.types import DTYPES, FLOATS, TensorType


def test_what_a_type_says():
    x = TensorType((2, 3, 5), "float64")
    assert (x.rank, x.size, x.nbytes, x.is_float, x[-1]) == (3, 30, 240, True, 5)
    assert str(x) == "float64[2,3,5]"
    assert x.with_shape(()) == TensorType((), "float64")
    assert x.with_dtype("int32") == TensorType((2, 3, 5), "int32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_an_array(dtype):
    kind = TensorType.of(np.zeros((0, 4), dtype))
    assert kind == TensorType((0, 4), dtype)
    assert kind.is_float is (dtype in FLOATS)
    assert kind.nbytes == 0


@pytest.mark.parametrize(("shape", "dtype"), [((2,), "float16"), ((-1,), "float32"), ((2.0,), "float32")])
def test_what_is_no_type(shape, dtype):
    with pytest.raises(AssertionError):
        TensorType(shape, dtype)
