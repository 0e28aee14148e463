"""A table that the database reads from a file: into a table of its own when something is asked of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from thalweg.data.tables import arrow
from thalweg.data.tables.database import explained, quoted
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.table import Table, grouped, places
from thalweg.errors import ThalwegError
from thalweg.fields import dataclass

__all__ = ["DatabaseFile", "FileColumn", "Source", "StoredTable"]

_TYPES = {
    "BOOLEAN": ("boolean", "boolean"),
    **dict.fromkeys(
        ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), ("bigint", "integer")
    ),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), ("double", "number")),
    **dict.fromkeys(
        ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
        ("timestamp", "date"),
    ),
}
"""The database's type -> what it is kept as, and the word for it. All other (large numbers, lists ...) becomes text."""


class Source(Protocol):
    """A file that the database can read."""

    @property
    def types(self) -> Mapping[str, str]:
        """Name -> type, as far as it is known before all is read."""

    @property
    def notes(self) -> Sequence[str]:
        """What was mended so far."""

    def load(self, database: Any) -> Mapping[str, str]:
        """Make the table ``data`` of the columns c0, c1 ...; gives name -> type."""

    def select(self, names: Iterable[str] | None = None) -> str:
        """The query for columns, as c0, c1 ... by their places in the file."""

    def misfit(self, error: Exception) -> ThalwegError:
        """The error for what the database said when it read such a query."""


@dataclass(frozen=True)
class FileColumn:
    """A column of a file that says itself what is in it."""

    name: str
    database_type: str

    def _kept(self) -> tuple[str, str]:
        return _TYPES.get(self.database_type.partition("(")[0], ("varchar", "text"))

    def kind(self) -> str:
        """As in ``Table.types``."""
        return self._kept()[1]

    def sql(self) -> str:
        """As it is kept."""
        return f"{quoted(self.name)}::{self._kept()[0]}"


class DatabaseFile:
    """A file that says itself what is in it, Parquet for one. Arguments: what stands after ``from`` to read it."""

    notes: Sequence[str] = ()

    def __init__(self, what: str, reader: str, columns: Sequence[FileColumn]) -> None:
        self.what = what
        self.reader = reader
        self.columns = {column.name: column for column in columns}
        self.types = {column.name: column.kind() for column in columns}

    def load(self, database: Any) -> Mapping[str, str]:
        with explained(self.what):
            database.execute(f"create table data as {self.select()}")
        return self.types

    def select(self, names: Iterable[str] | None = None) -> str:
        places = {name: place for place, name in enumerate(self.columns)}
        wanted = ", ".join(
            f"{self.columns[name].sql()} as c{places[name]}" for name in (places if names is None else names)
        )
        return f"select {wanted} from {self.reader}"

    def misfit(self, error: Exception) -> ThalwegError:
        import duckdb

        try:
            with explained(self.what):
                raise duckdb.Error(str(error))
        except ThalwegError as explanation:
            return explanation


T = TypeVar("T")
_numbers = itertools.count()


