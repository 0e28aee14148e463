"""What is said of predictions of numbers: residuals, and intervals for new rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from thalweg.evaluation.answers import Answers
from thalweg.evaluation.bootstrap import number
from thalweg.evaluation.conformal import Conformal
from thalweg.evaluation.section import Picture, Section, short
from thalweg.fields import dataclass
from thalweg.plotting import axes
from thalweg.table import Table

MOST_DOTS = 1000
"""Of rows drawn one by one."""


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
