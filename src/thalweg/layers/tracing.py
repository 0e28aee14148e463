"""What goes on while layers are called on nodes: their parameters become states of one graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from thalweg import config, ops
from thalweg.checks import check_value
from thalweg.constraints import Projection
from thalweg.data.arrays import require_finite
from thalweg.errors import ArgumentError, GraphError, ShapeError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes
from thalweg.graph.operators import Operators
from thalweg.graph.types import Shape, TensorType
from thalweg.initializers import Initializer
from thalweg.ops.literal import literal
from thalweg.regularizers import Penalty
from thalweg.state import Variable
from thalweg.state.names import STEP_STATE, parameter_state

__all__ = ["Parameter"]


class Lasting:
    """Operators of what lasts: those of its node while a graph is made, of its value at any other time.

    A subclass says what it is ``now``.
    """

    if TYPE_CHECKING:

        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...

    def now(self) -> Any:
        """The node, or the value."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it is now")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """NumPy asks before it would take the value for something that never changes, into the graph of a step."""
        operands = [x.now() if isinstance(x, Lasting) else x for x in inputs]
        nodes: list[Any] = [x for x in operands if isinstance(x, Node)]
        if nodes:
            return nodes[0].__array_ufunc__(ufunc, method, *operands, **options)
        return getattr(ufunc, method)(*operands, **options)


def _of_now(name: str) -> Any:
    def operator(x: Lasting, *others: Any) -> Any:
        return getattr(x.now(), name)(*(other.now() if isinstance(other, Lasting) else other for other in others))

    return operator


for _name in vars(Operators).keys() - {"__bool__", "__array_ufunc__", "__getitem__"}:
    if callable(getattr(Operators, _name)) and _name not in vars(object):
        setattr(Lasting, _name, _of_now(_name))


@dataclass(eq=False)
class Parameter(Lasting):
    """One array that a layer keeps: trained, or (``trainable=False``) kept without training.

    Arguments:
        name: within its layer, ``"kernel"``. The name within a model, ``"dense_1/kernel"``, is the model's affair: it
            comes from ``Layer.named_parameters`` and goes into ``tracing``.
        variable: the array, once a model has made it, or somebody asked for it. Models that share the layer share it.
        path: of the last model that was built with it, ``"dense_1/kernel"``.
    """

    name: str
    shape: Shape
    dtype: str
    initializer: Initializer
    trainable: bool = True
    regularizer: Penalty | None = None
    constraint: Projection | None = None
    variable: Variable | None = field(default=None, repr=False)
    path: str = field(default="", repr=False)

    @property
    def type(self) -> TensorType:
        """Its shape and dtype."""
        return TensorType(self.shape, self.dtype)

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def ndim(self) -> int:
        """``rank`` as Keras calls it."""
        return len(self.shape)

    @property
    def value(self) -> Any:
        """The node while a step is made, the array at any other time."""
        return self.now()

    @property
    def node(self) -> Node:
        """The state that stands for this parameter in the graph being traced."""
        return current_trace().node(self)

    def now(self) -> Any:
        return self.numpy() if tracing_now() is None else self.node

    def numpy(self) -> np.ndarray:
        """A copy of the value; its first one, if no model has made it yet."""
        return self._made().read()

    def assign(self, value: Any) -> None:
        """Put in another value: at once, or, while a step is made, each time that it runs.

        Raises: ShapeError; DataError for NaN or infinity.
        """
        trace = tracing_now()
        if trace is not None:
            trace.assign(self, value.now() if isinstance(value, Lasting) else value)
            return
        array, variable = np.asarray(value), self._made()
        if array.shape != self.shape:
            raise ShapeError(
                f"this value does not fit the parameter {self.name!r}",
                expected=str(self.shape),
                got=str(array.shape),
                fix="pass an array of the parameter's shape",
            )
        require_finite(array, f"the value for {self.name!r}")
        variable.write(array)

    def assign_add(self, value: Any) -> None:
        """Add to the value. Raises as ``assign``."""
        self.assign(self + value)

    def assign_sub(self, value: Any) -> None:
        """Take from the value. Raises as ``assign``."""
        self.assign(self - value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype)

    def _made(self) -> Variable:
        return self.variable or self.make(config.new_seed(), self.path)

    def make(self, seed: int, path: str) -> Variable:
        """The array, with its initial value if there is none yet; arguments as for ``initial``."""
        if self.variable is None:
            self.variable = Variable(self.type, self.initial(seed, path))
        return self.variable

    def initial(self, seed: int, path: str) -> np.ndarray:
        """The value to start from: a function of the model's seed and of the parameter's path in the model."""
        try:
            return self.initializer(self.shape, self.dtype, seed=seed, path=path)
        except ThalwegError as error:
            error.layer = f"layer {path.rpartition('/')[0]!r}"
            raise


