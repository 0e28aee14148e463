"""``open_table``: from a path, a data frame or arrays to a table."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from thalweg.checks import OneOf, check_value
from thalweg.data.room import no_room
from thalweg.data.tables import queries
from thalweg.data.tables.arrays import columns_of
from thalweg.data.tables.database import connect, explained, file_name, temporary_folder
from thalweg.data.tables.delimited import DelimitedFile
from thalweg.data.tables.dialect import require_content
from thalweg.data.tables.files import DatabaseFile, FileColumn, FileTable, Source
from thalweg.data.tables.held import HeldTable
from thalweg.data.tables.table import TYPES, Table
from thalweg.errors import FileFormatError, StorageError

__all__ = ["open_table", "opened"]

STANDARD = "-"
TEXT = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
JSON = (".jsonl", ".ndjson", ".json")
PARQUET = (".parquet", ".pq")
DATABASES = (".sqlite", ".sqlite3", ".db", ".db3", ".duckdb")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_Types = Mapping[str, Annotated[str, OneOf(*TYPES)]]


def open_table(
    source: Any,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    missing: Sequence[str] = (),
    query: str | None = None,
    types: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Table:
    """A table from a file, a data frame or arrays.

    Arguments:
        source: a path (CSV, TSV, JSON lines, Parquet, SQLite, DuckDB, by its ending; text and JSON also packed by gzip;
            ``"-"`` is CSV from standard input), a frame of pandas, Polars or Arrow, a mapping from names to columns, a
            list of mappings from names to values, a NumPy structured or 2-D array.
        delimiter, decimal, thousands, encoding, header: of text; found out unless given.
        missing: more spellings of missing values in text, beside those that everybody uses.
        query: SQL, or the name of a table, for an SQLite or DuckDB file.
        types: name -> type (as in ``Table.types``) of columns whose type is known. A file is then read when it is
            needed, and ``chunks`` takes it a piece at a time.
        name: what to call it in messages.

    Raises: StorageError, FileFormatError, DataError, DTypeError, ArgumentError.

    Example:
        >>> table = open_table({"size": [1.5, 2.5], "town": ["Ulm", None]})
        >>> table.types
        {'size': 'number', 'town': 'text'}
    """
    types = {} if types is None else check_value("open_table", "types", _Types, types)
    if not isinstance(source, str | os.PathLike):
        arrays, kinds, notes = columns_of(source)
        return HeldTable(name or "the table", arrays, kinds, notes)
    database = connect()
    if os.fspath(source) == STANDARD:
        path, called = _standard_input(temporary_folder(database)), "standard input"
    else:
        path, called = Path(source), os.path.basename(source)
        require_file(path)
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending in SPREADSHEETS:
        raise _spreadsheet(path)
    if ending in DATABASES:
        path = queries.exported(path, query, temporary_folder(database))
        ending = path.suffix
    found: Source
    if ending in TEXT:
        found = DelimitedFile(
            path,
            delimiter=delimiter,
            decimal=decimal,
            thousands=thousands,
            encoding=encoding,
            header=header,
            missing=missing,
            types=types,
        )
    else:
        found = _described(database, path, ending)
    table = FileTable(name or called, database, found)
    if ending not in PARQUET and not types:
        table.load()  # what is in text is certain only when all has been seen
    return table


def opened(source: Any) -> Table:
    """A table as it is, and what ``open_table`` opens as one."""
    return source if isinstance(source, Table) else open_table(source)


def require_file(path: Path) -> None:
    """Raises StorageError unless there is a file that may be read."""
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        folder = path.is_dir()
        raise StorageError(
            f"cannot read {str(path)!r}",
            expected="a file of a table",
            got="a folder" if folder else error.strerror or str(error),
            fix="name the file itself" if folder else "check the path; only files of this machine are read",
        ) from error


def _standard_input(folder: Path) -> Path:
    """All of it as a file, which can be looked at before it is read."""
    path = folder / "standard input.csv"  # which messages name
    try:
        with open(path, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as error:
        raise no_room(
            error, "standard input cannot be kept", "as much room for temporary files as it has bytes"
        ) from error
    return path


def _described(database: Any, path: Path, ending: str) -> DatabaseFile:
    file, what = file_name(path), repr(str(path))
    if ending in PARQUET:
        reader = f"read_parquet({file})"
    elif ending in JSON:
        require_content(path)
        reader = f"read_json({file}, sample_size = -1)"
    else:
        raise FileFormatError(
            f"what {what} is cannot be seen from its ending",
            expected=", ".join((*TEXT, *JSON, *PARQUET, *DATABASES)),
            got=repr(ending),
            fix="give it one of these endings",
        )
    with explained(what):
        described = database.execute(f"describe select * from {reader}").fetchall()
    return DatabaseFile(what, reader, [FileColumn(name, kind) for name, kind, *_ in described])


def _spreadsheet(path: Path) -> FileFormatError:
    return FileFormatError(
        f"{str(path)!r} is a spreadsheet, which is not read",
        expected="a table as text or in a database: CSV, TSV, JSON lines, Parquet, SQLite",
        got=path.suffix,
        fix="save the sheet as CSV: in Excel or LibreOffice File > Save as > CSV UTF-8; "
        "or in Python pass the frame: pandas.read_excel(path)",
    )
