"""CSV and its relatives: read by the database at full speed where they are well made, else after they are written anew.

What is not seen at the beginning of a file is met when it is read: a value that does not fit its column makes the
column text, a row that does not fit makes the file be written anew. So nothing that was guessed is taken for granted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.tables import guessing
from thalweg.data.tables.arrow import StreamError
from thalweg.data.tables.cleaning import written_anew
from thalweg.data.tables.compact import compacted
from thalweg.data.tables.database import file_name, literal, temporary_folder
from thalweg.data.tables.dialect import Form, look
from thalweg.data.tables.files import Columns, read
from thalweg.data.tables.guessing import Guess
from thalweg.data.tables.missing import SPELLINGS
from thalweg.errors import DataError, FileFormatError

__all__ = ["DelimitedFile"]

PLAIN = Form(",")
LONGEST_WORD = 100
"""Letters of a word that is told to the database beforehand, where it is frequent."""
MORE = 1.05
"""So many times the rows that a file of this size is likely to have there is room for."""
SEEN_FIRST = 4096
"""Numbers of a column, of which one that is not whole says that the column is not."""
EXACT = 2**53
"""Up to it a float64 holds each whole number."""


class DelimitedFile:
    """A file of lines with delimiters between the values.

    Arguments:
        types: name -> type, of columns whose type is known: a value that does not fit is an error then.
    """

    def __init__(
        self,
        path: Path,
        *,
        delimiter: str | None = None,
        decimal: str | None = None,
        thousands: str | None = None,
        encoding: str | None = None,
        header: bool | None = None,
        missing: Sequence[str] = (),
        types: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.dialect = look(path, delimiter, encoding, header)
        self.missing = sorted({*SPELLINGS, *missing})
        self._seen = {""}
        """Those that the reader is told: each takes its time in each cell. What comes later is met as a value."""
        self.known = dict(types or {})
        self.notes = list(self.dialect.notes)
        self._anew: Path | None = None
        self._further = {"buffer_size": str(4 << 20)}  # less than usual: as quick, and several are in memory at a time
        self.guesses = self._guess(decimal, thousands)

    @property
    def types(self) -> dict[str, str]:
        """Name -> type, as far as it is known before all is read."""
        return {name: guess.kind for name, guess in self.guesses.items()}

    def _guess(self, decimal: str | None, thousands: str | None) -> dict[str, Guess]:
        absent = set(self.missing)
        self._seen |= absent.intersection(value for row in self.dialect.rows for value in row)
        columns = zip(*self.dialect.rows, strict=True) if self.dialect.rows else [()] * len(self.dialect.names)
        seen = [
            {value: count for value, count in Counter(column).items() if value.strip() not in absent}
            for column in columns
        ]
        few = len(self.dialect.rows) / 2  # what differs in most rows is not among those that have been seen
        self._words = {
            name: tuple(values) if len(values) <= few and max(map(len, values), default=0) <= LONGEST_WORD else ()
            for name, values in zip(self.dialect.names, seen, strict=True)
        }
        convention = guessing.convention(seen, decimal, thousands)
        return {
            name: guessing.guessed_as(self.known[name], values, convention)
            if name in self.known
            else guessing.guess(values, convention)
            for name, values in zip(self.dialect.names, seen, strict=True)
        }

    def load(self, database: Any) -> tuple[Columns, dict[str, str]]:
        """All columns, and name -> type. Raises DataError, FileFormatError, StorageError."""
        import duckdb

        before = self.path.stat().st_size
        while True:
            try:
                columns = read(database, self.select(), self.types, self._words, self._likely_rows())
                break
            except (StreamError, duckdb.ConversionException, duckdb.InvalidInputException) as error:
                self._mend(error)
        self.refuse_growth(before)
        self.notes += [f"{name!r} {guess.note}" for name, guess in self.guesses.items() if guess.note]
        return columns, self._types(columns)

    def _likely_rows(self) -> int:
        """About as many as there are, rather more; 0 where nothing is known of it."""
        seen = self.dialect.rows
        if not seen or self.path.suffix.lower() == ".gz":
            return 0
        letters = sum(len(value) + 1 for row in seen for value in row) / len(seen)
        return int(MORE * self.path.stat().st_size / letters)

    def select(self, names: Iterable[str] | None = None) -> str:
        """The query for columns, as c0, c1 ... by their places in the file."""
        places = {name: place for place, name in enumerate(self.dialect.names)}
        wanted = [(f"c{places[name]}", self.guesses[name]) for name in (places if names is None else names)]
        values = ", ".join(f"{guess.sql(column, self._present(column, guess))} as {column}" for column, guess in wanted)
        return f"select {values} from {self._reader()}"

    def _present(self, column: str, guess: Guess) -> str:
        """A column without those missing values that the reader was not told of; numbers have none of them."""
        unseen = [spelling for spelling in self.missing if spelling not in self._seen]
        if guess.read_as != "VARCHAR" or not unseen:
            return column
        return f"(case when {column} in ({', '.join(map(literal, unseen))}) then null else {column} end)"

    def refuse_growth(self, before: int) -> None:
        """Raises DataError if the file had another size before it was read: the last row may be half a row."""
        if (now := self.path.stat().st_size) != before:
            raise DataError(
                f"{str(self.path)!r} has changed while it was read",
                expected=f"{before:,} bytes, as at the beginning",
                got=f"{now:,} bytes at the end",
                fix="wait until it is complete, or read a copy of it",
            )

    def _types(self, columns: Columns) -> dict[str, str]:
        """Name -> type: a column of floats that are all whole has whole numbers. Numbers are put into little room."""
        types = self.types
        for name, kind in types.items():
            values = columns[name]
            if kind == "number" and isinstance(values, np.ndarray):
                if _are_whole(values):
                    types[name] = "integer"
                    values = values if np.isnan(values).any() else values.astype(np.int64)
                columns[name] = compacted(values)
        return types

    def _reader(self) -> str:
        if self._anew is None and not self.dialect.clean:
            self._write_anew()
        form, header = (self.dialect.form, self.dialect.header) if self._anew is None else (PLAIN, True)
        columns = ", ".join(f"c{place}: '{guess.read_as}'" for place, guess in enumerate(self.guesses.values()))
        options = {
            "auto_detect": "false",
            "header": str(header).lower(),
            "delim": literal(form.delimiter),
            "quote": "'\"'",
            "escape": literal(form.escape or '"'),
            "nullstr": f"[{', '.join(map(literal, sorted(self._seen)))}]",
            "columns": f"{{{columns}}}",
            **self._further,
        }
        listed = ", ".join(f"{name} = {value}" for name, value in options.items())
        return f"read_csv({file_name(self._anew or self.path)}, {listed})"

    def _write_anew(self) -> None:
        anew = temporary_folder(self) / "table.csv"
        self.notes += written_anew(self.path, self.dialect, anew)
        self._anew = anew

    def _mend(self, error: Exception) -> None:
        """Another way to read it, after the database could not. Raises ThalwegError if there is none."""
        column = _column(error)
        if column is not None and _value(error) in self.missing and _value(error) not in self._seen:
            self._seen = set(self.missing)
        elif column is not None and self.dialect.names[column] not in self.known:
            self._widen(self.dialect.names[column], _value(error))
        elif column is not None:
            raise self.misfit(error)
        elif "line size" in str(error) and "max_line_size" not in self._further:
            self._further = {"max_line_size": str(1 << 26), "buffer_size": str(1 << 27)}
        elif self._anew is None:
            self._write_anew()
        else:
            raise _not_read(self.path, error)

    def _widen(self, name: str, value: str) -> None:
        """Read a column as text, of which some value is not what the others are."""
        kind = self.guesses[name].kind
        self.guesses[name] = guessing.as_text(f"is text, because {value!r} is no {kind}, as what came before is")

    def misfit(self, error: Exception) -> DataError:
        """The error for a value that is not of the type that its column is known to have."""
        column = _column(error)
        name = "?" if column is None else self.dialect.names[column]
        line = re.search(r"CSV Error on Line: (\d+)", str(error))
        where = f" in line {line[1]}" if line and self._anew is None else ""
        return DataError(
            f"column {name!r} of {str(self.path)!r} has a value of another type",
            expected=f"type {self.known.get(name, '?')!r}, as was said or learned before",
            got=repr(_value(error)) + where,
            fix="mend the value; what stands for a missing one is told by missing=",
        )


def _are_whole(values: np.ndarray) -> bool:
    first = values[:SEEN_FIRST]
    if (np.trunc(first) != first)[~np.isnan(first)].any():
        return False
    present = values[~np.isnan(values)]
    return bool(len(present) and np.all(np.abs(present) < EXACT) and np.all(present == np.trunc(present)))


def _not_read(path: Path, error: Exception) -> FileFormatError:
    return FileFormatError(
        f"{str(path)!r} cannot be read",
        expected="lines of values with delimiters between them",
        got=str(error).splitlines()[0][:300],
        fix="say how it is written: delimiter=, encoding=, header=",
    )


def _column(error: Exception) -> int | None:
    """The place of the column of which a value did not fit; None if it is another error."""
    found = re.search(r'(?:when converting column "|Error: )c(\d+)\b', str(error))
    return int(found[1]) if found else None


def _value(error: Exception) -> str:
    """The value that did not fit, or its beginning."""
    found = re.search(r'Could not convert string "(.*?)" to|Error: c\d+: (.*)', str(error), re.DOTALL)
    return ((found[1] or found[2] or "").splitlines() or [""])[0][:60] if found else str(error)[:60]
