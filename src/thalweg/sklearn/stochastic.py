"""The loop of the solvers ``sgd`` and ``adam``: what scikit-learn's does, in the same order."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from thalweg.data.source import Indexed
from thalweg.fields import dataclass
from thalweg.sklearn.steps import RATE, Kit
from thalweg.sklearn.training import EVALUATION_ROWS, Passes, Stop
from thalweg.sklearn.watchers import Watchers
from thalweg.state import Snapshot
from thalweg.state.names import PARAMETERS

SMALLEST_RATE = 1e-6
"""Where an adaptive rate stops falling."""
RATE_DIVISOR = 5.0

MOST_AT_ONCE = 32
"""Epochs."""


@dataclass(frozen=True)
class Held:
    """Rows that training does not see.

    Attributes:
        features: x alone.
        judge: gives the score of outputs.
        name: of the score.
    """

    passes: Passes
    features: Indexed
    judge: Callable[[np.ndarray], float]
    name: str

    def score(self) -> float:
        """Of the network as it is; NaN if its outputs are not finite."""
        run = self.passes.kit.prediction.run
        outputs = run(self.features, EVALUATION_ROWS, self.passes.threads, lambda done: True)["prediction"]
        return self.judge(outputs) if np.isfinite(outputs).all() else math.nan


class Descent:
    """One ``fit`` or ``partial_fit``.

    Arguments:
        estimator: has the parameters, and gets the attributes.
        kit: on the state that is trained.
        held: rows to be scored after every epoch; with ``early_stopping`` these scores decide.
        exact: whether the batch size is one that was asked for.
    """

    def __init__(
        self, estimator: Any, passes: Passes, batch: int, exact: bool, held: Held | None, watchers: Watchers
    ) -> None:
        self.estimator = estimator
        self.passes = passes
        self.state = passes.state
        self.batch, self.exact = batch, exact
        self.held = held
        self.watchers = watchers
        self.rows = passes.rows.count
        self.best: Snapshot | None = None

    @property
    def kit(self) -> Kit:
        """The programs."""
        return self.passes.kit

    def run(self, random: np.random.RandomState, epochs: int, incremental: bool) -> None:
        """Epochs until something says stop. Ctrl-C ends them with a warning, and what was learned stays."""
        e = self.estimator
        self.order = np.arange(self.rows)
        e.n_iter_ = 0
        self.watchers.begin(epochs, -(-self.rows // self.batch), self.state)
        try:
            while not self._run_some(random, epochs - e.n_iter_) and not incremental:
                if e.n_iter_ == epochs:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the optimization hasn't "
                        "converged yet.",
                        ConvergenceWarning,
                        stacklevel=5,
                    )
                    break
        except (KeyboardInterrupt, Stop):
            warnings.warn("Training interrupted by user.", stacklevel=5)
        if self.best is not None:
            self.state.restore(self.best)
        self.watchers.end()

    def _run_some(self, random: np.random.RandomState, most: int) -> bool:
        """One epoch, or several if nothing can happen between them; whether that was all."""
        first = self.estimator.n_iter_
        self.watchers.epoch_begins(first)
        orders = [self._next_order(random) for _ in range(min(self._at_once(), most))]
        losses = self.passes.epochs(orders, self.batch, self.exact)
        return any(self._ends(epoch, loss) for epoch, loss in enumerate(losses, first))

    def _at_once(self) -> int:
        """Epochs after which training can end at the earliest, as far as they may run in one call."""
        e = self.estimator
        fixed_rate = e.solver == "adam" or e.learning_rate == "constant"
        if self.held is not None or self.watchers.model is not None or not fixed_rate:
            return 1
        left = int(min(e.n_iter_no_change + 1 - e.no_improvement_count_, MOST_AT_ONCE))
        return max(1, min(left, self.passes.at_once(self.batch, self.exact)))

    def _next_order(self, random: np.random.RandomState) -> np.ndarray:
        if self.estimator.shuffle:
            places = np.arange(self.rows)
            random.shuffle(places)
            self.order = self.order[places]
        return self.order

    def _ends(self, epoch: int, loss: float) -> bool:
        """Take note of an epoch; whether it was the last one."""
        e = self.estimator
        e.n_iter_ += 1
        e.loss_ = loss
        e.t_ += self.rows
        e.loss_curve_.append(loss)
        if e.verbose:
            print(f"Iteration {e.n_iter_}, loss = {loss:.8f}")
        if not math.isfinite(loss) and any(self.state[name].non_finite() for name in self.state.names(PARAMETERS)):
            return True  # nothing can come of it
        logs = {"loss": loss} | self._held_logs()
        if e.early_stopping:
            self._count_by_score()
        else:
            e.no_improvement_count_ = e.no_improvement_count_ + 1 if loss > e.best_loss_ - e.tol else 0
            e.best_loss_ = min(loss, e.best_loss_)
        if e.solver == "sgd" and e.learning_rate == "invscaling":
            self._set_rate(e.learning_rate_init / (e.t_ + 1) ** e.power_t)
        ended = e.no_improvement_count_ > e.n_iter_no_change and self._stops()
        return self.watchers.epoch_ends(epoch, logs) or ended

    def _held_logs(self) -> dict[str, float]:
        """Score, and where somebody wants it the loss, of the rows that are held out."""
        e, held = self.estimator, self.held
        if held is None:
            return {}
        score = held.score()
        e.validation_scores_.append(score)
        if e.verbose:
            print(f"Validation score: {score:f}")
        logs = {f"val_{held.name}": score}
        if e.validation_loss_curve_ is not None:
            loss = held.passes.loss()
            e.validation_loss_curve_.append(loss)
            logs["val_loss"] = loss
        return logs

    def _count_by_score(self) -> None:
        e = self.estimator
        score = e.validation_scores_[-1]
        e.no_improvement_count_ = e.no_improvement_count_ + 1 if score < e.best_validation_score_ + e.tol else 0
        if score > e.best_validation_score_:
            self.best = self.state.snapshot(self.state.names(PARAMETERS), self.best)
            e.best_validation_score_ = score

    def _stops(self) -> bool:
        """Stop, or go on with a smaller rate; say which."""
        e = self.estimator
        what = "Validation score" if e.early_stopping else "Training loss"
        message = f"{what} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} consecutive epochs."
        rate = self.state.number(RATE)
        if e.solver != "sgd" or e.learning_rate != "adaptive" or rate <= SMALLEST_RATE:
            small = " Learning rate too small." if e.solver == "sgd" and e.learning_rate == "adaptive" else ""
            if e.verbose:
                print(f"{message}{small} Stopping.")
            return True
        self._set_rate(rate / RATE_DIVISOR)
        if e.verbose:
            print(f"{message} Setting learning rate to {rate / RATE_DIVISOR:f}")
        e.no_improvement_count_ = 0
        return False

    def _set_rate(self, rate: float) -> None:
        self.state.write(RATE, rate)
        self.watchers.rate_is(rate)
