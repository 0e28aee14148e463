"""Whether the learning rate is right: ``find_lr``, and where the model's own rate stands in what it found."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from thalweg.checks import Count, In, checked
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.subject import Subject
from thalweg.diagnosis.examining.trial import Trial
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.optimizers import LBFGS
from thalweg.table import Table
from thalweg.tuning import RateTest, find_lr

__all__ = ["RateRange", "rate_of", "rate_range"]

ABOVE, BELOW = math.sqrt(10), 10.0
"""How far from the rates that do well a rate still counts as right: above, the distance from one that is tried to the
next; below further, because in short trainings high rates look better than they are."""

GAINED = 0.03
"""The share of the first loss that the best rate must gain, to tell it from chance."""

ALIKE = 0.1
"""Of what the best rate gains, the part that good ones may lack."""


@dataclass(frozen=True)
class RateRange(Outcome):
    """What ``rate_range`` found; ``code`` is "right", "too high", "too low" or "no optimum".

    Attributes:
        rate: of the model's next step.
        suggestion: of ``find_lr``; NaN for none.
        low, high: the lowest and the highest of the rates that were about as good as the best; NaN without an optimum.
        test: all that ``find_lr`` found.
    """

    rate: float
    suggestion: float
    low: float
    high: float
    test: RateTest

    def table(self) -> Table:
        found = self.test.table()
        lines = [self.verdict, f"to do: {self.change}"] if self.change else [self.verdict]
        return Table("\n".join(lines), found.header, found.rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the learning rate, and the model's own; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = self.test.plot(ax)
        ax.axvline(self.rate, color="C3", linestyle=":", label=f"the model's: {self.rate:.2g}")
        ax.legend()
        return ax


@checked
def rate_range(
    model: Model,
    x: Any,
    y: Any,
    *,
    batch_size: Count = 32,
    steps: Annotated[int, In("[2, inf)")] = 100,
    seeds: Count = 2,
    sample_weight: Any = None,
    threads: Count | None = None,
    seed: int = 0,
) -> RateRange:
    """``thalweg.find_lr``, and whether the model's own rate is among those that do well from the weights that there
    are: for a model that has been trained, the rate to go on with.

    Arguments: as of that.

    Raises: what that raises; ArgumentError for LBFGS, which looks for its steps itself.
    """
    subject = Subject("rate_range", model, x, y, sample_weight, batch_size, seed)
    return rate_of(subject, steps, seeds, threads)


def rate_of(subject: Subject, steps: int = 100, seeds: int = 2, threads: int | None = None) -> RateRange:
    """Of a subject."""
    subject.require_trained()
    handle = subject.model.optimizer
    assert handle is not None, "the model is compiled"
    if isinstance(handle.rule, LBFGS):
        raise ArgumentError(
            "L-BFGS looks for the length of each step itself",
            expected="an optimizer with a learning rate",
            got=type(handle.rule).__name__,
            fix="leave the test out",
        )
    if subject.model.runner.trains_itself:  # whose step may report no loss, which is said here
        Trial(subject, subject.batch).run(subject.order(1, subject.batch))
    test = find_lr(
        subject.model,
        subject.x,
        subject.y,
        batch_size=subject.batch,
        steps=steps,
        seeds=seeds,
        sample_weight=subject.sample_weight,
        threads=threads,
    )
    return _judged(float(handle.learning_rate), test)


def _judged(rate: float, test: RateTest) -> RateRange:
    means = test.results.mean(0)
    start = float(np.nanmean(test.losses[:, 0]))
    best = float(means.min())
    if not start - best > GAINED * abs(start):
        verdict = test.reason or "no clear optimum: no rate lowers the loss"
        change = "look at the data, the loss and the curvature first: it is not the learning rate"
        return RateRange("no optimum", verdict, change, rate, math.nan, math.nan, math.nan, test)
    good = test.tried[means <= best + ALIKE * (start - best)]
    low, high = float(good.min()), float(good.max())
    suggestion = math.nan if test.suggestion is None else test.suggestion
    says = f"rates from {low:.2g} to {high:.2g} do well; the model's is {rate:.2g}"
    wanted = f"learning_rate={(suggestion if test.suggestion is not None else math.sqrt(low * high)):.2g}"
    if rate > high * ABOVE:
        return RateRange(
            "too high", f"the learning rate is too high: {says}", wanted, rate, suggestion, low, high, test
        )
    if rate < low / BELOW:
        return RateRange("too low", f"the learning rate is too low: {says}", wanted, rate, suggestion, low, high, test)
    return RateRange("right", f"the learning rate is right: {says}", "", rate, suggestion, low, high, test)
