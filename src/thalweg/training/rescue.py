"""When a loss is not finite: back to the last good state, and the step, layer and tensor where it began."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import Any, Protocol

import numpy as np

from thalweg.data.arrays import find_non_finite
from thalweg.data.source import Arrays, Weights, weights_among
from thalweg.errors import NonFiniteError
from thalweg.executors.numpy import evaluate
from thalweg.fields import dataclass
from thalweg.graph.node import Node, topological
from thalweg.ops import leaf
from thalweg.ops.cast import Cast
from thalweg.ops.elementwise import Select
from thalweg.ops.lookup import Take
from thalweg.ops.shape import Reshape
from thalweg.optimizers.optimizer import LEARNING_RATE_STATE
from thalweg.state import Snapshot, State
from thalweg.state.names import EVALUATION, METRICS, OPTIMIZERS, PARAMETERS, STATISTICS, STEP_STATE, level, within
from thalweg.training.step import Step

SNAPSHOT_SECONDS = 1.0
"""How often the state is copied: a copy of 5 MB takes a millisecond, and this much is replayed."""

SNAPSHOT_SHARE = 0.02
"""Of the time, what copies may take: those of large networks are as seldom as that needs."""

Rates = dict[str, float]
"""Learning rates by the names of their states."""

MOST_CHUNKS = 4
"""Of a stream, whose chunks are kept for as long as they may have to be run again."""


class Divergence(Exception):
    """The loop's signal that something is not finite. Becomes a NonFiniteError, or ends training quietly."""


class StepRunner(Protocol):
    """What a rescue needs of who runs the steps."""

    @property
    def state(self) -> State:
        """What the steps read and change."""

    @property
    def totals(self) -> Collection[str]:
        """The states that are sums of losses."""

    def run(self, arrays: Arrays, index: np.ndarray, threads: int) -> None:
        """A step on the rows of each row of ``index``."""

    def logs(self) -> dict[str, Any]:
        """What the sums come to so far."""

    def loss_is_finite(self) -> bool:
        """Of the steps so far."""

    def step(self, batch: int, weights: Weights) -> Step:
        """What a step of this size is made of."""


def rate_names(states: Iterable[str]) -> list[str]:
    """The states that are learning rates: those of the optimizers beside that of ``compile``, if there are such."""
    rate = within(LEARNING_RATE_STATE)
    return [n for n in states if level(n) == OPTIMIZERS and n.count("/") == 2 and n.endswith(f"/{rate}")] or [
        LEARNING_RATE_STATE
    ]


@dataclass
class Rescue:
    """Keeps a good state and what was run since, so that the step that broke it can be found by running it again."""

    runner: StepRunner
    kept: Snapshot = field(default_factory=dict)
    kept_at: float = -np.inf
    kept_for: float = SNAPSHOT_SECONDS  # before it is copied anew
    calls: list[tuple[Arrays, np.ndarray, Rates]] = field(default_factory=list)
    chunks: int = 0  # that the calls are of
    logs: dict[str, Any] | None = None  # up to the step whose loss broke it, and with it

    @property
    def state(self) -> State:
        """That of the runner."""
        return self.runner.state

    def before(self, arrays: Arrays, index: np.ndarray, now: float) -> None:
        """Note what will run now; from time to time, keep the state. Raises Divergence if it is not finite."""
        new_chunk = not self.calls or self.calls[-1][0] is not arrays
        self.chunks += new_chunk
        if now - self.kept_at > self.kept_for or self.chunks > MOST_CHUNKS:
            self.calls.clear()
            self.chunks = 1
            began = time.perf_counter()
            self.check()
            self.kept = self.state.snapshot(into=self.kept)
            self.kept_for = max(SNAPSHOT_SECONDS, (time.perf_counter() - began) / SNAPSHOT_SHARE)
            self.kept_at = now
        rates = {name: self.state.number(name) for name in rate_names(self.state.names(OPTIMIZERS))}
        self.calls.append((arrays, index, rates))

    def check(self) -> None:
        """Raise Divergence if anything that lasts is not finite: a step may break the weights after a good loss."""
        if self._broken() is not None:
            raise Divergence

    def error(self) -> NonFiniteError:
        """Leave the last good state behind, and say what broke it."""
        if not self.kept:
            return self._report_state()
        self.state.restore(self.kept)
        for arrays, index, rates in self.calls:
            for name, rate in rates.items():
                self.state.write(name, rate)
            before = self.state.snapshot()
            self.runner.run(arrays, index, 1)
            if self._broken() is not None:
                self.state.restore(before)
                return self._first_bad_step(arrays, index)
        return self._report_state()

    def _first_bad_step(self, arrays: Arrays, index: np.ndarray) -> NonFiniteError:
        """The same call again, a step at a time."""
        for row in index:
            before = self.state.snapshot()
            self.runner.run(arrays, row[None], 1)
            broken = self._broken()
            if broken is not None:
                if not self.runner.loss_is_finite():  # else it is the next step's loss that shows it, as in Keras
                    self.logs = self.runner.logs()
                self.state.restore(before)
                inputs = {label: array[row] for label, array in arrays.items()}
                return _report(self.runner.step(len(row), weights_among(arrays)), inputs, before, broken)
        return self._report_state()  # a device may round a step otherwise when it runs alone

    def _report_state(self) -> NonFiniteError:
        """Where no step can be named."""
        gone = "a loss that was not finite, and is finite when the same steps run again with other settings"
        what = self._broken() or gone
        return _report(None, {}, self.state.snapshot((STEP_STATE, *rate_names(self.state.names(OPTIMIZERS)))), what)

    def _broken(self) -> str | None:
        """What lasts and is not finite, in words; None if all is well. Metrics may be infinite, the loss may not."""
        losses = self.runner.totals
        sums = (METRICS, EVALUATION, STATISTICS)
        lasting = [name for name in self.state if level(name) not in sums or name in losses]
        self.state.send(lasting)
        for name in lasting:
            where = self.state[name].non_finite()
            if where is not None:
                return f"{self.state.read(name)[where]} in {_shown(name)}"
        return None


