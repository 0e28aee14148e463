"""The parts of a judgement that need only targets and predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, ClassVar

import numpy as np

from thalweg.evaluation.answers import Answers
from thalweg.evaluation.bootstrap import Score, number, share_limits
from thalweg.evaluation.conformal import Conformal
from thalweg.evaluation.scores import scores
from thalweg.evaluation.section import Picture, Section, fitted, short
from thalweg.fields import dataclass
from thalweg.metrics.report import ClassificationReport, ConfusionTable, classification_report
from thalweg.metrics.thresholds import (
    calibration_curve,
    expected_calibration_error,
    precision_recall_curve,
    roc_curve,
)
from thalweg.plotting import axes
from thalweg.table import Table

MOST_POINTS = 200
"""Of a curve: more than a picture shows."""

MOST_DOTS = 1000
"""Of rows drawn one by one."""

MOST_COLUMNS = 30
"""Of a row that is shown."""

MOST_CLASSES = 20
"""In a confusion matrix that is drawn or printed whole; of more the most frequent confusions are named."""


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
class Report(Section):
    """Precision, recall and F1 of each class.

    Attributes:
        report: with the confusion matrix that it comes from.
    """

    key: ClassVar = "report"
    heading: ClassVar = "Class by class"

    report: ClassificationReport

    @classmethod
    def of(cls, answers: Answers) -> Report:
        """From targets and predictions; classes that do not occur are there too."""
        every = list(range(len(answers.classes)))
        return cls(classification_report(answers.truth, answers.answer, every, target_names=list(answers.classes)))

    def table(self) -> Table:
        whole = self.report.table()
        return Table("", whole.header, [(short(row[0], 34), *row[1:]) for row in whole.rows])

    def to_dict(self) -> dict[str, Any]:
        report = self.report
        numbers = zip(report.labels, report.precision, report.recall, report.f1, report.support, strict=True)
        return {
            "accuracy": report.accuracy,
            "classes": [
                {"class": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": float(s)}
                for label, p, r, f, s in numbers
            ],
        }


@dataclass(frozen=True)
class Confusion(Section):
    """How often each class was taken for each."""

    key: ClassVar = "confusion"
    heading: ClassVar = "Confusion matrix"

    matrix: np.ndarray
    labels: tuple[str, ...]

    def table(self) -> Table:
        rows = [
            [short(label, 12), *map(str, row)] for label, row in zip(self.labels, self.matrix.tolist(), strict=True)
        ]
        header = ["", *(short(label, 12) for label in self.labels)]
        if len(self.labels) <= MOST_CLASSES and fitted(header, rows) == len(header):
            return Table("rows: targets, columns: answers", header, rows)
        return self.frequent()

    def page_tables(self) -> list[Table]:
        return [] if len(self.labels) <= MOST_CLASSES else [self.frequent()]

    def frequent(self, most: int = 15) -> Table:
        """The most frequent confusions."""
        wrong = self.matrix - np.diag(np.diag(self.matrix))
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [(i, j) for i, j in zip(*np.unravel_index(order, wrong.shape), strict=True) if wrong[i, j]]
        rows = [
            (short(self.labels[i], 24), short(self.labels[j], 24), str(wrong[i, j]), str(self.matrix[i].sum()))
            for i, j in pairs
        ]
        return Table("most frequent confusions", ("target", "answer", "rows", "of"), rows, left=2)

    def plot(self, ax: Any = None) -> Any:
        """Draw it, coloured by the share of each row; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = ConfusionTable(self.matrix, tuple(short(label, 12) for label in self.labels)).plot(ax)
        if len(self.labels) > 5 or max(map(len, self.labels)) > 8:
            ax.tick_params(axis="x", rotation=60)
        return ax

    def pictures(self) -> Iterator[Picture]:
        if len(self.labels) <= MOST_CLASSES:
            size = float(np.clip(1.6 + 0.42 * len(self.labels), 3.2, 8))
            yield Picture("Rows: targets, columns: answers; coloured by the share of the row.", self.plot, size, size)


