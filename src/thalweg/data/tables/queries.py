"""Tables and answers to queries from SQLite and DuckDB files, taken out as files that are read like any other."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

from thalweg.data.room import no_room
from thalweg.data.tables.database import connect, explained, literal, quoted
from thalweg.errors import ArgumentError, FileFormatError, did_you_mean, listed

__all__ = ["exported"]

SQLITE, DUCKDB = b"SQLite format 3\0", b"DUCK"
"""How the files begin; DuckDB's after eight bytes."""


def exported(path: Path, query: str | None, folder: Path) -> Path:
    """A file with the rows of a table or of an answer.

    Arguments:
        query: SQL, or the name of a table; may be left out where there is only one.

    Raises: ArgumentError for a query that cannot be answered, FileFormatError, StorageError.
    """
    with open(path, "rb") as file:
        head = file.read(16)
    if head == SQLITE:
        return _from_sqlite(path, query, folder / "answer.csv")
    if head[8:12] == DUCKDB:
        return _from_duckdb(path, query, folder / "answer.parquet")
    raise FileFormatError(
        f"{str(path)!r} is no database",
        expected="a file that SQLite or DuckDB wrote",
        got=f"a file that begins with {head!r}",
        fix="check the file",
    )


def _from_sqlite(path: Path, query: str | None, target: Path) -> Path:
    # By Python's own reader: DuckDB would have to download one. Read only, and without a thought to other writers.
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            names = [name for (name,) in database.execute(TABLES)]
            answer = database.execute(_sql(path, query, names))
            columns = [column for column, *_ in answer.description or ()]
            _write(target, columns, answer)
        finally:
            database.close()
    except sqlite3.Error as error:
        raise _unanswered(path, query, str(error)) from error
    except OSError as error:
        raise no_room(error, f"cannot take a table out of {str(path)!r}") from error
    return target


TABLES = "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name"


def _write(target: Path, columns: list[str], rows: Any) -> None:
    with open(target, "w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _from_duckdb(path: Path, query: str | None, target: Path) -> Path:
    database = connect()
    with explained(repr(str(path))):
        database.execute(f"attach {literal(str(path))} as given (read_only)")
        database.execute("use given")
        names = [name for (name,) in database.execute("select table_name from information_schema.tables").fetchall()]
    sql = _sql(path, query, names)
    import duckdb

    try:
        database.execute(f"copy ({sql}) to {literal(str(target))} (format parquet)")
    except duckdb.Error as error:
        raise _unanswered(path, query, str(error).splitlines()[0]) from error
    finally:
        database.close()
    return target


def _sql(path: Path, query: str | None, names: list[str]) -> str:
    """The query that is meant. Raises ArgumentError if it is not plain which."""
    if query is not None and (query in names or " " not in query.strip()):
        if query not in names:
            raise ArgumentError(
                f"there is no table {query!r} in {str(path)!r}",
                expected=f"one of {listed(names)}, or SQL",
                got=repr(query),
                fix=did_you_mean(query, names),
            )
        return f"select * from {quoted(query)}"
    if query is not None:
        return query.strip().rstrip(";")
    if len(names) != 1:
        raise ArgumentError(
            f"{str(path)!r} has {len(names)} tables",
            expected="query=, with the name of a table or with SQL",
            got=listed(names) if names else "an empty database",
            fix=f"pass query={names[0]!r}, for example" if names else "check the file",
        )
    return f"select * from {quoted(names[0])}"


def _unanswered(path: Path, query: str | None, said: str) -> ArgumentError:
    return ArgumentError(
        f"{str(path)!r} gives no answer",
        expected="SQL that selects rows, or the name of a table",
        got=f"{said}; query={query!r}",
        fix="mend the query",
    )
