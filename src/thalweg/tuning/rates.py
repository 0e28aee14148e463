"""``find_lr``: the learning rate to begin with."""

from __future__ import annotations

import copy
import math
from typing import Annotated, Any

import numpy as np

from thalweg import cores
from thalweg.checks import Count, In, checked
from thalweg.errors import ArgumentError, NonFiniteError
from thalweg.evaluation.comparison import set_optimizer
from thalweg.evaluation.population import Job, run_jobs
from thalweg.evaluation.split import common_rows, take
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.plotting import axes
from thalweg.record.history import History
from thalweg.table import Table, Tabular
from thalweg.training.progress import check_verbose

__all__ = ["RateTest", "find_lr"]

SWEEP_STEPS = 100
"""Of a sweep over all rates."""

SMOOTHED = 4
"""Steps on either side over which the losses of a sweep are averaged."""

FACTOR = math.sqrt(10)
"""From one rate that is tried to the next: finer differences than that are lost in the noise of most trainings."""

BELOW, ABOVE = 3, 2
"""How many such factors below and above the lowest point of the sweep rates are tried."""

DIVERGED = 10.0
"""A sweep ends where its loss is so many times that of its first step."""


@dataclass(frozen=True)
class RateTest(Tabular):
    """What ``find_lr`` found.

    Attributes:
        suggestion: the rate whose short trainings ended lowest; None where there is no clear one.
        reason: why there is none, or why others are as good; "" otherwise.
        rates, losses: of the sweep: the rate of each step, and (seeds, steps) the loss in it, NaN after it diverged.
        tried, results: rates with short trainings of their own, and (seeds, rates) the losses that these ended with;
            infinite where they diverged.
    """

    suggestion: float | None
    reason: str
    rates: np.ndarray
    losses: np.ndarray
    tried: np.ndarray
    results: np.ndarray

    def table(self) -> Table:
        rows, tried_at = [], self.tried[int(np.argmin(self.results.mean(0)))]
        for rate, results in zip(self.tried, self.results.T, strict=True):
            spread = f"{results.std(ddof=1):.2g}" if len(results) > 1 and np.isfinite(results).all() else ""
            mark = "suggested" if self.suggestion is not None and rate == tried_at else ""
            rows.append([f"{rate:.2g}", f"{results.mean():.4g}", spread, mark])
        title = self.reason or f"learning rate {self.suggestion:.2g}"
        return Table(title, ["rate", "loss", "deviation", ""], rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows."""

        def plain(array: np.ndarray) -> Any:
            return [plain(part) if part.ndim else float(part) if np.isfinite(part) else None for part in array]

        arrays = {name: plain(getattr(self, name)) for name in ("rates", "losses", "tried", "results")}
        return {"suggestion": self.suggestion, "reason": self.reason, **arrays}

    def plot(self, ax: Any = None) -> Any:
        """Draw the sweep and the short trainings over the rate; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        for losses in self.losses:
            ax.plot(self.rates, losses, color="C0", alpha=0.2)
        ax.plot(self.rates, _smoothed(self.losses), color="C0", label="loss while the rate rises")
        finite = np.isfinite(self.results).all(0)
        ax.plot(self.tried[finite], self.results.mean(0)[finite], "o-", color="C1", label="after training at the rate")
        if self.suggestion is not None:
            ax.axvline(self.suggestion, color="C2", linestyle="--", label=f"suggested: {self.suggestion:.2g}")
        ax.set_xscale("log")
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss")
        ax.legend()
        return ax


@checked
def find_lr(
    model: Model,
    x: Any,
    y: Any = None,
    *,
    batch_size: Count = 32,
    steps: Annotated[int, In("[2, inf)")] = 300,
    seeds: Count = 3,
    low: Annotated[float, In("(0, inf)")] = 1e-6,
    high: Annotated[float, In("(0, inf)")] = 10.0,
    sample_weight: Any = None,
    threads: Count | None = None,
    verbose: bool | int | str = 0,
) -> RateTest:
    """The learning rate for a model as it is now, which stays as it is: copies of it are trained.

    First the rate rises from step to step, from ``low`` to ``high`` (the range test): where the loss is lowest is near
    the right rate, but up to ten times off, above and below. So six rates around it are tried with short trainings of
    their own, more if the best is the outermost; the one that ended lowest is suggested.

    Arguments:
        x, y, sample_weight: as for ``fit``.
        steps: of each short training; their loss is the mean over the second half.
        seeds: how often each is trained, with another order of the rows.
        low, high: no rates beyond them.
        threads: of all trainings together.

    Raises: ArgumentError; NonFiniteError if the loss is not finite to begin with; what ``fit`` raises.

    Source: Smith (2015), arXiv:1506.01186, section 3.3, for the range test. Differs: it only says where to look; in 12
        networks of ``python -m benchmarks.search rates`` its lowest point is 0.3 to 9 times the best rate.

    Example: ``model.optimizer.learning_rate = find_lr(model, x, y).suggestion``
    """
    if low >= high:
        raise ArgumentError(
            "find_lr: low is not below high", expected="low < high", got=f"{low} and {high}", fix="exchange the two"
        )
    model.runner.require_compiled("find_lr")
    check_verbose(verbose)
    rates = np.geomspace(low, high, SWEEP_STEPS)
    rows = common_rows((x,) if y is None else (x, y))
    losses = np.stack([_sweep(_at(model, low), x, y, sample_weight, rows, batch_size, rates, s) for s in range(seeds)])
    smooth = _smoothed(losses)
    if not np.isfinite(smooth).any():
        raise NonFiniteError(
            "find_lr: the loss is not finite before anything is trained",
            expected="a finite loss of the model as it is",
            got=f"none in the first step of {seeds} sweeps, at rate {low:g}",
            fix="check the data; go back to weights from before the loss became infinite",
        )
    lowest = rates[int(np.nanargmin(smooth))]
    tried: dict[float, np.ndarray] = {}

    def train(wanted: list[float]) -> None:
        jobs, new = [], [rate for rate in wanted if rate not in tried]
        for rate in new:
            for seed in range(seeds):
                own = {"seed": seed, "batch_size": batch_size, **_lasting(steps, rows, batch_size)}
                given = {"x": x, "y": y, "sample_weight": sample_weight}
                jobs.append(Job(_at(model, rate), {**given, **own}))
        found = run_jobs(jobs, None, cores.wanted(threads), verbose, "short trainings")
        ends = np.array([_end(history) for history in found]).reshape(len(new), seeds)
        tried.update(zip(new, ends, strict=True))

    train([float(rate) for rate in lowest * FACTOR ** np.arange(-BELOW, ABOVE + 1) if low <= rate <= high])
    while (further := _beyond(tried, low, high)) is not None:
        train([further])
    known = np.array(sorted(tried))
    results = np.stack([tried[rate] for rate in known.tolist()], axis=1)
    suggestion, reason = _judged(known, results, smooth, low, high)
    return RateTest(suggestion, reason, rates, losses, known, results)


def _at(model: Model, rate: float) -> Model:
    """A copy of the model that is trained at a constant rate."""
    twin: Model = copy.deepcopy(model)
    set_optimizer(twin, None, rate)
    return twin


def _lasting(steps: int, rows: int, batch_size: int) -> dict[str, int]:
    """Two halves, whose mean losses the history has."""
    half, whole = max(steps // 2, 1), -(-rows // batch_size)
    return {"epochs": 2 * max(round(half / whole), 1), "steps_per_epoch": min(half, whole)}


def _end(history: History | NonFiniteError) -> float:
    """The mean loss of the second half of a short training."""
    if isinstance(history, NonFiniteError):
        return math.inf
    losses = history.history["loss"]
    end = float(np.mean(losses[len(losses) // 2 :]))
    return end if math.isfinite(end) else math.inf


def _sweep(
    model: Model, x: Any, y: Any, weight: Any, rows: int, batch_size: int, rates: np.ndarray, seed: int
) -> np.ndarray:
    """The loss of each step while the rate rises; NaN from where it diverges."""
    random = np.random.default_rng(seed)
    passes = -(-len(rates) * batch_size // rows)
    order = np.concatenate([random.permutation(rows) for _ in range(passes)])
    losses = np.full(len(rates), np.nan)
    optimizer = model.optimizer
    assert optimizer is not None, "it was compiled"
    for step, rate in enumerate(rates.tolist()):
        batch = order[step * batch_size : (step + 1) * batch_size]
        optimizer.learning_rate = rate
        own_x, own_y, own_weight = (None if part is None else take(part, batch) for part in (x, y, weight))
        try:
            said = model.train_on_batch(own_x, own_y, own_weight, return_dict=True)
        except NonFiniteError:
            break
        if not math.isfinite(said["loss"]) or (step and said["loss"] > DIVERGED * abs(losses[0])):
            break
        losses[step] = said["loss"]
    return losses


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """(steps,): the mean over the seeds and the steps around; NaN where one of the seeds has diverged."""
    mean = losses.mean(0)
    known = int(np.isfinite(mean).sum())
    smooth = np.full(len(mean), np.nan)
    for step in range(known):
        smooth[step] = mean[max(0, step - SMOOTHED) : min(known, step + SMOOTHED + 1)].mean()
    return smooth


def _beyond(tried: dict[float, np.ndarray], low: float, high: float) -> float | None:
    """The rate next to the best one, if that is the outermost and there may be more."""
    known = sorted(tried)
    best = min(known, key=lambda rate: float(tried[rate].mean()))
    if best == known[0] and known[0] / FACTOR >= low:
        return known[0] / FACTOR
    if best == known[-1] and known[-1] * FACTOR <= high:
        return known[-1] * FACTOR
    return None


def _judged(
    tried: np.ndarray, results: np.ndarray, sweep: np.ndarray, low: float, high: float
) -> tuple[float | None, str]:
    """The best of the rates; or None, and why there is no clear one."""
    means = results.mean(0)
    best = int(np.argmin(means))
    if not math.isfinite(means[best]):
        return None, "no clear optimum: every rate diverges"
    noise = float(results[:, best].std(ddof=1)) if len(results) > 1 else 0.0
    if means[best] + 2 * noise >= sweep[0]:
        return None, "no clear optimum: no rate makes the loss lower than the first steps did"
    if best in (0, len(tried) - 1) and len(tried) > 1:
        edge = f"low={low:g}" if best == 0 else f"high={high:g}"
        return None, f"no clear optimum: the best rate is the last before {edge}"
    alike = np.flatnonzero(means <= means[best] + 2 * noise)
    suggestion = float(f"{tried[best]:.2g}")
    if len(alike) > len(tried) // 2 and noise > 0:
        return (
            suggestion,
            f"learning rate {suggestion:g}; from {tried[alike[0]]:.2g} to {tried[alike[-1]]:.2g} all are as good",
        )
    return suggestion, ""
