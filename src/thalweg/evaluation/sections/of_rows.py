"""What is said of the rows themselves: scores, also by groups of them, and the worst mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, ClassVar

import numpy as np

from thalweg.evaluation.answers import Answers
from thalweg.evaluation.bootstrap import Score, number
from thalweg.evaluation.scores import scores
from thalweg.evaluation.section import Section, fitted, short
from thalweg.fields import dataclass
from thalweg.plotting import axes
from thalweg.table import Table

MOST_COLUMNS = 30
"""Of a row that is shown."""


@dataclass(frozen=True)
class Scores(Section):
    """How good the predictions are.

    Attributes:
        scores: name -> score with its interval.
        constant: the same scores of saying the same of every row: the shares of the classes, or the mean.
        rows: how many were judged.
    """

    key: ClassVar = "scores"
    heading: ClassVar = "Scores"

    scores: Mapping[str, Score]
    constant: Mapping[str, float]
    rows: int

    def table(self) -> Table:
        rows = [
            (short(name, 30), number(score.value), score.interval, number(self.constant.get(name, np.nan)))
            for name, score in self.scores.items()
        ]
        return Table(f"on {self.rows} rows", ("score", "value", "95 % interval", "constant"), rows)

    def sentences(self) -> list[str]:
        return [
            "constant: always the mean, or the shares of the classes. The intervals are those of the bootstrap, of the "
            "accuracy that of Wilson."
        ]


@dataclass(frozen=True)
class Worst(Section):
    """The worst mistakes, with their rows.

    Attributes:
        rows: numbers of rows, counted from 0.
        targets, answers: what was right and what was said, as text.
        chances: the probability given to what was right; empty for numbers.
        errors: prediction minus target, of the target that is furthest off in its own spread; empty for classes.
        columns, values: the rows' columns, and what is in them.
    """

    key: ClassVar = "worst"
    heading: ClassVar = "Worst mistakes"

    rows: np.ndarray
    targets: tuple[str, ...]
    answers: tuple[str, ...]
    chances: np.ndarray
    errors: np.ndarray
    columns: tuple[str, ...] = ()
    values: tuple[tuple[Any, ...], ...] = ()

    def page_tables(self) -> list[Table]:
        return [self._full()]

    def _full(self) -> Table:
        """With all columns of the rows, however wide."""
        cells = [list(map(_cell, values)) for values in self.values] or [[] for _ in self.rows]
        said = [f"{chance:.3f}" for chance in self.chances] or list(map(number, self.errors))
        head = ["row", "target", "answer", "off by" if len(self.errors) else "p(target)", *self.columns]
        rows = [
            [str(row), target, answer, extra, *more]
            for row, target, answer, extra, more in zip(
                self.rows.tolist(), self.targets, self.answers, said, cells, strict=True
            )
        ]
        return Table("", head, rows)

    def table(self) -> Table:
        whole = self._full()
        head = [short(name, 14) for name in whole.header]
        rows = [[short(cell, 14) for cell in row] for row in whole.rows]
        kept = max(4, fitted(head, rows))
        return Table("", head[:kept], [row[:kept] for row in rows])

    def sentences(self) -> list[str]:
        if not len(self.rows):
            return ["No row is answered wrongly."]
        return ["Rows are counted from 0. Look at them first: are their targets right?"]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else str(value).removesuffix(" 00:00:00")


def worst(answers: Answers, numbers: np.ndarray, columns: Mapping[str, Any] | None = None, most: int = 10) -> Worst:
    """The rows of the largest losses; of classes only those that were answered wrongly.

    Arguments:
        numbers: which rows these are in their table.
        columns: name -> values of the rows judged; the first are shown.
    """
    losses = answers.losses()
    order = np.argsort(-losses, kind="stable")
    if answers.classes:
        order = order[(answers.answer != answers.truth)[order]]
    order = order[:most]
    if answers.classes:
        targets = [answers.classes[at] for at in answers.truth[order]]
        said = [answers.classes[at] for at in answers.answer[order]]
        chances, errors = answers.said[order, answers.truth[order]], np.empty(0)
    else:
        targets = [", ".join(map(number, row)) for row in answers.truth[order]]
        said = [", ".join(map(number, row)) for row in answers.said[order]]
        off = (answers.said - answers.truth)[order]
        spread = np.maximum(answers.truth.std(0), np.finfo(float).tiny)
        chances, errors = np.empty(0), off[np.arange(len(off)), np.argmax(np.abs(off) / spread, axis=1)]
    shown = islice(columns or (), MOST_COLUMNS)
    own = {name: np.asarray(columns[name])[order].tolist() for name in shown} if columns else {}
    values = tuple(zip(*own.values(), strict=True)) if own else ()
    return Worst(numbers[order], tuple(targets), tuple(said), chances, errors, tuple(own), values)


@dataclass(frozen=True)
class Groups(Section):
    """The same scores in each group of rows.

    Attributes:
        by: the column that says which group a row is in.
        groups: what they are called.
        counts: rows of each.
        scores: group by group: name -> score.
    """

    key: ClassVar = "groups"
    heading: ClassVar = "Group by group"

    by: str
    groups: tuple[str, ...]
    counts: tuple[int, ...]
    scores: tuple[Mapping[str, Score], ...]

    def table(self) -> Table:
        names = list(self.scores[0])
        shown = [name for name in ("accuracy", "ROC AUC", "log loss", "RMSE", "MAE", "R2", "mean R2") if name in names]
        head = [short(self.by, 22), "rows", *(cell for name in shown[:2] for cell in (name, "95 %"))]
        rows = [
            [short(group, 22), str(count), *_pairs(own, shown[:2])]
            for group, count, own in zip(self.groups, self.counts, self.scores, strict=True)
        ]
        return Table("", head, rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw the first score of each group with its interval; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        name = next(iter(self.scores[0]))
        own = [scores[name] for scores in self.scores]
        place = np.arange(len(own))[::-1]
        values = np.array([score.value for score in own])
        ends = np.array([[score.value - score.low, score.high - score.value] for score in own])
        ax.errorbar(values, place, xerr=np.nan_to_num(np.maximum(ends.T, 0)), fmt="o", color="C0", capsize=2)
        ax.set_yticks(place, [short(group, 20) for group in self.groups])
        ax.set_xlabel(name)
        return ax


def _pairs(own: Mapping[str, Score], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield number(own[name].value)
        yield own[name].interval


def by_groups(answers: Answers, by: str, values: np.ndarray, seed: int, most: int = 12) -> Groups:
    """The scores of the most frequent values of a column; of numbers of many values, of their quarters."""
    names, groups = _grouped(values)
    counts = np.bincount(groups, minlength=len(names))
    numeric = values.dtype.kind in "fiubmM"
    chosen = np.argsort(-counts, kind="stable")[:most]
    chosen = np.sort(chosen) if numeric else chosen
    parts = [np.flatnonzero(groups == at) for at in chosen]
    return Groups(
        by,
        tuple(names[at] for at in chosen),
        tuple(map(len, parts)),
        tuple(scores(answers.take(part), seed) for part in parts),
    )


def _grouped(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    if values.dtype.kind == "f" and len(np.unique(values)) > 12:
        ends = np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1])
        groups = np.where(np.isnan(values), 4, np.searchsorted(ends[1:4], values, "left"))
        names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(ends)] + ["(missing)"]
    else:
        text = ["(missing)" if value is None or value != value else _cell(value) for value in values.tolist()]
        found, groups = np.unique(np.array(text), return_inverse=True)
        names = found.tolist()
    there, groups = np.unique(groups, return_inverse=True)
    return [names[at] for at in there.tolist()], np.asarray(groups).reshape(-1)
