"""A table that lies in a database of its own, as a file was read into it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from thalweg.data.tables.database import explained, quoted
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.table import Table
from thalweg.fields import dataclass

__all__ = ["Column", "Reading", "StoredTable", "type_of"]

_TYPES = {
    "BOOLEAN": "boolean",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "integer"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "number"),
    **dict.fromkeys(("DATE", "TIMESTAMP"), "date"),
    "VARCHAR": "text",
}
"""What is kept as it is read."""
_CAST = {
    "DECIMAL": ("double", "number"),
    "TIMESTAMP_S": ("timestamp", "date"),
    "TIMESTAMP_MS": ("timestamp", "date"),
    "TIMESTAMP_NS": ("timestamp", "date"),
    "TIMESTAMP WITH TIME ZONE": ("timestamp", "date"),
}
"""What is turned into something else. Numbers beyond 64 bits, times of day, lists and the like become text."""


def type_of(database_type: str) -> str:
    """The type, as in ``Table.types``, for one of the database."""
    return _TYPES.get(database_type) or _cast(database_type)[1]


def _cast(database_type: str) -> tuple[str, str]:
    return _CAST.get(database_type.partition("(")[0], ("varchar", "text"))


@dataclass(frozen=True)
class Column:
    """A column of a file: its name and type there, and what it is called here."""

    there: str
    database_type: str
    name: str

    def sql(self) -> str:
        """As it is kept. Where nothing is to do there is no cast: a reader of CSV would take it as its own type."""
        if self.database_type in _TYPES:
            return quoted(self.there)
        return f"{quoted(self.there)}::{_cast(self.database_type)[0]}"


@dataclass(frozen=True)
class Reading:
    """How a file is read by the database: what stands after ``from``, and the columns that this has."""

    source: str
    columns: tuple[Column, ...]

    def types(self) -> dict[str, str]:
        """Name -> type of each column."""
        return {column.name: type_of(column.database_type) for column in self.columns}

    def select(self) -> str:
        """The query for all columns as c0, c1 ...: so no name of a user's is in any other query."""
        wanted = ", ".join(f"{column.sql()} as c{place}" for place, column in enumerate(self.columns))
        return f"select {wanted} from {self.source}"


class StoredTable(Table):
    """Rows in the database; read when something is first asked of them."""

    def __init__(self, name: str, database: Any, reading: Reading, notes: Sequence[str] = (), rows: Any = None) -> None:
        super().__init__(name, reading.types(), notes, rows)
        self.database = database
        self.reading = reading
        self._lock = threading.Lock()  # one connection answers one question at a time
        self._height: int | None = None
        self._subset = ""

    def chosen(self, rows: np.ndarray) -> Table:
        self.height()
        other = StoredTable(self.name, self.database, self.reading, self.notes, rows)
        other._lock, other._height = self._lock, self._height
        return other

    def height(self) -> int:
        with self._lock:
            if self._height is None:
                with explained(self.name):
                    self.database.execute(f"create table data as {self.reading.select()}")
                    self._height = self.database.execute("select count(*) from data").fetchone()[0]
            return self._height

    def raw(self, name: str) -> np.ndarray:
        kind = self.types[name]
        values = self._column(f"c{self.columns.index(name)}")
        if not isinstance(values, np.ma.MaskedArray):
            return values
        missing = np.ma.getmaskarray(values)
        if kind in ("number", "integer"):
            whole = values.data.astype(np.float64)
            whole[missing] = np.nan
        elif kind == "date":
            whole = values.data.astype("datetime64[us]")
            whole[missing] = np.datetime64("NaT")
        else:
            whole = values.data.astype(object)
            whole[missing] = None
        return whole

    def encoded_column(self, encoding: Encoding) -> np.ndarray:
        place = self.columns.index(encoding.column)
        return np.asarray(self._column(encoding.sql(f"c{place}", self.types[encoding.column])))

    def _column(self, expression: str) -> np.ndarray:
        self.height()
        with self._lock, explained(self.name):
            answer = self.database.execute(f"select {expression} as it from data").fetchnumpy()["it"]
        return answer if isinstance(answer, np.ma.MaskedArray) else np.asarray(answer)

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "") -> list[tuple[Any, ...]]:
        self.height()
        columns = [self._place(name) for name in names]
        asked = f"select {', '.join(what)} from data {self._rows_only()} {rest}".format(*columns)
        with self._lock, explained(self.name):
            answers: list[tuple[Any, ...]] = self.database.execute(asked).fetchall()
        return answers

    def _place(self, name: str) -> str:
        """The column in SQL. Days are moments too, as they are in frames."""
        column = f"c{self.columns.index(name)}"
        return f"{column}::timestamp" if self.types[name] == "date" else column

    def _rows_only(self) -> str:
        """The join that leaves these rows, each as often as it was taken."""
        if self.rows is None:
            return ""
        if not self._subset:
            self._subset = f"rows_{next(_numbers)}"
            with self._lock:
                self.database.register("given", {"row": self.rows})
                self.database.execute(f"create table {self._subset} as select row from given")
                self.database.unregister("given")
        return f"join {self._subset} on data.rowid = {self._subset}.row"


def _counted() -> Iterator[int]:
    from itertools import count

    return count()


_numbers = _counted()
