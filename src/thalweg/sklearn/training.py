"""One fit of an estimator: passes over the rows, and L-BFGS on all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.data.source import Indexed, Rows
from thalweg.executors.executor import Program
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType
from thalweg.processes.job import clock
from thalweg.sklearn.steps import LOSS, ROWS, SLOPE, WEIGHT, Kit, batch_size
from thalweg.state import State
from thalweg.state.names import parameter_state
from thalweg.training.pace import RETURN_SECONDS, Pace

GRADIENT_ROWS = 512
"""Rows of a piece of L-BFGS: their products run at full speed, and what they leave stays in the caches."""

EVALUATION_ROWS = 128

TOGETHER_SECONDS = 0.01
"""How long epochs that run in one call may take."""

_NUMBER = TensorType((), "float64")


class Stop(Exception):
    """Somebody wants the fit to end now."""


@dataclass
class Passes:
    """Runs the rows through programs, batch by batch.

    Arguments:
        kit: on the state that is trained.
        rows: x, y, and w where there are sample weights.
        interrupted: looked at between calls, which take a tenth of a second at most.
        around: called before every batch with 0, and after it with how many rows it had; None where nobody watches.
    """

    kit: Kit
    rows: Indexed
    threads: int
    interrupted: Callable[[], bool] = lambda: False
    around: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.rows, Rows):
            self.rows = self.rows.staying()
        self.pace = Pace(self.around is not None)
        self.weighted = "w" in self.rows.labels
        self.fills = self.kit.design.by_row and self.kit.objective is not None and self.kit.objective.by_row

    @property
    def state(self) -> State:
        """What is trained."""
        return self.kit.programs.state

    def epoch(self, order: np.ndarray, batch: int, exact: bool) -> float:
        """Train once on every row; the mean loss.

        Arguments:
            exact: whether the batch is of a size that was asked for, which has a program of its own.
        """
        self.state.add(LOSS, _NUMBER)
        self.state.write(LOSS, 0.0)
        self.run(self.kit.training, order, batch, exact)
        return self.state.number(LOSS) / len(order)

    def at_once(self, batch: int, exact: bool) -> int:
        """How many epochs may run in one call: more than 1 where they are short, and steps of the same program."""
        count = self.rows.count
        alike = count % batch == 0 and (exact or count == batch) and isinstance(self.rows, Rows)
        if not alike or self.around is not None:
            return 1
        steps = self.pace.steps(batch_size(batch) if self.fills and not exact else batch)
        return max(1, int(steps * TOGETHER_SECONDS / RETURN_SECONDS) // (count // batch))

    def epochs(self, orders: list[np.ndarray], batch: int, exact: bool) -> list[float]:
        """``epoch`` for each of the orders, the same bits, in one call: the way into it takes as long as a small step.

        Arguments:
            orders: at most ``at_once``.
        """
        if len(orders) == 1:
            return [self.epoch(orders[0], batch, exact)]
        if self.interrupted():
            raise Stop
        assert isinstance(self.rows, Rows), "sparse rows are made dense epoch by epoch"
        index, filled = np.concatenate(orders).reshape(-1, batch), not exact and self.fills
        if filled:
            more = batch_size(batch) - batch
            index = np.concatenate([index, np.repeat(index[:, -1:], more, 1)], 1)
        program = self.kit.training(index.shape[1], filled, self.weighted)
        self.state.add(ROWS, TensorType((), "int32"))
        self.state.write(ROWS, batch)
        losses = np.empty(len(index))
        began = clock()
        self.state.run(program, self.rows.arrays, index, {LOSS: losses}, self.threads)
        self.pace.measured(index, clock() - began)
        sums = np.add.accumulate(losses.reshape(len(orders), -1), 1)[:, -1]  # one after the other, as the state does
        return (sums / self.rows.count).tolist()

    def run(self, program: Callable[[int, bool, bool], Program], order: np.ndarray, batch: int, exact: bool) -> None:
        """Steps on the rows in this order. Raises Stop in the middle, if that is wanted."""
        for chunk in self.rows.gathered(order, 0, len(order), batch):
            full = len(chunk.index) // batch if exact or not self.fills else 0
            whole = chunk.index[: full * batch].reshape(full, batch)
            if full:
                self._steps(program(batch, False, self.weighted), chunk.arrays, whole, batch)
            for first in range(full * batch, len(chunk.index), batch):
                self._some(program, chunk.arrays, chunk.index[first : first + batch])

    def _some(self, program: Callable[[int, bool, bool], Program], arrays: Any, index: np.ndarray) -> None:
        """One step on fewer rows, filled up with the last of them where that makes no difference."""
        if not self.fills:
            self._steps(program(len(index), False, self.weighted), arrays, index[None], len(index))
            return
        filled = np.full((1, batch_size(len(index))), index[-1])
        filled[0, : len(index)] = index
        made = program(filled.size, True, self.weighted)
        self.state.write(ROWS, len(index))
        self._steps(made, arrays, filled, len(index))

    def _steps(self, program: Program, arrays: Any, index: np.ndarray, rows: int) -> None:
        """Arguments: rows: of each batch that count."""
        step = 0
        while step < len(index):
            if self.interrupted():
                raise Stop
            some = index[step : step + self.pace.steps(index.shape[1])]
            if self.around is not None:
                self.around(0)
            began = clock()
            self.state.run(program, arrays, some, None, self.threads)
            self.pace.measured(some, clock() - began)
            if self.around is not None:
                self.around(rows)
            step += len(some)

    def loss(self) -> float:
        """The mean loss of all rows as they are predicted, without the penalty."""
        for name in (LOSS, WEIGHT):
            self.state.add(name, _NUMBER)
            self.state.write(name, 0.0)
        self.run(self.kit.evaluation, np.arange(self.rows.count), min(EVALUATION_ROWS, self.rows.count), True)
        weight = self.state.number(WEIGHT)
        return float(self.state.number(LOSS) / weight) if weight else math.nan


class Valley:
    """Loss and gradient of all rows, penalty included, as a function of all weights in one vector."""

    def __init__(self, passes: Passes, alpha: float, weight: float) -> None:
        """Arguments: weight: the sum of all sample weights, or the number of rows."""
        self.passes = passes
        self.alpha, self.weight = alpha, weight
        self.state = passes.state
        paths = list(passes.kit.design.parameters)
        self.parameters = [self.state[parameter_state(path)] for path in paths]
        self.penalized = [path.endswith("kernel") for path in paths]
        self.order = np.arange(passes.rows.count)
        self.batch = min(GRADIENT_ROWS, len(self.order))
        self._program(batch_size(self.batch), True, passes.weighted)  # the sums are there then
        self.slopes = [self.state[f"{SLOPE}/{path}"] for path in paths]

    def _program(self, batch: int, filled: bool, weighted: bool) -> Program:
        return self.passes.kit.gradient(batch, weighted)

    def place(self) -> np.ndarray:
        """Where the weights are."""
        return _packed([variable.memory for variable in self.parameters])

    def go(self, place: np.ndarray) -> None:
        """Put other weights in."""
        start = 0
        for variable in self.parameters:
            variable.write(place[start : start + variable.type.size].reshape(variable.type.shape))
            start += variable.type.size

    def __call__(self, place: np.ndarray) -> tuple[float, np.ndarray]:
        self.go(place)
        for variable in (*self.slopes, self.state[LOSS]):
            variable.write(0)
        self.passes.run(self._program, self.order, self.batch, False)
        squares, parts = 0.0, []
        for variable, slope, penalized in zip(self.parameters, self.slopes, self.penalized, strict=True):
            part = slope.memory.astype(np.float64)
            if penalized:
                weights = variable.memory.astype(np.float64)
                squares += float(np.vdot(weights, weights))
                part += self.alpha * weights
            parts.append(part)
        loss = self.state.number(LOSS) + 0.5 * self.alpha * squares
        return loss / self.weight, _packed(parts) / self.weight


def descend(valley: Valley, max_iter: int, max_fun: int, tol: float, verbose: bool) -> Any:
    """L-BFGS-B of SciPy, as scikit-learn calls it; its result, None after Ctrl-C. The weights are the last iteration's.


    Source: Byrd, Lu, Nocedal & Zhu (1995), SIAM J. Sci. Comput. 16.
    """
    from scipy.optimize import minimize

    best, iteration = valley.place(), 0

    def told(intermediate_result: Any) -> None:
        nonlocal best, iteration
        best, iteration = intermediate_result.x.copy(), iteration + 1
        if verbose:
            print(f"Iteration {iteration}, loss = {intermediate_result.fun:.8f}")

    try:
        result = minimize(
            valley,
            best,
            method="L-BFGS-B",
            jac=True,
            callback=told,
            options={"maxfun": max_fun, "maxiter": max_iter, "gtol": tol},
        )
        best = result.x
    except (KeyboardInterrupt, Stop):
        result = None
    valley.go(best)
    return result


def _packed(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays], dtype=np.float64)
