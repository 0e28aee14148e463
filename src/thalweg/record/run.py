"""One run: what a training was told, what happened in it and what came of it, written as it goes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from thalweg.record.cards import write_card
from thalweg.record.events import (
    CheckpointWritten,
    EpochBegun,
    EpochEnded,
    Event,
    Found,
    Interval,
    Measured,
    TrainingBegun,
    TrainingEnded,
)
from thalweg.record.settings import flat
from thalweg.record.store import Store
from thalweg.record.tables import PARTS
from thalweg.record.trials import Trial
from thalweg.record.writer import Row, writer_of

__all__ = ["BEST", "DIAGNOSIS", "MODEL", "SETTING", "TRIAL", "Part", "Run", "cell", "digest", "forget", "json_types"]

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
"""What a run's status can be."""

SHORTEST_SECONDS, SHARE = 0.2, 500
"""From one interval that is kept to the next: at least so long, and a 500th of the time since training began. So an
hour has about 2,300, a day 3,900."""

MODEL, DIAGNOSIS = "model.thalweg", "diagnosis.json"
"""Files in the folder of a run."""

TRIAL = "trial"
"""The kind of an event of a search."""
BEST = "best_trial"
"""The setting of a search with the number of that trial, beside its values."""

SEVERAL = "several"
"""The setting that fits of one run do not share."""

SETTING = "INSERT OR REPLACE INTO settings VALUES (?, ?, ?)"
_RESULT = "INSERT OR REPLACE INTO results VALUES (?, ?, ?)"
_EPOCH = "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)"
_INTERVAL = "INSERT OR REPLACE INTO intervals VALUES (?, ?, ?, ?, ?, ?)"
_LAYER = "INSERT OR REPLACE INTO layers VALUES (?, ?, ?, ?, ?, ?)"
_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"
_SUMMARY = "INSERT OR REPLACE INTO summary VALUES (?, ?, ?, ?, ?, ?)"
_TIME = "INSERT OR REPLACE INTO times VALUES (?, ?, ?, ?)"
_STANDING = "UPDATE runs SET seen=?2, part=?3, epoch=?4, epochs=?5, step=?6, steps=?7, latest=?8 WHERE number=?1"
_DESCRIBED = "UPDATE runs SET described=?2 WHERE number=?1"
_END = "UPDATE runs SET status=?2, ended=?3, stopped_by=?4, error=?5, weights=?6 WHERE number=?1"
_AGAIN = (
    "UPDATE runs SET status='running', ended=NULL, error=NULL, stopped_by=NULL, host=?2, process=?3 WHERE number=?1"
)
_CUT_EPOCHS = "DELETE FROM epochs WHERE run=?1 AND part=?2 AND epoch>=?3"
_CUT_INTERVALS = "DELETE FROM intervals WHERE run=?1 AND part=?2 AND (epoch>?3 OR epoch=?3 AND step>?4)"


