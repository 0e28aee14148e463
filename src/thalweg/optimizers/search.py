"""Steps of L-BFGS: a line search around the compiled program that gives loss and gradient of all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.fields import dataclass
from thalweg.graph.node import Graph
from thalweg.optimizers.line_search import Trial, strong_wolfe
from thalweg.optimizers.optimizer import LEARNING_RATE_STATE
from thalweg.optimizers.stepper import Arrays, CompiledStep
from thalweg.state import Snapshot, State
from thalweg.state.names import OPTIMIZER, parameter_state, slot_state

OBJECTIVE, GRADIENT = "objective", "gradient"
"""The outputs of a training step for a line search: the loss, and ``gradient/<path>``, its derivatives."""

PAIRS_STATE = f"{OPTIMIZER}/pairs"
"""How many pairs have been put into the slots so far; number i stands in row ``i % history_size``."""

STEPS, CHANGES = "steps", "changes"
"""The slots, (history_size, ...): the last moves of the parameter, and how its gradient changed by each."""

ROUNDING = 4.0
"""Units in the last place by which the sum that a loss is may be wrong."""


@dataclass
class Search:
    """The stepper of L-BFGS: every step is one iteration. See ``stepper.Stepper``.

    Its program gives loss and gradient as outputs, adds to sums and counters, and changes no trained parameter.

    Arguments:
        paths: of the trained parameters.
        history_size, tolerance: as in ``LBFGS``.

    Attributes:
        converged: whether the last iteration found no better point.
    """

    paths: tuple[str, ...]
    history_size: int
    tolerance: float
    converged: bool = False

    def run(
        self, program: CompiledStep, graph: Graph, state: State, data: Arrays, index: np.ndarray, threads: int
    ) -> None:
        """One iteration for each row of ``index``."""
        for row in index:
            self._iterate(_Objective(self.paths, program, graph, state, data, row[None], threads))

    def _iterate(self, objective: _Objective) -> None:
        state = objective.state
        w = objective.parameters()
        objective.before_all()
        value, gradient = objective.evaluate()
        objective.after_first()
        finite = bool(np.isfinite(value) and np.isfinite(gradient).all())
        self.converged = finite and _largest(gradient) <= self.tolerance
        if self.converged or not finite:  # the loop reports what is not finite
            return
        rate = state.number(LEARNING_RATE_STATE)
        moves, changes = self._pairs(state)
        along = direction(gradient, moves, changes)
        if not along @ gradient < 0:  # rounding has spoilt the pairs
            moves, along = [], -gradient
        # Without pairs nothing is known of the scale: the first move is not longer than 1 in all.
        first = rate if moves else rate * min(1.0, 1.0 / float(np.abs(gradient).sum()))

        def at(step: float) -> Trial:
            objective.set_parameters(w + step * along)
            value, slope = objective.evaluate()
            return Trial(step, value, float(slope @ along), slope)

        noise = ROUNDING * objective.epsilon * abs(value)
        found = strong_wolfe(at, Trial(0.0, value, float(gradient @ along)), first, noise) if first > 0 else None
        better = found is not None and (value - found.value > noise or _largest(found.of) < _largest(gradient))
        objective.set_parameters(w + found.step * along if found is not None and better else w)
        objective.restore()
        if found is not None and better:
            self._push(state, objective.parameters() - w, found.of - gradient)
        elif moves:
            state.write(PAIRS_STATE, 0)  # once more, along the gradient itself
        else:
            self.converged = True

    def _pairs(self, state: State) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Moves and changes, the oldest first."""
        count, size = state.number(PAIRS_STATE), self.history_size
        rows = [number % size for number in range(max(0, count - size), count)]
        kept = {slot: [state.read(slot_state(path, slot)) for path in self.paths] for slot in (STEPS, CHANGES)}
        moves, changes = ([_flat([array[row] for array in kept[slot]]) for row in rows] for slot in (STEPS, CHANGES))
        return moves, changes

    def _push(self, state: State, move: np.ndarray, change: np.ndarray) -> None:
        """Keep a pair, if the curvature along it is positive, without which H would not be (equation 7.20)."""
        if not move @ change > 1e-10 * (change @ change):
            return
        count = state.number(PAIRS_STATE)
        for slot, vector in ((STEPS, move), (CHANGES, change)):
            names = [slot_state(path, slot) for path in self.paths]
            parts = _split(vector, [state[name].type.shape[1:] for name in names])
            for name, part in zip(names, parts, strict=True):
                kept = state.read(name)
                kept[count % self.history_size] = part
                state.write(name, kept)
        state.write(PAIRS_STATE, count + 1)


class _Objective:
    """Loss and gradient of some rows as a function of all trained parameters in one vector (float64)."""

    def __init__(
        self,
        paths: Sequence[str],
        program: CompiledStep,
        graph: Graph,
        state: State,
        data: Arrays,
        index: np.ndarray,
        threads: int,
    ) -> None:
        self.state = state
        self._parameters = [state[parameter_state(path)] for path in paths]
        self._arguments = (data, index)
        self._threads = threads
        self._program = program
        self._outputs = {label: np.empty((1, *node.shape), node.dtype) for label, node in graph.outputs.items()}
        self._gradients = [self._outputs[f"{GRADIENT}/{path}"] for path in paths]
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
        self.state.run(self._program, *self._arguments, self._outputs, self._threads)
        return float(self._outputs[OBJECTIVE][0]), _flat(self._gradients)


def direction(gradient: np.ndarray, moves: Sequence[np.ndarray], changes: Sequence[np.ndarray]) -> np.ndarray:
    """``-H g`` by the two-loop recursion (algorithm 7.4), with the pairs from the oldest to the newest."""
    q: np.ndarray = -gradient
    if not moves:
        return q
    pairs = [(s, y, 1.0 / (y @ s)) for s, y in zip(moves, changes, strict=True)]
    weights = []
    for s, y, rho in reversed(pairs):
        weights.append(rho * (s @ q))
        q = q - weights[-1] * y
    s, y, _ = pairs[-1]
    q = q * ((s @ y) / (y @ y))
    for (s, y, rho), weight in zip(pairs, reversed(weights), strict=True):
        q = q + (weight - rho * (y @ q)) * s
    return q


def _largest(gradient: np.ndarray) -> float:
    return float(np.abs(gradient).max(initial=0.0))


def _flat(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([array.ravel() for array in arrays], dtype=np.float64) if arrays else np.zeros(0)


def _split(vector: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The inverse of ``_flat``."""
    ends = np.cumsum([math.prod(shape) for shape in shapes], dtype=np.int64)
    return [part.reshape(shape) for part, shape in zip(np.split(vector, ends)[:-1], shapes, strict=True)]
