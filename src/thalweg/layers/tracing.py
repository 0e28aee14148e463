"""What goes on while layers are called on nodes: their parameters become states of one graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from typing import Any

import numpy as np

from thalweg import ops
from thalweg.constraints import Projection
from thalweg.errors import GraphError, ShapeError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes
from thalweg.graph.types import TensorType
from thalweg.initializers import Initializer, Shape
from thalweg.regularizers import Penalty

__all__ = ["Parameter"]

SEED_STATE = "random/seed"
STEP_STATE = "random/step"


@dataclass(eq=False)
class Parameter:
    """One array that a layer keeps: trained, or (``trainable=False``) kept without training.

    Arguments:
        name: within its layer, ``"kernel"``. The name within a model, ``"dense_1/kernel"``, is the model's affair: it
            comes from ``Layer.named_parameters`` and goes into ``tracing``.
        value: the array, once a model has made it. Models that share the layer share the array.
    """

    name: str
    shape: Shape
    dtype: str
    initializer: Initializer
    trainable: bool = True
    regularizer: Penalty | None = None
    constraint: Projection | None = None
    value: np.ndarray | None = field(default=None, repr=False)

    @property
    def type(self) -> TensorType:
        """Its shape and dtype."""
        return TensorType(self.shape, self.dtype)

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def node(self) -> Node:
        """The state that stands for this parameter in the graph being traced."""
        return current_trace().node(self)

    def numpy(self) -> np.ndarray:
        """A copy of the value. Raises: GraphError if no model has made it yet."""
        return self._made().copy()

    def assign(self, value: Any) -> None:
        """Put in another value. Raises: ShapeError, or GraphError if no model has made it yet."""
        array, mine = np.asarray(value), self._made()
        if array.shape != mine.shape:
            raise ShapeError(
                f"this value does not fit the parameter {self.name!r}",
                expected=str(mine.shape),
                got=str(array.shape),
                fix="pass an array of the parameter's shape",
            )
        mine[...] = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._made(), dtype)

    def _made(self) -> np.ndarray:
        if self.value is None:
            raise GraphError(
                f"the parameter {self.name!r} has no value yet",
                expected="a layer inside a model that is built",
                got="a layer that no model has given values",
                fix="put the layer into a model and call model.build() or model.fit() first",
            )
        return self.value

    def initial(self, seed: int, path: str) -> np.ndarray:
        """The value to start from: a function of the model's seed and of the parameter's path in the model."""
        try:
            return self.initializer(self.shape, self.dtype, seed=seed, path=path)
        except ThalwegError as error:
            error.layer = f"layer {path.rpartition('/')[0]!r}"
            raise


class Trace:
    """What is collected while layers are called on nodes to make one graph. See ``tracing``."""

    def __init__(self, parameters: Mapping[str, Parameter] | None) -> None:
        self.updates: dict[str, Node] = {}
        self.activities: list[tuple[Penalty, Node]] = []
        self.results: dict[
            object, list[Node | Nodes]
        ] = {}  # by layer, of each use; in the order in which they finished
        self.training = False  # what the layer being called was told, which it passes on to those inside it
        self.frozen: Collection[object] | None = None  # layers, as compile found them; None: as they say themselves
        self.mixing: Node | None = None  # how much of each sample is itself, the rest the next one's: see MixUp
        self._paths = None if parameters is None else {parameter: path for path, parameter in parameters.items()}
        self._nodes: dict[Parameter, Node] = {}
        self._draws: dict[str, int] = {}

    def path(self, parameter: Parameter) -> str:
        """The parameter's name in the model."""
        if self._paths is None:  # only shapes are wanted
            return f"{id(parameter)}/{parameter.name}"
        if parameter not in self._paths:
            raise GraphError(
                f"the parameter {parameter.name!r} belongs to no layer of this model",
                expected="parameters of the model's own layers",
                got=f"{parameter.name!r} {parameter.type}",
                fix="make parameters with self.parameter() in build, and keep inner layers as attributes",
            )
        return self._paths[parameter]

    def node(self, parameter: Parameter) -> Node:
        """The state that stands for a parameter: for one parameter always the same."""
        if parameter not in self._nodes:
            self._nodes[parameter] = ops.state_node(self.path(parameter), parameter.shape, parameter.dtype)
        return self._nodes[parameter]

    def draw(self, source: str) -> int:
        """A number for the next random draw of ``source``: a layer that is called twice draws twice."""
        self._draws[source] = self._draws.get(source, -1) + 1
        return self._draws[source]


_trace: ContextVar[Trace] = ContextVar("thalweg_trace")


@contextmanager
def tracing(parameters: Mapping[str, Parameter] | None = None) -> Iterator[Trace]:
    """Layers called inside make nodes of one graph.

    Arguments:
        parameters: path -> parameter, as ``named_parameters`` of the model gives it: the names of the states. Without,
            parameters get throw-away names, which is enough to work out shapes.

    Gives the ``Trace``: its ``updates`` are the new values of states that layers update themselves (path -> node), its
    ``activities`` the results of layers that have an activity regularizer, with that.
    """
    trace = Trace(parameters)
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def current_trace() -> Trace:
    """The trace that layers are called in. Raises GraphError outside of one."""
    trace = _trace.get(None)
    if trace is None:
        raise GraphError(
            "a layer is used outside of a model: its parameters have no values here",
            expected="a layer in a model, or in the call of another layer",
            got="a layer called on nodes of the graph, as in compile_function or grad",
            fix="put it into a model; in a function of arrays take the weights as arguments and use thalweg.ops",
        )
    return trace


@contextmanager
def told_training(training: bool | None) -> Iterator[bool]:
    """Whether a layer is called for training: as it is told, else as the layer is that calls it."""
    trace = current_trace()
    before = trace.training
    trace.training = before if training is None else training
    try:
        yield trace.training
    finally:
        trace.training = before


@contextmanager
def freezing(frozen: Collection[object] | None) -> Iterator[None]:
    """Layers called inside count as frozen if they are among these, whatever they say of themselves by now."""
    trace = current_trace()
    before, trace.frozen = trace.frozen, frozen
    try:
        yield
    finally:
        trace.frozen = before
