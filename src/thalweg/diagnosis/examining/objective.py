"""The loss of some rows as a function of the trained parameters: its value, its gradient, its second derivatives."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from thalweg import ops
from thalweg.backprop import gradients
from thalweg.data.source import Arrays, Rows
from thalweg.diagnosis.examining.subject import Subject
from thalweg.executors.executor import Program
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.ops.leaf import State
from thalweg.optimizers import SGD
from thalweg.passes.precision import in_double
from thalweg.state import layout
from thalweg.state.names import STEP_STATE, parameter_state
from thalweg.training.goals import Goals
from thalweg.training.step import loss_of, training_step

__all__ = ["Objective"]

VALUE, SLOPE, PRODUCT, VECTOR, ALIKE = "loss", "slope", "product", "vector", "loss_alike"


class Objective:
    """In float64, layers as in a step of training; dropout draws the same numbers every time. Nothing is changed.

    Points and directions are vectors of all trained parameters, one after the other.

    Arguments:
        rows: all in one batch.

    Attributes:
        paths, shapes: of the trained parameters, in the order in which they stand in the vectors.
        here: the point where the model is.

    Raises: GraphError if the model trains nothing, or says itself what a step does.
    """

    def __init__(self, subject: Subject, rows: Rows) -> None:
        subject.require_plain()
        subject.require_trained()
        runner = subject.model.runner
        net, goals = runner.net(rows), subject.goals
        self.threads = subject.threads
        self.paths = [path for path in net.parameters if path in net.trainable]
        self.shapes = [net.parameters[path].shape for path in self.paths]
        self._executor = runner.executor
        self._graphs, self._programs = self._drawn(net, goals, rows), dict[str, tuple[Graph, Program]]()
        self._data = _doubled(rows.arrays)
        self._state = {name: _laid_out(a) for name, a in _doubled(subject.model.state.snapshot()).items()}
        self.here = self.joined([self._state[parameter_state(path)] for path in self.paths])

    def _drawn(self, net: Any, goals: Goals, rows: Rows) -> dict[str, Graph]:
        # The optimizer comes after the gradients and does not matter.
        step = training_step(net, goals, SGD(), rows.count, rows.weights)
        assert step.loss is not None, "a training step has a loss"
        found = {node.op.label: node for node in Graph({VALUE: step.loss}).nodes() if isinstance(node.op, State)}
        names = [parameter_state(path) for path in self.paths]
        kinds = [net.parameters[path].type for path in self.paths]
        nodes = [found.get(name, ops.state_node(name, k.shape, k.dtype)) for name, k in zip(names, kinds, strict=True)]
        vectors = [ops.input_node(f"{VECTOR}/{i}", kind.shape, kind.dtype) for i, kind in enumerate(kinds)]
        along = [ops.cast(ops.reduce_sum(g * v), "float64") for g, v in zip(step.gradients, vectors, strict=True)]
        products = gradients(sum(along[1:], along[0]), nodes)
        alike = _alike(goals, step.predictions, rows)
        return {
            VALUE: Graph({VALUE: step.loss}),
            SLOPE: Graph({VALUE: step.loss, **_numbered(SLOPE, step.gradients)}),
            PRODUCT: Graph(_numbered(PRODUCT, products)),
            ALIKE: Graph({ALIKE: alike}),
        }

    def on(self, rows: Rows, draw: int = 0) -> Self:
        """The same for other rows, of the same number.

        Arguments:
            draw: which random numbers dropout draws; others for each.
        """
        other = copy.copy(self)
        other._data = _doubled(rows.arrays)
        other._state = {**self._state, STEP_STATE: _laid_out(np.array(self._state[STEP_STATE] + np.uint32(draw)))}
        return other

    @property
    def size(self) -> int:
        """How many numbers are trained."""
        return len(self.here)

    # What is computed

    def loss(self, at: np.ndarray | None = None) -> float:
        """Of all rows, with what regularizers add."""
        return float(self._run(VALUE, at)[VALUE])

    def gradient(self, at: np.ndarray | None = None) -> np.ndarray:
        """Of the loss."""
        return self._joined(SLOPE, self._run(SLOPE, at))

    def product(self, vector: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
        """The Hessian times a vector."""
        given = {f"{VECTOR}/{i}": part for i, part in enumerate(self.parts(vector))}
        return self._joined(PRODUCT, self._run(PRODUCT, at, given))

    def loss_alike(self, at: np.ndarray | None = None) -> float:
        """What the loss would be if every row got the mean of all rows' predictions: the level of chance."""
        return float(self._run(ALIKE, at)[ALIKE])

    # Vectors

    def parts(self, vector: np.ndarray) -> list[np.ndarray]:
        """A vector cut into the parameters' shapes."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        pieces = np.split(vector, np.cumsum(sizes)[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def joined(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """The inverse."""
        return np.concatenate([np.ravel(part).astype(np.float64) for part in parts])

    def _joined(self, name: str, outputs: Arrays) -> np.ndarray:
        return self.joined([outputs[f"{name}/{i}"] for i in range(len(self.paths))])

    def _run(self, what: str, at: np.ndarray | None, given: Arrays | None = None) -> Arrays:
        if what not in self._programs:
            graph = in_double(self._graphs[what])
            self._programs[what] = graph, self._executor.compile(graph, gather=False)
        graph, program = self._programs[what]
        for path, part in zip(self.paths, self.parts(self.here if at is None else at), strict=True):
            self._state[parameter_state(path)][...] = part
        outputs = {name: np.empty(node.shape, node.dtype) for name, node in graph.outputs.items()}
        program.run(self._state, self._data | (given or {}), None, outputs, self.threads)
        return outputs


def _alike(goals: Goals, predictions: Sequence[Node], rows: Rows) -> Node:
    """The loss where every row gets the mean of the predictions."""
    given = dict(rows.weights)
    by_name = dict(zip(goals.names_of_outputs, predictions, strict=True))
    total: Node | None = None
    for goal in goals.trained:
        assert goal.loss is not None, "it is trained"
        kind, y_pred = goal.target(rows.count), by_name[goal.name]
        y_true = ops.input_node(goal.label, kind.shape, kind.dtype)
        shape = given.get(goal.weight_label)
        weight = None if shape is None else ops.input_node(goal.weight_label, (rows.count, *shape))
        mean = ops.broadcast_to(ops.reduce_mean(y_pred, 0, keepdims=True), y_pred.shape)
        part = ops.cast(loss_of(goal.loss, y_true, mean, weight, None), "float64") * goal.loss_weight
        total = part if total is None else total + part
    assert total is not None, "a model is trained for something"
    return total


def _numbered(name: str, nodes: Sequence[Node]) -> dict[str, Node]:
    return {f"{name}/{i}": node for i, node in enumerate(nodes)}


def _laid_out(array: np.ndarray) -> np.ndarray:
    """A copy that lies in memory as executors want states to."""
    laid_out = layout.empty(TensorType.of(array))
    laid_out[...] = array
    return laid_out


def _doubled(arrays: Arrays) -> Arrays:
    return {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in arrays.items()}
