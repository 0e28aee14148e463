"""Judging a model that takes raw rows of a table: which rows count, and which column fills which inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from thalweg.data.tables.table import Table
from thalweg.errors import DataError
from thalweg.evaluation.answers import Answers, answers
from thalweg.evaluation.columns import Columns, Predict
from thalweg.fields import dataclass


class KnowsColumns(Protocol):
    """What is asked of a schema."""

    @property
    def classes(self) -> Any:
        """The label of each class; none for numbers."""

    @property
    def targets(self) -> Any:
        """The names of the targets."""

    @property
    def places(self) -> Any:
        """Column -> (input, slot) of each of its numbers."""


@runtime_checkable
class TakesTables(Protocol):
    """What is asked of a model; ``tables.TableModel`` is one."""

    schema: Any
    conformal: Any

    def opened(self, data: Any) -> Table:
        """The raw rows as a table."""

    def encode(self, data: Any) -> dict[str, np.ndarray]:
        """Raw rows as what the network takes."""

    def encoded_target(self, data: Any) -> np.ndarray:
        """Numbers of classes, -1 where one is missing; or (rows, targets), NaN where one is."""


@dataclass(frozen=True)
class Shown(Mapping[str, np.ndarray]):
    """The raw values of a table's columns, read when they are asked for: of 5,000 columns a dozen are."""

    table: Table
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise KeyError(name)
        return self.table.values(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Judged:
    """Rows that have a target, in every form that is needed.

    Attributes:
        table: these rows.
        rows: which they are of all that were handed in.
        columns: the inputs, encoded.
        known: targets and predictions.
        notes: what there is to say.
    """

    table: Table
    rows: np.ndarray
    columns: Columns
    known: Answers
    notes: tuple[str, ...]

    @property
    def shown(self) -> Shown:
        """The table's columns, without the targets."""
        return Shown(self.table, tuple(name for name in self.table.columns if name not in self.known.targets))


def with_target(encoded: np.ndarray) -> np.ndarray:
    """The rows that have a target, or all of several.

    Shapes: encoded, see ``TakesTables.encoded_target``: (rows,) or (rows, targets) -> (known,).
    """
    return np.flatnonzero(np.isfinite(encoded).all(1) if encoded.ndim == 2 else encoded >= 0)


def rows_of(model: TakesTables, predict: Predict, data: Any) -> Judged:
    """The rows that can be judged. Raises: DataError if none has a target, and what the model raises."""
    schema: KnowsColumns = model.schema
    table = model.opened(data)
    truth = model.encoded_target(table)
    rows = with_target(truth)
    if not len(rows):
        raise DataError(
            "there is nothing to judge by: no row has a target",
            expected=f"values in {', '.join(map(repr, schema.targets))}",
            got=f"none in {len(table)} rows",
            fix="pass rows whose targets are known",
        )
    notes = []
    if len(rows) < len(table):
        notes.append(f"Left out, as they have no target: {len(table) - len(rows):,} of {len(table):,} rows.")
        table, truth = table.take(rows), truth[rows]
    columns = Columns(model.encode(table), schema.places)
    known = answers(truth, predict(columns.inputs), classes=schema.classes or (), targets=schema.targets)
    return Judged(table, rows, columns, known, tuple(notes))
