"""A table whose columns are arrays in memory: of a file, a data frame, a mapping, rows as mappings, an array."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.blocks import in_blocks
from thalweg.data.tables.compact import Compact
from thalweg.data.tables.database import connect, explained
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.table import Table, places
from thalweg.data.tables.words import Words

__all__ = ["HeldTable", "Values"]

Values = np.ndarray | Words | Compact
"""A column: the values themselves, or what gives them and the values of some rows alike."""


class HeldTable(Table):
    """Columns in the form that ``Table.values`` describes, or text as words. The database is asked for facts only."""

    def __init__(
        self,
        name: str,
        arrays: Mapping[str, Values],
        types: Mapping[str, str],
        notes: Sequence[str] = (),
        rows: Any = None,
        database: Any = None,
    ) -> None:
        super().__init__(name, types, notes, rows)
        self.arrays = dict(arrays)
        """The columns of all that was opened. Tables of some of the rows have the same mapping."""
        self._lock = threading.Lock()  # of the making of the connection
        self._database = database
        self.set_height(len(next(iter(self.arrays.values()), ())))

    def set_height(self, height: int) -> None:
        """Say how many rows there are."""
        self._height = height

    def chosen(self, rows: np.ndarray) -> HeldTable:
        other = HeldTable(self.name, self.arrays, self.types, self.notes, rows, self.database())
        other._lock, other.arrays = self._lock, self.arrays
        return other

    def copied(self) -> HeldTable:
        """These rows by themselves: the table that they were taken from is not needed any more."""
        index = slice(None) if self.rows is None else self.rows
        return HeldTable(self.name, {name: self.column(name)[index] for name in self.columns}, self.types, self.notes)

    def let_go(self) -> None:
        """Drop the values, those of tables that share them too: only what has been found out stays."""
        self.arrays.clear()

    def height(self) -> int:
        return self._height

    def column(self, name: str) -> Values:
        """A column of all that was opened."""
        return self.arrays[name]

    def raw(self, name: str, index: np.ndarray | slice | None = None) -> np.ndarray:
        values = self.column(name)
        values = values if index is None else values[index]
        return values if isinstance(values, np.ndarray) else values.array()

    def words(self, name: str) -> Words:
        values = self.column(name)
        if not isinstance(values, Words):
            values = self.arrays[name] = Words.of(self.raw(name), len(values))
        return values if self.rows is None else values[self.rows]

    def fill(self, arrays: Mapping[str, np.ndarray], encodings: Sequence[Encoding], index: np.ndarray | None) -> None:
        readers = [_reader(encoding, self.column(encoding.column)) for encoding in encodings]
        own = places(encodings)

        def put(block: slice) -> None:
            rows = block if index is None else index[block]
            for (group, place), read in zip(own, readers, strict=True):
                arrays[group][block, place] = read(rows)

        in_blocks(self.height() if index is None else len(index), put)

    def database(self) -> Any:
        """The database that answers questions, by a connection for each."""
        with self._lock:
            if self._database is None:
                self._database = connect()
            return self._database

    def disconnect(self) -> None:
        """Close the connection; the next question opens another."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        rows = None if every == 1 else slice(None, None, every)
        columns = {f"c{place}": np.ascontiguousarray(self.values(name, rows)) for place, name in enumerate(names)}
        asked = f"select {', '.join(what)} from data {rest}".format(*columns)
        with explained(self.name), self.database().cursor() as own:  # a connection answers one question at a time
            own.register("data", columns)
            answers: list[tuple[Any, ...]] = own.execute(asked).fetchall()
        return answers


def _reader(encoding: Encoding, column: Values) -> Callable[[slice | np.ndarray], np.ndarray]:
    """A function from rows to numbers. What each word is becomes a number once."""
    if isinstance(column, Compact):
        return lambda rows: encoding.array(column[rows].array())
    if not isinstance(column, Words):
        return lambda rows: encoding.array(column[rows])
    numbers = encoding.array(np.append(column.words, [None]))
    return lambda rows: numbers[column.codes[rows]]