def _shown(name: str) -> str:
    """A state in words."""
    return repr(within(name) if level(name) == PARAMETERS else name)


def _report(step: Step | None, inputs: Arrays, before: Snapshot, after: str) -> NonFiniteError:
    """Arguments:
    before, after: the state that the step began with, and what was wrong in that which it left.
    """
    number = int(before[STEP_STATE]) + 1
    origin = None if step is None else _origin(step, inputs, before)
    what, layer, cure = origin if origin is not None else (after, None, None)
    rates = " and ".join(f"{float(before[name]):g}" for name in rate_names(before))
    sizes = [np.abs(x.astype(np.float64)).max(initial=0) for label, x in inputs.items() if label[0] == "x"]
    largest = float(max(sizes, default=0))
    scaled = f"scale the inputs (the largest of this batch is {largest:g}), " if largest > 10 else ""
    return NonFiniteError(
        f"training step {number} gives numbers that are not finite",
        expected="finite numbers in every activation, gradient and weight",
        got=what,
        fix=(cure or f"{scaled}lower the learning rate (now {rates}) or pass clipnorm=1.0 to the optimizer")
        + f"; the model is as it was before step {number}",
        layer=f"layer {layer!r}" if layer else None,
    )


def _origin(
    step: Step, inputs: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray]
) -> tuple[str, str, str | None] | None:
    """What the first non-finite number is, the layer that made it, and the cure if that is sure."""
    values = evaluate(step.graph, inputs, state)
    bad = {node for node, value in values.items() if value.dtype.kind == "f" and not np.isfinite(value).all()}
    roots = [step.loss, *step.gradients, *step.graph.updates.values()]
    node = next((root for root in roots if root in bad), None)
    if node is None:
        return None
    # Upstream to a node whose inputs are all finite. Other nodes may be infinite for good reasons, as log(0) that a
    # select leaves out.
    while (cause := next((x for x in node.inputs if x in bad), None)) is not None:
        node = cause
    where = find_non_finite(values[node])
    assert where is not None, "bad by construction"
    place = f" at {list(where)} of shape {node.shape}" if where else ""
    if isinstance(node.op, Take):
        return *_no_row(node, values), _ROWS
    return f"{values[node][where]} in {_kind(node, step)}{place}", node.layer, None


_ROWS = (
    "number the categories from 0, and give the table as many rows as there are: input_dim of an Embedding, num_tokens "
    "of a CategoryEncoding"
)


def _no_row(node: Node, values: Mapping[Node, np.ndarray]) -> tuple[str, str]:
    """The number that the table has no row for, as it was before it became a row's number; and the layer."""
    table, index = node.inputs
    rows, found = table.shape[0], values[index]
    given = index
    while isinstance(given.op, Reshape | Select | Cast):
        given = given.inputs[1 if isinstance(given.op, Select) else 0]
    outside = values[given].reshape(-1)[(found < 0) | (found >= rows)]
    return f"the number {outside[0]}, which has no row in a table of {rows}", node.layer


def _kind(node: Node, step: Step) -> str:
    """The tensor in words."""
    if isinstance(node.op, leaf.State):
        return f"the weight {_shown(node.op.label)}"
    if isinstance(node.op, leaf.Input):
        return f"the input {node.op.label!r}"
    if node in set(topological(step.predictions)):
        return f"an activation (result of {node.op.name})"
    if step.loss is not None and node in set(topological([step.loss])):
        return f"the loss (result of {node.op.name})"
    if node in set(topological(step.gradients)):
        return f"a gradient (result of {node.op.name})"
    names = [name for name, new in step.graph.updates.items() if node in set(topological([new]))]
    return f"the update of the weight {_shown(names[0])} (result of {node.op.name})"