def add_parameters(found: dict[str, Parameter], more: Mapping[str, Parameter]) -> None:
    """Add parameters by path to those found so far; of one that is there already the first path stays.

    Raises: ArgumentError if two parameters have the same path.
    """
    there = set(found.values())
    for path, parameter in more.items():
        if parameter in there:
            continue
        if path in found:
            raise ArgumentError(
                f"two weights of the model are called {path!r}",
                expected="a path of its own for each: the names of the layers that it is in, and its own name",
                got=f"{found[path].type} and {parameter.type}, made of names with slashes in them",
                fix="choose names without slashes for layers and weights",
            )
        found[path] = parameter


@dataclass(frozen=True)
class Activated:
    """An activation that was applied.

    Attributes:
        function: a function from node to node, or a layer.
        x: what it was applied to.
        layer: whose activation it is, by the name of its scope.
    """

    function: Any
    x: Node
    layer: str


class Trace:
    """What is collected while layers are called on nodes to make one graph. See ``tracing``."""

    def __init__(self, parameters: Mapping[str, Parameter] | None, counter: str) -> None:
        self.counter = counter  # the state that counts the steps, which random numbers are made of
        self.model: Any = None  # whose step it is, where a class of models says itself what a step does
        self.sums: str | None = None  # the level of the states in which metrics add up; None: nobody wants to know
        self.measured: dict[str, Any] = {}  # the metrics that were called, by their names among the sums
        self.starts: dict[str, Any] = {}  # what states are before the first step, where that is not 0
        self.losses: list[Node] = []  # what layers add to the loss: add_loss
        self.objectives: list[Node] = []  # losses whose gradients were asked for
        self.slopes: list[Node] = []  # these gradients
        self.owners: dict[int, str] = {}  # the names of optimizers among the states, by their id
        self.optimizers: dict[str, Any] = {}  # those that were used, by that name
        self.updates: dict[str, Node] = {}
        self.activities: list[tuple[Penalty, Node]] = []
        self.results: dict[
            object, list[Node | Nodes]
        ] = {}  # by layer, of each use; in the order in which they finished
        self.masks: dict[Node, Node] = {}  # which places of a result count: bool, of the first of its axes
        self.unmasked: dict[object, None] = {}  # layers that a mask came to, and did not come out of
        self.activated: dict[Node, Activated] = {}  # by what they gave, the activations
        self.calm = False  # whether layers leave alone what disturbs on purpose, and round no factors of products
        self.training = False  # what the layer being called was told, which it passes on to those inside it
        self.frozen: Collection[object] | None = None  # layers, as compile found them; None: as they say themselves
        self.mixing: Node | None = None  # how much of each sample is itself, the rest the next one's: see MixUp
        self._paths = None if parameters is None else {parameter: path for path, parameter in parameters.items()}
        self._nodes: dict[Parameter, Node] = {}
        self._versions: dict[Parameter, list[Node]] = {}
        self._read: dict[str, Node] = {}
        self._draws: dict[str, int] = {}

    @property
    def only_shapes(self) -> bool:
        """Whether the nodes are made only to see their types."""
        return self._paths is None

    def state(self, parameter: Parameter) -> str:
        """The name of the state that holds the parameter."""
        return parameter_state(self.path(parameter))

    def path(self, parameter: Parameter) -> str:
        """The parameter's name in the model."""
        if self._paths is None:
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
            self._use(parameter, ops.state_node(self.state(parameter), parameter.shape, parameter.dtype))
        return self._nodes[parameter]

    def _use(self, parameter: Parameter, node: Node) -> None:
        self._nodes[parameter] = node
        self._versions.setdefault(parameter, []).append(node)

    def versions(self, parameter: Parameter) -> list[Node]:
        """What has stood for a parameter so far: a step that changes it goes on with the new value."""
        self.node(parameter)
        return self._versions[parameter]

    def assign(self, parameter: Parameter, value: Any) -> None:
        """Let the step put another value into a parameter, which layers called from here on see.

        Raises: ShapeError if it does not fit.
        """
        node = as_node(value, parameter.dtype)
        if node.shape not in ((), parameter.shape):
            raise ShapeError(
                f"this value does not fit the parameter {parameter.name!r}",
                expected=str(parameter.shape),
                got=str(node.shape),
                fix="assign something of the parameter's shape",
            )
        node = ops.broadcast_to(node, parameter.shape)
        self.updates[self.state(parameter)] = node
        self._use(parameter, ops.stop_gradient(node))

    def latest(self, name: str, kind: TensorType, start: Any = 0) -> Node:
        """A state as this step has left it so far.

        Arguments:
            start: what it is before the first step.
        """
        if name in self.updates:
            return self.updates[name]
        if name not in self._read:
            self._read[name] = ops.state_node(name, kind.shape, kind.dtype)
            if np.any(start):
                self.starts[name] = start
        return self._read[name]

    def name_metric(self, metric: Any, wanted: str) -> str:
        """The name of a metric among the sums of the step: the wanted one, with a number if another one has it."""
        for name, known in self.measured.items():
            if known is metric:
                return name
        name, count = wanted, 1
        while name in self.measured:
            name, count = f"{wanted}_{count}", count + 1
        self.measured[name] = metric
        return name

    @property
    def drawn(self) -> bool:
        """Whether random numbers have been drawn."""
        return bool(self._draws)

    def draw(self, source: str) -> int:
        """A number for the next random draw of ``source``: a layer that is called twice draws twice."""
        self._draws[source] = self._draws.get(source, -1) + 1
        return self._draws[source]

    @contextmanager
    def masking(self, masks: Mapping[Node, Node | None]) -> Iterator[None]:
        """These nodes have these masks inside."""
        before = {node: self.masks.get(node) for node in masks}
        self._mask(masks)
        try:
            yield
        finally:
            self._mask(before)

    def _mask(self, masks: Mapping[Node, Node | None]) -> None:
        for node, mask in masks.items():
            if mask is None:
                self.masks.pop(node, None)
            else:
                self.masks[node] = mask


