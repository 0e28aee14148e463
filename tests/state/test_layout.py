import numpy as np
import pytest

from thalweg.graph.types import TensorType
from thalweg.state.layout import empty, row_stride


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 5), (4, 256), (2, 3, 1024), (0, 256)])
def test_states_are_aligned_zeros_of_their_type(shape, dtype):
    array = empty(TensorType(shape, dtype))
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.size == 0 or array.ctypes.data % 64 == 0  # NumPy points anywhere for nothing
    assert not array.any()


def test_rows_that_would_collide_are_padded_by_a_cache_line():
    array = empty(TensorType((4, 256)))
    assert row_stride(TensorType((4, 256))) == 272
    assert array.strides == (272 * 4, 4)
    array[...] = 1
    assert array.base.size >= 4 * 272 * 4
    assert np.count_nonzero(array) == 1024


def test_long_rows_begin_on_lines():
    assert empty(TensorType((3, 1000))).strides == (1008 * 4, 4)
    assert row_stride(TensorType((3, 500))) == 528  # 512 would collide


def test_vectors_and_short_rows_are_dense():
    assert row_stride(TensorType((1024,))) == 1024
    assert empty(TensorType((3, 50))).strides == (200, 4)
