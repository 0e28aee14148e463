"""The network looked at in a moment of its training: forward and backward on a few rows, without an update.

The layers behave as in training, where batch normalization takes the statistics of the rows: what gradients flow
through is that, and before the first step the running ones say nothing yet. But what disturbs a network on purpose
(dropout, noise, augmentation) is left out, so that the same parameters give the same numbers and a unit that was
dropped is not taken for a dead one. Products that training makes of bfloat16 are made of float32, which is as good for
a judgement: NumPy takes a hundred times as long to round as a processor that can.

The graph is traced once for all moments. NumPy runs it, for compiling would take longer; large networks are compiled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from thalweg import cores, executors, statistics
from thalweg.backprop import gradients
from thalweg.data.source import Arrays, Weights, weights_among
from thalweg.doctor.outcomes import outcome_of
from thalweg.doctor.record import Outcome, Probe, Task
from thalweg.doctor.watch import Moment
from thalweg.executors.executor import Executor, Program, leaf_types
from thalweg.executors.numpy import evaluate
from thalweg.executors.work import flops
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.layers.tracing import Trace, tracing
from thalweg.ops.convolution import CONVOLUTIONS
from thalweg.state import Snapshot, State
from thalweg.state.names import DRAW_STATE, STEP_STATE, parameter_state
from thalweg.training.goals import Goals
from thalweg.training.step import Forward, Net, forward_of, prediction_label, statistics_of

MOST_ROWS = 256
"""Of a probe: enough that a unit that is silent on all of them is as good as dead."""

PATIENCE_SECONDS = 0.25
"""What NumPy may take for one run before the graph is compiled."""

PRODUCTS, PRODUCTS_OF_WINDOWS, NUMBERS, NODES = 2e10, 5e9, 2e8, 2e5
"""What NumPy is taken to do in a second: operations of contractions and of convolutions, numbers of everything else,
operations however small. Measured on two cores of an AMD EPYC (Zen 4): right within a factor of two."""

LOSS = "loss"


@dataclass(frozen=True)
class Look:
    """What a network is in one moment.

    Attributes:
        loss: on the rows, with what regularizers add.
        layers: layer -> statistic (see ``statistics``) -> number.
    """

    loss: float
    layers: Mapping[str, Mapping[str, float]]


class Prober:
    """Looks at one network with any values of its parameters, always on the same rows.

    Arguments:
        task: what it is trained for; None where that is not known.
        rows: by the labels of the graph's inputs, targets and weights among them, as ``Source`` gives them; the first
            ``MOST_ROWS`` are taken.
        executor: what compiles a large graph; ``executors.default()`` unless given.
    """

    def __init__(
        self, net: Net, goals: Goals, task: Task | None, rows: Arrays, executor: Executor | None = None
    ) -> None:
        self.net, self.goals, self.task = net, goals, task
        self.rows = {label: array[:MOST_ROWS] for label, array in rows.items()}
        self._executor = executor
        self._judged: dict[tuple[int, Weights], _Runner] = {}

    @cached_property
    def _there_and_back(self) -> tuple[_Runner, Mapping[str, int]]:
        """The graph of a probe, and ``kernels``: made when the first probe is wanted, if one is."""
        trace, forward = self._forward(_count(self.rows), weights_among(self.rows), training=True)
        slopes = dict(zip(forward.wrt, gradients(forward.loss, list(forward.wrt.values())), strict=True))
        graph = Graph({LOSS: forward.loss, **statistics_of(trace, forward, slopes, {})})
        return _Runner(graph, trace, self._executor), statistics.kernels(forward.wrt, forward.loss)

    @property
    def kernels(self) -> Mapping[str, int]:
        """The trained parameters that inputs are multiplied with: path -> number of inputs of a unit."""
        return self._there_and_back[1]

    def look(self, parameters: Snapshot) -> Look:
        """Loss and statistics with these values of the parameters, by the names of their states."""
        found = self._there_and_back[0].run(parameters, self.rows)
        loss = float(found.pop(LOSS))
        return Look(loss, statistics.summary({name: float(value) for name, value in found.items()}))

    def probe(self, moment: Moment, first: Moment) -> Probe:
        """What stands in the record of a moment; ``first`` is that before the first step."""
        look = self.look(moment.parameters)
        return Probe(moment.step, moment.epoch, look.loss, look.layers, self.moved(moment.parameters, first.parameters))

    def moved(self, parameters: Snapshot, first: Snapshot) -> dict[str, float]:
        """Layer -> the norm of its kernels' way over their own at first; none of those that were 0."""
        ways: dict[str, list[float]] = {}
        for path in self.kernels:
            before, now = (values[parameter_state(path)].astype(np.float64) for values in (first, parameters))
            way = ways.setdefault(path.rpartition("/")[0], [0.0, 0.0])
            way[0] += float(np.square(now - before).sum())
            way[1] += float(np.square(before).sum())
        return {layer: math.sqrt(move / start) for layer, (move, start) in ways.items() if start}

    def outcome(self, parameters: Snapshot, rows: Arrays, confident: bool = False) -> Outcome | None:
        """How it does on all of these rows, in evaluation mode; None for a model that is not trained for one thing.

        Arguments:
            confident: whether to look for labels that are confidently contradicted.
        """
        if self.task is None or len(self.goals.outputs) != 1:
            return None
        goal = self.goals.outputs[0]
        loss, outputs = self.judge(parameters, rows)
        logits = bool(getattr(goal.kind, "from_logits", False))
        return outcome_of(self.task, loss, outputs[goal.name], rows[goal.label], logits, confident)

    def judge(self, parameters: Snapshot, rows: Arrays) -> tuple[float, dict[str, np.ndarray]]:
        """In evaluation mode the loss on these rows, all of them, and the outputs by name."""
        key = _count(rows), weights_among(rows)
        if key not in self._judged:
            trace, forward = self._forward(*key, training=False)
            nodes = {prediction_label(name): node for name, node in forward.predictions.items()}
            self._judged[key] = _Runner(Graph({LOSS: forward.loss, **nodes}), trace, self._executor)
        found = self._judged[key].run(parameters, rows)
        outputs = {name: found[prediction_label(name)] for name in self.goals.names_of_outputs}
        return float(found[LOSS]), outputs

    def _forward(self, batch: int, weights: Weights, training: bool) -> tuple[Trace, Forward]:
        with tracing(self.net.parameters, STEP_STATE if training else DRAW_STATE) as trace:
            trace.calm = True
            return trace, forward_of(self.net, self.goals, batch, weights, trace, training)


