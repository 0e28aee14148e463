"""Writes what runs tell into their store: by a thread, many rows in one transaction, so that training never waits."""

from __future__ import annotations

import atexit
import contextlib
import os
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from thalweg.errors import StorageError, ThalwegError
from thalweg.record.mending import is_damage, mend
from thalweg.record.store import Store, transaction

__all__ = ["Open", "RunNotice", "Writer", "flush_all", "writer_of"]

FLUSH_SECONDS = 0.5
"""From one transaction to the next while something is told."""
SIGN_SECONDS = 5.0
"""From one sign of life to the next while nothing is."""

Row = tuple[Any, ...]


class RunNotice(UserWarning):
    """A run cannot be recorded as it should be; training goes on."""


class Open(Protocol):
    """A run that goes on, as far as its writer has to know it."""

    number: int
    gone: bool

    def end(self, error: BaseException | None = None) -> None:
        """It is over, by this error if there is one."""

    def standing(self) -> Iterable[tuple[str, Row]]:
        """Statements with values that say where it stands now."""


class Writer:
    """Of one store, for all runs of this process.

    Rows of statements whose first value is the number of a run that somebody has deleted meanwhile are left out.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._begin()

    def _begin(self) -> None:
        self.open: list[Open] = []
        self._rows: dict[str, list[Row]] = {}
        self._jobs: list[Callable[[], None]] = []
        self._after: list[Callable[[sqlite3.Connection], None]] = []
        self._adding = threading.Lock()
        self._writing = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._file = 0  # the inode that is open
        self._told = 0.0
        self._complained = False

    # What is told, at no cost

    def add(self, statement: str, rows: Iterable[Row]) -> None:
        """Rows to write before long. Statements are carried out in the order in which each was first added."""
        with self._adding:
            self._rows.setdefault(statement, []).extend(rows)
        self._start()

    def do(self, job: Callable[[], None]) -> None:
        """Something to do beside training, such as writing a file, before the rows that are added later."""
        with self._adding:
            self._jobs.append(job)
        self._start()

    def after(self, job: Callable[[sqlite3.Connection], None]) -> None:
        """Something to do once all that was added so far is in the store."""
        with self._adding:
            self._after.append(job)
        self._start()

    def in_child(self) -> None:
        """A process that was forked has none of the threads, and leaves connections and runs to its parent."""
        _ABANDONED.append(self._connection)  # closing it here might trouble the parent's
        self._begin()  # locks may be held by threads that are not there

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            with self._adding:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._work, name="thalweg-runs", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while True:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            self.flush()
            with self._adding:
                if not (self.open or self._rows or self._jobs or self._after):
                    self._thread = None
                    break
        self.close()

    # Writing

    def close(self) -> None:
        """Let go of the file, if nothing is to be written."""
        with self._writing:
            if self._connection is not None and not self.open:
                self._connection.close()
                self._connection = None

    def flush(self) -> bool:
        """Write all that was added; whether that could be done. What could not is kept for the next time."""
        with self._writing:
            with self._adding:
                rows, jobs, after = self._rows, self._jobs, self._after
                self._rows, self._jobs, self._after = {}, [], []
            for job in jobs:
                self._carry_out(job)
            quiet = not rows and not after
            if quiet and (not self.open or time.monotonic() - self._told < SIGN_SECONDS):
                return True
            try:
                self._write(rows, after)
            except (sqlite3.Error, OSError, StorageError) as error:
                self._keep(rows, after)
                self._complain(f"runs cannot be written at the moment, training goes on: {_reason(error)}")
                return False
            self._told, self._complained = time.monotonic(), False
            return True

    def _write(self, rows: dict[str, list[Row]], after: list[Callable[[sqlite3.Connection], None]]) -> None:
        for attempt in range(2):
            try:
                connection = self._connected()
                with transaction(connection):
                    self._write_rows(connection, rows)
                for job in after:
                    self._carry_out(partial(job, connection))
                return
            except sqlite3.DatabaseError as error:
                self._disconnect()
                if attempt or not is_damage(error):
                    raise
                mend(self.store.folder, str(error))

    def _write_rows(self, connection: sqlite3.Connection, rows: dict[str, list[Row]]) -> None:
        numbers = {row[0] for each in rows.values() for row in each} | {run.number for run in self.open}
        there = {
            number
            for number in numbers
            if connection.execute("SELECT 1 FROM runs WHERE number=?", (number,)).fetchone() is not None
        }
        for run in self.open:
            run.gone = run.number not in there
        for statement, each in rows.items():
            connection.executemany(statement, [row for row in each if row[0] in there])
        for run in self.open:
            for statement, row in () if run.gone else run.standing():
                connection.execute(statement, row)

    def _keep(self, rows: dict[str, list[Row]], after: list[Callable[[sqlite3.Connection], None]]) -> None:
        with self._adding:
            newer, self._rows = self._rows, rows
            for statement, each in newer.items():
                self._rows.setdefault(statement, []).extend(each)
            self._after = after + self._after

    def _connected(self) -> sqlite3.Connection:
        """The connection; a new one where the file was put aside as damaged meanwhile, or deleted."""
        if self._connection is not None and self._inode() != self._file:
            self._disconnect()
        if self._connection is None:
            self._connection = self.store.connect()
            self._file = self._inode()
        return self._connection

    def _inode(self) -> int:
        try:
            return os.stat(self.store.path).st_ino
        except OSError:
            return 0

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _carry_out(self, job: Callable[[], None]) -> None:
        try:
            job()
        except (ThalwegError, OSError) as error:
            self._complain(f"a file of a run cannot be written: {_reason(error)}", again=True)

    def _complain(self, text: str, again: bool = False) -> None:
        """Once until it goes well."""
        if again or not self._complained:
            self._complained = self._complained or not again
            with contextlib.suppress(RunNotice):  # where warnings are errors, this thread has nobody to tell
                warnings.warn(text, RunNotice)


def _reason(error: BaseException) -> str:
    return error.got if isinstance(error, StorageError) else str(error)


_WRITERS: dict[str, Writer] = {}
_ABANDONED: list[Any] = []
_MAKING = threading.Lock()


def writer_of(store: Store) -> Writer:
    """The one writer of this process for a store."""
    with _MAKING:
        return _WRITERS.setdefault(str(store.path), Writer(store))


def flush_all() -> None:
    """Have everything written that runs of this process have told: before reading, and at the program's end."""
    for writer in list(_WRITERS.values()):
        writer.flush()


def _at_exit() -> None:
    """Runs that nobody has ended are over, by what the program has ended by."""
    error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
    for run in [run for writer in _WRITERS.values() for run in writer.open]:
        run.end(error)
    for writer in list(_WRITERS.values()):
        if not writer.flush():
            time.sleep(1)  # whoever has the file may be done by then
            if not writer.flush():
                print(f"What was told last of runs in {str(writer.store.folder)!r} is lost.", file=sys.stderr)


def _in_child() -> None:
    global _MAKING
    _MAKING = threading.Lock()
    for writer in _WRITERS.values():
        writer.in_child()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
