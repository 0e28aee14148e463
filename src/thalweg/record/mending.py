"""A store whose file is damaged: it is set aside, and what can be read of it, and of the runs' folders, goes on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from thalweg.record import tables
from thalweg.record.cards import restore_from_folders

__all__ = ["FILE", "MendedNotice", "is_damage", "mend"]

FILE = "runs.sqlite"
"""In the folder of a store."""


class MendedNotice(UserWarning):
    """The file of the runs was damaged."""


def mend(folder: Path, reason: str) -> None:
    """Put a new file in the place of a damaged one, which stays under another name, and say so.

    Of several processes that notice the damage one does the work; the others find it done.

    Raises: OSError or sqlite3.Error if that cannot be done.
    """
    path = folder / FILE
    with _alone(folder):
        if _is_whole(path):
            return
        new = path.with_name(f".{FILE}.{os.getpid()}.tmp")
        count = _write(new, folder, _salvaged(path))
        aside = _free(path.with_name(f"damaged-{time.strftime('%Y%m%d-%H%M%S')}-{FILE}"))
        for ending in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{ending}", f"{aside}{ending}")
        os.replace(new, path)
    told = f"{str(path)!r} was damaged ({reason}): {count} runs were saved, and the file is kept as {aside.name!r}"
    warnings.warn(told, MendedNotice, stacklevel=3)


def is_damage(error: BaseException) -> bool:
    """Whether an error says that the file is no whole database."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process at a time."""
    with open(folder / ".mending", "wb") as file:
        _lock(file)
        yield


def _lock(file: BinaryIO) -> None:
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
    except (ImportError, OSError):  # without locks two processes might both set a file aside: each has its own name
        pass


def _is_whole(path: Path) -> bool:
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=60)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return bool(version == tables.VERSION and connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
    return False


def _salvaged(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Table -> rows that can still be read, from both ends of each table."""
    found: dict[str, list[dict[str, Any]]] = {}
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.row_factory = sqlite3.Row
        for table in ("runs", *tables.PARTS):
            rows: dict[tuple[Any, ...], dict[str, Any]] = {}
            for direction in ("ASC", "DESC"):
                with contextlib.suppress(sqlite3.Error):
                    for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1 {direction}"):
                        rows.setdefault(tuple(row), dict(row))
            found[table] = list(rows.values())
    return found


def _write(path: Path, folder: Path, rows: dict[str, list[dict[str, Any]]]) -> int:
    """A new file with these rows, and with the runs that have folders; how many runs."""
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        tables.create(connection)
        for table, each in rows.items():
            for row in each:
                with contextlib.suppress(sqlite3.Error):  # what damage has made of a row may fit into no table
                    tables.insert(connection, table, [row])
        restore_from_folders(connection, folder)
        connection.execute("COMMIT")
        count: int = connection.execute("SELECT count(*) FROM runs").fetchone()[0]
        return count


def _free(path: Path) -> Path:
    """This name, or one beside it that no file has."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found
