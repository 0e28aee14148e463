"""Room for numbers that are to come: in memory, or in a file without a name where they would take too much of it."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg import memory
from thalweg.errors import StorageError

__all__ = ["empty", "is_mapped", "no_room"]

SHARE = 1 / 3
"""Of the memory that is left; what is read and trained takes some of it besides."""


def empty(shape: int | Sequence[int], dtype: Any, beside: int = 1) -> np.ndarray:
    """An array that is to be filled; like ``np.empty``, but never more than a share of the memory that is left.

    What is larger lies in a temporary file, which has no name and is gone with the array, however the program ends. The
    system reads and writes its pages as they are needed, so that data may be larger than memory.

    Arguments:
        beside: how many arrays like it there will be.

    Raises: StorageError if there is no room for the file either.
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    kind = np.dtype(dtype)
    needed = math.prod(sizes) * kind.itemsize
    if needed * beside < memory.SMALL_BYTES or needed * beside <= SHARE * memory.available():
        return np.empty(sizes, kind)
    try:
        with tempfile.TemporaryFile(prefix="thalweg-") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, needed)  # a page that finds no room later ends the program
            else:
                file.truncate(needed)
            pages = mmap.mmap(file.fileno(), needed)
    except OSError as error:
        words = memory.in_words(needed)
        raise no_room(
            error, "the data fit neither into memory nor into a temporary file", f"room for {words}"
        ) from error
    return np.frombuffer(pages, kind).reshape(sizes)


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array's numbers lie in such a file."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


def no_room(
    error: OSError, problem: str, expected: str = "as much room for temporary files as the table takes"
) -> StorageError:
    """The error for a temporary file that cannot be written."""
    return StorageError(
        problem,
        expected=expected,
        got=error.strerror or str(error),
        fix="make room, or set TMPDIR to a folder on another disk",
    )
