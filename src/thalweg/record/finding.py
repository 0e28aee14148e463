"""Runs found by conditions, sorted, and deleted."""

from __future__ import annotations

import contextlib
import math
import operator
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from thalweg.errors import ArgumentError, NameNotFoundError
from thalweg.fields import dataclass
from thalweg.record.reading import COLUMNS, OWN, Record, record_of, usual_order, value_of
from thalweg.record.run import RUNNING, forget
from thalweg.record.store import Store
from thalweg.record.writer import flush_all

__all__ = ["Condition", "delete", "find", "load", "read_settings"]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "~": lambda value, text: str(text).lower() in str(value).lower(),
}


@dataclass(frozen=True)
class Condition:
    """What a run must be to be found: ``val_loss < 0.3``, ``optimizer = adam``, ``name ~ mnist``, ``tag = best``.

    A run that has nothing of this name does not meet it.
    """

    name: str
    sign: str
    value: Any

    @classmethod
    def read(cls, text: str) -> Condition:
        """Raises ArgumentError if it is none."""
        found = re.fullmatch(r"\s*([^<>=!~]+?)\s*(<=|>=|!=|==|=|<|>|~)\s*(.+?)\s*", text)
        if found is None:
            raise ArgumentError(
                f"{text!r} is no condition",
                expected="a name, one of < <= = != >= > or ~ (contains), and a value",
                got=repr(text),
                fix="write for example 'val_loss < 0.3', 'optimizer = adam' or 'name ~ mnist'",
            )
        value: Any = found[3]
        with contextlib.suppress(ValueError):
            value = float(value)
        return cls(found[1], found[2].replace("==", "="), value)

    def holds(self, run: Record) -> bool:
        """Whether a run meets it."""
        value = run.value(self.name)
        if value is None:
            return False
        if isinstance(value, tuple):
            return any(self._compares(each) for each in value)
        return self._compares(value)

    def _compares(self, value: Any) -> bool:
        wanted = self.value
        if isinstance(value, int | float) != isinstance(wanted, float):
            value, wanted = str(value), f"{wanted:g}" if isinstance(wanted, float) else wanted
        return OPERATORS[self.sign](value, wanted)


def find(store: Store, where: Sequence[str] = (), sort: str | None = None, limit: int | None = None) -> list[Record]:
    """The runs that meet all conditions, the latest first.

    Arguments:
        sort: a name as in conditions: the lowest first, with ``-`` in front the highest; runs without it come last.
        limit: how many at most.

    Raises: ArgumentError for what is no condition; StorageError if the store cannot be read.
    """
    conditions = [Condition.read(text) for text in where]
    flush_all()
    if not store.exists:
        return []
    found = store.read(lambda connection: _records(store, connection))
    read_settings(
        store, found, [*(condition.name for condition in conditions), *([sort.removeprefix("-")] if sort else [])]
    )
    found = [run for run in found if all(condition.holds(run) for condition in conditions)]
    if sort:
        found.sort(key=lambda run: _order(run.value(sort.removeprefix("-")), sort.startswith("-")))
    return found[:limit]


def load(store: Store, number: int) -> Record:
    """The run of this number. Raises NameNotFoundError if there is none."""
    flush_all()
    found = store.read(lambda connection: _records(store, connection, number)) if store.exists else []
    if not found:
        known = [str(run.number) for run in find(store)]
        raise NameNotFoundError(
            f"there is no run {number} in {str(store.folder)!r}",
            expected=f"one of {', '.join(known[:20])}{' ...' if len(known) > 20 else ''}" if known else "runs",
            got=str(number),
            fix="look with thalweg runs"
            if known
            else "train with run=, or look elsewhere: THALWEG_RUNS names the folder",
        )
    return found[0]


def delete(store: Store, runs: Sequence[Record]) -> None:
    """Take runs out of the store, with their folders.

    Raises: ArgumentError, before anything is deleted, if one is running.
    """
    going = [run for run in runs if run.status == RUNNING]
    if going:
        raise ArgumentError(
            "a run that goes on is not deleted",
            expected="runs that are over",
            got=f"run {going[0].number} {going[0].name!r}, which is running in process {going[0].process}",
            fix="end it first",
        )
    store.change(lambda connection: forget(connection, [run.number for run in runs]))
    for run in runs:
        if run.folder.is_dir() and run.folder.parent == store.folder:
            with store.failing("deleted"):
                shutil.rmtree(run.folder)


def _records(store: Store, connection: sqlite3.Connection, number: int | None = None) -> list[Record]:
    """All runs, or that of a number, the latest first."""
    only, values = ("", ()) if number is None else (" WHERE {}=?", (number,))
    query = f"SELECT {', '.join(COLUMNS)} FROM runs{only.format('number')} ORDER BY number DESC"
    found = {row[0]: record_of(store, row) for row in connection.execute(query, values)}
    query = (
        f"SELECT run, name, avg(last), min(lowest), max(highest) FROM summary{only.format('run')} GROUP BY run, name"
    )
    for run, name, last, lowest, highest in connection.execute(query, values):
        if run in found:
            record = found[run]
            record.metrics[name], record.lowest[name], record.highest[name] = last, lowest, highest
    for record in found.values():
        record.metrics = {name: record.metrics[name] for name in sorted(record.metrics, key=usual_order)}
    for run, name, value in connection.execute(f"SELECT run, name, value FROM results{only.format('run')}", values):
        if run in found:
            found[run].results[name] = value_of(value)
    return list(found.values())


def read_settings(store: Store, runs: Sequence[Record], names: Iterable[str]) -> None:
    """The settings of these names, of all runs at once: what ``Record.value`` would ask for one after the other."""
    wanted = sorted(set(names) - OWN.keys())
    if not (runs and wanted):
        return
    query = f"SELECT run, name, value FROM settings WHERE name IN ({', '.join('?' * len(wanted))})"
    found: dict[int, dict[str, Any]] = {}
    for run, name, value in store.read(lambda connection: connection.execute(query, wanted).fetchall()):
        found.setdefault(run, {})[name] = value
    for run in runs:
        told = found.get(run.number, {})
        run.chosen |= {name: told.get(name) for name in wanted}


def _order(value: Any, highest_first: bool) -> tuple[int, Any]:
    """Numbers before texts, in their order, and what is not there last."""
    if isinstance(value, int | float) and not math.isnan(value):
        return 0, -value if highest_first else value
    return (2, "") if value is None or isinstance(value, float) else (1, str(value))
