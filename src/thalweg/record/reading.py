"""A run as the store has it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.fields import dataclass
from thalweg.record.history import History
from thalweg.record.run import RUNNING, TRIAL
from thalweg.record.store import Store
from thalweg.record.trials import Trial

__all__ = ["COLUMNS", "DIED", "OWN", "Record", "record_of", "usual_order", "value_of"]

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
        chosen: some of them, read for many runs at once; None where it lacks one.
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
    chosen: dict[str, Any] = field(default_factory=dict)

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
        query = (
            "SELECT part FROM events WHERE run=?1 AND part IS NOT NULL"
            " UNION SELECT part FROM epochs WHERE run=?1 ORDER BY 1"
        )
        return [part for (part,) in self._rows(query)]

    @property
    def has_members(self) -> bool:
        """Whether its fits are of models beside each other, as the networks of a table or the folds of a
        cross-validation: several, of which none goes on where another has ended.
        """
        before = [fit.get("weights before") for fit in self.described.get("fits", [])]
        after = {event["told"]["digest"] for event in self.events() if event["kind"] == "weights"}
        return 1 < len(before) == len(self.parts) and all(before) and after.isdisjoint(before)

    def history(self, part: int = 0) -> History:
        """The logs of its epochs, of one fit in it."""
        found = History()
        rows = self._rows("SELECT epoch, name, value FROM epochs WHERE run=? AND part=? ORDER BY epoch", part)
        for epoch, name, value in rows:
            if not found.epoch or found.epoch[-1] != epoch:
                found.epoch.append(epoch)
            found.history.setdefault(name, []).append(value_of(value))
        found.history = {name: found.history[name] for name in sorted(found.history, key=usual_order)}
        found.stopped_by = self.stopped_by
        return found

    def intervals(self, part: int = 0) -> list[tuple[int, int, str, Any]]:
        """Epoch, step, metric and its mean over the epoch so far, from time to time."""
        rows = self._rows("SELECT epoch, step, name, value FROM intervals WHERE run=? AND part=?", part)
        return [(epoch, step, name, value_of(value)) for epoch, step, name, value in rows]

    def layers(self, part: int = 0) -> dict[str, dict[str, dict[int, float]]]:
        """Layer -> statistic -> step -> number, if it was measured (``callbacks.LayerStatistics``)."""
        found: dict[str, dict[str, dict[int, float]]] = {}
        rows = self._rows("SELECT step, layer, name, value FROM layers WHERE run=? AND part=?", part)
        for step, layer, name, value in rows:
            found.setdefault(layer, {}).setdefault(name, {})[step] = value_of(value)
        return found

    def events(self) -> list[dict[str, Any]]:
        """What happened beside epochs: kind, at, epoch, and what is told of it."""
        rows = self._rows("SELECT part, at, kind, epoch, told FROM events WHERE run=? ORDER BY at")
        return [
            {"part": part, "at": at, "kind": kind, "epoch": epoch, "told": json.loads(told)}
            for part, at, kind, epoch, told in rows
        ]

    @property
    def trials(self) -> list[Trial]:
        """Of a search those that have ended, in the order in which they began."""
        told = {event["told"]["number"]: event["told"] for event in self.events() if event["kind"] == TRIAL}
        return [Trial(**told[number]) for number in sorted(told)]

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
        return self.chosen[name] if name in self.chosen else self.settings.get(name)

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


def record_of(store: Store, row: Sequence[Any]) -> Record:
    """The run of a row of the table, in the order of ``COLUMNS``."""
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


def usual_order(name: str) -> tuple[bool, bool, str]:
    """The loss first, then the metrics, then those of the validation."""
    return name.startswith("val_"), name.removeprefix("val_") != "loss", name


def value_of(stored: Any) -> Any:
    """A number as it was told; None is NaN, as SQL has no other, and text in brackets an array."""
    if stored is None:
        return math.nan
    if isinstance(stored, str) and stored.startswith("["):
        with contextlib.suppress(ValueError):
            return np.array(json.loads(stored))
    return stored
