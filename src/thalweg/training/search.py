"""A training step with a line search: L-BFGS around the compiled program that gives loss and gradient of all rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.executors.executor import Arrays, Program
from thalweg.fields import dataclass
from thalweg.optimizers.lbfgs import CHANGES, LBFGS, PAIRS_STATE, STEPS, direction
from thalweg.optimizers.line_search import Point, strong_wolfe
from thalweg.optimizers.optimizer import LEARNING_RATE_STATE, slot_state
from thalweg.training.step import GRADIENT, OBJECTIVE, Net, Step

ROUNDING = 4.0
"""Units in the last place by which the sum that a loss is may be wrong."""


@dataclass
class Search:
    """A Program whose every step is one iteration of L-BFGS.

    Arguments:
        program: computes loss and gradient (as outputs), sums and counters, and changes no trained parameter.
        step: what it was made of.

    Attributes:
        converged: whether the last iteration found no better point.
    """

    optimizer: LBFGS
    program: Program
    step: Step
    paths: tuple[str, ...]
    converged: bool = False

    def run(
        self,
        state: Arrays,
        data: Arrays,
        index: np.ndarray | None = None,
        outputs: Arrays | None = None,
        threads: int = 1,
    ) -> None:
        """One iteration for each row of ``index``. See ``Program``."""
        assert index is not None and not outputs, "training runs with an index and without outputs"
        for row in index:
            self._iterate(_Objective(self, state, data, row[None], threads))

    def _iterate(self, objective: _Objective) -> None:
        state = objective.state
        w = objective.parameters()
        objective.before_all()
        value, gradient = objective.evaluate()
        objective.after_first()
        finite = bool(np.isfinite(value) and np.isfinite(gradient).all())
        self.converged = finite and _largest(gradient) <= self.optimizer.tolerance_grad
        if self.converged or not finite:  # the loop reports what is not finite
            return
        rate = float(state[LEARNING_RATE_STATE])
        moves, changes = self._pairs(state)
        along = direction(gradient, moves, changes)
        if not along @ gradient < 0:  # rounding has spoilt the pairs
            moves, along = [], -gradient
        # Without pairs nothing is known of the scale: the first move is not longer than 1 in all.
        first = rate if moves else rate * min(1.0, 1.0 / float(np.abs(gradient).sum()))

        def at(step: float) -> Point:
            objective.set_parameters(w + step * along)
            value, slope = objective.evaluate()
            return Point(step, value, float(slope @ along), slope)

        noise = ROUNDING * objective.epsilon * abs(value)
        found = strong_wolfe(at, Point(0.0, value, float(gradient @ along)), first, noise) if first > 0 else None
        better = found is not None and (value - found.value > noise or _largest(found.of) < _largest(gradient))
        objective.set_parameters(w + found.step * along if found is not None and better else w)
        objective.restore()
        if found is not None and better:
            self._push(state, objective.parameters() - w, found.of - gradient)
        elif moves:
            state[PAIRS_STATE][...] = 0  # once more, along the gradient itself
        else:
            self.converged = True

    def _pairs(self, state: Arrays) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Moves and changes, the oldest first."""
        count, size = int(state[PAIRS_STATE]), self.optimizer.history_size
        rows = [number % size for number in range(max(0, count - size), count)]
        moves, changes = (
            [_flat([state[slot_state(path, slot)][row] for path in self.paths]) for row in rows]
            for slot in (STEPS, CHANGES)
        )
        return moves, changes

    def _push(self, state: Arrays, move: np.ndarray, change: np.ndarray) -> None:
        """Keep a pair, if the curvature along it is positive, without which H would not be (equation 7.20)."""
        if not move @ change > 1e-10 * (change @ change):
            return
        row = int(state[PAIRS_STATE]) % self.optimizer.history_size
        for slot, vector in ((STEPS, move), (CHANGES, change)):
            _fill([state[slot_state(path, slot)][row : row + 1] for path in self.paths], vector)
        state[PAIRS_STATE][...] += 1


class _Objective:
    """Loss and gradient of some rows as a function of all trained parameters in one vector (float64)."""

    def __init__(self, search: Search, state: Arrays, data: Arrays, index: np.ndarray, threads: int) -> None:
        self.state = state
        self._arrays = [state[path] for path in search.paths]
        self._arguments = (data, index)
        self._threads = threads
        self._program = search.program
        graph = search.step.graph
        self._outputs = {label: np.empty((1, *node.shape), node.dtype) for label, node in graph.outputs.items()}
        self._gradients = [self._outputs[f"{GRADIENT}/{path}"] for path in search.paths]
        self._others = [name for name in graph.updates if name in state]  # sums and counters, which move once only
        self._before: dict[str, np.ndarray] = {}
        self._after: dict[str, np.ndarray] = {}
        self.epsilon = max((np.finfo(array.dtype).eps for array in self._arrays), default=0.0)

    def parameters(self) -> np.ndarray:
        return _flat(self._arrays)

    def set_parameters(self, vector: np.ndarray) -> None:
        _fill(self._arrays, vector)

    def before_all(self) -> None:
        """Keep the counters, so that dropout is the same at each evaluation."""
        self._before = self._copied()

    def after_first(self) -> None:
        """Keep what the first evaluation made of them: the iteration's own sums and counters."""
        self._after = self._copied()

    def restore(self) -> None:
        """Leave sums and counters as the first evaluation made them."""
        self._set(self._after)

    def evaluate(self) -> tuple[float, np.ndarray]:
        self._set(self._before)
        self._program.run(self.state, *self._arguments, self._outputs, self._threads)
        return float(self._outputs[OBJECTIVE][0]), _flat(self._gradients)

    def _copied(self) -> dict[str, np.ndarray]:
        return {name: self.state[name].copy() for name in self._others}

    def _set(self, kept: Mapping[str, np.ndarray]) -> None:
        for name, array in kept.items():
            self.state[name][...] = array


def _largest(gradient: np.ndarray) -> float:
    return float(np.abs(gradient).max(initial=0.0))


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays], dtype=np.float64) if arrays else np.zeros(0)


def _fill(arrays: list[np.ndarray], vector: np.ndarray) -> None:
    start = 0
    for array in arrays:
        array[...] = vector[start : start + array.size].reshape(array.shape)
        start += array.size


def check(net: Net, steps: int) -> None:
    """Raise ArgumentError for what L-BFGS cannot train: several batches an epoch, or constrained parameters."""
    if steps > 1:
        raise ArgumentError(
            "LBFGS needs the loss of all rows at once",
            expected="one step an epoch",
            got=f"{steps} steps an epoch",
            fix="pass batch_size='full' to fit",
        )
    constrained = [path for path, parameter in net.parameters.items() if parameter.constraint is not None]
    if constrained:
        raise ArgumentError(
            "LBFGS cannot keep a parameter within a constraint",
            expected="parameters without constraints",
            got=f"a constraint on {constrained[0]!r}",
            fix="use another optimizer, or leave the constraint out",
        )
