"""Whether the network can learn a small batch by heart: what cannot do that will learn nothing larger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from thalweg.checks import Count, checked
from thalweg.data.source import Rows
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.subject import Subject
from thalweg.diagnosis.examining.trial import Trial
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.training.goals import Goal

__all__ = ["BatchFit", "batch_of", "overfit_batch"]

LOOKS = 20
"""Times that a training is looked at, and ends if the batch is known by then."""

OTHER_RATES = (1e-3, 1e-2)
"""Of Adam, where the model's own optimizer fails."""

VARIANCE_LEFT = LOSS_LEFT = 0.02
"""The share of the variance of numbers to predict at which a batch counts as known; of the first loss where predictions
cannot be compared with targets."""

OWN, OTHER, NEW, NONE = "learned", "learned by another optimizer", "learned from new weights", "not learned"


@dataclass(frozen=True)
class BatchFit(Outcome):
    """What ``overfit_batch`` found; ``code`` is "learned", "learned by another optimizer", "learned from new weights"
    or "not learned".

    Attributes:
        rows: of the batch, different inputs all.
        start, end: the loss before, and after the steps that count: the first training that learned it, or the best.
        known: the share of the targets that the model then gives: classes that are right, variance explained. NaN where
            that cannot be told, and the loss decides.
        steps: that this took.
        losses: of that training, the mean over some steps each.
    """

    rows: int
    start: float
    end: float
    known: float
    steps: int
    losses: np.ndarray

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss over the steps; returns the matplotlib axes. Raises: MissingPackageError without matplotlib."""
        from thalweg.plotting import axes

        ax = axes(ax)
        shown = self.losses[np.isfinite(self.losses)]
        ax.plot(np.linspace(0, self.steps, len(shown) + 1)[1:], shown)
        ax.set(xlabel="step", ylabel=f"loss of {self.rows} rows", title=self.code)
        if len(shown) and shown.min() > 0:
            ax.set_yscale("log")
        return ax


@checked
def overfit_batch(
    model: Model,
    x: Any,
    y: Any,
    *,
    rows: Count = 8,
    steps: Count = 400,
    sample_weight: Any = None,
    seed: int = 0,
) -> BatchFit:
    """Train on one small batch, again and again, from the weights that there are.

    If the model's own optimizer does not get there, Adam tries, at rates of 1e-3 and 1e-2; then Adam from new weights.
    So the result says whether it is the network, its weights or the optimizer that stands in the way.

    Arguments:
        rows: with different inputs, from all over the range of the targets.
        steps: of each training.

    Raises: GraphError, ArgumentError; what ``fit`` raises.
    Source: Karpathy (2019), A Recipe for Training Neural Networks, "overfit one batch".
    """
    return batch_of(Subject("overfit_batch", model, x, y, sample_weight, rows, seed), rows, steps)


def batch_of(subject: Subject, rows: int = 8, steps: int = 400) -> BatchFit:
    """Of a subject."""
    chosen = subject.rows.take(_varied(subject, rows))
    best: BatchFit | None = None
    for code, trial in _trials(subject, chosen):
        found = _tried(trial, chosen, steps, code)
        if found.code == code:
            return found
        best = found if best is None or found.end < best.end else best
    assert best is not None, "at least one was tried"
    return best


def _trials(subject: Subject, rows: Rows) -> Iterator[tuple[str, Trial]]:
    """What is tried, and what it means if it succeeds."""
    yield OWN, Trial(subject, rows.count, rows)
    if subject.model.runner.trains_itself:  # it applies optimizers of its own
        return
    for rate in OTHER_RATES:
        yield OTHER, Trial(subject, rows.count, rows, "adam", rate)
    for rate in OTHER_RATES:
        trial = Trial(subject, rows.count, rows, "adam", rate)
        trial.anew(subject.seed)
        yield NEW, trial


def _tried(trial: Trial, rows: Rows, steps: int, code: str) -> BatchFit:
    """One training, until the batch is known."""
    start = trial.loss(rows)
    index = np.tile(np.arange(rows.count), (max(steps // LOOKS, 1), 1))
    losses: list[float] = []
    done, end, known, learned = 0, start, 0.0, False
    for _ in range(LOOKS):
        losses.append(trial.run(index))
        done += len(index)
        if not np.isfinite(losses[-1]):
            end = losses[-1]
            break
        end = min(
            losses[-1], trial.loss(rows)
        )  # with dropout one of them is too high, with BatchNormalization the other
        known = _known(trial, rows)
        learned = end <= LOSS_LEFT * start if math.isnan(known) else known == 1.0
        if learned:
            break
    return _judged(code if learned else NONE, rows.count, start, end, known, done, np.array(losses))


def _known(trial: Trial, rows: Rows) -> float:
    """The smallest share over the outputs; NaN where predictions cannot be compared with targets."""
    goals = trial.trainer.goals
    if goals is None:
        return math.nan
    predicted = trial.predicted(rows)
    return float(np.min([_share(goal, rows.arrays[goal.label], predicted[goal.name]) for goal in goals.trained]))


def _share(goal: Goal, y: np.ndarray, predicted: np.ndarray) -> float:
    """Of classes those that are right, of numbers the variance that is explained (1 from ``1 - VARIANCE_LEFT`` on)."""
    if goal.kind.sparse:
        return float(np.mean(predicted.argmax(-1) == y.reshape(predicted.shape[:-1])))
    if predicted.shape != y.shape:
        return math.nan
    if np.isin(y, (0, 1)).all():
        if y.shape[-1] > 1 and (y.sum(-1) == 1).all():
            return float(np.mean(predicted.argmax(-1) == y.argmax(-1)))
        border = 0.0 if getattr(goal.kind, "from_logits", False) else 0.5
        return float(np.mean((predicted > border) == (y > 0.5)))
    variance = float(np.var(y, 0).sum())
    left = float(np.mean((predicted - y) ** 2, 0).sum()) / variance if variance else 1.0
    return 1.0 if left <= VARIANCE_LEFT else max(1.0 - left, 0.0)


def _varied(subject: Subject, count: int) -> np.ndarray:
    """Rows of different inputs, evenly over the sorted targets: a batch of one class would be learned by a constant."""
    candidates = subject.drawn(max(64 * count, 1024))
    arrays = subject.rows.take(candidates).arrays
    inputs = [a.reshape(len(candidates), -1) for label, a in arrays.items() if label.partition("/")[0] == "x"]
    keys = [b"|".join(np.ascontiguousarray(a[i]).tobytes() for a in inputs) for i in range(len(candidates))]
    different = np.array(sorted({key: i for i, key in reversed(list(enumerate(keys)))}.values()))
    targets = [
        a.reshape(len(candidates), -1)[different] for label, a in arrays.items() if label.partition("/")[0] == "y"
    ]
    if targets:
        columns = np.concatenate(targets, -1)
        different = different[np.lexsort(columns.T[:8])]
    places = np.linspace(0, len(different) - 1, min(count, len(different))).round().astype(np.int64)
    return np.sort(candidates[different[np.unique(places)]])


def _judged(code: str, rows: int, start: float, end: float, known: float, steps: int, losses: np.ndarray) -> BatchFit:
    done = f"{rows} rows are known by heart after {steps} steps (loss {start:.3g} to {end:.3g})"
    verdict, change = {
        OWN: (done, ""),
        OTHER: (
            f"the model's own optimizer does not learn {rows} rows by heart, Adam does: {done}",
            "another learning rate: thalweg.find_lr; or compile with optimizer='adam'",
        ),
        NEW: (
            f"from its weights the model does not learn {rows} rows by heart, from new ones it does: {done}",
            "begin anew from initial weights, with a smaller rate: units are dead or saturated",
        ),
        NONE: (
            f"{rows} rows are not known after {steps} steps: {_percent(known)}loss {start:.3g} to {end:.3g}",
            "look at the last layer and the loss first, then at activations and initial weights; a wider network last",
        ),
    }[code]
    return BatchFit(code, verdict, change, rows, start, end, known, steps, losses)


def _percent(known: float) -> str:
    return "" if math.isnan(known) else f"{known:.0%} of the targets, "
