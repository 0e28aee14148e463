"""A table that the database reads from a file: as arrays when something is asked of it, or a piece at a time.

The database reads and does not keep: its own tables take longer to make than the reading itself, and more memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from thalweg.data.room import empty
from thalweg.data.tables import arrow
from thalweg.data.tables.database import explained, literal, quoted
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.held import HeldTable, Values
from thalweg.data.tables.table import grouped, places
from thalweg.data.tables.words import Words, objects
from thalweg.errors import ThalwegError
from thalweg.fields import dataclass

__all__ = ["DatabaseFile", "FileColumn", "FileTable", "Source", "read"]

_TYPES = {
    "BOOLEAN": ("boolean", "boolean"),
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), ("bigint", "integer")),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), ("bigint", "integer")),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), ("double", "number")),
    **dict.fromkeys(
        ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
        ("timestamp", "date"),
    ),
}
"""The database's type -> what it is taken as, and the word for it. All other (lists, large numbers) becomes text."""
MOST_WORDS = 2000
"""So many words that are expected in a column are known to the database by numbers: what it hands out is those."""
EXACT = 2**53
"""Up to it a float64 holds each whole number."""

Columns = dict[str, Values]


class Source(Protocol):
    """A file that the database can read."""

    @property
    def types(self) -> Mapping[str, str]:
        """Name -> type, as far as it is known before all is read."""

    @property
    def notes(self) -> Sequence[str]:
        """What was mended so far."""

    def load(self, database: Any) -> tuple[Columns, dict[str, str]]:
        """All columns, and name -> type."""

    def select(self, names: Iterable[str] | None = None) -> str:
        """The query for columns, as c0, c1 ... by their places in the file."""

    def misfit(self, error: Exception) -> ThalwegError:
        """The error for what the database said when it read such a query."""


class FileTable(HeldTable):
    """Rows of a file. Nothing is read before something is asked; ``chunks`` then reads a piece at a time."""

    def __init__(self, name: str, database: Any, source: Source) -> None:
        super().__init__(name, {}, source.types, source.notes, database=database)
        self.source = source
        self.loaded = False
        self._loading = threading.Lock()

    def height(self) -> int:
        self.load()
        return super().height()

    def load(self) -> None:
        """Read all of it, once."""
        with self._loading:
            if self.loaded:
                return
            with explained(self.name):
                self.arrays, self.types = self.source.load(self.database())
            self.disconnect()  # what reading took would stay with the connection
            self.notes = tuple(self.source.notes)
            self.set_height(len(next(iter(self.arrays.values()), ())))
            self.loaded = True

    def column(self, name: str) -> Values:
        self.load()
        return super().column(name)

    def chosen(self, rows: np.ndarray) -> HeldTable:
        self.load()
        return super().chosen(rows)

    def chunks(self, encodings: Sequence[Encoding], size: int = 65536) -> Iterator[dict[str, np.ndarray]]:
        if self.loaded:
            yield from super().chunks(encodings, size)
            return
        import duckdb

        for encoding in encodings:
            self.require(encoding.column)
        collected = _Collected(encodings, size)
        try:
            for columns in arrow.pieces(self.database(), self._encoded_by_sql(encodings)):
                yield from collected.add([column.numbers() for column in columns])
        except (arrow.StreamError, duckdb.Error) as error:
            raise self.source.misfit(error) from error
        yield from collected.rest()

    def _encoded_by_sql(self, encodings: Sequence[Encoding]) -> str:
        asked = ", ".join(e.sql(f"c{self.columns.index(e.column)}", self.types[e.column]) for e in encodings)
        names = dict.fromkeys(encoding.column for encoding in encodings)
        return f"select {asked} from ({self.source.select(names)})"


@dataclass(frozen=True)
class FileColumn:
    """A column of a file that says itself what is in it."""

    name: str
    database_type: str

    def _taken(self) -> tuple[str, str]:
        return _TYPES.get(self.database_type.partition("(")[0], ("varchar", "text"))

    def kind(self) -> str:
        """As in ``Table.types``."""
        return self._taken()[1]

    def sql(self) -> str:
        """As it is taken."""
        return f"{quoted(self.name)}::{self._taken()[0]}"


class DatabaseFile:
    """A file that says itself what is in it, Parquet for one. Arguments: what stands after ``from`` to read it."""

    notes: Sequence[str] = ()

    def __init__(self, what: str, reader: str, columns: Sequence[FileColumn]) -> None:
        self.what = what
        self.reader = reader
        self.columns = {column.name: column for column in columns}
        self.types = {column.name: column.kind() for column in columns}

    def load(self, database: Any) -> tuple[Columns, dict[str, str]]:
        """All columns, and name -> type. Raises ThalwegError."""
        try:
            return read(database, self.select(), self.types, {}), dict(self.types)
        except arrow.StreamError as error:
            raise self.misfit(error) from error

    def select(self, names: Iterable[str] | None = None) -> str:
        """The query for columns, as c0, c1 ... by their places in the file."""
        placed = {name: place for place, name in enumerate(self.columns)}
        wanted = ", ".join(
            f"{self.columns[name].sql()} as c{placed[name]}" for name in (placed if names is None else names)
        )
        return f"select {wanted} from {self.reader}"

    def misfit(self, error: Exception) -> ThalwegError:
        """The error for what the database said when it read such a query."""
        import duckdb

        try:
            with explained(self.what):
                raise duckdb.Error(str(error))
        except ThalwegError as explanation:
            return explanation


