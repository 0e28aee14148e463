"""The base of all layers: their parameters and names, and what calling them on symbols or nodes does."""

from __future__ import annotations

import math
import re
import weakref
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from itertools import chain, count
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import numpy as np

from thalweg import config, constraints, dtype_policies, initializers, memory, ops, regularizers
from thalweg.checks import Count, OneOf, WholeNumber, check_fields, check_value, checked
from thalweg.data.arrays import as_array, require_finite
from thalweg.dtype_policies import DTypePolicy
from thalweg.errors import ArgumentError, DTypeError, GraphError, ShapeError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes, scope
from thalweg.graph.types import DTYPES, FLOATS, OpenSize, Shape, TensorType
from thalweg.initializers import Filling, Given
from thalweg.layers.masks import Masks, mask_results
from thalweg.layers.signature import (
    PLAIN,
    Arguments,
    SymbolicShape,
    arranged,
    build_with,
    builder,
    require_tensors,
    shapes_as_types,
    signature_of,
    symbolic,
)
from thalweg.layers.spec import check_inputs
from thalweg.layers.tracing import (
    Parameter,
    add_parameters,
    current_trace,
    mask_of,
    set_mask,
    told_in_words,
    told_training,
    tracing,
    tracing_now,
)
from thalweg.layers.variable import Variable
from thalweg.ops.contraction import products_in
from thalweg.registry import NOT_DESCRIBED, Registered, Registry
from thalweg.spelling import MADE_WITH
from thalweg.state.names import SEED_STATE, STEP_STATE
from thalweg.trees import TreeForm, flatten, unflatten

__all__ = ["Layer", "registry"]

