"""Tables and columns of pandas, Polars and their like as arrays of numbers, by what they can.

Nothing of them is imported. A column of numbers is what NumPy makes of it; where it may have gaps (pandas' ``Int64``,
``boolean``, Polars' nulls) the gaps are NaN. Text, dates and categories of text are no numbers: the column is named.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.errors import DTypeError

__all__ = ["holds_text", "is_column", "is_table", "labels", "table_numbers"]

NUMBERS = "fiub"
"""The kinds of dtypes that are numbers or truth values."""


def is_table(value: Any) -> bool:
    """Whether it has columns that can be had by name."""
    if hasattr(value, "collect_schema") and hasattr(value, "collect"):  # a lazy one: asking for names costs, and warns
        return True
    named = hasattr(value, "columns") and (hasattr(value, "dtypes") or hasattr(value, "column_names"))
    return named and hasattr(value, "__getitem__")


def is_column(value: Any) -> bool:
    """Whether it is one column of a table, with a dtype and a name of its own."""
    return not isinstance(value, np.ndarray) and hasattr(value, "dtype") and hasattr(value, "to_numpy")


def _columns(value: Any) -> Iterator[tuple[Any, Any]]:
    """Name and column; of a column itself its name."""
    if not is_table(value):
        yield getattr(value, "name", None), value
    elif hasattr(value, "iloc"):
        yield from ((name, value.iloc[:, at]) for at, name in enumerate(value.columns))
    else:
        yield from ((name, value[name]) for name in getattr(value, "column_names", value.columns))


def table_numbers(value: Any, what: str) -> np.ndarray:
    """A table or column as numbers: (rows, columns) or (rows,).

    Raises: DTypeError naming the first column that has none.
    """
    arrays = []
    for name, column in _columns(value):
        array = _numbers(column)
        if array is None:
            raise _no_numbers(name, column, value, what)
        arrays.append(array)
    if not is_table(value):
        return arrays[0]
    return np.stack(arrays, axis=1) if arrays else np.zeros((len(value), 0))


def _numbers(column: Any) -> np.ndarray | None:
    array = np.asarray(column)
    if array.dtype.kind in NUMBERS:
        return array
    if array.dtype.kind != "O":
        return None
    if getattr(getattr(column, "dtype", None), "kind", "O") in NUMBERS:  # pandas' numbers with gaps
        with_gaps: np.ndarray = column.to_numpy(dtype="float64", na_value=np.nan)
        return with_gaps
    if holds_text(array) or any(isinstance(one, datetime.date | datetime.timedelta) for one in array.flat):
        return None
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def holds_text(array: np.ndarray) -> bool:
    """Whether there is text among objects: ``float("1.5")`` would be a number, and not what is there."""
    return any(isinstance(one, str | bytes) for one in array.flat)


def _no_numbers(name: Any, column: Any, whole: Any, what: str) -> DTypeError:
    array = np.asarray(column)
    kind = str(getattr(column, "dtype", getattr(column, "type", array.dtype)))
    example = next((one for one in array.flat if one is not None and one == one), None)
    if array.dtype.kind in "mM" or isinstance(example, datetime.date | datetime.timedelta):
        fix = f"make numbers of it, days for one: (t - t.min()) / np.timedelta64(1, 'D') of t = np.asarray({what}"
        fix += f"[{name!r}])" if is_table(whole) else ")"
    elif is_table(whole):
        encoded = f"{what}.to_dummies({name!r})" if hasattr(whole, "to_dummies") else f"pandas.get_dummies({what})"
        fix = f"encode it, for example {encoded}, or leave it out"
    else:
        fix = f"number what it names: classes, {what} = np.unique({what}, return_inverse=True)"
    return DTypeError(
        f"{what} does not hold numbers" + (f": its column {name!r} has dtype {kind}" if is_table(whole) else ""),
        expected="columns of numbers or truth values; of text and categories there is no reading yet",
        got=f"dtype {kind}, for example {example!s:.60}",
        fix=fix,
    )


def labels(value: Any, what: str) -> np.ndarray:
    """Names or numbers of classes as an array of one dtype: text, whole numbers, truth values, or floats.

    Raises: DTypeError if some are missing, or of different kinds.
    """
    array = np.asarray(value)
    if array.dtype.kind != "O":
        return array
    if all(isinstance(one, str) for one in array.flat):
        return array.astype(np.str_)
    numbers = _numbers(value if is_column(value) else array)
    if numbers is not None and not np.isnan(numbers).any():
        return numbers
    odd = next((one for one in array.flat if not isinstance(one, str)), None)
    raise DTypeError(
        f"{what} has no class in some rows, or classes of several kinds",
        expected="text, or whole numbers, in every row",
        got=f"for example {odd!r:.60} ({type(odd).__name__})",
        fix="leave these rows out, or give them a name of their own",
    )