_trace: ContextVar[Trace] = ContextVar("thalweg_trace")


@contextmanager
def tracing(parameters: Mapping[str, Parameter] | None = None, counter: str = STEP_STATE) -> Iterator[Trace]:
    """Layers called inside make nodes of one graph.

    Arguments:
        parameters: path -> parameter, as ``named_parameters`` of the model gives it: it names the states. Without,
            parameters get throw-away names, which is enough to work out shapes.
        counter: the name of the state that counts the steps: random numbers are others with each.

    Gives the ``Trace``: its ``updates`` are the new values of states that layers update themselves (name -> node), its
    ``activities`` the results of layers that have an activity regularizer, with that.
    """
    trace = Trace(parameters, counter)
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def mask_of(x: Node) -> Node | None:
    """Which places of a layer's result count; None where all do. See docs/shapes.md."""
    trace = _trace.get(None)
    return None if trace is None else trace.masks.get(x)


def set_mask(x: Node, mask: Node | None) -> None:
    """Let only these places of a result count; inside ``tracing``."""
    if mask is not None:
        current_trace().masks[x] = mask


def as_node(value: Any, dtype: str) -> Node:
    """A node as it is, or a number or array, as a node of this dtype."""
    if isinstance(value, Lasting):
        value = value.now()
    return ops.cast(value, dtype) if isinstance(value, Node) else literal(np.asarray(value), dtype)


def tracing_now() -> Trace | None:
    """The trace that layers are called in; None outside of one."""
    return _trace.get(None)


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


def told_in_words(owner: str, training: Any) -> bool | None:
    """What ``training=`` says: True, False, None for what the caller is told, and older programs' 1 and 0.

    Raises: ArgumentError for anything else.
    """
    if training is None or training is True or training is False:
        return training
    return bool(check_value(owner, "training", bool | Literal[0, 1] | None, training))


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