class Run:
    """A run that goes on; ``runs.start`` makes it. As a context it ends with its block.

    Attributes:
        number: by which commands know it.
        key: the same in every store.
        name: as given; several runs may have the same.
        folder: for its files; ``model.thalweg`` is the model after its ``fit``, ``model-1.thalweg`` after the next one.
        keeps_models: whether they are kept; who keeps something better himself sets it to False.

    Example:
        ``with thalweg.runs.start("first try") as run: model.fit(x, y, run=run); run.result(test_loss=0.3)``
    """

    def __init__(self, store: Store, number: int, key: str, name: str, folder: Path, described: dict[str, Any]) -> None:
        self.store = store
        self.number = number
        self.key = key
        self.name = name
        self.folder = folder
        self.gone = False
        self.keeps_models = True
        self.described = described
        self._parts: list[Part] = []
        self._of_fits: dict[str, Any] = {}
        self._making = threading.Lock()  # networks of one run may be trained at once
        self._own: Part | None = None
        self._ended = False
        self._stopped_by: str | None = None
        self._writer = writer_of(store)
        self._writer.open.append(self)
        self._writer.after(self._write_card)

    def __repr__(self) -> str:
        return f"<Run {self.number} {self.name!r} in {str(self.store.folder)!r}>"

    # For users

    def log(self, epoch: int | None = None, /, **values: Any) -> None:
        """Numbers of an epoch, or of whatever is counted, of a loop of one's own; the next one unless given."""
        if self._own is None:
            self._own = self.part({})
        at = self._own.epoch + 1 if epoch is None else int(epoch)
        self._own.hear(EpochEnded(at, values, 0.0))

    def result(self, **values: Any) -> None:
        """Numbers that the run has come to, as ``test_accuracy``: shown with it, to filter and to sort by."""
        self._writer.add(_RESULT, [(self.number, name, cell(value)) for name, value in values.items()])

    def settings(self, **values: Any) -> None:
        """What the run was told: shown with it, compared, and to filter by."""
        self._writer.add(SETTING, [(self.number, name, cell(value)) for name, value in flat(values)])

    def fitted_with(self, values: Mapping[str, Any]) -> None:
        """What a fit in this run was told. Where several fits differ the run says that, whichever comes last."""
        with self._making:
            for name, value in flat(values):
                if self._of_fits.setdefault(name, cell(value)) != cell(value):
                    self._of_fits[name] = SEVERAL
            self._writer.add(SETTING, [(self.number, name, self._of_fits[name]) for name, _ in flat(values)])

    def trial(self, trial: Trial) -> None:
        """What came of one combination of values that was tried in the run; told again it replaces the first word."""
        finite = trial.value is not None and math.isfinite(trial.value)
        told = {**vars(trial), "value": trial.value if finite else None}  # JSON has no infinity
        self._writer.add(_EVENT, [_event(self.number, None, TRIAL, None, told)])

    def file(self, name: str) -> Path:
        """Where a file of this name belongs."""
        return self.folder / name

    def end(self, error: BaseException | None = None, status: str | None = None) -> None:
        """The run is over, by this error if there is one."""
        if self._ended:
            return
        self._ended = True
        stopped = self._stopped_by == "user" or isinstance(error, KeyboardInterrupt)
        found = status or (STOPPED if stopped else FINISHED if error is None else FAILED)
        text = None if error is None else str(error) or type(error).__name__
        values = (self.number, found, time.time(), self._stopped_by, text, self.weights)
        for statement, row in self.standing():
            self._writer.add(statement, [row])
        self._writer.add(_END, [values])
        if self in self._writer.open:  # not in a process that was forked: its parent goes on
            self._writer.open.remove(self)
        self._writer.after(self._write_card)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)

    # For those who train

    @property
    def weights(self) -> str | None:
        """A digest of the trained weights: of those of the only fit, or of all that were."""
        found = sorted(part.weights for part in self._parts if part.weights)
        return found[0] if len(found) == 1 else digest("".join(found).encode()) if found else None

    def part(self, about: dict[str, Any]) -> Part:
        """A fit in this run; ``about`` is what is known of it, in JSON types."""
        with self._making:
            self.described.setdefault("fits", []).append(about)
            self._writer.add(_DESCRIBED, [(self.number, json.dumps(json_types(self.described)))])
            made = Part(self, len(self._parts))
            self._parts.append(made)
        return made

    def become(self, key: str) -> bool:
        """Be the run of this key from now on, which was interrupted; whether the store has it.

        What this run has begun under its own number is forgotten.
        """
        with self._making:
            return key == self.key or self._become(key)

    def _become(self, key: str) -> bool:
        self.flush()

        def change(connection: sqlite3.Connection) -> Any:
            query = "SELECT number, name, folder, described FROM runs WHERE key=?"
            found = connection.execute(query, (key,)).fetchone()
            if found is not None:
                forget(connection, [self.number])
                # Nobody has seen this number yet: unless another run has begun meanwhile it is the next one again.
                connection.execute("UPDATE sqlite_sequence SET seq=?1-1 WHERE name='runs' AND seq=?1", (self.number,))
                connection.execute(_AGAIN, (found[0], socket.gethostname(), os.getpid()))
            return found

        found = self.store.change(change)
        if found is None:
            return False
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)
        self.key = key
        self.number, self.name, folder, described = found
        self.folder, self.described = self.store.folder / folder, json.loads(described)
        self.folder.mkdir(exist_ok=True)
        return True

    def keep(self, name: str, write: Callable[[Path], None]) -> None:
        """Have a file written beside training."""
        self._writer.do(lambda: write(self.folder / name))

    def flush(self) -> bool:
        """Have everything written now; whether that could be done."""
        return self._writer.flush()

    def stopped(self, by: str | None) -> None:
        """What ended the fit that ran last."""
        self._stopped_by = by

    def add(self, statement: str, rows: Iterable[Row]) -> None:
        """Rows that begin with the run's number, to write before long."""
        self._writer.add(statement, rows)

    def standing(self) -> Iterator[tuple[str, Row]]:
        """See ``writer.Open``."""
        part = max(self._parts, key=lambda part: part.told, default=None)
        where: Row = (None,) * 6 if part is None else part.where()
        yield _STANDING, (self.number, time.time(), *where)
        for each in self._parts:
            yield from ((_SUMMARY, row) for row in each.summary())

    def _write_card(self, connection: sqlite3.Connection) -> None:
        write_card(connection, self.number, self.folder)


