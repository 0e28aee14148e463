"""The base of all layers: parameters, naming, the symbolic call and the call on nodes."""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field
from functools import lru_cache
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg import config, constraints, initializers, ops, regularizers
from thalweg.checks import In, OneOf, check_fields, check_value
from thalweg.constraints import Projection
from thalweg.data.arrays import as_array
from thalweg.errors import ArgumentError, DTypeError, GraphError, ShapeError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes, scope
from thalweg.graph.types import DTYPES, FLOATS, TensorType
from thalweg.initializers import Initializer
from thalweg.registry import Registered, Registry
from thalweg.regularizers import Penalty

Shape = tuple[int, ...]
SymbolicShape = tuple[int | None, ...]

# Stands for the batch size while shapes are worked out. A prime that no layer's size is likely to be, so that a layer
# that mixes the samples of a batch shows.
TOKEN_BATCH = 8191

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
        return TensorType(self.shape, self.dtype)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def node(self) -> Node:
        """The state that stands for this parameter in the graph being traced."""
        return _current().node(self)

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
        self.training = False  # what the layer being called was told, which it passes on to those inside it
        self.frozen: Collection[Layer] | None = None  # as compile found them; None: as they say themselves
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


def _current() -> Trace:
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
def _told(training: bool | None) -> Iterator[bool]:
    """Whether a layer is called for training: as it is told, else as the layer is that calls it."""
    trace = _current()
    before = trace.training
    trace.training = before if training is None else training
    try:
        yield trace.training
    finally:
        trace.training = before