@dataclass(frozen=True)
class Curve:
    """Points of a curve, at most ``MOST_POINTS``."""

    name: str
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Curves(Section):
    """What can be had at other thresholds: ROC and precision-recall curve, of more than two classes of each.

    Attributes:
        roc: false positive rate -> true positive rate.
        precision_recall: recall -> precision.
        shares: of the positives among all rows: the precision of guessing.
    """

    key: ClassVar = "curves"
    heading: ClassVar = "All thresholds"

    roc: tuple[Curve, ...]
    precision_recall: tuple[Curve, ...]
    areas: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, answers: Answers) -> Curves | None:
        """None where there is only one class."""
        from thalweg.metrics.thresholds import average_precision_score, roc_auc_score

        numbers = [1] if len(answers.classes) == 2 else list(range(len(answers.classes)))
        roc, recall, areas, shares = [], [], [], []
        for at in numbers:
            positive, score = answers.truth == at, answers.said[:, at]
            if positive.all() or not positive.any():
                continue
            alarms, hits, _ = roc_curve(positive, score)
            roc.append(Curve(answers.classes[at], *_thinned(alarms, hits)))
            precision, found, _ = precision_recall_curve(positive, score)
            recall.append(Curve(answers.classes[at], *_thinned(found[::-1], precision[::-1])))
            areas.append((roc_auc_score(positive, score), average_precision_score(positive, score)))
            shares.append(positive.mean())
        return cls(tuple(roc), tuple(recall), np.array(areas), np.array(shares)) if roc else None

    def table(self) -> Table:
        rows = [
            (short(curve.name, 34), f"{roc:.3f}", f"{precision:.3f}", f"{share:.3f}")
            for curve, (roc, precision), share in zip(self.roc, self.areas, self.shares, strict=True)
        ]
        return Table("", ("class", "ROC AUC", "average precision", "share"), rows)

    def pictures(self) -> Iterator[Picture]:
        yield Picture("ROC curve; dashed: guessing.", self.plot)
        yield Picture("Precision-recall curve; dashed: guessing.", self.plot_precision)

    def plot(self, ax: Any = None) -> Any:
        """Draw the ROC curves; returns the matplotlib axes. Raises: MissingPackageError without matplotlib."""
        ax = self._draw(ax, self.roc, "false positive rate", "true positive rate", self.areas[:, 0])
        ax.plot([0, 1], [0, 1], "--", color="0.5", linewidth=0.8)
        return ax

    def plot_precision(self, ax: Any = None) -> Any:
        """Draw the precision-recall curves; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = self._draw(ax, self.precision_recall, "recall", "precision", self.areas[:, 1])
        if len(self.shares) == 1:
            ax.axhline(self.shares[0], linestyle="--", color="0.5", linewidth=0.8)
        return ax

    def _draw(self, ax: Any, curves: Sequence[Curve], x: str, y: str, areas: np.ndarray) -> Any:
        ax = axes(ax)
        worst = np.argsort(areas, kind="stable")[:8]
        for number_, at in enumerate(sorted(worst)):
            ax.plot(curves[at].x, curves[at].y, f"C{number_}", label=f"{short(curves[at].name, 16)} {areas[at]:.3f}")
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.05)
        ax.set_xlabel(x)
        ax.set_ylabel(y)
        ax.legend(fontsize=8, title="the 8 worst" if len(curves) > 8 else None)
        return ax


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most ``MOST_POINTS`` points, at equal distances along the curve; the first and last stay."""
    if len(x) <= MOST_POINTS:
        return x, y
    along = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    kept = np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS))
    kept = np.unique(np.concatenate([[0], kept, [len(x) - 1]]).clip(0, len(x) - 1))
    return x[kept], y[kept]


