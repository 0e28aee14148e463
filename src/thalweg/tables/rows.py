"""A single raw row on the shortest way: from its values to the arrays that the network takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.encodings import Number
from thalweg.errors import NameNotFoundError, did_you_mean, listed
from thalweg.tables.features import DTYPES
from thalweg.tables.schema import Column, Schema

__all__ = ["RowReader", "columns_missing", "is_row", "single_row"]

Read = Callable[[Any], Any]


def single_row(x: Any) -> Mapping[str, Any] | None:
    """The values by name of something that is one row: a mapping, a list of one, a pandas frame of one row."""
    if type(x) is list and len(x) == 1:
        x = x[0]
    if type(x) is dict:
        return x if is_row(x) else None
    if hasattr(x, "iloc") and getattr(x, "shape", (0,))[0] == 1 and x.columns.is_unique:
        return dict(zip(x.columns, x.to_numpy(object)[0], strict=True))
    return None


SCALARS = frozenset((str, float, int, bool, type(None)))


def is_row(values: Mapping[str, Any]) -> bool:
    """Whether a mapping holds single values, rather than columns of them."""
    return all(type(v) in SCALARS or not _is_column(v) for v in values.values())


def _is_column(value: Any) -> bool:
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0 or hasattr(value, "to_numpy")


class RowReader:
    """Makes arrays of one row of raw values.

    Arguments:
        labels: of the network's inputs, in their order.
    """

    def __init__(self, schema: Schema, labels: Sequence[str]) -> None:
        self.columns = tuple(column.name for column in schema.used)
        self.groups = [
            (label, np.dtype(DTYPES[group]), [(column.name, _reader(column)) for column in columns])
            for label, (group, columns) in zip(labels, schema.groups.items(), strict=True)
        ]

    def arrays(self, row: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """By the labels of the inputs. Raises NameNotFoundError or DataError, as for a table."""
        try:
            return {
                label: np.array([[read(row[name]) for name, read in readers]], dtype)
                for label, dtype, readers in self.groups
            }
        except KeyError:
            raise columns_missing("the row", self.columns, tuple(row), "a value") from None


def _reader(column: Column) -> Read:
    encoding = column.encoding
    if not isinstance(encoding, Number):
        return encoding.value
    offset, general = encoding.offset, encoding.value

    def number(value: Any) -> float:
        # What single precision cannot hold is missing, and the general way says so.
        return value - offset if type(value) is float and -1e38 < value < 1e38 else general(value)

    return number


def columns_missing(source: str, names: Sequence[str], there: Collection[str], what: str) -> NameNotFoundError:
    """The error for columns that a model needs and does not get."""
    missing = [name for name in names if name not in there]
    return NameNotFoundError(
        f"{source} lacks {what} that the model was trained with: {missing[0]!r}",
        expected=f"the columns {listed(names)}, in any order",
        got=f"no {listed(missing)}; there are {listed(there)}",
        fix=did_you_mean(missing[0], there),
    )
