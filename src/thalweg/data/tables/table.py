"""Rows with named columns: what is in them, their raw values, and their values as numbers.

A table from a file lies in a database in memory, one from a frame in the frame's own arrays; both answer the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value
from thalweg.data.room import empty
from thalweg.data.tables import facts as fact_finding
from thalweg.data.tables.blocks import in_blocks
from thalweg.data.tables.encodings import Encoding
from thalweg.data.tables.facts import Facts
from thalweg.data.tables.words import Words
from thalweg.errors import DataError, NameNotFoundError, did_you_mean, listed

__all__ = ["TYPES", "Rows", "Table", "grouped", "places"]

TYPES = ("number", "integer", "boolean", "date", "text")
"""What a column can be."""
Rows = slice | np.ndarray | Sequence[int]
_Size = Annotated[int, In("[1, inf)")]


class Table:
    """A table with named columns of one type each, made by ``open_table``. A subclass says where the values are.

    ``types`` has a word for each column: ``"number"``, ``"integer"``, ``"boolean"``, ``"date"`` or ``"text"``.
    ``notes`` has a sentence for each thing that was mended in reading.
    """

    def __init__(self, name: str, types: Mapping[str, str], notes: Sequence[str] = (), rows: Any = None) -> None:
        self.name = name
        self.columns = tuple(types)
        self.types = dict(types)
        self.notes = tuple(notes)
        self.rows = rows
        """Which rows of what was opened these are, as an index; None for all of them."""
        self._facts: dict[str, Facts] = {}
        self._hashes: np.ndarray | None = None  # of all columns

    def __repr__(self) -> str:
        return f"<table {self.name!r}: {len(self):,} rows, {len(self.columns):,} columns>"

    def __len__(self) -> int:
        return self.height() if self.rows is None else len(self.rows)

    # What a subclass says.

    def height(self) -> int:
        """Rows of all that was opened."""
        raise NotImplementedError(f"{type(self).__name__} has no height()")

    def raw(self, name: str, index: np.ndarray | slice | None = None) -> np.ndarray:
        """A column of all that was opened, or of these rows of it, as ``values`` describes it."""
        raise NotImplementedError(f"{type(self).__name__} has no raw()")

    def words(self, name: str) -> Words:
        """A column of text of these rows."""
        raise NotImplementedError(f"{type(self).__name__} has no words()")

    def fill(self, arrays: Mapping[str, np.ndarray], encodings: Sequence[Encoding], index: np.ndarray | None) -> None:
        """Put columns as numbers into what ``grouped`` gives. Arguments: which rows of all that was opened."""
        raise NotImplementedError(f"{type(self).__name__} has no fill()")

    def chosen(self, rows: np.ndarray) -> Table:
        """The same with other ``rows``, which count in all that was opened."""
        raise NotImplementedError(f"{type(self).__name__} has no chosen()")

    def copied(self) -> Table:
        """These rows by themselves, which need nothing of the table that they were taken from."""
        raise NotImplementedError(f"{type(self).__name__} has no copied()")

    def let_go(self) -> None:
        """Drop the values, those of tables that share them too: only what has been found out stays."""
        raise NotImplementedError(f"{type(self).__name__} has no let_go()")

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        """Answers of the database about these rows.

        Arguments:
            what: SQL expressions in which ``{0}`` stands for the first of the names, and so on.
            rest: what comes after the ``from``.
            every: only each so-manyth row, from the first on.
        """
        raise NotImplementedError(f"{type(self).__name__} has no query()")

    # What all can do.

    def require(self, name: str, what: str = "") -> str:
        """The name, if there is such a column. Raises NameNotFoundError with the nearest names.

        Arguments:
            what: what has given the name, where that is worth saying.
        """
        if name not in self.types:
            raise NameNotFoundError(
                f"{what}{': ' if what else ''}{self.name} has no column {name!r}",
                expected=f"one of {listed(self.columns)}",
                got=repr(name),
                fix=did_you_mean(name, self.columns),
            )
        return name

    def values(self, name: str, rows: Rows | None = None) -> np.ndarray:
        """The raw values of one column.

        Shapes: (rows,): float64 for numbers, int64 for whole numbers (float64 where some are missing), bool for truth
        values (objects where some are missing), datetime64[us], objects for text. Missing are NaN, NaT and None.
        """
        return self.raw(self.require(name), self._index(rows))

    def encoded(self, encodings: Sequence[Encoding], rows: Rows | None = None) -> dict[str, np.ndarray]:
        """Columns as numbers: group -> (rows, columns of the group), in the order of the encodings.

        The groups are those of the encodings: ``"numbers"`` float32, ``"codes"`` int32, ``"moments"`` int64.
        """
        for encoding in encodings:
            self.require(encoding.column)
        index = self._index(rows)
        arrays = grouped(encodings, self.height() if index is None else len(index))
        self.fill(arrays, encodings, index)
        return arrays

    def chunks(self, encodings: Sequence[Encoding], size: int = 65536) -> Iterator[dict[str, np.ndarray]]:
        """What ``encoded`` gives, of so many rows at a time, in the order of the rows."""
        check_value("chunks", "size", _Size, size)
        for start in range(0, len(self), size):
            yield self.encoded(encodings, slice(start, start + size))

    def take(self, rows: Rows) -> Table:
        """A table of some rows, in the order of the index. Nothing is copied."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        index = np.asarray(rows)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        index = index.astype(np.int64)
        if len(index) and not (index.min() >= 0 and index.max() < len(self)):
            raise DataError(
                f"{self.name} has no such rows",
                expected=f"row numbers from 0 to {len(self) - 1}",
                got=f"{index.min()} to {index.max()}",
                fix="take rows that are there",
            )
        return self.chosen(index if self.rows is None else self.rows[index])

    def facts(self, name: str) -> Facts:
        """What is in a column: counts, extremes, quantiles, the most frequent values. Worked out once."""
        self.require(name)
        return self._facts[name] if name in self._facts else self.all_facts()[name]

    def all_facts(self, names: Sequence[str] | None = None) -> dict[str, Facts]:
        """Name -> what is in the column, of several or of all columns, found out in one pass."""
        wanted = self.columns if names is None else [self.require(name) for name in names]
        self._facts |= fact_finding.find(self, [name for name in wanted if name not in self._facts])
        return {name: self._facts[name] for name in wanted}

    def counts(self, name: str, limit: int | None = None) -> tuple[tuple[Any, int], ...]:
        """Each value that is there and how often, the most frequent first; equally frequent ones by their order."""
        return fact_finding.counts(self, self.require(name), limit)

    def hashes(self, names: Sequence[str] | None = None) -> np.ndarray:
        """A number for each row: equal where all values are equal; of all columns worked out once.

        Shapes: (rows,) uint64.
        """
        if names is not None:
            return self._hashed(names)
        if self._hashes is None:
            self._hashes = self._hashed(self.columns)
            self._hashes.flags.writeable = False
        return self._hashes

    def _hashed(self, names: Sequence[str]) -> np.ndarray:
        hashed = [self._hashing(name) for name in names]
        total = np.zeros(len(self), np.uint64)

        def add(block: slice) -> None:
            for column in hashed:
                # Mixed with an odd factor between columns, so that exchanged values do not give the same.
                total[block] = total[block] * np.uint64(0x9E3779B97F4A7C15) + column(block)

        in_blocks(len(self), add)
        return total

    def _hashing(self, name: str) -> Callable[[slice], np.ndarray]:
        """A function from rows to the hashes of a column's values."""
        if self.types[name] == "text":
            words = self.words(name)
            hashes = _mixed(np.fromiter(map(_text_bits, words.words), np.uint64, len(words.words)))
            hashes = np.append(hashes, np.uint64(1))  # of what is missing
            return lambda rows: hashes[words.codes[rows]]
        index = self.rows
        return lambda rows: _hashes(self.raw(name, rows if index is None else index[rows]))

    def _index(self, rows: Rows | None) -> np.ndarray | None:
        """Which rows of all that was opened these are; None for all of them."""
        if rows is None:
            return None if self.rows is None else np.asarray(self.rows)
        if self.rows is None and isinstance(rows, slice):
            return np.arange(*rows.indices(self.height()))
        own = np.arange(self.height()) if self.rows is None else np.asarray(self.rows)
        return np.asarray(own[rows])


