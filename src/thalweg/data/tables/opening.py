"""``open_table``: from a path, a data frame or arrays to a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thalweg.data.tables.arrays import columns_of
from thalweg.data.tables.database import connect, explained, literal
from thalweg.data.tables.held import HeldTable
from thalweg.data.tables.missing import SPELLINGS
from thalweg.data.tables.stored import Column, Reading, StoredTable
from thalweg.data.tables.table import Table
from thalweg.errors import FileFormatError, StorageError

__all__ = ["open_table"]


def open_table(
    source: Any,
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
    missing: Sequence[str] = (),
    query: str | None = None,
    types: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Table:
    """A table from a file, a data frame or arrays.

    Arguments:
        source: a path (CSV, TSV, JSON lines, Parquet, by its ending), a frame of pandas, Polars or Arrow, a mapping
            from names to columns, a list of mappings from names to values, a NumPy structured or 2-D array.
        delimiter: what stands between the values of a line; found out unless given.
        missing: more spellings of missing values, beside those that everybody uses.
        types: name -> type (as in ``Table.types``) of columns whose type is known.

    Example:
        >>> table = open_table({"size": [1.5, 2.5], "town": ["Ulm", None]})
        >>> table.types
        {'size': 'number', 'town': 'text'}
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        _require_file(path)
        reader = _reader(path, delimiter, missing)
        with explained(repr(str(path))):
            database = connect()
            described = database.execute(f"describe select * from {reader}").fetchall()
        reading = Reading(reader, tuple(Column(there, kind, there) for there, kind, *_ in described))
        return StoredTable(name or path.name, database, reading)
    arrays, kinds, notes = columns_of(source)
    return HeldTable(name or "the table", arrays, kinds, notes)


def _require_file(path: Path) -> None:
    try:
        folder = path.is_dir()
        with open(path, "rb"):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot read {str(path)!r}",
            expected="a file of a table",
            got="a folder" if isinstance(error, IsADirectoryError) or folder else error.strerror or str(error),
            fix="name the file" if isinstance(error, IsADirectoryError) else "check the path",
        ) from error


def _reader(path: Path, delimiter: str | None, missing: Sequence[str]) -> str:
    ending = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower().removesuffix(".gz")
    file = literal(str(path))
    if ending in (".parquet", ".pq"):
        return f"read_parquet({file})"
    if ending in (".jsonl", ".ndjson", ".json"):
        return f"read_json({file})"
    if ending in (".csv", ".tsv", ".txt", ".data", ".tab"):
        spellings = ", ".join(map(literal, sorted({*SPELLINGS, *missing})))
        options = f", delim = {literal(delimiter)}" if delimiter else ""
        return f"read_csv({file}, nullstr = [{spellings}]{options})"
    raise FileFormatError(
        f"what {str(path)!r} is cannot be seen from its ending",
        expected=".csv, .tsv, .txt, .jsonl, .json or .parquet, also with .gz behind",
        got=repr(ending),
        fix="rename it, or save it as CSV",
    )