@contextmanager
def freezing(frozen: Collection[Layer] | None) -> Iterator[None]:
    """Layers called inside count as frozen if they are among these, whatever they say of themselves by now."""
    trace = _current()
    before, trace.frozen = trace.frozen, frozen
    try:
        yield
    finally:
        trace.frozen = before


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a layer on symbols.

    Arguments:
        training: True or False where the caller said so for good (``encoder(x, training=False)``); None to follow the
            step.
    """

    layer: Layer
    inputs: tuple[Symbol, ...]
    training: bool | None = None


@dataclass(frozen=True, eq=False)
class Symbol:
    """A tensor before there are numbers: what ``Input`` gives, and a layer called on symbols.

    Arguments:
        shape: as in Keras with the batch axis first, None where it is open: ``(None, 784)``.
        call: the layer call that made it; None for an input.
        index: which of that call's results.
        name: of an input; the model names those without.
    """

    shape: SymbolicShape
    dtype: str
    call: Call | None = None
    index: int = 0
    name: str | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    def type(self, batch: int) -> TensorType:
        """The type of this tensor for a batch of this size."""
        return TensorType((batch, *_sample_shape(self.shape)), self.dtype)


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
) -> Symbol:
    """Where data enter a model.

    Arguments:
        shape: of one sample, without the batch axis; ``()`` for one number a sample.
        batch_size: accepted; a model takes any batch size.
        dtype: of the data as they lie in memory; floatx unless given. ``"uint8"`` keeps images small until a layer
            (``Rescaling``) turns them into floats inside the compiled step.
        batch_shape: the batch size and ``shape`` in one.
        sparse, ragged, tensor, optional: Keras's, not there yet.

    Raises: ArgumentError if the shape is missing or open (None) on an axis.
    """
    if sparse or ragged or optional or tensor is not None:
        raise ArgumentError(
            "Input: sparse, ragged, optional and given tensors are not there yet",
            expected="dense inputs",
            got=f"sparse={sparse}, ragged={ragged}, optional={optional}, tensor={tensor!r}",
            fix="leave these arguments out",
        )
    if batch_shape is not None:
        batch_size, *rest = batch_shape
        shape = tuple(rest)
    sizes = check_value("Input", "shape", tuple[Annotated[int, In("[1, inf)")], ...], shape)
    return Symbol(
        (check_value("Input", "batch_size", int | None, batch_size), *sizes),
        check_value("Input", "dtype", Annotated[str, OneOf(*DTYPES)], dtype or config.floatx()),
        name=check_value("Input", "name", str | None, name),
    )


@dataclass(kw_only=True, eq=False)
class Layer(Registered):
    """A function of tensors that may keep parameters.

    A subclass is a dataclass (``@dataclass(eq=False)``: two layers are never the same one) whose fields are its
    arguments. It makes its parameters in ``build`` and computes in ``call``.

    Arguments:
        name: in the model and in every message. A model names layers without one after their class, ``"dense"``,
            ``"dense_1"``, counting within the model, so that the same program gives the same names however many
            models the process has built before.
        trainable: whether training changes the parameters; may be set later, before ``compile``, which goes by what
            it finds. Setting it sets it for all layers inside, as in Keras.
        dtype: in which the layer computes; floatx unless given. Floating point inputs are cast to it.
        input_shape: the older way to say ``Input(shape=input_shape)`` before the first layer of a Sequential.
    """

    name: str | None = None
    trainable: bool = True
    dtype: Annotated[str, OneOf(*FLOATS)] | None = None
    input_shape: tuple[Annotated[int, In("[1, inf)")], ...] | None = None

    autocast: ClassVar[bool] = True
    """Whether floating point inputs are cast to the layer's dtype before ``call``."""

    built: bool = field(default=False, init=False, repr=False)
    output_shape: SymbolicShape | None = field(default=None, init=False, repr=False)
    own_parameters: dict[str, Parameter] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value in vars(self).items():  # a mistyped name is reported here, not when the model is built
            if value is not None and name.endswith(("_regularizer", "_constraint")):
                (regularizers if name.endswith("_regularizer") else constraints).get(value)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "trainable":
            for layer in self.sublayers():
                layer.trainable = value

    # What a subclass writes. (The signatures here let a subclass name its inputs: ``call(self, x, training)``.)

    def build(self, *types: Any, **options: Any) -> None:
        """Make the parameters. Called once, with the type of each input; their first axis is the batch."""

    def call(self, *inputs: Any, **options: Any) -> Node | Nodes:
        """The result, or several, for one node per input.

        ``training``, a keyword, says whether this is for a training step; a layer that does not care may leave it out.
        """
        raise NotImplementedError(f"{type(self).__name__} has no call()")

    # What it uses.

    @property
    def compute_dtype(self) -> str:
        return self.dtype or config.floatx()

    def parameter(
        self,
        name: str,
        shape: Shape,
        initializer: str | Initializer = "zeros",
        trainable: bool = True,
        dtype: str | None = None,
    ) -> Parameter:
        """A new parameter of this layer; its node in the graph is ``parameter.node``.

        The fields ``<name>_regularizer`` and ``<name>_constraint`` of the layer, if it has them, are the parameter's.
        """
        regularizer, constraint = (getattr(self, f"{name}_{what}", None) for what in ("regularizer", "constraint"))
        new = Parameter(
            name,
            shape,
            dtype or self.compute_dtype,
            initializers.get(initializer),
            trainable,
            None if regularizer is None else regularizers.get(regularizer),
            None if constraint is None else constraints.get(constraint),
        )
        self.own_parameters[name] = new
        return new

    def add_weight(
        self,
        shape: Shape | None = None,
        initializer: str | Initializer = "glorot_uniform",
        dtype: str | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> Parameter:
        """``parameter`` under Keras's name and with its order of arguments; a weight without a name gets a number."""
        return self.parameter(name or f"weight_{len(self.own_parameters)}", shape or (), initializer, trainable, dtype)

    def update(self, parameter: Parameter, value: Node) -> None:
        """Let the step store ``value`` in a parameter that is not trained (a running mean)."""
        trace = _current()
        trace.updates[trace.path(parameter)] = value

    def latest(self, parameter: Parameter) -> Node:
        """What the step is going to store in a parameter so far: the last ``update``, else what it holds."""
        trace = _current()
        return trace.updates.get(trace.path(parameter), parameter.node)

    def mix(self, share: Node) -> None:
        """Let the loss count each sample's own target for ``share`` (batch,) and the next one's for the rest."""
        trace = _current()
        if trace.mixing is not None:
            raise GraphError(
                "samples are mixed twice",
                expected="one MixUp in a model",
                got="a second one, or a second use of it",
                fix="keep the first",
            )
        trace.mixing = share

    @property
    def learns(self) -> bool:
        """Inside ``call``: whether the step being made trains this layer."""
        frozen = _current().frozen
        return self.trainable if frozen is None else self not in frozen

    def random_key(self, seed: int | None = None) -> tuple[int, Node, Node]:
        """What the random operations want: ``ops.random_uniform(shape, *self.random_key())``.

        The numbers are others at each step and each draw. They depend on the model's seed (the state "random/seed"),
        the step ("random/step") and on where in the model this layer stands, or, where given, on ``seed`` in place
        of the last.
        """
        seed_node, step_node = (ops.state_node(name, (), "uint32") for name in (SEED_STATE, STEP_STATE))
        source = seed_node.layer if seed is None else f"seed {seed}"
        draw = _current().draw(f"{id(self)} {source}")
        return zlib.crc32(f"{source}/{draw}".encode()), seed_node, step_node

    # What models use.

    @property
    def label(self) -> str:
        """The name; before there is one, what the name will be made of."""
        return self.name or self.base_name()

    def base_name(self) -> str:
        """What a layer without a name is named after: its registered name, else its class's name in snake_case."""
        cls = type(self)
        for name, entry in registry.items():
            if entry is cls:
                return name
        return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(cls.__name__))

    @property
    def class_name(self) -> str:
        return type(self).__name__

    def __str__(self) -> str:
        """For messages: ``layer 'dense_2' (Dense)``."""
        return f"layer {self.label!r} ({self.class_name})"

    def sublayers(self) -> list[Layer]:
        """The layers inside this one: its attributes, and lists of layers among them."""
        found: list[Layer] = []
        for value in vars(self).values():
            items = value if isinstance(value, (list, tuple)) else [value]
            found += [item for item in items if isinstance(item, Layer)]
        return found

    def named_parameters(self, prefix: str = "", *, trainable_only: bool = False) -> dict[str, Parameter]:
        """Path -> parameter, ``prefix`` in front, own ones first; of a parameter reached twice the first path."""
        if trainable_only and not self.trainable:
            return {}
        found = {
            f"{prefix}{name}": parameter
            for name, parameter in self.own_parameters.items()
            if parameter.trainable or not trainable_only
        }
        inside = self.sublayers()
        name_layers(inside)
        for layer in inside:
            inner = layer.named_parameters(f"{prefix}{layer.label}/", trainable_only=trainable_only)
            found |= {path: p for path, p in inner.items() if p not in found.values()}
        return found

    def count_params(self) -> int:
        """How many numbers the parameters are."""
        return sum(math.prod(parameter.shape) for parameter in self.named_parameters().values())

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the parameters' values.

        Raises: GraphError if no model has made them yet.
        """
        return [_value(self, parameter).copy() for parameter in self.named_parameters().values()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Put values into the parameters.

        Raises: ShapeError or DTypeError if number, shapes or dtypes do not fit, before any is changed.
        """
        parameters = list(self.named_parameters().values())
        arrays = [as_array(array, f"weights[{number}]") for number, array in enumerate(weights)]
        if [array.shape for array in arrays] != [parameter.shape for parameter in parameters]:
            raise ShapeError(
                "these weights do not fit the layer",
                expected=f"{len(parameters)} arrays: {', '.join(str(p.shape) for p in parameters)}",
                got=f"{len(arrays)} arrays: {', '.join(str(array.shape) for array in arrays)}",
                fix="pass what get_weights() of an equal layer gives",
                layer=str(self),
            )
        for parameter, array in zip(parameters, arrays, strict=True):
            _value(self, parameter)[...] = array

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        """The types of the results for inputs of these types; builds the layer if nothing has.

        Raises: a ThalwegError naming this layer if the inputs do not fit.
        """
        with tracing():
            outputs = self(*(ops.input_node(f"input_{i}", t.shape, t.dtype) for i, t in enumerate(types)))
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        self.output_shape = (None, *results[0].shape[1:])
        return tuple(node.type for node in results)

    def __call__(self, *inputs: Any, training: bool | None = None) -> Any:
        """The layer on symbols (gives symbols), or, inside ``tracing``, on nodes (gives nodes).

        Several inputs may come as one list, as in Keras. Without ``training`` a layer follows the one that calls it.
        """
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            (inputs,) = inputs
        if inputs and all(isinstance(x, Node) for x in inputs):
            return self._on_nodes(tuple(inputs), training)
        if inputs and all(isinstance(x, Symbol) for x in inputs):
            return self._on_symbols(tuple(inputs), training)
        raise DTypeError(
            "a layer cannot be called on this",
            expected="what Input(...) or another layer gave",
            got=", ".join(type(x).__name__ for x in inputs) or "nothing",
            fix="put the layer into a model, and give arrays to model.predict()",
            layer=str(self),
        )

    def _on_nodes(self, inputs: Nodes, training: bool | None) -> Node | Nodes:
        with _told(training) as told, scope(self.label):
            here = ops.constant(0).layer
            try:
                if self.autocast:
                    inputs = tuple(ops.cast(x, self.compute_dtype) if x.type.is_float else x for x in inputs)
                if not self.built:
                    self.build(*(x.type for x in inputs))
                    self.built = True
                    if not self.trainable:
                        self.trainable = False  # of the layers inside too, now that they are there
                options = {"training": told} if _asks_for_training(type(self)) else {}
                results = self.call(*inputs, **options)
                regularizer = getattr(self, "activity_regularizer", None)
                if regularizer is not None:
                    penalty = regularizers.get(regularizer)
                    each = results if isinstance(results, tuple) else (results,)
                    _current().activities.extend((penalty, result) for result in each)
                return results
            except ThalwegError as error:
                if error.layer in (None, f"layer {here!r}"):
                    error.layer = str(self)
                raise

    def _on_symbols(self, inputs: tuple[Symbol, ...], training: bool | None) -> Symbol | tuple[Symbol, ...]:
        types = self.infer(*(x.type(TOKEN_BATCH) for x in inputs))
        for kind in types:
            if kind.shape[:1] != (TOKEN_BATCH,):
                raise ShapeError(
                    "the result has another batch axis than the input",
                    expected="a first axis with one entry for each sample",
                    got=f"shape {kind.shape} for a batch of {TOKEN_BATCH}",
                    fix="keep the first axis as it is; reduce and reshape the others only",
                    layer=str(self),
                )
        call = Call(self, inputs, training)
        symbols = tuple(Symbol((None, *t.shape[1:]), t.dtype, call, i) for i, t in enumerate(types))
        return symbols[0] if len(symbols) == 1 else symbols