def grouped(encodings: Sequence[Encoding], height: int) -> dict[str, np.ndarray]:
    """Group -> room for its columns, in the order of the encodings. Shapes: (height, encodings of the group)."""
    several: dict[str, list[Encoding]] = {}
    for encoding in encodings:
        several.setdefault(encoding.group, []).append(encoding)
    return {group: empty((height, len(own)), own[0].dtype, len(several)) for group, own in several.items()}


def places(encodings: Sequence[Encoding]) -> list[tuple[str, int]]:
    """For each encoding the group and the column in it."""
    counted: dict[str, int] = {}
    found = []
    for encoding in encodings:
        place = counted.get(encoding.group, 0)
        found.append((encoding.group, place))
        counted[encoding.group] = place + 1
    return found


def _hashes(values: np.ndarray) -> np.ndarray:
    """Of numbers, truth values and dates. Shapes: (n,) -> (n,) uint64."""
    if values.dtype.kind == "O":  # truth values with gaps
        values = np.array([2.0 if value is None else value for value in values], np.float64)
    if values.dtype.kind == "M":
        return _mixed(values.astype(np.int64).view(np.uint64))
    numbers = values.astype(np.float64) + 0.0  # -0.0 equals 0.0
    numbers[np.isnan(numbers)] = np.nan  # one of all NaNs
    return _mixed(numbers.view(np.uint64))


def _text_bits(text: str) -> int:
    """Python's own hash of text differs from one process to the next."""
    data = text.encode("utf-8", "surrogatepass")
    return zlib.crc32(data) << 32 | zlib.adler32(data)


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Bits that each depend on all: the finish of SplitMix64. Shapes: (rows,) uint64 -> (rows,) uint64.

    Source: Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA; Stafford's variant 13.
    """
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = bits ^ (bits >> np.uint64(31))
    return mixed
