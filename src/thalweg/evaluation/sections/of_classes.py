"""What is said of the probabilities of classes: report, confusions, curves, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.evaluation.answers import Answers
from thalweg.evaluation.bootstrap import share_limits
from thalweg.evaluation.section import Picture, Section, fitted, short
from thalweg.fields import dataclass
from thalweg.metrics.report import ClassificationReport, ConfusionTable, classification_report
from thalweg.metrics.thresholds import calibration_curve, expected_calibration_error, precision_recall_curve, roc_curve
from thalweg.plotting import axes
from thalweg.table import Table

MOST_POINTS = 200
"""Of a curve: more than a picture shows."""

MOST_CLASSES = 20
"""In a confusion matrix that is drawn or printed whole; of more the most frequent confusions are named."""


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