def read(
    database: Any, select: str, types: Mapping[str, str], expected: Mapping[str, Sequence[str]], rows: int = 0
) -> Columns:
    """The columns of an answer as ``Table.values`` describes them, text as words.

    Arguments:
        select: a query that names its columns c0, c1 ...
        types: name -> type of each of them, in this order.
        expected: name -> words that are likely in a column of text.
        rows: how many are likely, if that is known.

    Raises: StreamError, and what the database raises.
    """
    columns = [
        _KINDS[kind](f"c{place}", expected.get(name, ()), rows, len(types))
        for place, (name, kind) in enumerate(types.items())
    ]
    asked = ", ".join(one for column in columns for one in column.asked())
    for piece in arrow.pieces(database, f"select {asked} from ({select})"):
        parts = iter(piece)
        for column in columns:
            column.add([next(parts) for _ in column.asked()])
    return {name: column.whole() for name, column in zip(types, columns, strict=True)}


class _Growing:
    """An array that grows at its end; room that is not used takes addresses, and no memory.

    Arguments:
        room: for so many numbers there is room from the beginning.
        beside: how many such arrays there are.
    """

    def __init__(self, dtype: Any, room: int, beside: int) -> None:
        self.array = empty(room, dtype, beside)
        self.beside = beside
        self.length = 0

    def add(self, numbers: np.ndarray) -> np.ndarray:
        """The place that they are now in. Numbers of a wider type make those before them such."""
        dtype = np.result_type(self.array, numbers) if self.length else numbers.dtype
        end = self.length + len(numbers)
        if dtype != self.array.dtype or end > len(self.array):
            larger = empty(len(self.array) if end <= len(self.array) else 2 * end, dtype, self.beside)
            larger[: self.length] = self.array[: self.length]
            self.array = larger
        place = self.array[self.length : end]
        place[:] = numbers
        self.length = end
        return place

    def whole(self) -> np.ndarray:
        """All of them."""
        return self.array[: self.length]


class _Numbers:
    """Collects a column of floats."""

    dtype: ClassVar[Any] = np.float64

    def __init__(self, column: str, _: Sequence[str], rows: int, beside: int) -> None:
        self.column = column
        self.numbers = _Growing(self.dtype, rows, beside)

    def asked(self) -> list[str]:
        return [f"{self.column}::double"]

    def add(self, parts: list[arrow.Column]) -> None:
        place = self.numbers.add(parts[0].numbers())
        if (missing := parts[0].missing()) is not None:
            place[missing] = np.nan

    def whole(self) -> np.ndarray | Words:
        return self.numbers.whole()


class _WholeNumbers(_Numbers):
    """Collects whole numbers, which keep all their digits unless some are missing."""

    dtype = np.int64

    def asked(self) -> list[str]:
        return [f"{self.column}::bigint"]

    def add(self, parts: list[arrow.Column]) -> None:
        missing = parts[0].missing()
        numbers = parts[0].numbers()
        place = self.numbers.add(numbers if missing is None else numbers.astype(np.float64))
        if missing is not None:
            place[missing] = np.nan


class _Moments(_Numbers):
    """Collects dates and times."""

    dtype = "datetime64[us]"

    def asked(self) -> list[str]:
        return [f"epoch_us({self.column}::timestamp)"]

    def add(self, parts: list[arrow.Column]) -> None:
        place = self.numbers.add(parts[0].numbers().view("datetime64[us]"))
        if (missing := parts[0].missing()) is not None:
            place[missing] = np.datetime64("NaT")


class _Truth(_Numbers):
    """Collects truth values."""

    dtype = np.int8

    def asked(self) -> list[str]:
        return [f"coalesce({self.column}::tinyint, 2::tinyint)"]

    def add(self, parts: list[arrow.Column]) -> None:
        self.numbers.add(parts[0].numbers())

    def whole(self) -> np.ndarray:
        numbers = self.numbers.whole()
        return objects((False, True, None))[numbers] if (numbers == 2).any() else numbers.astype(bool)


class _Text:
    """Collects words: those that are expected as numbers, which is quick, others as text."""

    def __init__(self, column: str, expected: Sequence[str], rows: int, beside: int) -> None:
        self.column = column
        expected = expected if len(expected) <= MOST_WORDS else ()
        self.known = {word: code for code, word in enumerate(expected)}
        self.expected = expected
        self.codes = _Growing(np.int32, rows, beside)

    def asked(self) -> list[str]:
        if not self.expected:
            return [self.column]
        found = f"try_cast({self.column} as enum({', '.join(map(literal, self.expected))}))"
        return [f"enum_code({found})::integer", f"case when {found} is null then {self.column} end"]

    def add(self, parts: list[arrow.Column]) -> None:
        codes = np.full(parts[0].length, -1, np.int32)
        if len(parts) > 1:
            missing = parts[0].missing()
            codes[:] = parts[0].numbers() if missing is None else np.where(missing, -1, parts[0].numbers())
        rows, words = parts[-1].text()
        known = self.known
        codes[rows] = [known.setdefault(word, len(known)) for word in words]
        self.codes.add(codes)

    def whole(self) -> Words:
        return Words(self.codes.whole(), objects(self.known))


_KINDS: dict[str, Any] = {
    "number": _Numbers,
    "integer": _WholeNumbers,
    "boolean": _Truth,
    "date": _Moments,
    "text": _Text,
}


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