DEPENDS_ON_DATA = "the shape of a weight depends on an axis that is open"
"""The problem with a layer that is called on an open axis and wants to know its size."""


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
        dtype: in which the layer computes, or a policy, ``"mixed_bfloat16"`` (``dtype_policies``), as a name or an
            object; ``config.dtype_policy()`` unless given. Of a layer it is that of its weights, and floating point
            inputs are cast to it.
        input_shape: the older way to say ``Input(shape=input_shape)`` before the first layer of a Sequential; a
            number for one axis.
        initial_weights: what the parameters start from, as ``set_weights`` takes them; ``weights=`` in older programs.
            They are no part of the layer's description.
    """

    name: str | None = None
    trainable: bool = True
    dtype: Annotated[str, OneOf(*dtype_policies.NAMES)] | None = None  # kept is the policy's name, see below
    input_shape: tuple[Count | None, ...] | Count | None = None
    initial_weights: Any = field(default=None, repr=False, metadata=NOT_DESCRIBED)

    autocast: ClassVar[bool] = True
    """Whether floating point inputs are cast to the layer's dtype before ``call``."""
    takes_whole_numbers: ClassVar[bool] = False
    """Whether inputs are numbers of categories, which must not be rounded."""
    multiplies: ClassVar[bool] = True
    """Whether it may compute by a policy: not where what comes out are numbers of words and the like."""
    disturbs: ClassVar[bool] = False
    """Whether what it does in training is noise that keeps a network from learning by heart; a probe leaves it out."""
    supports_masking: ClassVar[bool] = False
    """Whether a mask of the input is one of the result too (see ``compute_mask``); a layer may set it for itself."""
    if not TYPE_CHECKING:  # which would take it for the type that layers' own fields have
        activity_regularizer = None

    built: bool = field(default=False, init=False, repr=False)
    output_shape: SymbolicShape | None = field(default=None, init=False, repr=False)
    input_spec: Any = field(default=None, init=False, repr=False)  # an InputSpec, or a list of one for each input
    own_parameters: dict[str, Parameter] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.dtype is None:
            self.dtype = config.dtype_policy().name if self.multiplies else config.floatx()
        elif not self.multiplies and self.dtype_policy.precision is not None:
            raise ArgumentError(
                "the layer multiplies nothing that a policy could round",
                expected=f"dtype= one of {', '.join(map(repr, FLOATS))}",
                got=f"dtype={self.dtype_policy.name!r}",
                fix="leave dtype= out; the layers after this one can have the policy",
                layer=str(self),
            )
        if isinstance(self.input_shape, int):
            self.input_shape = (self.input_shape,)
        kinds = {"_initializer": initializers, "_regularizer": regularizers, "_constraint": constraints}
        for name, value in vars(self).items():  # a mistyped name is reported here, not when the model is built
            for ending, kind in kinds.items():
                if value is not None and name.endswith(ending):
                    kind.get(value)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in vars(cls):
            cls.build = builder(cls.build, Layer._become_built)  # type: ignore[method-assign]
        if "compute_mask" in vars(cls) and "supports_masking" not in vars(cls):
            cls.supports_masking = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trainable":
            value = check_value(type(self).__name__, name, bool, value)
        super().__setattr__(name, value)
        if isinstance(value, Variable) and not value.is_kept:
            self.keep(value, name)
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

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the result, for the first argument of a call and its mask, nested alike; None for none.

        Asked of layers that support masking only; without being written anew the mask that comes in.
        """
        return previous_mask

    # What it uses.

    @property
    def dtype_policy(self) -> DTypePolicy:
        """In which format the layer multiplies, and in which it keeps."""
        return DTypePolicy(vars(self)["dtype"])

    @property
    def compute_dtype(self) -> str:
        """The dtype of the tensors that the layer works on; its products may have a shorter one (``dtype_policy``)."""
        return self.dtype or config.floatx()

    def parameter(
        self,
        name: str,
        shape: Shape,
        initializer: str | Filling = "zeros",
        trainable: bool = True,
        dtype: str | None = None,
        arguments: str | None = None,
    ) -> Parameter:
        """A new parameter of this layer; its node in the graph is ``parameter.node``.

        The fields ``<name>_regularizer`` and ``<name>_constraint`` of the layer, if it has them, are the parameter's.

        Arguments:
            initializer: None for ``"glorot_uniform"``, as in Keras.
            arguments: what these fields are called after in place of the name.

        Raises: ShapeError if the shape depends on an axis of the input that is open.
        """
        prefix = arguments or name
        regularizer, constraint = (getattr(self, f"{prefix}_{what}", None) for what in ("regularizer", "constraint"))
        return self._keep(name, shape, initializer, trainable, dtype, regularizer, constraint)

    def _keep(
        self,
        name: str,
        shape: Shape,
        initializer: str | Filling,
        trainable: bool,
        dtype: str | None,
        regularizer: Any,
        constraint: Any,
    ) -> Parameter:
        if any(size is None or isinstance(size, OpenSize) for size in shape):
            raise ShapeError(
                DEPENDS_ON_DATA,
                expected=f"sizes for {name!r} that are the same for all data",
                got=f"shape {symbolic(shape)}",
                fix="give the Input this size, or reduce the axis first, as GlobalAveragePooling2D() does",
            )
        kind = TensorType(tuple(shape), dtype or self.compute_dtype)
        memory.require(kind.nbytes, f"the parameter {name!r}", lambda: f"its shape is {kind.shape}", str(self))
        new = Parameter(
            name,
            shape,
            dtype or self.compute_dtype,
            initializers.get("glorot_uniform" if initializer is None else initializer),
            trainable,
            None if regularizer is None else regularizers.get(regularizer),
            None if constraint is None else constraints.get(constraint),
            path=f"{self.label}/{name}",
        )
        self.own_parameters[name] = new
        return new

    def keep(self, weight: Variable, name: str) -> None:
        """Have a weight that nobody had, under its own name or else this one; a number makes it one of its own."""
        weight.name = self._free_name(weight.name or name)
        weight.path = f"{self.label}/{weight.name}"
        weight.is_kept = True
        self.own_parameters[weight.name] = weight

    def _free_name(self, name: str | None) -> str:
        """The name, with a number behind it if there is a weight of that name; for no name the next "weight_0"."""
        numbered = (f"{name or 'weight'}_{number}" for number in count(0 if name is None else 1))
        names = numbered if name is None else chain((name,), numbered)
        return next(own for own in names if own not in self.own_parameters)

    def add_weight(
        self,
        *given: Any,
        shape: Sequence[int] | None = None,
        initializer: str | Filling = None,
        dtype: str | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Parameter:
        """A weight of this layer, with Keras's arguments: an operand in ``call``, an array (``numpy()``) outside.

        Arguments:
            given: shape, initializer and dtype by their places; the name in front, as in Keras 2.
            shape: ``()``, one number, unless given.
            initializer: ``"glorot_uniform"``, or zeros for whole numbers, unless given.
            autocast, aggregation, overwrite_with_gradient: accepted; there is one process, and no float8.

        Raises: ArgumentError for a shape that is none; ShapeError if it depends on an axis of the input that is open.
        """
        if given and isinstance(given[0], str):
            name, given = name or given[0], given[1:]
        by_place = dict(zip(("shape", "initializer", "dtype"), given, strict=False))
        shape = by_place.get("shape", shape)
        sizes = check_value(str(self), "shape", tuple[WholeNumber | None, ...], () if shape is None else shape)
        dtype = by_place.get("dtype", dtype) or self.compute_dtype
        dtype = check_value(str(self), "dtype", Annotated[str, OneOf(*DTYPES)], dtype)
        initializer = by_place.get("initializer", initializer)
        if initializer is None:
            initializer = "glorot_uniform" if dtype in FLOATS else "zeros"
        return self._keep(self._free_name(name), sizes, initializer, trainable, dtype, regularizer, constraint)

    def update(self, parameter: Parameter, value: Node) -> None:
        """Let the step store ``value`` in a parameter that is not trained (a running mean)."""
        trace = current_trace()
        trace.updates[trace.state(parameter)] = value

    def latest(self, parameter: Parameter) -> Node:
        """What the step is going to store in a parameter so far: the last ``update``, else what it holds."""
        trace = current_trace()
        return trace.updates.get(trace.state(parameter), parameter.node)

    def add_loss(self, loss: Any) -> None:
        """Inside ``call``: add a tensor's numbers to the loss, as in Keras; a batch's mean has to be taken first.

        Raises: GraphError for what is no tensor of the step.
        """
        add_loss(loss, str(self))

    def add_metric(self, *arguments: Any, **options: Any) -> None:
        """Raises GraphError: Keras 3 has it no more, and says what to do instead."""
        refuse_add_metric(str(self))

    @property
    def losses(self) -> list[Any]:
        """What ``add_loss`` of all layers called so far has added; inside a step only."""
        trace = tracing_now()
        return [] if trace is None else list(trace.losses)

    def mix(self, share: Node) -> None:
        """Let the loss count each sample's own target for ``share`` (batch,) and the next one's for the rest."""
        trace = current_trace()
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
        frozen = current_trace().frozen
        return self.trainable if frozen is None else self not in frozen

    def random_key(self, seed: int | None = None) -> tuple[int, Node, Node]:
        """What the random operations want: ``ops.random_uniform(shape, *self.random_key())``.

        The numbers are others at each step and each draw. They depend on the model's seed (the state "random/seed"),
        the step ("random/step", outside of training "random/draw") and on where in the model this layer stands, or,
        where given, on ``seed`` in place of the last.
        """
        trace = current_trace()
        seed_node, step_node = (ops.state_node(name, (), "uint32") for name in (SEED_STATE, trace.counter))
        source = seed_node.layer if seed is None else f"seed {seed}"
        draw = trace.draw(f"{id(self)} {source}")
        stream = f"{source}/{draw}" if trace.counter == STEP_STATE else f"{trace.counter}/{source}/{draw}"
        return zlib.crc32(stream.encode()), seed_node, step_node

    # What models use.

    @property
    def label(self) -> str:
        """The name; before there is one, what the name will be made of."""
        return self.name or self.base_name()

    def base_name(self) -> str:
        """What a layer without a name is named after: its registered name, if that is one for layers, else its class's
        name in snake_case as in Keras, ``mlp_block`` for MLPBlock.
        """
        registered = registry.first_name(type(self)) or ""
        if registered.isidentifier() and registered.islower():
            return registered
        parts = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(self).__name__)
        return re.sub(r"([a-z])([A-Z])", r"\1_\2", parts).lower()

    @property
    def class_name(self) -> str:
        """The name of the layer's class, for messages and summaries."""
        return type(self).__name__

    def __str__(self) -> str:
        """For messages: ``layer 'dense_2' (Dense)``."""
        return f"layer {self.label!r} ({self.class_name})"

    def sublayers(self) -> list[Layer]:
        """The layers inside this one: its attributes, and those in lists and mappings among them."""
        return layers_among(value for name, value in vars(self).items() if name != MADE_WITH)

    def named_parameters(self, prefix: str = "", *, trainable_only: bool = False) -> dict[str, Parameter]:
        """Path -> parameter, ``prefix`` in front, own ones first; of a parameter reached twice the first path."""
        if trainable_only and not self.trainable:
            return {}
        parameters = {
            f"{prefix}{name}": parameter
            for name, parameter in self.own_parameters.items()
            if parameter.trainable or not trainable_only
        }
        inside = self.sublayers()
        name_layers(inside)
        for layer in inside:
            add_parameters(parameters, layer.named_parameters(f"{prefix}{layer.label}/", trainable_only=trainable_only))
        return parameters

    @property
    def weights(self) -> list[Parameter]:
        """All parameters; ``.numpy()`` gives the value of one, ``.assign(array)`` changes it."""
        return list(self.named_parameters().values())

    @property
    def trainable_weights(self) -> list[Parameter]:
        """The parameters that training changes, those of layers inside included."""
        return list(self.named_parameters(trainable_only=True).values())

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        """The others: frozen ones, and those that are kept rather than trained."""
        trained = self.trainable_weights
        return [parameter for parameter in self.weights if parameter not in trained]

    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights
    """The same under the names that Keras has for them, too."""

    def compute_output_shape(self, *input_shapes: Any, **named: Any) -> Any:
        """The shapes of the results for inputs of these shapes, batch axis included; builds the layer if nothing has.

        Raises: a ThalwegError if the inputs do not fit.
        """
        given = tuple(shapes_as_types(part, self.compute_dtype) for part in input_shapes)
        inputs = {name: shapes_as_types(part, self.compute_dtype) for name, part in named.items()}
        types, arguments = arranged(self, given, inputs, TensorType)
        outcome = self.outcome(types, arguments)
        return unflatten(outcome.form, iter([symbolic(kind.shape) for kind in outcome.types]))

    def compute_output_spec(self, *inputs: Any, **named: Any) -> Any:
        """The symbols that the layer gives for symbols."""
        return self(*inputs, **named)

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights, which is that of what is computed."""
        return self.compute_dtype

    @property
    def input(self) -> Any:
        """The symbol that the layer was called on; a list of several. Raises as ``output``."""
        inputs = self.output.call.inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> Any:
        """The symbol that the layer gave: ``Model(model.input, model.get_layer("dense").output)``.

        Raises: GraphError if it was called on no symbols, or more than once.
        """
        results = uses(self)
        if len(results) != 1:
            raise GraphError(
                "a layer has an input and an output where it is used once between symbols",
                expected="one use in a functional model or a Sequential",
                got=f"{len(results)} uses",
                fix="keep the symbol that the call gives: y = layer(x)"
                if results
                else "build the model first; layers inside of layers and of classes of models have none",
                layer=str(self),
            )
        return results[0]

    def count_params(self) -> int:
        """How many numbers the parameters are."""
        return sum(math.prod(parameter.shape) for parameter in self.named_parameters().values())

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the parameters' values; none before the layer is built."""
        return [parameter.numpy() for parameter in self.named_parameters().values()]

    @checked
    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put values into the parameters.

        Raises: ShapeError or DTypeError if number, shapes or dtypes do not fit, before any is changed.
        """
        for parameter, array in self._values_for_parameters(weights).items():
            parameter.assign(array)

    def _start_from(self, weights: Any) -> None:
        """Let the parameters, which have just been made, start from these: a list, or the only array. Raises as
        ``set_weights``.
        """
        given = weights if isinstance(weights, list | tuple) else [weights]
        for parameter, array in self._values_for_parameters(given).items():
            parameter.initializer = Given(array)

    def _values_for_parameters(self, weights: Sequence[Any]) -> dict[Parameter, np.ndarray]:
        """Raises ShapeError, DTypeError or DataError if number, shapes or numbers do not fit."""
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
            require_finite(array, f"the value for {parameter.name!r}")
        return dict(zip(parameters, arrays, strict=True))

    def infer(self, *types: TensorType) -> tuple[TensorType, ...]:
        """The types of the results for inputs of these types; builds the layer if nothing has.

        Raises: a ThalwegError naming this layer if the inputs do not fit.
        """
        return self.outcome(types).types

    def outcome(
        self,
        types: Sequence[TensorType],
        arguments: Arguments = PLAIN,
        masks: Sequence[TensorType | None] | None = None,
    ) -> Outcome:
        """What comes out for inputs of these types, with masks of those. Raises as ``infer``."""
        nodes = tuple(ops.input_node(f"input_{i}", t.shape, t.dtype) for i, t in enumerate(types))
        with tracing() as trace:
            for i, (node, mask) in enumerate(zip(nodes, masks or [None] * len(nodes), strict=True)):
                set_mask(node, None if mask is None else ops.input_node(f"mask_{i}", mask.shape, mask.dtype))
            leaves, form = flatten(self.on_nodes(nodes, None, arguments))
            found = [mask_of(node) for node in leaves]
        types_of_masks = tuple(None if mask is None else mask.type for mask in found)
        return Outcome(tuple(node.type for node in leaves), form, types_of_masks, tuple(trace.unmasked))

    def __call__(self, *inputs: Any, training: bool | None = None, **options: Any) -> Any:
        """The layer on symbols gives symbols, on arrays arrays, and, inside ``tracing``, on nodes nodes.

        Inputs may be nested in lists and mappings, as ``call`` wants them; see ``thalweg.layers.signature``. Without
        ``training`` a layer follows the one that calls it. ``mask=`` says which places of the first input count, in
        place of what came with it.
        """
        if "mask" in options and options["mask"] is None:
            del options["mask"]
        tensors, arguments = arranged(self, inputs, options, (Node, *_stand_ins))
        if "training" in arguments.options:
            training = arguments.options["training"]
        training = told_in_words(str(self), training)
        if tensors and all(isinstance(x, Node) for x in tensors):
            return self.on_nodes(tuple(tensors), training, arguments)
        use = next((use for kind, use in _stand_ins.items() if tensors and isinstance(tensors[0], kind)), None)
        if use is not None and len({type(x) for x in tensors}) == 1:
            return use(self, tuple(tensors), training, arguments)
        raise DTypeError(
            "a layer cannot be called on this",
            expected="what Input(...) or another layer gave, or arrays",
            got=", ".join(type(x).__name__ for x in tensors) or "nothing",
            fix="put the layer into a model, and give data to model.predict()",
            layer=str(self),
        )

    def on_nodes(self, inputs: Nodes, training: bool | None, arguments: Arguments = PLAIN) -> Any:
        """What ``call`` gives for nodes, inside ``tracing``; builds the layer if nothing has."""
        trace, wanted = current_trace(), signature_of(type(self))
        precision = None if trace.calm else self.dtype_policy.precision
        with told_training(training) as told, scope(self.label), products_in(precision):
            here = ops.constant(0).layer
            try:
                if self.autocast:
                    inputs = tuple(self._cast(x) if x.type.is_float else x for x in inputs)
                if self.input_spec is not None:
                    check_inputs(self.input_spec, [x.type for x in inputs])
                positional, named = arguments.of(inputs)
                given = named.pop("mask", None)
                if not self.built:
                    kinds, named_kinds = arguments.of(x.type for x in inputs)
                    named_kinds.pop("mask", None)
                    build_with(self, kinds, named_kinds)
                    self._become_built()
                first = list(positional) if wanted.listed else (*positional, *named.values())[0]
                masks = Masks.of(first, given)
                options = {**named, **arguments.options, **self._told(told, masks, positional, named)}
                with trace.masking(dict(zip(masks.tensors, masks.each, strict=True))):
                    leaves, form = flatten(self.call(*positional, **options))
                leaves = [leaf.node if isinstance(leaf, Parameter) else leaf for leaf in leaves]
                require_tensors(leaves, str(self))
                results = unflatten(form, iter(leaves))
                if not self.supports_masking and masks.there:
                    results = masks.apart(results)
                leaves, _ = flatten(results)
                self._pass_masks_on(first, masks, leaves)
                if trace.only_shapes:
                    self.output_shape = (None, *symbolic(leaves[0].shape[1:]))
                regularizer = getattr(self, "activity_regularizer", None)
                if regularizer is not None:
                    penalty = regularizers.get(regularizer)
                    trace.activities.extend((penalty, leaf) for leaf in leaves)
                kept = leaves[0] if len(leaves) == 1 else tuple(leaves)
                trace.results.setdefault(self, []).append(kept)
                return results
            except ThalwegError as error:
                if error.layer in (None, f"layer {here!r}"):
                    error.layer = str(self)
                raise

    def _told(self, training: bool, masks: Masks, positional: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """What ``call`` asks for besides the inputs: ``training``, the mask of the first input, masks of others."""
        wanted = signature_of(type(self))
        inputs = {**dict(zip(wanted.names, positional, strict=False)), **named}
        asked = [name for name in wanted.masks if name in inputs and f"{name}_mask" not in inputs]
        told = {f"{name}_mask": Masks.of(inputs[name]).nested for name in asked}
        told |= {"training": training and not (self.disturbs and current_trace().calm)} if wanted.training else {}
        return told | ({"mask": masks.nested} if wanted.mask else {})

    def _cast(self, x: Node) -> Node:
        """In the layer's dtype, with the mask that it has."""
        y = ops.cast(x, self.compute_dtype)
        set_mask(y, mask_of(x))
        return y

    def _pass_masks_on(self, first: Any, masks: Masks, leaves: list[Node]) -> None:
        """Give the results their masks, where layers inside have not done so."""
        trace = current_trace()
        if not self.supports_masking:
            if masks.there and all(mask_of(node) is None for node in leaves):
                trace.unmasked[self] = None
        elif any(mask_of(node) is None for node in leaves):
            mask_results(leaves, self.compute_mask(first, masks.nested))

    def _become_built(self) -> None:
        """Once the parameters are there, those of layers inside too."""
        self.built = True
        if self.initial_weights is not None:
            self._start_from(self.initial_weights)
            self.initial_weights = None
        if not self.trainable:
            self.trainable = False

    def require_ready(self) -> None:
        """Raise what keeps a layer that has its parameters from running: something that it should have learned."""

    def takes_missing(self, place: int) -> bool:
        """Whether an input, by its place among them, may have gaps (NaN), because the layer knows what to do there."""
        return False

    def check_symbols(self, inputs: Sequence[Any]) -> None:
        """Raise what can be said of the symbols that the layer is called on, before anything is worked out."""


