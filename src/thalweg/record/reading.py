"""Runs as they were written: found, sorted, compared and deleted."""

from __future__ import annotations

import contextlib
import json
import math
import operator
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, NameNotFoundError
from thalweg.fields import dataclass
from thalweg.record.history import History
from thalweg.record.run import RUNNING, forget
from thalweg.record.store import Store
from thalweg.record.writer import flush_all

__all__ = ["DIED", "Condition", "Record", "delete", "find", "load"]

DIED = "died"
"""The status of a run whose process has ended without a word."""

SILENCE_SECONDS = 60.0
"""After which a run that has given no sign of life on another machine counts as dead: signs come every five seconds."""
LONGEST_SILENCE = 600.0
"""The same for a process on this machine that is there: its number may have become another's."""

COLUMNS = (
    *("number", "key", "name", "kind", "parent", "folder", "status", "began", "ended", "seen", "host", "process"),
    *("part", "epoch", "epochs", "step", "steps", "latest", "stopped_by", "error", "notes", "tags", "weights"),
)


@dataclass
class Record:
    """A run as the store has it.

    Attributes:
        number, key, name, kind, parent: see the table ``runs`` in docs/runs.md.
        folder: of its files.
        status: ``"running"``, ``"finished"``, ``"stopped"`` (Ctrl-C), ``"failed"``, or ``"died"`` if its process has
            ended without a word.
        began, ended, seen: seconds since 1970.
        epoch, epochs, step, steps: where training stands, or stood last; epochs that are done.
        metrics: of each metric the value of the last epoch; of several fits their mean.
        lowest, highest: over all epochs.
        results: numbers that were noted for it, as ``test_accuracy``.
        settings: what it was told, by names with dots; read when first asked for.
        chosen: some of them, where they were read with all runs at once.
    """

    store: Store
    number: int
    key: str
    name: str
    kind: str
    parent: int | None
    folder: Path
    status: str
    began: float
    ended: float | None
    seen: float
    host: str
    process: int
    part: int | None
    epoch: int | None
    epochs: int | None
    step: int | None
    steps: int | None
    latest: Mapping[str, Any]
    stopped_by: str | None
    error: str | None
    notes: str | None
    tags: tuple[str, ...]
    weights: str | None
    metrics: dict[str, float] = field(default_factory=dict)
    lowest: dict[str, float] = field(default_factory=dict)
    highest: dict[str, float] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, Any] | None = None

    def __repr__(self) -> str:
        numbers = {**self.metrics, **self.results}
        told = "".join(f"; {name} {value:.4g}" for name, value in numbers.items() if isinstance(value, int | float))
        return f"<Record {self.number} {self.name!r}, {self.status}{told}>"

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (self.ended or self.seen) - self.began

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What it was told, by names with dots."""
        return dict(self._rows("SELECT name, value FROM settings WHERE run=?"))

    @cached_property
    def described(self) -> dict[str, Any]:
        """All that is known of it before it began, in JSON types."""
        ((text,),) = self._rows("SELECT described FROM runs WHERE number=?")
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def parts(self) -> list[int]:
        """The numbers of the fits in it."""
        query = "SELECT part FROM events WHERE run=?1 UNION SELECT part FROM epochs WHERE run=?1 ORDER BY 1"
        return [part for (part,) in self._rows(query)]

    def history(self, part: int = 0) -> History:
        """The logs of its epochs, of one fit in it."""
        found = History()
        rows = self._rows("SELECT epoch, name, value FROM epochs WHERE run=? AND part=? ORDER BY epoch", part)
        for epoch, name, value in rows:
            if not found.epoch or found.epoch[-1] != epoch:
                found.epoch.append(epoch)
            found.history.setdefault(name, []).append(_value(value))
        found.history = {name: found.history[name] for name in sorted(found.history, key=usual_order)}
        found.stopped_by = self.stopped_by
        return found

    def intervals(self, part: int = 0) -> list[tuple[int, int, str, Any]]:
        """Epoch, step, metric and its mean over the epoch so far, from time to time."""
        rows = self._rows("SELECT epoch, step, name, value FROM intervals WHERE run=? AND part=?", part)
        return [(epoch, step, name, _value(value)) for epoch, step, name, value in rows]

    def layers(self, part: int = 0) -> dict[str, dict[str, dict[int, float]]]:
        """Layer -> statistic -> step -> number, if it was measured (``callbacks.LayerStatistics``)."""
        found: dict[str, dict[str, dict[int, float]]] = {}
        rows = self._rows("SELECT step, layer, name, value FROM layers WHERE run=? AND part=?", part)
        for step, layer, name, value in rows:
            found.setdefault(layer, {}).setdefault(name, {})[step] = _value(value)
        return found

    def events(self) -> list[dict[str, Any]]:
        """What happened beside epochs: kind, at, epoch, and what is told of it."""
        rows = self._rows("SELECT part, at, kind, epoch, told FROM events WHERE run=? ORDER BY at")
        return [
            {"part": part, "at": at, "kind": kind, "epoch": epoch, "told": json.loads(told)}
            for part, at, kind, epoch, told in rows
        ]

    def files(self) -> list[Path]:
        """In its folder."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file()) if self.folder.is_dir() else []

    def value(self, name: str) -> Any:
        """What a column or a condition of this name means: of the run itself, a result, a metric or a setting.

        None if it has none of this name. ``min(loss)`` and ``max(accuracy)`` are over all epochs.
        """
        over = re.fullmatch(r"(min|max)\((.+)\)", name)
        if over is not None:
            return (self.lowest if over[1] == "min" else self.highest).get(over[2])
        if name in OWN:
            return OWN[name](self)
        for known in (self.results, self.metrics):
            if name in known:
                return known[name]
        return (self.settings if self.chosen is None else self.chosen).get(name)

    def to_dict(self) -> dict[str, Any]:
        """Everything that a listing may show, in JSON types."""
        return {
            **{name: getattr(self, name) for name in COLUMNS if name not in ("folder", "tags", "latest")},
            "folder": str(self.folder),
            "tags": list(self.tags),
            "seconds": self.seconds,
            "metrics": self.metrics,
            "results": self.results,
        }

    def _rows(self, query: str, *further: Any) -> list[Any]:
        return self.store.read(lambda connection: connection.execute(query, (self.number, *further)).fetchall())


