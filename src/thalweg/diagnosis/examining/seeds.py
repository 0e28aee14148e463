"""How much the result of a training depends on its seed."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np

from thalweg.checks import Count, In, checked
from thalweg.data.source import Rows
from thalweg.diagnosis.examining.outcome import Outcome, plain
from thalweg.diagnosis.examining.subject import Subject
from thalweg.diagnosis.examining.trial import Trial
from thalweg.errors import DataError
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.state.names import SEED_STATE, STEP_STATE, parameter_state

__all__ = ["SeedSpread", "seed_sensitivity", "seeds_of"]

HELD_OUT = 0.2
FEWEST = 50
"""The share of the rows that is held out, where there are so many."""

LOOKED_AT = 1024
"""Rows that the losses are of."""

LOOKS = 20
"""Points of a curve."""

STEADY, FAILED, FELL = 0.1, 0.5, 0.02
"""Of what the loss fell at best: the standard deviation of the ends up to which they count as alike, the part that a
seed must reach. Of the first loss: what it must fall at least."""


@dataclass(frozen=True)
class SeedSpread(Outcome):
    """What ``seed_sensitivity`` found; ``code`` is "steady", "varies", "a matter of luck" or "nothing learned".

    Attributes:
        start: the mean loss before.
        mean, deviation: of the losses at the end, of the rows that were trained on.
        held_out_mean, held_out_deviation: of those of rows held out; NaN where there are few rows.
        failures: seeds whose loss fell less than half as far as that of the best.
        steps: of each training.
        new_weights: whether each seed had initial weights of its own; else only the order and the noise differ.
        ends: the loss at the end, by seed.
        curves: (seeds, points) the losses while training.
    """

    start: float
    mean: float
    deviation: float
    held_out_mean: float
    held_out_deviation: float
    failures: int
    steps: int
    new_weights: bool
    ends: np.ndarray
    curves: np.ndarray

    def plot(self, ax: Any = None) -> Any:
        """Draw a curve for each seed; returns the matplotlib axes. Raises: MissingPackageError without matplotlib."""
        from thalweg.plotting import axes

        ax = axes(ax)
        steps = np.linspace(0, self.steps, self.curves.shape[1] + 1)[1:]
        for seed, curve in enumerate(self.curves):
            ax.plot(steps, curve, label=f"seed {seed}: {self.ends[seed]:.3g}")
        ax.set(xlabel="step", ylabel="loss", title=self.code)
        ax.legend()
        return ax

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows."""
        return {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}


@checked
def seed_sensitivity(
    model: Model,
    x: Any,
    y: Any,
    *,
    seeds: Annotated[int, In("[2, inf)")] = 4,
    steps: Count = 300,
    batch_size: Count = 32,
    new_weights: bool | None = None,
    sample_weight: Any = None,
    seed: int = 0,
) -> SeedSpread:
    """Train briefly from several seeds, on the same rows, and compare how that ends.

    Arguments:
        steps: of each training.
        new_weights: whether each seed makes initial weights of its own for all layers that are trained; unless said so
            unless the model has made no step and has other weights than its initial ones: those were put there.

    Raises: GraphError, ArgumentError; DataError for a single row; what ``fit`` raises.
    """
    subject = Subject("seed_sensitivity", model, x, y, sample_weight, batch_size, seed)
    return seeds_of(subject, seeds, steps, new_weights)


def seeds_of(subject: Subject, seeds: int = 4, steps: int = 300, new_weights: bool | None = None) -> SeedSpread:
    """Of a subject."""
    count = subject.rows.count
    if count < 2:
        raise DataError("there are too few rows", expected="at least 2", got=str(count), fix="pass more rows")
    held = subject.drawn(int(HELD_OUT * count)) if count >= FEWEST else np.empty(0, np.int64)
    train = subject.rows.take(np.setdiff1d(np.arange(count), held))
    known, unknown = train.take(slice(LOOKED_AT)), subject.rows.take(held[:LOOKED_AT])
    batch = min(subject.batch, train.count)
    trial = Trial(subject, batch, train)
    anew = not _has_given_weights(subject) if new_weights is None else new_weights
    runs = []
    for seed in range(seeds):
        order = subject.order(steps, batch, train.count, seed)
        runs.append(_run(trial, known, unknown, order, seed, anew))
    starts, ends, held_out, curves = (np.array(column) for column in zip(*runs, strict=True))
    return _judged(starts, ends, held_out, curves, steps, anew)


def _run(
    trial: Trial, known: Rows, unknown: Rows, order: np.ndarray, seed: int, anew: bool
) -> tuple[float, float, float, np.ndarray]:
    """The losses before and after, after of rows held out, and on the way; infinite once one is not finite."""
    if anew:
        trial.anew(seed)
    else:
        trial.back()
        trial.reseed(seed)
    start = trial.loss(known)
    every = max(len(order) // LOOKS, 1)
    curve = np.full(-(-len(order) // every), math.inf)
    seen = trial.curve(order, every)
    curve[: len(seen)] = seen
    if not np.isfinite(curve[-1]):
        return start, math.inf, math.inf, curve
    return start, trial.loss(known), trial.loss(unknown) if unknown.count else math.nan, curve


def _has_given_weights(subject: Subject) -> bool:
    """Whether somebody put weights into a model that has not been trained."""
    runner = subject.model.runner
    state = runner.state
    if state.number(STEP_STATE):
        return False
    compiled = runner.require_compiled(subject.owner)
    seed = state.number(SEED_STATE)
    return any(
        not np.array_equal(parameter.initial(seed, path), state.read(parameter_state(path)))
        for path, parameter in runner.net(subject.rows).parameters.items()
        if path in compiled.trained.paths
    )


def _judged(
    starts: np.ndarray, ends: np.ndarray, held_out: np.ndarray, curves: np.ndarray, steps: int, anew: bool
) -> SeedSpread:
    start = float(np.mean(starts))
    best = float(ends.min())
    fell = start - best
    failures = int(np.sum(~(ends < start - FAILED * fell)))
    (mean, deviation), others = _spread(ends), _spread(held_out)
    says = f"{len(ends)} seeds end at losses from {best:.4g} to {float(ends.max()):.4g}, from {start:.4g}"
    if not fell > FELL * abs(start):
        code, change = "nothing learned", "look at the learning rate first, and ask again with more steps"
        says = f"no seed lowers the loss in {steps} steps: {start:.4g} to {best:.4g} at best"
    elif failures:
        code = "a matter of luck"
        says += f"; {failures} of them fail"
        change = "try several seeds and keep the best; wider layers, other initial weights or a smaller rate fail less"
    elif deviation > STEADY * fell:
        code, change = "varies", "compare settings over several seeds: single runs differ by chance"
    else:
        code, change = "steady", ""
    return SeedSpread(code, says, change, start, mean, deviation, *others, failures, steps, anew, ends, curves)


def _spread(losses: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation."""
    if np.isinf(losses).any():
        return math.inf, math.inf
    return float(losses.mean()), float(losses.std(ddof=1))
