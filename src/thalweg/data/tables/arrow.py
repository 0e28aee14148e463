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

__all__ = ["StreamError", "pieces"]

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
    letter: np.dtype(name) for letter, name in ((b"f", "f4"), (b"g", "f8"), (b"i", "i4"), (b"l", "i8"))
}
"""Arrow's letters for numbers."""


def pieces(database: Any, query: str) -> Iterator[list[np.ndarray]]:
    """The columns of each piece of an answer, all of them numbers and none missing, in the order of the rows.

    The arrays are the database's own memory: they hold until the next piece is asked for.

    Raises: StreamError.
    """
    # A connection of its own: another question on the same one would end the answer.
    capsule = database.cursor().sql(query).__arrow_c_stream__()
    address = _pointer(capsule, b"arrow_array_stream")
    stream = ctypes.cast(address, ctypes.POINTER(_Stream)).contents
    dtypes = _dtypes(stream, address)
    while True:
        array = _Array()
        _require(stream, address, stream.get_next(address, ctypes.byref(array)))
        if not array.release:
            return
        try:
            yield [_numbers(array.children[place].contents, dtype) for place, dtype in enumerate(dtypes)]
        finally:
            array.release(ctypes.addressof(array))


def _pointer(capsule: Any, name: bytes) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address: int = get(capsule, name)
    return address


def _dtypes(stream: _Stream, address: int) -> list[np.dtype[Any]]:
    schema = _Schema()
    _require(stream, address, stream.get_schema(address, ctypes.byref(schema)))
    try:
        return [DTYPES[schema.children[place].contents.format] for place in range(schema.n_children)]
    finally:
        schema.release(ctypes.addressof(schema))


def _numbers(array: _Array, dtype: np.dtype[Any]) -> np.ndarray:
    assert array.null_count <= 0, "an encoding leaves nothing missing"
    if not array.length:
        return np.zeros(0, dtype)
    start = array.buffers[1] + array.offset * dtype.itemsize
    raw = (ctypes.c_char * (array.length * dtype.itemsize)).from_address(start)
    return np.frombuffer(raw, dtype)


def _require(stream: _Stream, address: int, answer: int) -> None:
    if answer:
        said = stream.get_last_error(address)
        raise StreamError((said or b"").decode("utf-8", "replace") or f"error {answer}")
