"""Data frames, mappings, rows as mappings and arrays as columns of one type each.

A frame of any package that narwhals knows is read by narwhals; nothing of pandas, Polars or Arrow is imported here.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from thalweg.data.tables.frames import is_column, is_table
from thalweg.data.tables.missing import is_missing
from thalweg.errors import DTypeError, ShapeError

__all__ = ["Columns", "columns_of", "typed"]

Columns = tuple[dict[str, np.ndarray], dict[str, str], list[str]]
"""Name -> values as ``Table.values`` describes them, name -> type, and what was mended."""


def columns_of(source: Any) -> Columns:
    """The columns of anything that has some. Raises DTypeError, DataError, ShapeError."""
    named: list[tuple[str, Any]] = list(_named(source))
    heights = {name: len(column) for name, column in named}
    if len(set(heights.values())) > 1:
        few, many = (end(heights, key=heights.__getitem__) for end in (min, max))
        raise ShapeError(
            "the columns differ in length",
            expected="as many values in each column",
            got=f"{heights[few]} in {few!r}, {heights[many]} in {many!r}",
            fix="pass columns of the same rows",
        )
    arrays: dict[str, np.ndarray] = {}
    types: dict[str, str] = {}
    notes: list[str] = []
    for name, column in named:
        own = unused(name, types)
        if own != name:
            notes.append(f"a second column {name!r} is called {own!r}")
        arrays[own], types[own] = typed(column, own)
    return arrays, types, notes


def unused(name: str, used: Mapping[str, Any]) -> str:
    """The name, or with a number behind if it is used.

    Example:
        >>> unused("a", {"a": 1, "a_2": 1})
        'a_3'
    """
    number, own = 1, name
    while own in used:
        number += 1
        own = f"{name}_{number}"
    return own


def _named(source: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(source, Mapping):
        yield from ((str(name), column) for name, column in source.items())
    elif isinstance(source, np.ndarray) and source.dtype.names:
        yield from ((name, source[name]) for name in source.dtype.names)
    elif isinstance(source, np.ndarray) and source.ndim == 2:
        yield from ((f"x{place}", source[:, place]) for place in range(source.shape[1]))
    elif is_table(source):
        yield from _of_frame(source)
    elif isinstance(source, list | tuple) and all(isinstance(row, Mapping) for row in source):
        names = dict.fromkeys(name for row in source for name in row)
        yield from ((str(name), [row.get(name) for row in source]) for name in names)
    else:
        shape = f", shape {source.shape}" if hasattr(source, "shape") else ""
        raise DTypeError(
            "this is no table",
            expected="a path, a data frame, a mapping from names to columns, a list of mappings, a 2-D array",
            got=f"{type(source).__name__}{shape}",
            fix="pass one of these",
        )


def _of_frame(source: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(source, "iloc"):  # narwhals refuses pandas' duplicate names
        yield from ((str(name), source.iloc[:, place]) for place, name in enumerate(source.columns))
        return
    import narwhals

    frame = narwhals.from_native(source, pass_through=False)
    if isinstance(frame, narwhals.LazyFrame):
        frame = frame.collect()
    yield from ((name, frame[name].to_native()) for name in frame.columns)


def typed(column: Any, name: str) -> tuple[np.ndarray, str]:
    """The values of a column as ``Table.values`` describes them, and its type. Raises DTypeError, DataError."""
    if is_column(column) or hasattr(column, "to_numpy"):
        column = _of_series(column)
    if isinstance(column, np.ma.MaskedArray):
        gaps = np.ma.getmaskarray(column)
        column = column.data.astype(object)
        column[gaps] = None
    values = np.asarray(column) if isinstance(column, np.ndarray) else _listed(column)
    if values.ndim != 1:
        raise ShapeError(
            f"column {name!r} is not one value for each row",
            expected="shape (rows,)",
            got=f"shape {values.shape}",
            fix="give each of its columns a name",
        )
    kind = values.dtype.kind
    if kind == "f":
        return values.astype(np.float64, copy=False), "number"
    if kind in "iu":
        if kind == "u" and len(values) and values.max() > np.iinfo(np.int64).max:
            return values.astype(str).astype(object), "text"
        return values.astype(np.int64, copy=False), "integer"
    if kind == "b":
        return values, "boolean"
    if kind == "M":
        return values.astype("datetime64[us]", copy=False), "date"
    if kind in "UT":
        return values.astype(object), "text"
    if kind == "O":
        return _objects(values, name)
    raise DTypeError(
        f"column {name!r} has values of a kind that is not read",
        expected="numbers, truth values, dates or text",
        got=f"dtype {values.dtype}",
        fix="make one of these of them, or leave the column out",
    )


def _listed(column: Any) -> np.ndarray:
    values = np.empty(len(column), object)
    values[:] = list(column)
    return values


def _of_series(column: Any) -> Any:
    """A column of a frame as an array: with None or NaN where something is missing."""
    import narwhals

    series = narwhals.from_native(column, series_only=True)
    dtype = series.dtype
    if dtype.is_integer() or isinstance(dtype, narwhals.Boolean):
        return series.to_numpy() if not series.is_null().any() else _listed(series.to_list())
    if dtype.is_float() or dtype.is_decimal():
        return series.cast(narwhals.Float64).to_numpy()
    if isinstance(dtype, narwhals.Datetime):
        if dtype.time_zone is not None:
            series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return series.to_numpy().astype("datetime64[us]")
    if isinstance(dtype, narwhals.Date):
        return series.to_numpy().astype("datetime64[us]")
    return _listed(series.to_list())


def _objects(values: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    present = np.array([not is_missing(value) for value in values], bool)
    kinds = {_word(value) for value in values[present]}
    if kinds <= {"integer", "number"}:
        if "number" in kinds or not kinds:
            return _filled(values, present, np.nan, np.float64), "number"
        if present.all():
            return _integers(values)
        return _filled(values, present, np.nan, np.float64), "integer"
    if kinds == {"boolean"}:
        return (values.astype(bool) if present.all() else _none_where(values, ~present)), "boolean"
    if kinds == {"date"}:
        return np.array(
            [_moment(v) if p else None for v, p in zip(values, present, strict=True)], "datetime64[us]"
        ), "date"
    if kinds == {"text"}:
        return _none_where(values, ~present), "text"
    if "unknown" in kinds:
        odd = next(value for value in values[present] if _word(value) == "unknown")
        raise DTypeError(
            f"column {name!r} has values of a kind that is not read",
            expected="numbers, truth values, dates or text",
            got=f"{odd!r:.60} ({type(odd).__name__})",
            fix="make one of these of them, or leave the column out",
        )
    texts = np.array([str(v) if p else None for v, p in zip(values, present, strict=True)], object)
    return texts, "text"


def _integers(values: np.ndarray) -> tuple[np.ndarray, str]:
    try:
        return values.astype(np.int64), "integer"
    except OverflowError:  # identifiers of more than 64 bits
        return np.array([str(value) for value in values], object), "text"


def _filled(values: np.ndarray, present: np.ndarray, gap: Any, dtype: Any) -> np.ndarray:
    whole = np.full(len(values), gap, dtype)
    whole[present] = values[present].astype(dtype)
    return whole


def _none_where(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    if not missing.any():
        return values
    whole = values.copy()
    whole[missing] = None
    return whole


def _word(value: Any) -> str:
    """The type of a single value, as in ``Table.types``; ``"unknown"`` for any other."""
    for kinds, word in _WORDS:
        if isinstance(value, kinds):
            return word
    return "unknown"


_WORDS: Sequence[tuple[Any, str]] = (
    (str, "text"),
    ((bool, np.bool_), "boolean"),
    ((int, np.integer), "integer"),
    ((float, np.floating, Decimal), "number"),
    ((datetime.date, np.datetime64), "date"),
)


def _moment(value: Any) -> np.datetime64:
    if getattr(value, "tzinfo", None) is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")
