"""How a text file of a table is written, seen from pieces of it: encoding, delimiter, names, comments, row lengths."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from thalweg.data.tables.arrays import unused
from thalweg.data.tables.missing import SPELLINGS
from thalweg.errors import DataError, FileFormatError, StorageError
from thalweg.fields import dataclass

__all__ = ["Dialect", "Form", "Lines", "decoded", "errors_of", "look", "opened", "require_content"]

HEAD_BYTES, PIECE_BYTES = 1 << 18, 1 << 15
"""How much is looked at: of the beginning, and at two places behind it."""
DELIMITERS = (",", ";", "\t", "|")
BLANKS = " "
"""The delimiter of columns that are aligned with any number of blanks."""
AGREEING = 0.8
"""The share of lines that must have as many values as most have."""
COMMENT = "#"
NUMBER = re.compile(r"\s*[+-]?(\d[\d.,]*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)

csv.field_size_limit(1 << 24)  # 16 MB: the module's own 128 kB refuse texts that are quite usual


@dataclass(frozen=True)
class Form:
    """How values are put into lines.

    Arguments:
        delimiter: between values; ``" "`` for any number of blanks.
        escape: what stands before a quotation mark inside of quotes; None where it is doubled.
        spaced: whether blanks behind a delimiter are no part of the value.
    """

    delimiter: str
    escape: str | None = None
    spaced: bool = False


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    Arguments:
        encoding: None where it is UTF-8 all through, as far as has been seen; else what to decode it from.
        form: how values are put into lines.
        names: those of the columns, each once; those that are made up are in ``notes``.
        header: whether the first line has names; else it is the first row.
        before: lines that stand before that, and are neither.
        trailing: values at the end of each row that have no column, and are empty.
        clean: whether the database can read it as it stands.
        rows: values of those rows that have been seen.
        notes: what the user should know.
    """

    encoding: str | None
    form: Form
    names: tuple[str, ...]
    header: bool
    before: int
    trailing: int
    clean: bool
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def opened(path: Path) -> Any:
    """The file's bytes, unpacked if they are packed."""
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb")


def decoded(data: bytes, encoding: str | None) -> str:
    """Text of bytes that are UTF-8; where they are not, each byte stands for itself, as in Windows's Latin alphabet."""
    return data.decode(encoding or "utf-8", errors_of(encoding))


def errors_of(encoding: str | None) -> str:
    """The name of what is done about bytes that cannot be decoded: where the encoding was told they are marked."""
    return "thalweg_latin" if encoding is None else "replace"


def _latin(error: UnicodeError) -> tuple[str, int]:
    """The bytes that are no UTF-8, read as cp1252, which has the letters of Latin-1 and a few marks more."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    part = error.object[error.start : error.end]
    try:
        return part.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return part.decode("latin-1"), error.end


codecs.register_error("thalweg_latin", _latin)


class Lines:
    """The lines of a file for ``csv.reader``, without comments, which are told from rows by their number of values.

    Arguments:
        width: values in a row; None as long as it is not known, and every line with ``#`` is a comment.
    """

    def __init__(self, lines: Iterable[str], form: Form, width: int | None = None) -> None:
        aligned = form.delimiter == BLANKS
        self.lines = (line.strip() + "\n" for line in lines) if aligned else iter(lines)
        self.form = form
        self.width = width
        self.inside = False
        """Whether a row has begun that is not complete: a line then belongs to it whatever it begins with."""
        self.number = 0
        """Of the last line that was handed out, from 1."""
        self.comments = 0
        self._record: list[str] = []

    def open_quotation(self) -> bool:
        """Whether the last row ended inside of quotation marks, because the file did."""
        return sum(line.count('"') for line in self._record) % 2 == 1

    def __iter__(self) -> Iterator[str]:
        for line in self.lines:
            self.number += 1
            if not self.inside and line.startswith(COMMENT) and self._is_comment(line):
                self.comments += 1
                continue
            if not self.inside:
                self.inside, self._record = True, []
            self._record.append(line)
            yield line

    def _is_comment(self, line: str) -> bool:
        if line.rstrip("\n").partition(self.form.delimiter)[0] in SPELLINGS:  # "#N/A"
            return False
        try:
            return len(next(csv.reader([line], delimiter=self.form.delimiter))) != self.width
        except csv.Error:
            return True

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The number of the line where a row begins, and its values; without empty lines. Raises csv.Error."""
        reader = csv.reader(
            self,
            delimiter=self.form.delimiter,
            doublequote=self.form.escape is None,
            escapechar=self.form.escape,
            skipinitialspace=self.form.spaced or self.form.delimiter == BLANKS,
        )
        before = 0
        for row in reader:
            self.inside = False
            if row:
                yield before + 1, row
            before = self.number


