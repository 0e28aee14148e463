"""The graphs of an estimator's steps, and their programs, which estimators of the same design share.

What a search changes from fit to fit (``alpha``, the rate, the number of rows) is state and no part of a graph, so
that hundreds of small fits compile once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import field
from functools import lru_cache
from typing import Any

from thalweg import config, executors, ops
from thalweg.backprop import gradients
from thalweg.executors.executor import Executor, Program
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.layers.tracing import tracing
from thalweg.losses.loss import divide_or_zero
from thalweg.optimizers.optimizer import LEARNING_RATE_STATE, Optimizer
from thalweg.sklearn.design import KEPT, Design
from thalweg.sklearn.objective import Objective
from thalweg.state import State
from thalweg.state.names import STEP_STATE
from thalweg.training.inference import Prediction
from thalweg.training.programs import Programs
from thalweg.training.step import Step, successor

FIT = "fit"
ALPHA, RATE, ROWS, LOSS, WEIGHT = (f"{FIT}/{name}" for name in ("alpha", "learning_rate", "rows", "loss", "weight"))
"""The numbers of a fit: strength of the penalty; the rate, in float64 unlike ``optimizer/learning_rate``; how many rows
of a filled-up batch count; the sums of losses and of weights."""

SLOPE = f"{FIT}/slope"
"""``fit/slope/<path>``: sums of gradients, for L-BFGS."""


def batch_size(rows: int) -> int:
    """The rows of the program for a batch of so many: an eighth more at most, so that few programs serve all numbers.

    Example:
        >>> [batch_size(rows) for rows in (1, 9, 120, 150, 1437)]
        [8, 16, 120, 160, 1536]
    """
    step = max(8, 1 << max(rows.bit_length() - 4, 0))
    return -(-rows // step) * step


@dataclass(frozen=True)
class _Rows:
    """The inputs of a step."""

    x: Node
    y: Node
    weights: Node | None  # (batch,); None where each counts 1
    count: Node  # of the rows, float64
    total: Node  # of the weights


def _rows(design: Design, objective: Objective, batch: int, filled: bool, weighted: bool) -> _Rows:
    dtype = design.dtype
    x = ops.input_node("x", (batch, design.features), dtype)
    target = objective.target(TensorType((batch, design.outputs), dtype))
    y = ops.input_node("y", target.shape, target.dtype)
    weights = ops.input_node("w", (batch,), dtype) if weighted else None
    count = ops.constant(float(batch), "float64")
    if filled:
        rows = ops.state_node(ROWS, (), "int32")
        there = ops.cast(ops.iota((batch,), 0) < rows, dtype)
        weights = there if weights is None else weights * there
        count = ops.cast(rows, "float64")
    total = ops.cast(count, dtype) if weights is None or not weighted else ops.reduce_sum(weights)
    return _Rows(x, y, weights, count, total)


def _mean(values: Node, rows: _Rows) -> Node:
    """Weighted; 0 where no row counts."""
    weighted = values if rows.weights is None else values * rows.weights
    return divide_or_zero(ops.reduce_sum(weighted), rows.total)


def training_step(
    design: Design, objective: Objective, rule: Optimizer, batch: int, filled: bool, weighted: bool
) -> Step:
    """Forward, loss with its penalty, back-propagation, update and the sum of the losses; the loss is given out, too.

    The penalty is ``alpha / 2`` times the sum of all squared weights, divided by the sum of the batch's sample weights.

    Arguments:
        filled: whether only the first rows count, as many as the state says.
        weighted: whether there are sample weights.
    """
    with tracing(design.parameters) as trace:
        rows = _rows(design, objective, batch, filled, weighted)
        before, after = design.results(rows.x, True)
        wrt = {path: trace.node(p) for path, p in design.parameters.items() if p.trainable}
    felt, shown = objective.values(rows.y, before, after)
    squares = [ops.reduce_sum(ops.square(wrt[f"{name}/kernel"])) for name in design.dense]
    alpha = ops.cast(ops.state_node(ALPHA, (), "float64"), design.dtype)
    penalty = divide_or_zero(0.5 * alpha * sum(squares[1:], squares[0]), rows.total)
    slopes = dict(zip(wrt, gradients(_mean(felt, rows) + penalty, list(wrt.values())), strict=True))
    loss = ops.cast(_mean(shown, rows) + penalty, "float64") * rows.count

    def read(name: str, shape: tuple[int, ...], dtype: str) -> Node:
        return (
            ops.state_node(RATE, (), "float64") if name == LEARNING_RATE_STATE else ops.state_node(name, shape, dtype)
        )

    updates = rule.updates(wrt, slopes, read) | trace.updates | {LOSS: ops.state_node(LOSS, (), "float64") + loss}
    if design.draws:
        updates[STEP_STATE] = successor(STEP_STATE)
    return Step(Graph({LOSS: loss}, updates), starts=trace.starts)


def gradient_step(design: Design, objective: Objective, batch: int, weighted: bool) -> Step:
    """Adds a batch's losses and their gradients to sums, which become the loss of all rows; no penalty."""
    with tracing(design.parameters) as trace:
        rows = _rows(design, objective, batch, True, weighted)
        before, after = design.results(rows.x, True)
        wrt = {path: trace.node(p) for path, p in design.parameters.items()}
    assert rows.weights is not None, "batches are filled up"
    felt, shown = objective.values(rows.y, before, after)
    slopes = dict(zip(wrt, gradients(ops.reduce_sum(felt * rows.weights), list(wrt.values())), strict=True))
    sums = {f"{SLOPE}/{path}": slope for path, slope in slopes.items()}
    sums[LOSS] = ops.cast(ops.reduce_sum(shown * rows.weights), "float64")
    return Step(Graph({}, {name: ops.state_node(name, x.shape, x.dtype) + x for name, x in sums.items()}))


