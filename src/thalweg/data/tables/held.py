"""A table whose columns are arrays in memory: of a data frame, a mapping, rows as mappings, an array."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.database import connect, explained
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.table import Table, places

__all__ = ["HeldTable"]


class HeldTable(Table):
    """Columns in the form that ``Table.values`` describes. The database is asked for facts only."""

    def __init__(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        types: Mapping[str, str],
        notes: Sequence[str] = (),
        rows: Any = None,
        height: int | None = None,
    ) -> None:
        super().__init__(name, types, notes, rows)
        self.arrays = dict(arrays)
        self._lock = threading.Lock()  # one connection answers one question at a time
        self._database: Any = None
        self._height = height if height is not None else len(next(iter(self.arrays.values()), ()))

    def chosen(self, rows: np.ndarray) -> Table:
        other = HeldTable(self.name, self.arrays, self.types, self.notes, rows, self._height)
        other._lock, other._database = self._lock, self._database
        return other

    def height(self) -> int:
        return self._height

    def raw(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def fill(self, arrays: Mapping[str, np.ndarray], encodings: Sequence[Encoding], index: np.ndarray | None) -> None:
        for (group, place), encoding in zip(places(encodings), encodings, strict=True):
            values = self.arrays[encoding.column]
            arrays[group][:, place] = encoding.array(values if index is None else values[index])

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        columns = {f"c{place}": self.values(name)[::every] for place, name in enumerate(names)}
        asked = f"select {', '.join(what)} from data {rest}".format(*columns)
        with self._lock, explained(self.name):
            if self._database is None:
                self._database = connect()
            self._database.register("data", columns)
            try:
                answers: list[tuple[Any, ...]] = self._database.execute(asked).fetchall()
            finally:
                self._database.unregister("data")
        return answers
