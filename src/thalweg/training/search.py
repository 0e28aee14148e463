"""A training step with a line search: L-BFGS around the compiled program that gives loss and gradient of all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.errors import ArgumentError
from thalweg.executors.executor import Arrays, Program
from thalweg.fields import dataclass
from thalweg.optimizers.lbfgs import CHANGES, LBFGS, PAIRS_STATE, STEPS, direction
from thalweg.optimizers.line_search import Point, strong_wolfe
from thalweg.optimizers.optimizer import LEARNING_RATE_STATE
from thalweg.state import Snapshot, State
from thalweg.state.names import parameter_state, slot_state
from thalweg.training.step import GRADIENT, OBJECTIVE, Net, Step

ROUNDING = 4.0
"""Units in the last place by which the sum that a loss is may be wrong."""


@dataclass
class Search:
    """A Program whose every step is one iteration of L-BFGS.

    Arguments:
        program: computes loss and gradient (as outputs), sums and counters, and changes no trained parameter.
        step: what it was made of.
        state: whose memory ``run`` gets.

    Attributes:
        converged: whether the last iteration found no better point.
    """

    optimizer: LBFGS
    program: Program
    step: Step
    paths: tuple[str, ...]
    state: State
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
            self._iterate(_Objective(self, data, row[None], threads))

    def _iterate(self, objective: _Objective) -> None:
        w = objective.parameters()
        objective.before_all()
        value, gradient = objective.evaluate()
        objective.after_first()
        finite = bool(np.isfinite(value) and np.isfinite(gradient).all())
        self.converged = finite and _largest(gradient) <= self.optimizer.tolerance_grad
        if self.converged or not finite:  # the loop reports what is not finite
            return
        rate = self.state.number(LEARNING_RATE_STATE)
        moves, changes = self._pairs()
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
            self._push(objective.parameters() - w, found.of - gradient)
        elif moves:
            self.state.write(PAIRS_STATE, 0)  # once more, along the gradient itself
        else:
            self.converged = True

    def _pairs(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Moves and changes, the oldest first."""
        count, size = self.state.number(PAIRS_STATE), self.optimizer.history_size
        rows = [number % size for number in range(max(0, count - size), count)]
        kept = {slot: [self.state.read(slot_state(path, slot)) for path in self.paths] for slot in (STEPS, CHANGES)}
        moves, changes = ([_flat([array[row] for array in kept[slot]]) for row in rows] for slot in (STEPS, CHANGES))
        return moves, changes

    def _push(self, move: np.ndarray, change: np.ndarray) -> None:
        """Keep a pair, if the curvature along it is positive, without which H would not be (equation 7.20)."""
        if not move @ change > 1e-10 * (change @ change):
            return
        count = self.state.number(PAIRS_STATE)
        for slot, vector in ((STEPS, move), (CHANGES, change)):
            names = [slot_state(path, slot) for path in self.paths]
            parts = _split(vector, [self.state[name].type.shape[1:] for name in names])
            for name, part in zip(names, parts, strict=True):
                kept = self.state.read(name)
                kept[count % self.optimizer.history_size] = part
                self.state.write(name, kept)
        self.state.write(PAIRS_STATE, count + 1)


class _Objective:
    """Loss and gradient of some rows as a function of all trained parameters in one vector (float64)."""

    def __init__(self, search: Search, data: Arrays, index: np.ndarray, threads: int) -> None:
        self.state = search.state
        self._parameters = [self.state[parameter_state(path)] for path in search.paths]
        self._arguments = (data, index)
        self._threads = threads
        self._program = search.program
        graph = search.step.graph
        self._outputs = {label: np.empty((1, *node.shape), node.dtype) for label, node in graph.outputs.items()}
        self._gradients = [self._outputs[f"{GRADIENT}/{path}"] for path in search.paths]
        self._others = list(graph.updates)  # sums and counters, which move once only
        self._before: Snapshot = {}
        self._after: Snapshot = {}
        self.epsilon = max((float(np.finfo(variable.type.dtype).eps) for variable in self._parameters), default=0.0)

    def parameters(self) -> np.ndarray:
        return _flat([variable.read() for variable in self._parameters])

    def set_parameters(self, vector: np.ndarray) -> None:
        parts = _split(vector, [variable.type.shape for variable in self._parameters])
        for variable, part in zip(self._parameters, parts, strict=True):
            variable.write(part)

    def before_all(self) -> None:
        """Keep the counters, so that dropout is the same at each evaluation."""
        self._before = self.state.snapshot(self._others)

    def after_first(self) -> None:
        """Keep what the first evaluation made of them: the iteration's own sums and counters."""
        self._after = self.state.snapshot(self._others)

    def restore(self) -> None:
        """Leave sums and counters as the first evaluation made them."""
        self.state.restore(self._after)

    def evaluate(self) -> tuple[float, np.ndarray]:
        self.state.restore(self._before)
        self._program.run(self.state.memory, *self._arguments, self._outputs, self._threads)
        return float(self._outputs[OBJECTIVE][0]), _flat(self._gradients)


def _largest(gradient: np.ndarray) -> float:
    return float(np.abs(gradient).max(initial=0.0))


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays], dtype=np.float64) if arrays else np.zeros(0)


def _split(vector: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The inverse of ``_flat``."""
    ends = np.cumsum([math.prod(shape) for shape in shapes], dtype=np.int64)
    return [part.reshape(shape) for part, shape in zip(np.split(vector, ends)[:-1], shapes, strict=True)]


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
