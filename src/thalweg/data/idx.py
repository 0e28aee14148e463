"""The idx format of the MNIST files: a magic number, the sizes, then the values, all big-endian."""

from __future__ import annotations

import math

import numpy as np

from thalweg.errors import FileFormatError

__all__ = ["decode"]

# Third byte of the magic number -> dtype. Source: LeCun, Cortes, Burges (1998), "The MNIST database", file formats.
_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def decode(data: bytes | bytearray, source: str) -> np.ndarray:
    """The array that an idx file holds.

    The result is a view of ``data``, so it is writable where that is a bytearray, and costs no memory of its own.
    Values of more than one byte stay big-endian.

    Arguments:
        data: the whole file, uncompressed.
        source: the file's name, for messages.

    Raises:
        FileFormatError: if the magic number or a size is wrong, or the file is shorter or longer than they say.

    Example:
        >>> decode(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "three bytes")
        array([7, 8, 9], dtype=uint8)
    """
    if len(data) < 4 or data[0] != 0 or data[1] != 0 or data[2] not in _DTYPES or data[3] == 0:
        raise FileFormatError(
            f"{source} is no idx file",
            expected="a magic number: 0, 0, one of 8 9 11 12 13 14, and the number of dimensions",
            got=f"{len(data)} bytes, the first of them {list(data[:4])}",
            fix="check that this is the right file, uncompressed",
        )
    dtype, rank = np.dtype(_DTYPES[data[2]]), data[3]
    start = 4 + 4 * rank
    if len(data) < start:
        raise _wrong_size(source, f"at least {start} bytes, for the sizes of {rank} dimensions", len(data))
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, start, 4))
    # Python's integers: in int64 the product of hostile sizes could wrap round to the file's length.
    size = start + math.prod(shape) * dtype.itemsize
    if len(data) != size:
        raise _wrong_size(source, f"{size} bytes, for the shape {shape} of {dtype.name}", len(data))
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def _wrong_size(source: str, expected: str, size: int) -> FileFormatError:
    return FileFormatError(
        f"the idx file {source} is not as long as it says",
        expected=expected,
        got=f"{size} bytes",
        fix="fetch the file again: it was cut off, or something was added",
    )
