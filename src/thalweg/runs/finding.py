"""Runs begun, found, compared and deleted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thalweg.checks import Count, checked
from thalweg.model.files import load_model
from thalweg.record import finding
from thalweg.record.beginning import begin
from thalweg.record.comparing import Comparison as Comparison
from thalweg.record.reading import Record as Record
from thalweg.record.run import MODEL
from thalweg.record.run import Run as Run
from thalweg.record.store import Store

__all__ = ["Comparison", "Record", "Run", "compare", "delete", "find", "folder", "load", "load_model_of", "start"]

Folder = str | os.PathLike[str] | None


def folder() -> Path:
    """Where runs are kept unless told otherwise: what ``THALWEG_RUNS`` names, or ``thalweg-runs`` in this folder."""
    return Store().folder


@checked
def start(
    name: str,
    *,
    settings: Mapping[str, Any] | None = None,
    notes: str | None = None,
    tags: Sequence[str] = (),
    parent: Run | int | None = None,
    store: Folder = None,
) -> Run:
    """Begin a run, for trainings that belong together or loops of one's own; ``with`` ends it.

    Arguments:
        settings: what the run is told, to compare and to filter by; those of each ``fit(run=...)`` are added.
        parent: a run that this one belongs to, as a trial to its search.
        store: the folder of runs, where it is not the usual one.

    Raises: StorageError if it cannot be written.

    Example: ``with thalweg.runs.start("two stages") as run: model.fit(x, y, run=run); model.fit(x, y, run=run)``
    """
    number = parent.number if isinstance(parent, Run) else parent
    return begin(Store(store), name, "own", {}, settings or {}, parent=number, notes=notes, tags=tags)


@checked
def find(*where: str, sort: str | None = None, limit: Count | None = None, store: Folder = None) -> list[Record]:
    """The runs that meet all conditions, the latest first.

    Arguments:
        where: conditions as ``"val_loss < 0.3"``, ``"optimizer = adam"``, ``"name ~ mnist"``: a metric, a result, a
            setting, ``status``, ``tag``, ``seconds`` ... ``min(val_loss)`` is the lowest of all epochs.
        sort: such a name, the lowest first; with ``-`` in front the highest.
        limit: how many at most.

    Raises: ArgumentError for what is no condition.
    """
    return finding.find(Store(store), where, sort, limit)


@checked
def load(number: int, *, store: Folder = None) -> Record:
    """The run of a number. Raises NameNotFoundError if there is none."""
    return finding.load(Store(store), number)


@checked
def load_model_of(number: int, *, store: Folder = None) -> Any:
    """The model as the run of this number has left it. Raises StorageError if it kept none."""
    return load_model(finding.load(Store(store), number).folder / MODEL)


@checked
def compare(*numbers: int, store: Folder = None) -> Comparison:
    """Runs side by side: what they were told otherwise, and what came of it; ``print`` shows a table."""
    where = Store(store)
    return Comparison([finding.load(where, number) for number in numbers])


@checked
def delete(*numbers: int, store: Folder = None) -> None:
    """Delete runs with their files.

    Raises: NameNotFoundError if there is one of them not, ArgumentError if one is running; nothing is deleted then.
    """
    where = Store(store)
    finding.delete(where, [finding.load(where, number) for number in numbers])