def look(path: Path, delimiter: str | None = None, encoding: str | None = None, header: bool | None = None) -> Dialect:
    """How a file is written. Raises FileFormatError for what is no text; DataError for no rows; StorageError."""
    head, pieces = _pieces(path)
    _refuse_binary(path, head)
    encoding, doubtful = _encoding(head, pieces, encoding)
    text = decoded(head, encoding).removeprefix("\ufeff")
    mixed = "\r" in text.replace("\r\n", "") or text.count("\r\n") not in (0, text.count("\n"))
    lines = _split(text)
    if not any(line.strip() for line in lines):
        raise _empty(path)
    form = _form(path, text, lines, delimiter)
    parsed, comments, width = _parsed(lines, form, cut=len(head) == HEAD_BYTES)
    more = [row for piece in pieces for row in _whole_rows(decoded(piece, encoding), form, width)]
    seen = _Seen(parsed, more, width, comments)
    return _dialect(seen, header, form, encoding, clean=not (mixed or doubtful))


def require_content(path: Path) -> None:
    """Raises DataError for an empty file."""
    if not path.stat().st_size:
        raise _empty(path)


def _empty(path: Path) -> DataError:
    return DataError(
        f"there is nothing in {str(path)!r}",
        expected="names of columns, and rows",
        got="an empty file",
        fix="check what wrote it",
    )


