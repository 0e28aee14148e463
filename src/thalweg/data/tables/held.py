"""A table whose columns are arrays in memory: of a data frame, a mapping, rows as mappings, an array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.database import connect, explained
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.table import Table

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
        self._height = height if height is not None else len(next(iter(self.arrays.values()), ()))

    def chosen(self, rows: np.ndarray) -> Table:
        return HeldTable(self.name, self.arrays, self.types, self.notes, rows, self._height)

    def height(self) -> int:
        return self._height

    def raw(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def encoded_column(self, encoding: Encoding) -> np.ndarray:
        return encoding.array(self.arrays[encoding.column])

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        columns = {f"c{place}": self.values(name)[::every] for place, name in enumerate(names)}
        with explained(self.name):
            database = connect()
            try:
                database.register("data", columns)
                answers: list[tuple[Any, ...]] = database.execute(
                    f"select {', '.join(what)} from data {rest}".format(*columns)
                ).fetchall()
            finally:
                database.close()
        return answers
