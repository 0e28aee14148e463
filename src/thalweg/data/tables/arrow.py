"""Answers of the database a piece at a time, as NumPy arrays: Arrow's C stream, read without any package.

DuckDB hands out a whole answer as NumPy arrays, and a piece of one only by way of pandas or pyarrow. The stream's three
structures are few and fixed, so they are read here.

Source: "The Arrow C stream interface", https://arrow.apache.org/docs/format/CStreamInterface.html
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["Column", "StreamError", "pieces"]

_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class StreamError(Exception):
    """What the database says when an answer breaks off."""


class _Schema(ctypes.Structure):
    pass


_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.c_void_p),
    ("release", _Release),
    ("private_data", ctypes.c_void_p),
]


class _Array(ctypes.Structure):
    pass


_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    ("dictionary", ctypes.c_void_p),
    ("release", _Release),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    _fields_ = (
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


DTYPES: dict[bytes, np.dtype[Any]] = {
    letter: np.dtype(name) for letter, name in ((b"c", "i1"), (b"f", "f4"), (b"g", "f8"), (b"i", "i4"), (b"l", "i8"))
}
"""Arrow's letters for numbers."""
TEXT = b"u"


class Column:
    """A column of one piece: in the database's own memory, which holds until the next piece is asked for."""

    def __init__(self, array: _Array, letter: bytes) -> None:
        self.length = array.length
        self.array = array
        self.letter = letter

    def missing(self) -> np.ndarray | None:
        """Where nothing is; None if there is no such place. Shapes: (rows,) bool."""
        if self.array.null_count == 0 or not self.array.buffers[0] or not self.length:
            return None
        offset = self.array.offset
        bits = _memory(self.array.buffers[0], np.dtype(np.uint8), 0, (offset + self.length + 7) // 8)
        missing = np.unpackbits(bits, count=offset + self.length, bitorder="little")[offset:] == 0
        return missing if missing.any() else None

    def numbers(self) -> np.ndarray:
        """Its numbers; anything where one is missing. Shapes: (rows,)."""
        return _memory(self.array.buffers[1], DTYPES[self.letter], self.array.offset, self.length)

    def text(self) -> tuple[np.ndarray, list[str]]:
        """Which rows have text, and the text of each."""
        missing = self.missing()
        rows = np.arange(self.length) if missing is None else np.flatnonzero(~missing)
        if not len(rows):
            return rows, []
        ends = _memory(self.array.buffers[1], np.dtype(np.int32), self.array.offset, self.length + 1)
        data = bytes(_memory(self.array.buffers[2], np.dtype(np.uint8), 0, int(ends[-1]))) if ends[-1] else b""
        starts, stops = ends[rows].tolist(), ends[rows + 1].tolist()
        return rows, [data[start:stop].decode() for start, stop in zip(starts, stops, strict=True)]


def pieces(database: Any, query: str) -> Iterator[list[Column]]:
    """The columns of each piece of an answer, numbers and text, in the order of the rows. Raises: StreamError."""
    # A connection of its own: another question on the same one would end the answer.
    capsule = database.cursor().sql(query).__arrow_c_stream__()
    address = _pointer(capsule, b"arrow_array_stream")
    stream = ctypes.cast(address, ctypes.POINTER(_Stream)).contents
    letters = _letters(stream, address)
    while True:
        array = _Array()
        _require(stream, address, stream.get_next(address, ctypes.byref(array)))
        if not array.release:
            return
        try:
            yield [Column(array.children[place].contents, letter) for place, letter in enumerate(letters)]
        finally:
            array.release(ctypes.addressof(array))


def _pointer(capsule: Any, name: bytes) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address: int = get(capsule, name)
    return address


def _letters(stream: _Stream, address: int) -> list[bytes]:
    schema = _Schema()
    _require(stream, address, stream.get_schema(address, ctypes.byref(schema)))
    try:
        letters = [bytes(schema.children[place].contents.format) for place in range(schema.n_children)]
    finally:
        schema.release(ctypes.addressof(schema))
    assert {*letters} <= {*DTYPES, TEXT}, f"types that are not asked for: {letters}"
    return letters


def _memory(address: int, dtype: np.dtype[Any], start: int, count: int) -> np.ndarray:
    if not count:
        return np.zeros(0, dtype)
    raw: Any = (ctypes.c_char * (count * dtype.itemsize)).from_address(address + start * dtype.itemsize)
    numbers: np.ndarray = np.frombuffer(raw, dtype)
    return numbers


def _require(stream: _Stream, address: int, answer: int) -> None:
    if answer:
        said = stream.get_last_error(address)
        raise StreamError((said or b"").decode("utf-8", "replace") or f"error {answer}")
