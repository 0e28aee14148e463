"""data/idx.py: every dtype, and every way in which the sizes can be wrong."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.data import idx
from thalweg.errors import FileFormatError

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def encode(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(1,), (3, 2), (2, 1, 5), (0, 4)])
def test_there_and_back(dtype, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    decoded = idx.decode(encode(array), "test")
    assert decoded.shape == shape
    np.testing.assert_array_equal(decoded, array)


def test_a_bytearray_is_viewed_and_writable():
    data = bytearray(encode(np.array([1, 2], np.uint8)))
    idx.decode(data, "test")[0] = 9
    assert data[-2:] == b"\x09\x02"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x08",
        b"\x01\x00\x08\x01\x00\x00\x00\x00",
        b"\x00\x00\x07\x01\x00\x00\x00\x00",
        b"\x00\x00\x08\x00",
        b"\x00\x00\x08\x02\x00\x00\x00\x00",
        encode(np.arange(5, dtype=np.uint8))[:-1],
        encode(np.arange(5, dtype=np.uint8)) + b"\x00",
        b"\x1f\x8b\x08\x00" + bytes(20),
        # 2**32 - 1 to the fourth power times 8 is a small number in 64 bits
        b"\x00\x00\x0e\x04" + b"\xff" * 16,
    ],
)
def test_a_malformed_file_is_refused(data):
    with pytest.raises(FileFormatError, match="some file"):
        idx.decode(data, "some file")


@given(st.binary(max_size=40))
def test_any_bytes_give_an_array_or_a_format_error(data):
    try:
        array = idx.decode(data, "test")
    except FileFormatError:
        return
    assert array.nbytes + 4 + 4 * array.ndim == len(data)
