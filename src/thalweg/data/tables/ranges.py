"""A file's columns as numbers, some rows at a time: what the database hands out itself is a million rows at once.

Of Parquet the parts that hold the rows are read; of anything else the database makes a Parquet file first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from thalweg.data.tables import arrow
from thalweg.data.tables.database import file_name, quoted, temporary_folder
from thalweg.data.tables.encodings import Encoding, Number
from thalweg.data.tables.files import DatabaseFile, FileTable
from thalweg.data.tables.table import Table

__all__ = ["encoded_pieces"]

PIECE_BYTES = 48 << 20
"""Of the numbers of a piece."""

PLAIN = ("FLOAT", "DOUBLE", "TINYINT", "INTEGER", "BIGINT")
"""Types that come out of the database as they are: to convert hundreds of columns takes longer than to read them."""

PARQUET = "read_parquet("


def encoded_pieces(table: Table, encodings: Sequence[Encoding]) -> Iterator[list[arrow.Column]]:
    """The encodings' columns, for some rows at a time, each in memory that holds until the next piece is asked for.

    Raises: FileFormatError, DataError, StorageError.
    """
    import duckdb

    assert isinstance(table, FileTable), "opened from a file"
    database = table.database()
    database.execute("set preserve_insertion_order = true")
    database.execute("set enable_progress_bar = false")
    try:
        reader, columns = _parquet(table, [encoding.column for encoding in encodings])
        types = {name: kind for name, kind, *_ in database.execute(f"describe select * from {reader}").fetchall()}
        asked = ", ".join(_sql(one, columns[one.column], types, table) for one in encodings)
        for first, end in _ranges(database, reader, 4 * len(encodings)):
            numbered = f"{reader[:-1]}, file_row_number = true)"
            rows = f"file_row_number >= {first} and file_row_number < {end}"
            yield from arrow.pieces(database, f"select {asked} from {numbered} where {rows}")
    except (arrow.StreamError, duckdb.Error) as error:
        raise table.source.misfit(error) from error


def _parquet(table: FileTable, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """What reads the columns, from Parquet, and what each is called there."""
    source, database = table.source, table.database()
    if isinstance(source, DatabaseFile) and source.reader.startswith(PARQUET):
        return source.reader, {name: name for name in names}
    path = temporary_folder(table) / "numbers.parquet"
    wanted = list(dict.fromkeys(names))
    database.execute(f"copy ({source.select(wanted)}) to {file_name(path)} (format parquet, row_group_size 20480)")
    places = {name: f"c{place}" for place, name in enumerate(table.columns)}
    return f"{PARQUET}{file_name(path)})", {name: places[name] for name in wanted}


def _sql(encoding: Encoding, column: str, types: dict[str, str], table: Table) -> str:
    if isinstance(encoding, Number) and not encoding.offset:
        name = quoted(column)
        return name if types[column] in PLAIN else f"{name}::double"
    return encoding.sql(quoted(column), table.types[encoding.column])


def _ranges(database: Any, reader: str, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Where pieces begin and end: with the row groups of the file, unless these are large."""
    file = reader.removeprefix(PARQUET).removesuffix(")")
    query = f"select max(row_group_num_rows) from parquet_metadata({file}) group by row_group_id order by row_group_id"
    most = max(1, PIECE_BYTES // max(row_bytes, 1))
    first = end = 0
    for (rows,) in database.execute(query).fetchall():
        if end > first and end + rows - first > most:
            yield first, end
            first = end
        end += rows
        while end - first > 2 * most:
            yield first, first + most
            first += most
    if end > first:
        yield first, end