registry: Registry[Layer] = Registry("layer", Layer)


def name_layers(layers: Iterable[Layer]) -> None:
    """Give every layer without a name one that no other of these has: ``dense``, ``dense_1`` ...

    Raises: ArgumentError if two layers have the same name already.
    """
    distinct = {id(layer): layer for layer in layers}.values()
    taken: dict[str, Layer] = {}
    for layer in distinct:
        if layer.name is not None and taken.setdefault(layer.name, layer) is not layer:
            raise ArgumentError(
                f"two layers of one model are called {layer.name!r}",
                expected="a name of its own for each layer",
                got=f"{layer.name!r} for a {type(taken[layer.name]).__name__} and a {type(layer).__name__}",
                fix=f"rename one of them: {type(layer).__name__}(..., name={layer.name + '_b'!r})",
                layer=str(layer),
            )
    for layer in distinct:
        if layer.name is None:
            base = layer.base_name()
            count = 0
            while (name := f"{base}_{count}" if count else base) in taken:
                count += 1
            layer.name = name
            taken[name] = layer


@lru_cache(maxsize=1024)
def _asks_for_training(cls: type[Layer]) -> bool:
    parameters = inspect.signature(cls.call).parameters
    return "training" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _sample_shape(shape: SymbolicShape) -> Shape:
    return tuple(n for n in shape[1:] if n is not None)


def _value(layer: Layer, parameter: Parameter) -> np.ndarray:
    if parameter.value is None:
        raise GraphError(
            f"the parameter {parameter.name!r} has no value yet",
            expected="a layer inside a model that is built",
            got="a layer that no model has given values",
            fix="put the layer into a model and call model.build() or model.fit() first",
            layer=str(layer),
        )
    return parameter.value