OWN: dict[str, Callable[[Record], Any]] = {
    "number": lambda run: run.number,
    "name": lambda run: run.name,
    "kind": lambda run: run.kind,
    "status": lambda run: run.status,
    "parent": lambda run: run.parent,
    "began": lambda run: run.began,
    "seconds": lambda run: run.seconds,
    "epoch": lambda run: run.epoch,
    "host": lambda run: run.host,
    "tag": lambda run: run.tags,
    "stopped_by": lambda run: run.stopped_by,
}
"""Names that mean the run itself."""

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
    names = {condition.name for condition in conditions} | ({sort.removeprefix("-")} if sort else set())
    if any(name not in OWN for name in names):
        _read_settings(store, found, names)
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
    found = {row[0]: _record(store, row) for row in connection.execute(query, values)}
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
            found[run].results[name] = _value(value)
    return list(found.values())


def _record(store: Store, row: Sequence[Any]) -> Record:
    given = dict(zip(COLUMNS, row, strict=True))
    given["folder"] = store.folder / given["folder"]
    given["tags"] = tuple(json.loads(given["tags"] or "[]"))
    given["latest"] = json.loads(given["latest"] or "{}")
    if given["status"] == RUNNING and not _lives(given["host"], given["process"], given["seen"]):
        given["status"] = DIED
    return Record(store, **given)


def _lives(host: str, process: int, seen: float) -> bool:
    """Whether the process of a run that goes on is there: by its number here, by its signs of life elsewhere."""
    silent = time.time() - seen
    if host != socket.gethostname() or not hasattr(os, "register_at_fork"):
        return silent < SILENCE_SECONDS
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return silent < LONGEST_SILENCE


def _read_settings(store: Store, runs: Iterable[Record], names: Iterable[str]) -> None:
    """The settings of these names, of all runs at once: what ``Record.settings`` would ask for one after the other."""
    marks, wanted = ", ".join("?" * len(set(names))), sorted(set(names))
    query = f"SELECT run, name, value FROM settings WHERE name IN ({marks})"
    found: dict[int, dict[str, Any]] = {}
    for run, name, value in store.read(lambda connection: connection.execute(query, wanted).fetchall()):
        found.setdefault(run, {})[name] = value
    for run in runs:
        run.chosen = found.get(run.number, {})


def usual_order(name: str) -> tuple[bool, bool, str]:
    """The loss first, then the metrics, then those of the validation."""
    return name.startswith("val_"), name.removeprefix("val_") != "loss", name


def _order(value: Any, highest_first: bool) -> tuple[int, Any]:
    """Numbers before texts, in their order, and what is not there last."""
    if isinstance(value, int | float) and not math.isnan(value):
        return 0, -value if highest_first else value
    return (2, "") if value is None or isinstance(value, float) else (1, str(value))


def _value(stored: Any) -> Any:
    """A number as it was told; None is NaN, as SQL has no other, and text in brackets an array."""
    if stored is None:
        return math.nan
    if isinstance(stored, str) and stored.startswith("["):
        with contextlib.suppress(ValueError):
            return np.array(json.loads(stored))
    return stored