@dataclass(frozen=True)
class Calibration(Section):
    """Whether probabilities are what they say: of the second class of two, else of the answers.

    Attributes:
        of: what the probability is of.
        share, mean, counts: (bins,): how often it was so, what was said, and of how many rows.
        error: the expected calibration error, of 15 bins of equal width.
        chance: the error that perfect probabilities would show on so many rows, on the average.
        brier: the Brier score.
    """

    key: ClassVar = "calibration"
    heading: ClassVar = "Calibration"

    of: str
    share: np.ndarray
    mean: np.ndarray
    counts: np.ndarray
    error: float
    chance: float
    brier: float

    @classmethod
    def from_answers(cls, answers: Answers) -> Calibration:
        """From targets and probabilities."""
        if len(answers.classes) == 2:
            of, true, chance = f"class {answers.classes[1]}", answers.truth == 1, answers.said[:, 1]
        else:
            of, true, chance = "the answer", answers.truth == answers.answer, answers.said.max(1)
        chance = chance.clip(0, 1)
        share, mean, counts = calibration_curve(true, chance, strategy="quantile")
        random = np.random.default_rng(0)
        perfect = [expected_calibration_error(random.random(len(chance)) < chance, chance) for _ in range(20)]
        return cls(
            of=of,
            share=share,
            mean=mean,
            counts=counts,
            error=expected_calibration_error(true, chance),
            chance=float(np.mean(perfect)),
            brier=float(np.mean((chance - true) ** 2)),
        )

    def table(self) -> Table:
        rows = [
            (f"{mean:.3f}", f"{share:.3f}", str(count))
            for mean, share, count in zip(self.mean, self.share, self.counts, strict=True)
        ]
        return Table(f"probability of {short(self.of, 40)}", ("said", "was so", "rows"), rows, left=0)

    def sentences(self) -> list[str]:
        return [
            f"Expected calibration error {self.error:.3f}; perfect probabilities would show {self.chance:.3f} on so "
            f"many rows. Brier score {self.brier:.3f}."
        ]

    def plot(self, ax: Any = None) -> Any:
        """Draw how often it was so over what was said; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        ax.plot([0, 1], [0, 1], "--", color="0.5", linewidth=0.8)
        limits = [share_limits(share, count) for share, count in zip(self.share, self.counts, strict=True)]
        ends = np.maximum([[s - low, high - s] for s, (low, high) in zip(self.share, limits, strict=True)], 0).T
        ax.errorbar(self.mean, self.share, yerr=ends, fmt="o-", color="C0", markersize=4, capsize=2, linewidth=1.4)
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlabel("probability said")
        ax.set_ylabel("share that was so")
        return ax

    def pictures(self) -> Iterator[Picture]:
        yield Picture(f"Probability of {self.of}; on the dashed line it is what it says.", self.plot)


@dataclass(frozen=True)
class Residuals(Section):
    """The errors of a target of numbers, prediction minus target.

    Attributes:
        target: its name.
        levels, quantiles: of the errors.
        said, errors: (dots,) of some rows, to be drawn.
        spread: the mean absolute error in the lowest to the highest fifth of the predictions.
    """

    key: ClassVar = "residuals"
    heading: ClassVar = "Residuals"

    target: str
    levels: np.ndarray
    quantiles: np.ndarray
    said: np.ndarray
    errors: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, answers: Answers, at: int) -> Residuals:
        """From targets and predictions, of the target of this number."""
        said, errors = answers.said[:, at], answers.said[:, at] - answers.truth[:, at]
        levels = np.array([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
        dots = np.linspace(0, len(said) - 1, min(MOST_DOTS, len(said))).round().astype(np.int64)
        fifths = np.array_split(np.abs(errors)[np.argsort(said, kind="stable")], min(5, len(said)))
        spread = np.array([part.mean() for part in fifths])
        return cls(answers.targets[at], levels, np.quantile(errors, levels), said[dots], errors[dots], spread)

    def table(self) -> Table:
        head = ["", *("least" if q == 0 else "most" if q == 1 else f"{q:.0%}" for q in self.levels)]
        return Table(
            f"{short(self.target, 40)}: prediction minus target",
            head,
            [["error", *map(number, self.quantiles)]],
        )

    def sentences(self) -> list[str]:
        low, high = self.spread[0], self.spread[-1]
        if len(self.spread) == 5 and max(low, high) > 2 * min(low, high):
            return [
                f"The error goes with the prediction: on the average {number(low)} in the lowest fifth of the "
                f"predictions, {number(high)} in the highest."
            ]
        return []

    def pictures(self) -> Iterator[Picture]:
        yield Picture("Prediction and target; on the dashed line they are equal.", self.plot)
        yield Picture("Prediction minus target, over the prediction.", self.plot_errors)

    def plot(self, ax: Any = None) -> Any:
        """Draw the targets over the predictions; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        targets = self.said - self.errors
        ax.scatter(self.said, targets, s=9, color="C0", alpha=0.45, linewidths=0)
        ends = [min(self.said.min(), targets.min()), max(self.said.max(), targets.max())]
        ax.plot(ends, ends, "--", color="0.5", linewidth=0.8)
        ax.set_xlabel("prediction")
        ax.set_ylabel(short(self.target, 30))
        return ax

    def plot_errors(self, ax: Any = None) -> Any:
        """Draw the errors over the predictions; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        ax.scatter(self.said, self.errors, s=9, color="C0", alpha=0.45, linewidths=0)
        ax.axhline(0, linestyle="--", color="0.5", linewidth=0.8)
        ax.set_xlabel("prediction")
        ax.set_ylabel("prediction minus target")
        return ax


@dataclass(frozen=True)
class Intervals(Section):
    """How wide intervals for new rows are, and how many of these rows lie inside.

    Attributes:
        coverages: asked for.
        half_widths: (coverages, targets): to both sides of a prediction.
        measured: (coverages, targets): the share of these rows inside of intervals from other held-out rows.
        promise: what they hold, in words.
    """

    key: ClassVar = "intervals"
    heading: ClassVar = "Intervals for new rows"

    targets: tuple[str, ...]
    coverages: np.ndarray
    half_widths: np.ndarray
    measured: np.ndarray
    promise: str

    @classmethod
    def of(cls, answers: Answers, conformal: Conformal | None = None, seed: int = 0) -> Intervals | None:
        """From a model's own errors on rows held out before; or from these rows: then each half is measured with the
        other's. None if there are too few rows.
        """
        if conformal is not None and _same_rows(conformal, answers):
            conformal = None  # measured on the rows that they come from, intervals hold what they were made to hold
        wanted = [c for c in (0.5, 0.8, 0.9, 0.95) if c <= 0.9 or answers.rows >= 80]
        rows = answers.rows if conformal is None else conformal.rows
        if rows < 40:
            return None
        whole = Conformal.of(answers.truth, answers.said) if conformal is None else conformal
        if conformal is None:
            order = np.random.default_rng(seed).permutation(answers.rows)
            halves = np.array_split(order, 2)
            pairs = [(answers.take(a), answers.take(b)) for a, b in (halves, halves[::-1])]
            judged = [(Conformal.of(a.truth, a.said), b) for a, b in pairs]
        else:
            judged = [(conformal, answers)]
        measured = [
            np.mean([(np.abs(b.said - b.truth) <= own.half_width(c)).mean(0) for own, b in judged], axis=0)
            for c in wanted
        ]
        widths = np.array([whole.half_width(c) for c in wanted])
        return cls(answers.targets, np.array(wanted), widths, np.array(measured), whole.promise(0.9))

    def table(self) -> Table:
        rows = [
            (f"{coverage:.0%}", short(target, 30), f"± {number(width)}", f"{share:.1%}")
            for coverage, widths, shares in zip(self.coverages, self.half_widths, self.measured, strict=True)
            for target, width, share in zip(self.targets, widths, shares, strict=True)
        ]
        return Table("", ("asked for", "target", "prediction", "measured"), rows[:40])

    def sentences(self) -> list[str]:
        return [f"{self.promise}."]


def _same_rows(conformal: Conformal, answers: Answers) -> bool:
    """Whether the errors are those of these very rows."""
    own = Conformal.of(answers.truth, answers.said)
    return own.rows == conformal.rows and np.allclose(own.errors, conformal.errors, rtol=1e-6)


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
