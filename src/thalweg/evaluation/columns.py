"""The inputs of a model by the columns that they come from, so that a column's values can be exchanged between rows.

A column is exchanged after it has been encoded: rows are encoded once, and then predicted many times over. What stands
in a row of a column is always what stood together in some row before, as the parts of a date or the slots of a category
do; no value is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.checks import checked
from thalweg.data.arrays import as_array
from thalweg.data.tables.frames import is_table
from thalweg.errors import ArgumentError, NameNotFoundError, ShapeError, did_you_mean
from thalweg.fields import dataclass

Places = Mapping[str, Sequence[tuple[str, int | None]]]
Predict = Callable[[Any], np.ndarray]

PIECE = 200_000
"""Rows predicted at a time."""


@dataclass(frozen=True)
class Columns:
    """Arrays of inputs, and where in them each column lies.

    Attributes:
        arrays: input -> (rows,) or (rows, slots).
        places: column -> (input, slot) of each of its numbers; slot None: all of the input.
        wrapped: whether the model takes a mapping, or the only array itself.
    """

    arrays: Mapping[str, np.ndarray]
    places: Places
    wrapped: bool = True

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.arrays.values())))

    @property
    def inputs(self) -> Any:
        """What the model takes."""
        return dict(self.arrays) if self.wrapped else next(iter(self.arrays.values()))

    def take(self, rows: np.ndarray) -> Columns:
        """Some of the rows."""
        return Columns({name: array[rows] for name, array in self.arrays.items()}, self.places, self.wrapped)

    def exchanged(self, column: str, donors: np.ndarray) -> Columns:
        """Row i with what row ``donors[i]`` has in the column. Shapes: donors (rows,)."""
        arrays = dict(self.arrays)
        for name, slot in self._places_of(column):
            old = self.arrays[name]
            if slot is None:
                arrays[name] = old[donors]
                continue
            if arrays[name] is old:
                arrays[name] = old.copy()
            arrays[name][:, slot] = old[donors, slot]
        return Columns(arrays, self.places, self.wrapped)

    def key(self, column: str) -> np.ndarray:
        """One number for each row, equal where the column is; in the order of its values where it is one number."""
        places = self._places_of(column)
        parts = [self.arrays[name] if slot is None else self.arrays[name][:, slot] for name, slot in places]
        if len(parts) == 1 and parts[0].ndim == 1 and parts[0].dtype.kind in "fiub":
            return parts[0].astype(np.float64)
        flat = np.stack([_codes(part) for part in parts], 1)
        return np.asarray(np.unique(flat, axis=0, return_inverse=True)[1]).reshape(-1).astype(np.float64)

    def shown(self, column: str) -> np.ndarray:
        """One value for each row, to be shown: the column itself where it is one array, else its ``key``."""
        places = self._places_of(column)
        if len(places) == 1:
            name, slot = places[0]
            part = self.arrays[name] if slot is None else self.arrays[name][:, slot]
            if part.ndim == 1:
                return part
        return self.key(column)

    def _places_of(self, column: str) -> Sequence[tuple[str, int | None]]:
        if column not in self.places:
            raise NameNotFoundError(
                "there is no such column among the model's inputs",
                expected=f"one of its {len(self.places)} columns",
                got=repr(column),
                fix=did_you_mean(column, self.places),
            )
        return self.places[column]


def _codes(part: np.ndarray) -> np.ndarray:
    flat = part.astype(np.str_) if part.dtype.kind == "O" else part.reshape(len(part), -1)
    return np.asarray(np.unique(flat, axis=0, return_inverse=True)[1]).reshape(-1)


@checked
def columns_of(x: Any, names: Sequence[str] | None = None) -> Columns:
    """Columns of inputs as a model takes them: of a mapping each array, of one array each slot of its last axis.

    Arguments:
        names: of the slots of one array; the columns' own names, or x0, x1 ... unless given.

    Raises: ShapeError or ArgumentError.
    """
    if isinstance(x, Mapping):
        arrays = {str(name): np.asarray(array) for name, array in x.items()}
        if not arrays or len({np.shape(array)[:1] for array in arrays.values()}) != 1:
            raise ShapeError(
                "the columns do not have equally many rows",
                expected="a mapping of arrays, with a row for each sample in each",
                got=", ".join(f"{name}: {array.shape}" for name, array in arrays.items()) or "an empty mapping",
                fix="check how the data were made",
            )
        return Columns(arrays, {name: ((name, None),) for name in arrays})
    if names is None and is_table(x):
        names = [str(name) for name in getattr(x, "column_names", x.columns)]
    array = as_array(x, "x")
    if array.ndim != 2:
        return Columns({"x": array}, {}, wrapped=False)
    own = [f"x{number}" for number in range(array.shape[1])] if names is None else list(map(str, names))
    if len(set(own)) != array.shape[1]:
        raise ArgumentError(
            "the names of the columns do not fit",
            expected=f"{array.shape[1]} different names",
            got=f"{len(own)}, of which {len(set(own))} differ",
            fix="pass one name for each column",
        )
    return Columns({"x": array}, {name: (("x", slot),) for slot, name in enumerate(own)}, wrapped=False)


def several(predict: Predict, variants: Iterator[Columns] | Sequence[Columns]) -> Iterator[np.ndarray]:
    """What the model says of each variant of the rows; small ones go to it together, since each call costs."""
    waiting: list[Columns] = []
    for variant in variants:
        waiting.append(variant)
        if sum(one.rows for one in waiting) >= PIECE:
            yield from _together(predict, waiting)
            waiting = []
    if waiting:
        yield from _together(predict, waiting)


def _together(predict: Predict, variants: Sequence[Columns]) -> Iterator[np.ndarray]:
    first = variants[0]
    arrays = {name: np.concatenate([one.arrays[name] for one in variants]) for name in first.arrays}
    said = np.asarray(predict(Columns(arrays, first.places, first.wrapped).inputs))
    yield from np.split(said, np.cumsum([one.rows for one in variants])[:-1])