def evaluation_step(design: Design, objective: Objective, batch: int, filled: bool, weighted: bool) -> Step:
    """Adds a batch's losses, without the penalty, and its weights to sums."""
    with tracing(design.parameters):
        rows = _rows(design, objective, batch, filled, weighted)
        _, shown = objective.values(rows.y, *design.results(rows.x, False))
    sums = {LOSS: ops.cast(_mean(shown, rows) * rows.total, "float64"), WEIGHT: ops.cast(rows.total, "float64")}
    return Step(Graph({}, {name: ops.state_node(name, (), "float64") + x for name, x in sums.items()}))


@dataclass(frozen=True)
class Kit:
    """The programs of a design: of prediction alone, or of training for an objective, by a rule, too.

    Arguments:
        programs: on any state; see ``on``.
        prediction: the outputs for any number of rows.
    """

    design: Design
    programs: Programs
    prediction: Prediction
    objective: Objective | None = None
    rule: Optimizer | None = None
    _found: dict[Hashable, Program] = field(default_factory=dict)

    def on(self, state: State) -> Kit:
        """The same programs on this state."""
        return Kit(self.design, self.programs.on(state), self.prediction.on(state), self.objective, self.rule)

    def training(self, batch: int, filled: bool, weighted: bool) -> Program:
        """See ``training_step``."""
        assert self.objective is not None and self.rule is not None, "it is for training"
        objective, rule = self.objective, self.rule
        return self._program(
            ("training", batch, filled, weighted),
            lambda: training_step(self.design, objective, rule, batch, filled, weighted),
        )

    def gradient(self, batch: int, weighted: bool) -> Program:
        """See ``gradient_step``."""
        assert self.objective is not None, "it is for training"
        objective = self.objective
        return self._program(
            ("gradient", batch, weighted), lambda: gradient_step(self.design, objective, batch, weighted)
        )

    def evaluation(self, batch: int, filled: bool, weighted: bool) -> Program:
        """See ``evaluation_step``."""
        assert self.objective is not None, "it is for training"
        objective = self.objective
        return self._program(
            ("evaluation", batch, filled, weighted),
            lambda: evaluation_step(self.design, objective, batch, filled, weighted),
        )

    def _program(self, key: tuple[Hashable, ...], build: Callable[[], Step]) -> Program:
        program = self._found.get(key)
        if program is None:
            program = self._found[key] = self.programs.program((FIT, *key), build)
            self.programs.claim_states()  # another estimator may have made it, on a state of its own
        return program


def kit(design: Design, objective: Objective | None = None, rule: Optimizer | None = None) -> Kit:
    """The programs for these, made once in a process; where a part of them cannot be told from others, anew."""
    executor: Any = _executor(config.executor(), config.distribution())
    try:
        return _kept(design, objective, rule, executor)
    except TypeError:  # a loss or an activation that cannot be hashed
        return _new(design, objective, rule, executor)


@lru_cache(KEPT)
def _kept(design: Design, objective: Objective | None, rule: Optimizer | None, executor: Executor) -> Kit:
    return _new(design, objective, rule, executor)


@lru_cache
def _executor(chosen: str | None, spread: Hashable) -> Executor:
    """The default one, which the process has chosen; to find out anew takes as long as a few small epochs."""
    return executors.default()


def _new(design: Design, objective: Objective | None, rule: Optimizer | None, executor: Executor) -> Kit:
    programs = Programs(executor, State())
    return Kit(design, programs, Prediction(design.net, programs), objective, rule)
