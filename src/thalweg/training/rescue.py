"""When a loss is not finite: back to the last good state, and the step, layer and tensor where it began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

import numpy as np

from thalweg.data.arrays import find_non_finite
from thalweg.errors import NonFiniteError
from thalweg.executors.executor import Arrays, Program
from thalweg.executors.numpy import evaluate
from thalweg.fields import dataclass
from thalweg.graph.node import Node, topological
from thalweg.layers.tracing import STEP_STATE
from thalweg.ops.leaf import Input, State
from thalweg.ops.lookup import Take
from thalweg.optimizers.optimizer import LEARNING_RATE_STATE
from thalweg.training.goals import PENALTY
from thalweg.training.step import EVALUATION_SUMS, TRAINING_SUMS, Step

SNAPSHOT_SECONDS = 1.0
"""How often the state is copied: a copy of 5 MB takes a millisecond, and at most this much is replayed."""


class Divergence(Exception):
    """The loop's signal that something is not finite. Becomes a NonFiniteError, or ends training quietly."""


@dataclass
class Rescue:
    """Keeps a good state and what was run since, so that the step that broke it can be found by running it again.

    Arguments:
        step: batch size -> the step's graph.
    """

    state: dict[str, np.ndarray]
    data: Mapping[str, np.ndarray]
    step: Callable[[int], Step]
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    kept_at: float = -np.inf
    calls: list[tuple[Program, np.ndarray, float]] = field(default_factory=list)

    def before(self, program: Program, index: np.ndarray, now: float) -> None:
        """Note what will run now; from time to time, keep the state. Raises Divergence if it is not finite."""
        if now - self.kept_at > SNAPSHOT_SECONDS:
            self.calls.clear()
            self.check()
            self.kept = _copied(self.state, self.kept)
            self.kept_at = now
        self.calls.append((program, index, float(self.state[LEARNING_RATE_STATE])))

    def check(self) -> None:
        """Raise Divergence if anything that lasts is not finite: a step may break the weights after a good loss."""
        if not _is_finite(self.state):
            raise Divergence

    def error(self) -> NonFiniteError:
        """Leave the last good state behind, and say what broke it."""
        if not self.kept:
            return _report(None, {}, self.state, self.state)
        _restore(self.state, self.kept)
        for program, index, rate in self.calls:
            self.state[LEARNING_RATE_STATE][...] = rate
            before = _copied(self.state, {})
            program.run(self.state, self.data, index, None, 1)
            if not _is_finite(self.state):
                _restore(self.state, before)
                return self._first_bad_step(program, index)
        return _report(None, {}, self.state, self.state)

    def _first_bad_step(self, program: Program, index: np.ndarray) -> NonFiniteError:
        """The same call again, a step at a time."""
        for row in index:
            before = _copied(self.state, {})
            program.run(self.state, self.data, row[None], None, 1)
            if not _is_finite(self.state):
                after = _copied(self.state, {})
                _restore(self.state, before)
                inputs = {label: array[row] for label, array in self.data.items()}
                return _report(self.step(len(row)), inputs, self.state, after)
        raise AssertionError("the same steps on the same state gave something else")


def _is_lasting(name: str) -> bool:
    """Metrics may be infinite by their nature; the loss may not."""
    if name.startswith((f"{TRAINING_SUMS}/", f"{EVALUATION_SUMS}/")):
        return name.startswith(TRAINING_SUMS) and name.endswith(("loss/total", f"{PENALTY}/total"))
    return True


def _is_finite(state: Mapping[str, np.ndarray]) -> bool:
    return all(find_non_finite(array) is None for name, array in state.items() if _is_lasting(name))


def _copied(state: Mapping[str, np.ndarray], into: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if into.keys() != state.keys():
        return {name: array.copy() for name, array in state.items()}
    _restore(into, state)
    return into


def _restore(state: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> None:
    for name, array in kept.items():
        state[name][...] = array


def _report(step: Step | None, inputs: Arrays, before: Arrays, after: Arrays) -> NonFiniteError:
    number = int(before[STEP_STATE]) + 1
    found = None if step is None else _origin(step, inputs, before)
    what, layer, cure = found if found is not None else (_broken_state(after), None, None)
    rate = float(before[LEARNING_RATE_STATE])
    sizes = [np.abs(x.astype(np.float64)).max(initial=0) for label, x in inputs.items() if label[0] == "x"]
    largest = float(max(sizes, default=0))
    scaled = f"scale the inputs (the largest of this batch is {largest:g}), " if largest > 10 else ""
    return NonFiniteError(
        f"training step {number} gives numbers that are not finite",
        expected="finite numbers in every activation, gradient and weight",
        got=what,
        fix=(cure or f"{scaled}lower the learning rate (now {rate:g}) or pass clipnorm=1.0 to the optimizer")
        + f"; the model is as it was before step {number}",
        layer=f"layer {layer!r}" if layer else None,
    )


def _broken_state(state: Mapping[str, np.ndarray]) -> str:
    for name, array in state.items():
        if _is_lasting(name) and (where := find_non_finite(array)) is not None:
            return f"{array[where]} in {name!r}"
    return "a loss that was not finite, and is finite when the same steps run again with other settings"


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
        return *_no_row(values[node.inputs[1]], node.inputs[0].shape[0], node.layer), _ROWS
    return f"{values[node][where]} in {_kind(node, step)}{place}", node.layer, None


_ROWS = (
    "number the categories from 0, and give the table as many rows as there are: input_dim of an Embedding, num_tokens "
    "of a CategoryEncoding"
)


def _no_row(index: np.ndarray, rows: int, layer: str) -> tuple[str, str]:
    outside = index[(index < 0) | (index >= rows)]
    return f"the number {outside[0]}, which has no row in a table of {rows}", layer


def _kind(node: Node, step: Step) -> str:
    """The tensor in words."""
    if isinstance(node.op, State):
        return f"the weight {node.op.label!r}"
    if isinstance(node.op, Input):
        return f"the input {node.op.label!r}"
    if node in set(topological(step.predictions)):
        return f"an activation (result of {node.op.name})"
    if step.loss is not None and node in set(topological([step.loss])):
        return f"the loss (result of {node.op.name})"
    if node in set(topological(step.gradients)):
        return f"a gradient (result of {node.op.name})"
    names = [name for name, new in step.graph.updates.items() if node in set(topological([new]))]
    return f"the update of the weight {names[0]!r} (result of {node.op.name})"