class _Runner:
    """A graph without updates, and what runs it."""

    def __init__(self, graph: Graph, trace: Trace, executor: Executor | None) -> None:
        self.graph, self.starts = graph, trace.starts
        self.inputs, self.states = leaf_types(graph)
        self._program: Program | None = None
        if numpy_seconds(graph) > PATIENCE_SECONDS:
            self._program = (executor or executors.default()).compile(graph, gather=False)

    def run(self, parameters: Snapshot, rows: Arrays) -> dict[str, np.ndarray]:
        """The outputs. States that are no parameters are what they are before the first step."""
        data = {label: rows[label] for label in self.inputs}
        state = State()
        for name, kind in self.states.items():
            state.add(name, kind, parameters.get(name, self.starts.get(name, 0)))
        if self._program is None:
            values = evaluate(self.graph, data, state.memory)
            return {name: values[node] for name, node in self.graph.outputs.items()}
        outputs = {name: np.empty(node.shape, node.dtype) for name, node in self.graph.outputs.items()}
        state.run(self._program, data, None, outputs, cores.wanted(None))
        return outputs


def numpy_seconds(graph: Graph) -> float:
    """About what NumPy takes for the graph."""
    return sum(_seconds(node) for node in graph.nodes() if node.inputs)


def _seconds(node: Node) -> float:
    if node.op.kind is Kind.CONTRACTION or isinstance(node.op, CONVOLUTIONS):
        return flops(node) / (PRODUCTS_OF_WINDOWS if isinstance(node.op, CONVOLUTIONS) else PRODUCTS) + 1 / NODES
    numbers = 0 if node.op.kind is Kind.VIEW else max(x.type.size for x in (node, *node.inputs))
    return numbers / NUMBERS + 1 / NODES


def _count(rows: Arrays) -> int:
    return len(next(iter(rows.values())))
