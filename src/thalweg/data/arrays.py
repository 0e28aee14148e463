"""From what users hand in (lists, tables, arrays of any dtype) to arrays that the graph takes, checked before use."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from thalweg.data.tables.frames import NUMBERS, holds_text, is_column, is_table, table_numbers
from thalweg.errors import DataError, DTypeError

BLOCK = 1 << 22
"""Numbers that are looked at one by one together: a file may hold more than memory takes."""

__all__ = ["as_array", "converted", "find_non_finite", "require_finite"]


def as_array(value: Any, what: str) -> np.ndarray:
    """An array of numbers or truth values from an array, a list, a table, or anything that NumPy can read.

    Arguments:
        what: how messages call it: ``"x"``.

    Raises: DTypeError if it holds text, dates, objects or complex numbers, naming the column of a table.
    """
    refuse_masked(value, what)
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS:
        return value if type(value) in (np.ndarray, np.memmap) else np.asarray(value)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise DTypeError(
            f"{what} is a sparse matrix, and those are not there yet",
            expected="an array in which zeros stand as such",
            got=f"{type(value).__name__} of shape {getattr(value, 'shape', '?')} with {value.nnz} numbers",
            fix=f"pass {what}.toarray(), if that fits into memory; numbers of categories go through layers.Embedding",
        )
    try:
        if is_table(value) and not hasattr(value, "iloc"):  # Polars makes numbers of dates if other columns are numbers
            return table_numbers(value, what)
        array = np.asarray(value)
        if array.dtype.kind not in NUMBERS and (is_table(value) or is_column(value)):
            return table_numbers(value, what)
        if array.dtype.kind == "O":
            array = array.astype(np.str_ if holds_text(array) else np.float64)  # "1.5" would be taken for a number
    except DTypeError:
        raise
    except Exception as error:  # of NumPy, and of whatever gives itself out as an array
        raise DTypeError(
            f"{what} cannot be read as an array of numbers",
            expected="an array, a list of equally long lists, or a table whose columns are all numbers",
            got=f"{type(value).__name__}: {str(error)[:300]}",
            fix="pass it to fit, evaluate or predict alone, as x: its batches bring (x, y) or (x, y, sample_weight)"
            if hasattr(value, "__next__")
            else "encode texts and categories as numbers first, and make all rows equally long",
        ) from error
    if array.dtype.kind not in NUMBERS:
        raise DTypeError(
            f"{what} does not hold numbers",
            expected="floating point numbers, integers or booleans",
            got=f"dtype {array.dtype}",
            fix=f"number the names: classes, {what} = np.unique({what}, return_inverse=True)"
            if array.dtype.kind in "US"
            else "convert it first",
        )
    return array


def refuse_masked(value: Any, what: str) -> None:
    """Raise DataError for NumPy's masked arrays with something masked, which would be read as if it were there."""
    if "numpy.ma" not in sys.modules:  # then nobody has made one, and loading it would take 15 ms
        return
    for part in value if isinstance(value, list | tuple) else (value,):
        if isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part):
            where = tuple(np.argwhere(np.ma.getmaskarray(part))[0].tolist())
            raise DataError(
                f"{what} is a masked array, and masks are not looked at",
                expected="numbers at all places",
                got=f"{np.count_nonzero(np.ma.getmaskarray(part))} masked, the first at {_place(what, where)}",
                fix="fill them in, x.filled(0.0), or leave their rows out; sample_weight=0 keeps a row from counting",
            )


def converted(array: np.ndarray, dtype: str, what: str) -> np.ndarray:
    """The array in C order and in this dtype, without a copy where it has both already.

    Raises: DataError if the dtype is one of integers and the array has fractions or numbers outside its range.
    """
    if array.dtype == dtype:
        return np.ascontiguousarray(array)
    with np.errstate(all="ignore"):  # what does not fit is found below, or as infinity by require_finite
        result = np.ascontiguousarray(array, dtype=dtype).reshape(array.shape)  # which makes an axis of none
    if result.dtype.kind in "iu" and not np.array_equal(result, array):
        where = tuple(int(i) for i in np.argwhere(result != array)[0])
        info = np.iinfo(result.dtype)
        raise DataError(
            f"{what} holds a number that its input cannot take",
            expected=f"whole numbers from {info.min} to {info.max}, as the input's dtype is {dtype}",
            got=f"{array[where]} at {_place(what, where)}",
            fix="pass data of this dtype, or declare the input with "
            + ("dtype='int64'" if array.dtype.kind in "iu" else "dtype='float32'"),
        )
    return result


def require_finite(array: np.ndarray, what: str, columns: Any = None, first_row: int = 0) -> None:
    """Raise DataError at the first NaN or infinity, naming row and column.

    Arguments:
        columns: the names of a table's columns, if known.
        first_row: the number of the array's first row, where it is a part.
    """
    where = find_non_finite(array)
    if where is None:
        return
    column = ""
    if len(where) > 1:
        column = (
            f", column {columns[where[1]]!r}" if columns is not None else f", column {', '.join(map(str, where[1:]))}"
        )
    raise DataError(
        f"{what} holds a number that is not finite",
        expected="finite numbers that float32 can hold" if array.dtype == np.float32 else "finite numbers",
        got=f"{array[where]} in row {first_row + where[0]}{column}",
        fix="fill in or leave out missing values, for example x[np.isfinite(x).all(axis=1)]",
        disease="nan_inf",
    )


def find_non_finite(array: np.ndarray) -> tuple[int, ...] | None:
    """The index of the first NaN or infinity, None if there is none.

    A sum of squares finds out first, at the speed of memory (5 ms for MNIST): it is finite only if all numbers are.
    Large numbers can make it overflow too, so only then each number is looked at.
    """
    if array.dtype.kind != "f" or array.size == 0:
        return None
    # reshape copies only strided views, which are states; users' arrays are in C order by now
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        if np.isfinite(np.dot(flat, flat)):
            return None
    for start in range(0, flat.size, BLOCK):
        bad = ~np.isfinite(flat[start : start + BLOCK])
        if bad.any():
            return tuple(int(i) for i in np.unravel_index(start + int(bad.argmax()), array.shape))
    return None


def _place(what: str, where: tuple[int, ...]) -> str:
    return f"{what}[{', '.join(map(str, where))}]"
