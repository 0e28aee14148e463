"""A text file that the database cannot read as it stands, written anew: UTF-8, commas, equal line ends, whole rows."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from thalweg.data.room import no_room
from thalweg.data.tables.dialect import Dialect, Lines, errors_of, opened
from thalweg.errors import DataError, ThalwegError

__all__ = ["written_anew"]

BLOCK_BYTES = 1 << 20


def written_anew(path: Path, dialect: Dialect, target: Path) -> tuple[str, ...]:
    """Writes the rows of a file as plain CSV with a line of names. Gives sentences on what was mended.

    Raises: DataError for rows of different length, naming the first one's line; StorageError.
    """
    width = len(dialect.names)
    whole = width + dialect.trailing
    text = _Text(path, dialect.encoding)
    lines = Lines(text, dialect.form, whole)
    shortened = last = 0
    with _writing(target) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(dialect.names)
        try:
            rows = lines.rows()
            for _ in range(dialect.before + dialect.header):
                next(rows, None)
            for line, row in rows:
                if len(row) != width:
                    if len(row) > width and not any(row[width:]):
                        shortened += len(row) != whole
                        row = row[:width]
                    else:
                        raise _of_other_length(path, dialect, line, len(row), width)
                writer.writerow(row)
                last = line
        except csv.Error as error:
            raise _unreadable(path, f"line {lines.number}: {error}") from error
        if lines.open_quotation() and dialect.form.escape is None:
            raise _unreadable(path, f"a quotation mark in line {last} that nothing closes")
    notes = []
    if text.foreign:
        notes.append("bytes that are no UTF-8 are read as Windows-1252, which has the letters of Latin-1")
    if lines.comments:
        notes.append(f"{lines.comments} line{'s' if lines.comments > 1 else ''} with # left out")
    if shortened:
        notes.append(f"{shortened} rows end with more delimiters than others")
    return tuple(notes)


class _Text:
    """The lines of a file, with ``\\n`` for whatever they end with."""

    def __init__(self, path: Path, encoding: str | None) -> None:
        self.path = path
        self.decoder = codecs.getincrementaldecoder(encoding or "utf-8")(errors_of(encoding))
        self.strict = codecs.getincrementaldecoder("utf-8")() if encoding is None else None
        self.foreign = False
        """Whether there were bytes that are no UTF-8."""

    def __iter__(self) -> Iterator[str]:
        with opened(self.path) as file:
            rest, first = "", True
            while True:
                block = file.read(BLOCK_BYTES)
                text = rest + self._decoded(block)
                if first:
                    text, first = text.removeprefix("\ufeff"), False
                held = ""
                if block and text.endswith("\r"):  # its \n may come with the next block
                    text, held = text[:-1], "\r"
                *whole, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
                rest += held
                yield from (line + "\n" for line in whole)
                if not block:
                    if rest:
                        yield rest
                    return

    def _decoded(self, block: bytes) -> str:
        if self.strict is not None and not self.foreign:
            try:
                self.strict.decode(block, final=not block)
            except UnicodeDecodeError:
                self.foreign = True
        return self.decoder.decode(block, final=not block)


def _unreadable(path: Path, got: str) -> DataError:
    return DataError(
        f"{str(path)!r} cannot be read as a table",
        expected="values between delimiters, those with a delimiter in them in quotation marks",
        got=got,
        fix="mend the line",
    )


def _of_other_length(path: Path, dialect: Dialect, line: int, length: int, width: int) -> DataError:
    return DataError(
        f"rows of {str(path)!r} differ in length",
        expected=f"{width} values in each row, as there are {width} columns",
        got=f"{length} in line {line}",
        fix=f"mend the line; values with {dialect.form.delimiter!r} in them need quotation marks around them",
    )


@contextmanager
def _writing(target: Path) -> Iterator[IO[str]]:
    try:
        with open(target, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            yield file
    except ThalwegError:
        raise
    except OSError as error:
        problem = f"cannot write {str(target)!r}, which is to hold a table in a form that can be read"
        raise no_room(error, problem) from error
