"""A table whose columns are arrays in memory: of a file, a data frame, a mapping, rows as mappings, an array."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.database import connect, explained
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.table import Table, places
from thalweg.data.tables.words import Words

__all__ = ["HeldTable"]

AT_ONCE = 4096
"""Rows that are put into the arrays of numbers at a time: their columns lie side by side, which caches must hold."""


class HeldTable(Table):
    """Columns in the form that ``Table.values`` describes, or text as words. The database is asked for facts only."""

    def __init__(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray | Words],
        types: Mapping[str, str],
        notes: Sequence[str] = (),
        rows: Any = None,
        database: Any = None,
    ) -> None:
        super().__init__(name, types, notes, rows)
        self.arrays = dict(arrays)
        self._lock = threading.Lock()  # one connection answers one question at a time
        self._database = database
        self.set_height(len(next(iter(self.arrays.values()), ())))

    def set_height(self, height: int) -> None:
        """Say how many rows there are."""
        self._height = height

    def chosen(self, rows: np.ndarray) -> HeldTable:
        other = HeldTable(self.name, self.arrays, self.types, self.notes, rows, self.database())
        other._lock = self._lock
        return other

    def height(self) -> int:
        return self._height

    def column(self, name: str) -> np.ndarray | Words:
        """A column of all that was opened."""
        return self.arrays[name]

    def raw(self, name: str) -> np.ndarray:
        values = self.column(name)
        return values.array() if isinstance(values, Words) else values

    def words(self, name: str) -> Words:
        values = self.column(name)
        if not isinstance(values, Words):
            values = self.arrays[name] = Words.of(values, len(values))
        return values if self.rows is None else values[self.rows]

    def fill(self, arrays: Mapping[str, np.ndarray], encodings: Sequence[Encoding], index: np.ndarray | None) -> None:
        readers = [_reader(encoding, self.column(encoding.column)) for encoding in encodings]
        height = self.height() if index is None else len(index)
        for start in range(0, height, AT_ONCE):
            rows = slice(start, start + AT_ONCE) if index is None else index[start : start + AT_ONCE]
            for (group, place), read in zip(places(encodings), readers, strict=True):
                arrays[group][start : start + AT_ONCE, place] = read(rows)

    def database(self) -> Any:
        """The connection that answers questions."""
        if self._database is None:
            self._database = connect()
        return self._database

    def disconnect(self) -> None:
        """Close the connection; the next question opens another."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        columns = {f"c{place}": np.ascontiguousarray(self.values(name)[::every]) for place, name in enumerate(names)}
        asked = f"select {', '.join(what)} from data {rest}".format(*columns)
        with self._lock, explained(self.name):
            self.database().register("data", columns)
            try:
                answers: list[tuple[Any, ...]] = self.database().execute(asked).fetchall()
            finally:
                self.database().unregister("data")
        return answers


def _reader(encoding: Encoding, column: np.ndarray | Words) -> Callable[[slice | np.ndarray], np.ndarray]:
    """A function from rows to numbers. What each word is becomes a number once."""
    if not isinstance(column, Words):
        return lambda rows: encoding.array(column[rows])
    numbers = encoding.array(np.append(column.words, [None]))
    return lambda rows: numbers[column.codes[rows]]