def _split(text: str) -> list[str]:
    """Its lines. Not ``splitlines``, to which a form feed inside of a value ends a line as well."""
    return [line + "\n" for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def _pieces(path: Path) -> tuple[bytes, list[bytes]]:
    try:
        with opened(path) as file:
            head = file.read(HEAD_BYTES)
            pieces = []
            if path.suffix.lower() != ".gz":
                size = file.seek(0, io.SEEK_END)
                for start in (size // 2, size - PIECE_BYTES):
                    if start > HEAD_BYTES:
                        file.seek(start)
                        pieces.append(file.read(PIECE_BYTES))
            return head, pieces
    except (OSError, EOFError) as error:  # BadGzipFile is an OSError without a number
        if isinstance(error, OSError) and error.errno:
            raise StorageError(
                f"cannot read {str(path)!r}",
                expected="a file that exists and may be read",
                got=error.strerror or str(error),
                fix="check the path",
            ) from error
        raise FileFormatError(
            f"{str(path)!r} cannot be unpacked",
            expected="what gzip wrote, as its ending says",
            got=str(error),
            fix="make or fetch it again; if it is not packed, give it another ending",
        ) from error


def _refuse_binary(path: Path, head: bytes) -> None:
    what = next((what for magic, what in MAGIC.items() if head.startswith(magic)), None)
    if what is None and b"\0" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        what = "bytes that are no text"
    if what is not None:
        raise FileFormatError(
            f"{str(path)!r} is no text",
            expected="lines of values, as its ending says",
            got=what,
            fix="check the file; an ending that says what it is would do",
        )


MAGIC = {
    b"PK\3\4": "a zip archive, which a spreadsheet is as well",
    b"PAR1": "Parquet",
    b"SQLite format 3\0": "an SQLite database",
    b"\x1f\x8b": "what gzip has packed",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a PDF document",
}


def _encoding(head: bytes, pieces: list[bytes], given: str | None) -> tuple[str | None, bool]:
    """What to decode from, and whether it must be written anew."""
    if given is not None:
        plain = codecs.lookup(given).name in ("utf-8", "ascii")
        return (None, False) if plain else (given, True)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", True
    for data in (head, *pieces):
        # A piece may begin and end inside of a character, which takes four bytes at most.
        start = next((at for at in range(min(4, len(data))) if data[at] & 0xC0 != 0x80), 0)
        try:
            codecs.getincrementaldecoder("utf-8")().decode(data[start:])
        except UnicodeDecodeError:
            return None, True
    return None, False


def _form(path: Path, text: str, lines: list[str], delimiter: str | None) -> Form:
    escape = "\\" if '\\"' in text and '""' not in text.replace('\\"', "") else None
    chosen = delimiter or _delimiter(path, lines)
    spaced = text.count(chosen + " ") > text.count(chosen) / 2
    return Form(chosen, escape, spaced)


def _delimiter(path: Path, lines: list[str]) -> str:
    """The one with which most lines have equally many values, and many."""
    if path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    best, best_score = DELIMITERS[0], (False, 0.0, 1)
    for candidate in DELIMITERS:
        width, share, first = _most_widths(lines, candidate)
        if width > 1 and share >= AGREEING and (first == width, round(share, 1), width) > best_score:
            best, best_score = candidate, (first == width, round(share, 1), width)
    if best_score[2] == 1:
        width, share, _ = _most_widths(lines, BLANKS)
        numbers = [NUMBER.fullmatch(one) is not None for line in lines[1:] for one in line.split()]
        if width > 1 and share >= AGREEING and sum(numbers) > len(numbers) / 2:
            return BLANKS
    return best


def _most_widths(lines: list[str], delimiter: str) -> tuple[int, float, int]:
    """How many values most rows have with this delimiter, the share of such rows, and how many the first one has."""
    try:
        every = [len(row) for _, row in Lines(lines, Form(delimiter)).rows()]
    except csv.Error:
        every = []
    if not every:
        return 1, 0.0, 1
    width, count = max(Counter(every).items(), key=lambda item: (item[1], item[0]))
    return width, count / len(every), every[0]


def _parsed(lines: list[str], form: Form, *, cut: bool) -> tuple[list[tuple[int, list[str]]], int, int]:
    """Rows with the numbers of their lines, the number of comments, and how many values most rows have."""

    def attempt(width: int | None) -> tuple[list[tuple[int, list[str]]], int]:
        read = Lines(lines, form, width)
        rows = list(read.rows())
        return rows[:-1] if cut and len(rows) > 1 else rows, read.comments  # the last one may not be whole

    rows, _ = attempt(None)
    widths = Counter(len(row) for _, row in rows) or Counter([lines[0].count(form.delimiter) + 1])
    width = widths.most_common(1)[0][0]
    rows, comments = attempt(width)
    return rows, comments, width


def _whole_rows(text: str, form: Form, width: int) -> list[list[str]]:
    """Rows from the midst of a file: those that are as long as others."""
    try:
        rows = [row for _, row in Lines(_split(text)[1:-1], form, width).rows()]
    except csv.Error:
        return []
    return [row for row in rows if len(row) == width]


@dataclass(frozen=True)
class _Seen:
    """What was seen of a file: rows of its beginning with the numbers of their lines, further ones, and counts."""

    rows: list[tuple[int, list[str]]]
    more: list[list[str]]
    width: int
    comments: int


def _dialect(seen: _Seen, header: bool | None, form: Form, encoding: str | None, *, clean: bool) -> Dialect:
    notes = []
    width = seen.width
    start = _first_row(seen)
    first = seen.rows[start][1]
    data = [row for _, row in seen.rows[start + 1 :]]
    same = [row for row in data if len(row) == width] + seen.more
    named = _is_header(first, same) if header is None else header
    if named and len(first) == width - 1 and any(row[-1] for row in same):
        first = ["", *first]  # as R writes row names: with no name above them
        clean = False
    trailing = 0
    while width - trailing > 1 and same and not any(row[width - 1 - trailing] for row in same):
        if named and "".join(first[width - 1 - trailing :]).strip():
            break  # a column with a name, though without a value
        trailing += 1
    width -= trailing
    names, made_up = _names(first[:width] if named else [], width)
    if not named:
        notes.append("the first line is a row: there are no names in it")
    elif made_up:
        notes.append(made_up)
    if start:
        notes.append(f"{start} line{'s' if start > 1 else ''} before the names left out")
    if trailing:
        notes.append("rows end with a delimiter behind which there is nothing")
    plain = form.delimiter != BLANKS and not form.spaced and not seen.comments and seen.rows[0][0] == 1 and not start
    whole = not trailing and all(len(row) == width for _, row in seen.rows)
    return Dialect(
        encoding,
        form,
        names,
        named,
        start,
        trailing,
        clean and plain and whole,
        tuple(tuple(row[:width]) for row in ([] if named else [first]) + same),
        tuple(notes),
    )


def _first_row(seen: _Seen) -> int:
    """Which row has the names, or is the first: what comes before, a title say, has fewer values.

    The names themselves may be fewer by one, where rows end with a delimiter or begin with their own names.
    """
    long = [len(row) >= seen.width - 1 for _, row in seen.rows]
    return long.index(True) if seen.width > 2 and True in long else 0


def _is_header(first: list[str], rows: list[list[str]]) -> bool:
    """Whether the first line has names: in some column it is the only one that is no number, or none has numbers."""
    if not rows:
        return not any(NUMBER.fullmatch(value) for value in first)
    numbers = 0
    for value, column in zip(first, zip(*rows, strict=True), strict=False):
        present = [one for one in column if one]
        if present and all(NUMBER.fullmatch(one) for one in present[:200]):
            if value and not NUMBER.fullmatch(value):
                return True
            numbers += bool(value)
    return numbers == 0


def _names(given: list[str], width: int) -> tuple[tuple[str, ...], str]:
    """Each column's name, and what was made up."""
    names: dict[str, None] = {}
    changed = []
    for place in range(width):
        name = given[place].strip() if place < len(given) else ""
        own = unused(name or f"column_{place + 1}", names)
        if own != name:
            changed.append(f"{own!r}" + (f" (a second {name!r})" if name else " (without a name)"))
        names[own] = None
    shown = ", ".join(changed[:10]) + (f" and {len(changed) - 10} more" if len(changed) > 10 else "")
    return tuple(names), f"columns named anew: {shown}" if changed else ""
