"""DuckDB as thalweg uses it: in this process, on its cores, without a network, its errors in four parts."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thalweg import cores
from thalweg.data.room import no_room
from thalweg.errors import DataError, FileFormatError, InsufficientMemoryError, StorageError, ThalwegError

__all__ = ["connect", "explained", "file_name", "literal", "quoted", "temporary_folder"]


def connect() -> Any:
    """A database in memory that never downloads or loads anything, on as many threads as thalweg itself may use."""
    import duckdb

    with explained("the table"):
        database = duckdb.connect(
            config={
                "threads": int(cores.wanted(None)),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "python_enable_replacements": "false",  # a name in a query is a table, never a variable of ours
            }
        )
        database.execute("set TimeZone = 'UTC'")  # moments without a zone are taken as they stand
        database.execute("set enable_external_file_cache = false")  # a file is read once; it is not to stay in memory
        # Of a long "in (...)" it would make a table to join with, and a join mixes the order of the rows.
        database.execute("set disabled_optimizers = 'in_clause'")
        database.execute("set temp_directory = ''")  # not the user's working folder
        return database


def temporary_folder(owner: object) -> Path:
    """A new folder that is there as long as its owner. Raises StorageError."""
    try:
        folder = tempfile.mkdtemp(prefix="thalweg-")
    except OSError as error:
        expected = "a folder for temporary files that may be written to"
        raise no_room(error, "there is no room for temporary files", expected) from error
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def quoted(name: str) -> str:
    """A column's name in SQL, whatever is in it.

    Example:
        >>> print(quoted('the "best" column'))
        "the ""best"" column"
    """
    return '"' + name.replace('"', '""') + '"'


def file_name(path: str | os.PathLike[str]) -> str:
    """A path in SQL that stands for this file alone, whatever is in its name: elsewhere ``*`` stands for any.

    Example:
        >>> print(file_name("/tmp/what*[1].csv"))
        '/tmp/what[*][[]1].csv'
    """
    return literal(re.sub(r"([*?[])", r"[\1]", os.path.abspath(path)))


def literal(value: str | float | bool | None) -> str:
    """A value in SQL, whatever is in it.

    Example:
        >>> print(literal("it's"), literal(0.5), literal(True), literal(None))
        'it''s' 0.5 true null
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{value!r}::double" if isinstance(value, float) and not -1e15 < value < 1e15 else repr(value)


@contextmanager
def explained(what: str, verb: str = "read") -> Iterator[None]:
    """Turns what DuckDB raises into errors of four parts.

    Arguments:
        what: what is being read or written, as it is to be named.
        verb: what is being done to it.
    """
    import duckdb

    try:
        yield
    except ThalwegError:
        raise
    except duckdb.OutOfMemoryException as error:
        raise InsufficientMemoryError.found(f"to {verb} {what}", MemoryError(_first_line(error))) from error
    except duckdb.IOException as error:
        raise StorageError(
            f"cannot {verb} {what}",
            expected="a file and a folder that may be used, and room for temporary files",
            got=_first_line(error),
            fix="check the path, the permissions and the free space of the disk",
        ) from error
    except duckdb.ConversionException as error:
        raise DataError(
            f"a value in {what} does not fit its column",
            expected="values of one type in each column",
            got=_first_line(error),
            fix="mend the value, or let the column be read as text",
        ) from error
    except duckdb.Error as error:
        raise FileFormatError(
            f"cannot {verb} {what}",
            expected="a table: CSV, JSON lines, Parquet or SQLite, as its ending says",
            got=_first_line(error),
            fix="make or fetch the file again, or say how it is written: delimiter=, encoding=, query=",
        ) from error


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return re.sub(r"^[A-Za-z ]*Error: ", "", text.splitlines()[0])[:300]