def _dtype_of(layer: Layer) -> Any:
    """The dtype of the layer's weights, and of the tensors that it works on."""
    policy = vars(layer).get("dtype")
    if isinstance(policy, str) and policy in dtype_policies.NAMES:
        return DTypePolicy(policy).variable_dtype
    return policy  # nothing yet, or what check_fields refuses


def _set_policy(layer: Layer, given: Any) -> None:
    if isinstance(given, DTypePolicy | Mapping):
        given = dtype_policies.get(given).name
    elif given is not None and not isinstance(given, str):
        with suppress(TypeError, ValueError):  # which check_fields says better
            given = np.dtype(given).name
    if isinstance(given, str) and given.endswith("float16"):
        given = dtype_policies.get(given).name  # raises what says more than that the rule does not fit
    vars(layer)["dtype"] = given


# As in Keras a layer is given a policy, and has the dtype of its weights; its description says the policy.
Layer.dtype = property(_dtype_of, _set_policy)  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a layer gives for inputs of some types.

    Attributes:
        form: how the results are nested.
        masks: the types of their masks.
        unmasked: the layers that a mask came to, and did not come out of.
    """

    types: tuple[TensorType, ...]
    form: TreeForm
    masks: tuple[TensorType | None, ...]
    unmasked: tuple[Any, ...]


registry: Registry[Layer] = Registry("layer", Layer, identity=True)

Use = Callable[[Layer, tuple[Any, ...], bool | None, Arguments], Any]
F = TypeVar("F", bound=Use)

_stand_ins: dict[type, Use] = {}

# What each layer gave for such. References that keep neither alive, and are part of no copy of a layer.
_uses: weakref.WeakKeyDictionary[Layer, list[weakref.ref[Any]]] = weakref.WeakKeyDictionary()


def refuse_add_metric(owner: str) -> None:
    """Raise GraphError with what takes the place of ``add_metric``."""
    raise GraphError(
        "add_metric is not there, as in Keras 3",
        expected="a metric as an attribute, whose update_state is called in call()",
        got="a call of add_metric",
        fix="write self.size = metrics.Mean(name='size') in __init__, and self.size.update_state(x) in call()",
        layer=owner,
    )


def add_loss(loss: Any, owner: str) -> None:
    """Add a tensor's numbers to the loss of the step. Raises GraphError for what is no tensor of it."""
    for part in loss if isinstance(loss, list | tuple) else (loss,):
        trace = tracing_now()
        if trace is None or not isinstance(part, Node):
            raise GraphError(
                "add_loss gets something that is no tensor of a step",
                expected="inside of call(): what layers and thalweg.ops give there",
                got=f"{part!r:.60} ({type(part).__name__})",
                fix="write a layer whose call() calls self.add_loss, and put it where the symbol is",
                layer=owner,
            )
        trace.losses.append(ops.cast(ops.reduce_sum(part), config.floatx()))


