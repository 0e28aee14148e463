"""A single raw row on the shortest way: from its values to the arrays that the network takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.encodings import Number
from thalweg.errors import NameNotFoundError, did_you_mean, listed
from thalweg.tables.features import DTYPES
from thalweg.tables.schema import Column, Schema

__all__ = ["RowReader", "columns_missing", "is_row", "single_row"]


def single_row(x: Any) -> Mapping[str, Any] | None:
    """The values by name of something that is one row: a mapping, a list of one, a frame of pandas, Polars or Arrow."""
    if type(x) is list and len(x) == 1:
        x = x[0]
    if type(x) is dict:
        return x if is_row(x) else None
    if getattr(x, "shape", (0,))[0] != 1 or not hasattr(x, "columns"):
        return None
    if hasattr(x, "iloc"):  # of all ways into a frame of pandas the quickest: a third of to_numpy
        return dict(zip(map(str, x.columns.tolist()), x.iloc[0].tolist(), strict=True)) if x.columns.is_unique else None
    if hasattr(x, "row"):
        row: dict[str, Any] = x.row(0, named=True)
        return row
    return x.to_pylist()[0] if hasattr(x, "to_pylist") else None


SCALARS = frozenset((str, float, int, bool, type(None), np.float64, np.int64, np.bool_, np.datetime64))


def is_row(values: Mapping[str, Any]) -> bool:
    """Whether a mapping holds single values, rather than columns of them."""
    return all(type(v) in SCALARS or not _is_column(v) for v in values.values())


def _is_column(value: Any) -> bool:
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0 or hasattr(value, "to_numpy")


class RowReader:
    """Makes arrays of one row of raw values, the same bits as a table makes.

    Arguments:
        labels: of the network's inputs, in their order.
    """

    def __init__(self, schema: Schema, labels: Sequence[str]) -> None:
        self.columns = tuple(column.name for column in schema.used)
        self.groups = [
            (label, _Group(DTYPES[group], columns))
            for label, (group, columns) in zip(labels, schema.groups.items(), strict=True)
        ]

    def arrays(self, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """By the labels of the inputs. Raises NameNotFoundError or DataError, as for a table."""
        try:
            return {label: group.array(row) for label, group in self.groups}
        except KeyError:
            raise columns_missing("the row", self.columns, tuple(row), "a value") from None


class _Group:
    """The columns of one input."""

    def __init__(self, dtype: str, columns: Sequence[Column]) -> None:
        self.dtype = np.dtype(dtype)
        self.names = [column.name for column in columns]
        encodings = [column.encoding for column in columns]
        self.readers = [encoding.value for encoding in encodings]
        numbers = [encoding.offset for encoding in encodings if isinstance(encoding, Number)]
        self.offsets = np.array(numbers) if numbers else None

    def array(self, row: Mapping[str, Any]) -> np.ndarray:
        """Shapes: -> (1, columns). Raises KeyError for a column that is not there."""
        values = [row[name] for name in self.names]
        if self.offsets is not None and FLOATS.issuperset(map(type, values)):
            numbers = np.array(values, np.float64) - self.offsets
            if not (abs(numbers) > MOST).any():
                array: np.ndarray = numbers.astype(np.float32)[None]
                return array
        return np.array([[read(value) for read, value in zip(self.readers, values, strict=True)]], self.dtype)


FLOATS = frozenset((float, np.float64))
MOST = 1e38
"""Numbers that single precision holds; what it does not hold is missing, and the way of each value says so."""


def columns_missing(source: str, names: Sequence[str], there: Collection[str], what: str) -> NameNotFoundError:
    """The error for columns that a model needs and does not get."""
    missing = [name for name in names if name not in there]
    return NameNotFoundError(
        f"{source} lacks {what} that the model was trained with: {missing[0]!r}",
        expected=f"the columns {listed(names)}, in any order",
        got=f"no {listed(missing)}; there are {listed(there)}",
        fix=did_you_mean(missing[0], there),
    )
