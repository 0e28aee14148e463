"""How arrays of state lie in memory: rows begin on cache lines, a little apart where powers of two would collide."""

from __future__ import annotations

import math

import numpy as np

from thalweg.graph.types import TensorType

LINE_BYTES = 64
"""A cache line, and the widest vector."""

CONFLICT_BYTES = 1024
"""Rows a multiple of this apart fall into few sets of the first cache, so that a column of them evicts itself."""


WORTH_LINES = 1 / 8
"""The share of a row that may be added to it, so that the next one begins on a line of its own: else every vector of
every other row lies on two lines, and processors do not foresee where the next row is.
"""


def row_stride(kind: TensorType) -> int:
    """Elements from one row (last axis) to the next: its size, up to whole lines, one more where rows would collide.

    Example:
        >>> row_stride(TensorType((784, 512))), row_stride(TensorType((784, 1000))), row_stride(TensorType((784, 10)))
        (528, 1008, 10)
    """
    if kind.rank < 2:
        return kind.size
    item_bytes = np.dtype(kind.dtype).itemsize
    row_bytes = kind.shape[-1] * item_bytes
    if -row_bytes % LINE_BYTES <= row_bytes * WORTH_LINES:
        row_bytes += -row_bytes % LINE_BYTES
    if row_bytes and row_bytes % CONFLICT_BYTES == 0:
        row_bytes += LINE_BYTES
    return row_bytes // item_bytes


def empty(kind: TensorType) -> np.ndarray:
    """An array of zeros for a state: aligned, a strided view where rows are padded."""
    dtype = np.dtype(kind.dtype)
    stored = (*kind.shape[:-1], row_stride(kind)) if kind.rank else ()
    wanted_bytes = math.prod(stored) * dtype.itemsize
    memory = np.zeros(wanted_bytes + LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % LINE_BYTES
    array = memory[start : start + wanted_bytes].view(dtype).reshape(stored)
    return array[..., : kind.shape[-1]] if kind.rank else array


def strides(kind: TensorType) -> tuple[int, ...]:
    """Elements from one index to the next along each axis of a state's array."""
    row = row_stride(kind)
    return (*(row * math.prod(kind.shape[a + 1 : -1]) for a in range(kind.rank - 1)), 1) if kind.rank else ()