def called_on(kind: type) -> Callable[[F], F]:
    """Decorator: what ``layer(...)`` gives for objects of a class that stand in for nodes.

    As with the functions of ``thalweg.ops`` (``ops.recording.stands_in``) it is said where the class is.
    """

    def decorate(use: F) -> F:
        _stand_ins[kind] = use
        return use

    return decorate


def remember_use(layer: Layer, result: Any) -> None:
    """Let ``layer.output`` find what the layer gave, as long as somebody holds it."""
    _uses.setdefault(layer, []).append(weakref.ref(result))


def uses(layer: Layer) -> list[Any]:
    """The results that some model, or the user, still holds."""
    results = [result for reference in _uses.get(layer, ()) if (result := reference()) is not None]
    _uses[layer] = [weakref.ref(result) for result in results]
    return results


_NO_LAYERS = (type(None), bool, int, float, str, Parameter, TensorType)
"""What most attributes of a layer are."""


def layers_among(values: Iterable[Any]) -> list[Layer]:
    """The layers among these values, what stands for models among them, and those in lists and mappings; each once."""
    layers: dict[Layer, None] = {}
    for value in values:
        if type(value) in _NO_LAYERS:
            continue
        if isinstance(value, Layer):
            layers[value] = None
        elif isinstance(value, list | tuple):
            layers |= dict.fromkeys(layers_among(value))
        elif isinstance(value, dict):
            layers |= dict.fromkeys(layers_among(value.values()))
        elif hasattr(type(value), "as_layer"):
            layers[value.as_layer()] = None
    return list(layers)


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
