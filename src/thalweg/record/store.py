"""Where runs are kept: one SQLite file, which any number of processes write at once and read meanwhile, and a folder
for each run.

The file is in WAL mode: who reads sees the last whole transaction and never waits; who writes waits for its turn.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from thalweg.errors import StorageError
from thalweg.processes.job import current
from thalweg.record import tables
from thalweg.record.cards import CARD, restore_from_folders
from thalweg.record.mending import FILE, MendedNotice, is_damage, mend

__all__ = ["ENVIRONMENT", "Store", "store_in", "transaction"]

T = TypeVar("T")

_WHOSE = """SELECT user_version, application_id, (SELECT count(*) FROM sqlite_master)
FROM pragma_user_version, pragma_application_id"""
"""Whose tables there are, as of one moment: another process may be making them just now."""

ENVIRONMENT = "THALWEG_RUNS"
"""The environment variable that names the folder of the runs."""
FOLDER = "thalweg-runs"
"""Unless one is named: beside the work, in the folder in which the program runs."""

BUSY_SECONDS = 60.0
"""How long one who writes waits for the others."""


@functools.cache
def _nowhere() -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone when the process ends."""
    return tempfile.TemporaryDirectory(prefix="thalweg-runs-", ignore_cleanup_errors=True)


class Store:
    """The runs in one folder. Nothing is made before the first run begins.

    Arguments:
        folder: unless given that which ``THALWEG_RUNS`` names, else ``thalweg-runs`` in the current one. Of several
            processes of a job only the first writes there; what the others write goes when they end.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        usual = os.environ.get(ENVIRONMENT) or FOLDER if current().is_first else _nowhere().name
        self.folder = Path(folder or usual).absolute()
        self.path = self.folder / FILE

    @property
    def exists(self) -> bool:
        """Whether a run has ever been written here."""
        return self.path.exists() or any(self.folder.glob(f"*/{CARD}"))

    def connect(self) -> sqlite3.Connection:
        """A connection of one's own, made ready; the tables are there.

        A file that is damaged is set aside, with a notice, and what could be saved of it goes on.

        Raises: StorageError if the file cannot be opened, is something else, or of a later version.
        """
        with self.failing("opened"):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                return self._ready()
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                mend(self.folder, str(error))
                return self._ready()

    def _ready(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            if not self._check(connection):
                self._create(connection)
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                self._wait_for_wal(connection)
            connection.execute("PRAGMA synchronous=NORMAL")  # a power cut may cost the last seconds, never the file
        except BaseException:
            connection.close()
            raise
        return connection

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` finds; the store must be there. Raises StorageError, as ``connect``."""
        return self._with(self.connect_to_read, work)

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` gives, which writes in one transaction. Raises StorageError, as ``connect``."""

        def changing(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return work(connection)

        return self._with(self.connect, changing)

    def _with(self, connect: Callable[[], sqlite3.Connection], work: Callable[[sqlite3.Connection], T]) -> T:
        """Once more where the file turns out to be damaged, and was mended."""
        with self.failing("used"):
            try:
                with contextlib.closing(connect()) as connection:
                    return work(connection)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                mend(self.folder, str(error))
            with contextlib.closing(connect()) as connection:
                return work(connection)

    def connect_to_read(self) -> sqlite3.Connection:
        """For who only reads: also of a folder in which nothing may be written.

        Raises: StorageError, as ``connect``.
        """
        if os.access(self.folder, os.W_OK) and (not self.path.exists() or os.access(self.path, os.W_OK)):
            return self.connect()
        with self.failing("opened"):
            # Without the right to make the files beside it there can be no WAL of others: what stands there stays.
            connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
            self._check(connection)
            return connection

    def _check(self, connection: sqlite3.Connection) -> bool:
        """Whether the tables are there. Raises StorageError for other tables, or those of a later version."""
        version, marked, count = connection.execute(_WHOSE).fetchone()
        if marked == tables.APPLICATION and version == tables.VERSION:
            return True
        if marked == tables.APPLICATION:
            raise StorageError(
                f"{str(self.path)!r} was written by a later thalweg",
                expected=f"tables of version {tables.VERSION} or before",
                got=f"version {version}",
                fix="read it with that version, or keep runs elsewhere: THALWEG_RUNS names the folder",
            )
        if marked or version or count:
            raise StorageError(
                f"{str(self.path)!r} is no store of runs",
                expected="a file that thalweg has written, or none",
                got="a database of another program",
                fix="keep runs elsewhere: THALWEG_RUNS names the folder",
            )
        return False

    def _create(self, connection: sqlite3.Connection) -> None:
        """The tables, unless another process was first; with the runs of which only the folders are left."""
        with transaction(connection):
            if self._check(connection):
                return
            tables.create(connection)
            count = restore_from_folders(connection, self.folder)
        if count:
            told = f"{str(self.path)!r} was empty or gone: {count} runs were taken up again from their folders"
            warnings.warn(told, MendedNotice, stacklevel=2)

    def _wait_for_wal(self, connection: sqlite3.Connection) -> None:
        """Change to WAL, for which no other may be reading; where a file system has none the usual journal stays."""
        until = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < until:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    return
                if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                    return
                time.sleep(0.01)

    @contextlib.contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """What SQLite and the system raise here becomes a StorageError; ``what`` was to be done with the file."""
        try:
            yield
        except StorageError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"the runs in {str(self.folder)!r} cannot be {what}",
                expected="a folder that may be written, with free space, on a disk of this machine",
                got=str(getattr(error, "strerror", None) or error),
                fix="mend that, or keep runs elsewhere: THALWEG_RUNS names the folder",
            ) from error


def store_in(folder: str | os.PathLike[str] | Store | None) -> Store:
    """The store of this folder, or the usual one."""
    return folder if isinstance(folder, Store) else Store(folder)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing; the lock to write is taken at once, so that nobody's turn comes in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
