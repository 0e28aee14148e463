"""Arrays from files of NumPy's formats, ``.npy`` and ``.npz``, that may be damaged or made to do harm.

A header is compared with the bytes that are there before memory is taken for its array, Python objects are refused, and
whatever else NumPy's reader and the unpacking raise is an error that names the file.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from thalweg.errors import FileFormatError, StorageError, ThalwegError

__all__ = ["read_archive", "read_array", "reading"]

LIMIT_BYTES = 64 << 30
"""What an archive may unpack to, and no more than the memory of the machine."""


@contextmanager
def reading(file: Path, expected: str) -> Iterator[None]:
    """Turns whatever a decoder raises into a FileFormatError that names the file; what the system says, a StorageError.

    Arguments:
        expected: what the file should be.
    """
    try:
        yield
    except ThalwegError:
        raise
    except Exception as error:  # decoders of other people's formats raise what they like: zlib.error, SyntaxError ...
        if isinstance(error, OSError) and error.errno:
            raise StorageError(
                f"cannot read {str(file)!r}",
                expected="a file that exists and may be read",
                got=error.strerror or str(error),
                fix="check the path",
            ) from error
        raise _unreadable(file, expected, f"{str(error)[:300] or type(error).__name__}") from error


def _unreadable(file: Path, expected: str, got: str) -> FileFormatError:
    return FileFormatError(f"{str(file)!r} cannot be read", expected=expected, got=got, fix="make or fetch it again")


def read_array(file: Path) -> np.ndarray:
    """The array of a ``.npy`` file. Raises FileFormatError or StorageError."""
    with reading(file, "an array that np.save wrote, without Python objects"), open(file, "rb") as stream:
        return _array(stream, os.fstat(stream.fileno()).st_size, file)


def read_archive(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npz`` file by their names. Raises FileFormatError or StorageError."""
    with reading(file, "what np.savez wrote, without Python objects"), zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        size = sum(member.file_size for member in members)
        if size > (limit := min(LIMIT_BYTES, _memory_bytes())):
            raise _unreadable(file, f"arrays of at most {limit:,} bytes together", f"{size:,} bytes when unpacked")
        arrays = {}
        for member in members:
            with archive.open(member) as stream:
                arrays[member.filename.removesuffix(".npy")] = _array(stream, member.file_size, file)
        return arrays


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on this system
        return LIMIT_BYTES


def _array(stream: IO[bytes], size: int, file: Path) -> np.ndarray:
    """The array that a stream of ``size`` bytes holds, which ends with it."""
    shape, fortran, dtype = _header(stream)
    if dtype.hasobject:
        raise _unreadable(file, "numbers, without Python objects", "objects, whose loading could run anything")
    start = stream.tell()
    wanted = math.prod(shape) * dtype.itemsize  # Python's integers: hostile sizes do not wrap round
    if size - start != wanted:
        raise _unreadable(file, f"{wanted:,} bytes for the shape {shape} of {dtype}", f"{size - start:,} bytes")
    content = bytearray(wanted)
    view, filled = memoryview(content), 0
    while filled < wanted:
        block: bytes = stream.read(min(wanted - filled, 1 << 24))
        if not block:
            raise EOFError("the file ends too early")
        view[filled : filled + len(block)] = block
        filled += len(block)
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)  # 3.0 differs in the characters of fields' names only