class Part:
    """One fit in a run: hears what happens and adds it to the record.

    Attributes:
        number: of the fit in its run.
        epoch: the one that was told of last.
        told: when.
        weights: a digest of the trained weights.
    """

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        self.epoch = -1
        self.epochs: int | None = None
        self.step = 0
        self.steps: int | None = None
        self.latest: Mapping[str, Any] = {}
        self.told = 0.0
        self.weights: str | None = None
        self._summary: dict[str, list[float]] = {}
        self._fresh: set[str] = set()
        self._began = time.monotonic()
        self._next_interval = 0.0

    def file(self, name: str) -> str:
        """What a file of this fit is called in the run's folder: those of the first have plain names."""
        return name if not self.number else name.replace(".", f"-{self.number}.")

    def where(self) -> Row:
        """Where training stands, as the columns of a run have it."""
        latest = json.dumps({name: json_types(value) for name, value in self.latest.items()})
        return self.number, max(self.epoch, 0), self.epochs, self.step, self.steps, latest

    def summary(self) -> list[Row]:
        """Of each metric that has changed the last value, the lowest and the highest."""
        names, self._fresh = self._fresh, set()
        return [(self.run.number, self.number, name, *self._summary[name]) for name in names]

    def trained(self, weights: str) -> None:
        """The fit is over, and has made these weights: a digest of them."""
        self.weights = weights
        self._event("weights", None, {"digest": weights})

    def hear(self, event: Event) -> None:
        """Take in what happened."""
        self.told = time.monotonic()
        if isinstance(event, Interval):
            self._interval(event)
        elif isinstance(event, EpochEnded):
            self._epoch(event)
        elif isinstance(event, EpochBegun):
            self.epoch, self.step = event.epoch, event.step
        elif isinstance(event, Measured):
            self._measured(event)
        elif isinstance(event, TrainingBegun):
            self.epochs, self.steps, self.epoch = event.epochs, event.steps, event.first_epoch - 1
            self._event("training begun", None, vars(event))
        elif isinstance(event, TrainingEnded):
            self.run.stopped(event.stopped_by)
            self._event("training ended", None, vars(event))
        elif isinstance(event, CheckpointWritten):
            self._event("checkpoint", event.epoch, {"path": os.fspath(event.path)})
        elif isinstance(event, Found):
            self._event("finding", event.epoch, vars(event))

    def go_on(self, epoch: int, step: int, history: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Training goes on from here: what an earlier try has told of later steps is not what happened.

        Arguments:
            history: the epochs before with their logs, of which the last may not have been written.
        """
        for known, logs in history:
            self._epoch(EpochEnded(known, logs, 0.0))
        self.run.flush()
        self.run.add(_CUT_EPOCHS, [(self.run.number, self.number, epoch)])
        self.run.add(_CUT_INTERVALS, [(self.run.number, self.number, epoch, step)])
        self._event("resumed", epoch, {"step": step})
        self.run.flush()
        self.epoch, self.step = epoch, step

    def _interval(self, event: Interval) -> None:
        self.epoch, self.step, self.latest = event.epoch, event.step, event.logs
        if self.told >= self._next_interval:
            self._next_interval = self.told + max(SHORTEST_SECONDS, (self.told - self._began) / SHARE)
            front = (self.run.number, self.number, event.epoch, event.step)
            self.run.add(_INTERVAL, [(*front, name, cell(value)) for name, value in event.logs.items()])

    def _epoch(self, event: EpochEnded) -> None:
        self.epoch, self.latest = event.epoch, event.logs
        self.step = self.steps or 0
        front = (self.run.number, self.number, event.epoch)
        self.run.add(_EPOCH, [(*front, name, cell(value)) for name, value in event.logs.items()])
        if event.seconds:  # not of epochs that are told once more
            self.run.add(_TIME, [(*front, event.seconds)])
        for name, value in event.logs.items():
            if isinstance(value, int | float | np.number) and not math.isnan(value):
                self._note(name, float(value))

    def _note(self, name: str, value: float) -> None:
        known = self._summary.get(name)
        if known is None:
            self._summary[name] = [value, value, value]
        else:
            known[0], known[1], known[2] = value, min(known[1], value), max(known[2], value)
        self._fresh.add(name)

    def _measured(self, event: Measured) -> None:
        front = (self.run.number, self.number, event.total_steps)
        rows = [
            (*front, layer, name, cell(value))
            for layer, values in event.statistics.items()
            for name, value in values.items()
        ]
        self.run.add(_LAYER, rows)

    def _event(self, kind: str, epoch: int | None, told: Mapping[str, Any]) -> None:
        self.run.add(_EVENT, [_event(self.run.number, self.number, kind, epoch, told)])


def _event(run: int, part: int | None, kind: str, epoch: int | None, told: Mapping[str, Any]) -> Row:
    return run, part, time.time(), kind, epoch, json.dumps(json_types(told))


def forget(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Take the rows of these runs out of all tables."""
    for number in numbers:
        connection.execute("DELETE FROM runs WHERE number=?", (number,))
        for table in PARTS:
            connection.execute(f"DELETE FROM {table} WHERE run=?", (number,))


def cell(value: Any) -> Any:
    """A value as a table holds it: a number or text as it is, anything else as JSON; NaN is nothing, as in SQL."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, int | float | str):
        return value
    return json.dumps(json_types(value))


def json_types(value: Any) -> Any:
    """In JSON types; what has none as text."""
    if isinstance(value, Mapping):
        return {str(key): json_types(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_types(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_types(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def digest(*parts: Any) -> str:
    """A few letters that tell bytes from others."""
    found = hashlib.blake2b(digest_size=8)
    for part in parts:
        found.update(part)
    return found.hexdigest()