class StoredTable(Table):
    """Rows in the database."""

    def __init__(self, name: str, database: Any, source: Source, rows: Any = None) -> None:
        super().__init__(name, source.types, source.notes, rows)
        self.database = database
        self.source = source
        self._lock = threading.Lock()  # one connection answers one question at a time
        self._height: int | None = None
        self._subset = ""

    def chosen(self, rows: np.ndarray) -> Table:
        height = self.height()
        other = StoredTable(self.name, self.database, self.source, rows)
        other.types, other.notes, other._lock, other._height = self.types, self.notes, self._lock, height
        return other

    def height(self) -> int:
        with self._lock:
            if self._height is None:
                with explained(self.name):
                    self.types = dict(self._asked(lambda: self.source.load(self.database)))
                    self.notes = tuple(self.source.notes)
                    self._height = self.database.execute("select count(*) from data").fetchone()[0]
            return self._height

    def _asked(self, ask: Callable[[], T]) -> T:
        """The answer, with all memory that there is if it does not come with less."""
        import duckdb

        try:
            return ask()
        except duckdb.OutOfMemoryException:
            self.database.execute("reset memory_limit")
            return ask()

    def raw(self, name: str) -> np.ndarray:
        kind = self._kind(name)
        cast = {"integer": "::bigint", "date": "::timestamp"}.get(kind, "")
        values = self._column(f"{self._place(name)}{cast}")
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

    def fill(self, arrays: Mapping[str, np.ndarray], encodings: Sequence[Encoding], index: np.ndarray | None) -> None:
        # All columns in one pass, a piece of rows at a time: one by one each would write with long strides.
        order = None if index is None or bool(np.all(index[1:] >= index[:-1])) else np.argsort(index, kind="stable")
        wanted = index if index is None or order is None else index[order]
        start = 0
        for columns in self._pieces(encodings):
            end = start + len(columns[0])
            first, last = (start, end) if wanted is None else np.searchsorted(wanted, (start, end))
            here = None if wanted is None else wanted[first:last] - start
            there = slice(first, last) if order is None else order[first:last]
            for (group, place), column in zip(places(encodings), columns, strict=True):
                arrays[group][there, place] = column if here is None else column[here]
            start = end

    def chunks(self, encodings: Sequence[Encoding], size: int = 65536) -> Iterator[dict[str, np.ndarray]]:
        if self.rows is not None:
            yield from super().chunks(encodings, size)
            return
        for encoding in encodings:
            self.require(encoding.column)
        collected = _Collected(encodings, size)
        for columns in self._pieces(encodings):
            yield from collected.add(columns)
        yield from collected.rest()

    def _pieces(self, encodings: Sequence[Encoding]) -> Iterator[list[np.ndarray]]:
        """Columns as numbers, a piece of all rows at a time; from the file, if the database has not read it yet."""
        import duckdb

        if not encodings:
            return
        asked = ", ".join(e.sql(self._place(e.column), self.types[e.column]) for e in encodings)
        names = dict.fromkeys(encoding.column for encoding in encodings)
        source = "data" if self._height is not None else f"({self.source.select(names)})"
        try:
            yield from arrow.pieces(self.database, f"select {asked} from {source}")
        except (arrow.StreamError, duckdb.Error) as error:
            raise self.source.misfit(error) from error

    def _kind(self, name: str) -> str:
        self.height()  # only then the type is certain
        return self.types[name]

    def _column(self, expression: str) -> np.ndarray:
        self.height()
        with self._lock, explained(self.name):
            asked = f"select {expression} as it from data"
            answer = self._asked(lambda: self.database.execute(asked).fetchnumpy()["it"])
        return answer if isinstance(answer, np.ma.MaskedArray) else np.asarray(answer)

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        kinds = {"integer": "::bigint", "date": "::timestamp"}
        columns = [f"{self._place(name)}{kinds.get(self._kind(name), '')}" for name in names]
        asked = f"select {', '.join(what)} from {self._rows_only(every)} {rest}".format(*columns)
        with self._lock, explained(self.name):
            answers: list[tuple[Any, ...]] = self._asked(lambda: self.database.execute(asked).fetchall())
        return answers

    def _place(self, name: str) -> str:
        return f"c{self.columns.index(name)}"

    def _rows_only(self, every: int) -> str:
        """What stands after ``from`` for these rows, each as often as it was taken, or for some of them."""
        if self.rows is None:
            return "data" if every == 1 else f"(select * from data where rowid % {every} = 0)"
        if not self._subset:
            self._subset = f"rows_{next(_numbers)}"
            with self._lock:
                self.database.register("given", {"row": self.rows})
                self.database.execute(f"create table {self._subset} as select row from given")
                self.database.unregister("given")
        some = self._subset if every == 1 else f"(select row from {self._subset} where rowid % {every} = 0)"
        return f"(select data.* from data join {some} as taken on data.rowid = taken.row)"


class _Collected:
    """Pieces of any length made into pieces of one length."""

    def __init__(self, encodings: Sequence[Encoding], size: int) -> None:
        self.encodings = encodings
        self.places = places(encodings)
        self.size = size
        self.filled = 0
        self.arrays = grouped(encodings, size)

    def add(self, columns: Sequence[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """Those that have become full."""
        start, height = 0, len(columns[0])
        while start < height:
            count = min(height - start, self.size - self.filled)
            for (group, place), column in zip(self.places, columns, strict=True):
                self.arrays[group][self.filled : self.filled + count, place] = column[start : start + count]
            start, self.filled = start + count, self.filled + count
            if self.filled == self.size:
                yield self.arrays
                self.arrays, self.filled = grouped(self.encodings, self.size), 0

    def rest(self) -> Iterator[dict[str, np.ndarray]]:
        """The last one, which may be shorter."""
        if self.filled:
            yield {group: array[: self.filled] for group, array in self.arrays.items()}
