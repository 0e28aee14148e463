"""Models that a class describes: layers as attributes, what they compute in ``call``, as in layers of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np

from thalweg.errors import GraphError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes
from thalweg.layers.layer import Layer, layers_among, name_layers
from thalweg.layers.masks import Masks
from thalweg.layers.signature import PLAIN, Arguments, InputShape, signature_of
from thalweg.layers.symbols import Input, Symbol, by_data
from thalweg.layers.tracing import told_training
from thalweg.model.structure import Structure, connected
from thalweg.training import data
from thalweg.trees import TreeForm, flatten, is_nested, keys_to_leaves, unflatten


@dataclass(eq=False)
class Body(Layer):
    """All of a model that a class describes as one layer, whose ``call`` is the model's. It has no name of its own in
    paths: the model's layers stand in the model.

    Arguments:
        model: with a method ``call``; its other attributes may be layers.
        own: the names of its attributes that are none.
        keys: how ``call`` gets the inputs: None for one tensor, names for a mapping, nothing for a list.
        inputs_form: how ``call`` gets inputs that are nested, whatever ``keys`` says.
        has_call: whether there is a ``call``; a class may say only what its steps do.
    """

    model: Any
    own: frozenset[str]
    keys: Sequence[str] | None = None
    has_call: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.outputs: tuple[str, ...] = ("",)  # the names of what the last call gave
        self.named_outputs = False
        self.inputs_form: TreeForm | None = None
        self.outputs_form: TreeForm | None = None
        self.prepared = False  # the class's own build, if it has one, has been called
        self.preparing = False

    def base_name(self) -> str:
        return str(self.model.name)

    @property
    def class_name(self) -> str:
        return type(self.model).__name__

    def sublayers(self) -> list[Layer]:
        if not vars(self).keys() >= {"model", "own"}:  # not yet there while the fields are being set
            return []
        found = layers_among([value for name, value in vars(self.model).items() if name not in self.own])
        return sorted(found, key=lambda layer: not isinstance(layer, OwnWeights))  # in front, as in Keras

    def structure(
        self, keys: Sequence[str] | None, entries: Mapping[str, Symbol], inputs_form: TreeForm | None = None
    ) -> Structure:
        """The model between these inputs by label. Raises what ``call`` raises."""
        self.keys, self.inputs_form = keys, inputs_form
        self._prepare(entries)
        if not self.has_call:
            layers = tuple(self.sublayers())
            name_layers(layers)
            return Structure(layers, entries, without_call=True, inputs_form=inputs_form)
        made = self(*entries.values())
        parts = made if isinstance(made, tuple) else (made,)
        whole = connected(entries, dict(zip(self.outputs, parts, strict=True)), self.named_outputs)
        return replace(
            whole, layers=tuple(self.sublayers()), members=(), inputs_form=inputs_form, outputs_form=self.outputs_form
        )

    def _prepare(self, entries: Mapping[str, Symbol]) -> None:
        """Call the class's own ``build`` once, with the shapes of what ``call`` will get, as Keras does."""
        if self.prepared or not own_build(type(self.model)):
            return
        shapes = self._as_given([InputShape(symbol.type()) for symbol in entries.values()])
        self.preparing = True
        try:
            self.model.build(shapes)
        finally:
            self.preparing = False

    def _as_given(self, parts: Sequence[Any]) -> Any:
        """Parts, one for each input, as ``call`` gets the inputs."""
        if self.inputs_form is not None:
            return unflatten(self.inputs_form, iter(parts))
        return dict(zip(self.keys, parts, strict=True)) if self.keys else parts[0] if self.keys is None else list(parts)

    def structure_for(self, x: Any) -> Structure:
        """The model for data or symbols like these."""
        return self.structure(*entries_for(x))

    def on_nodes(self, inputs: Nodes, training: bool | None, arguments: Arguments = PLAIN) -> Nodes:
        given = self._as_given(inputs)
        name_layers(self.sublayers())
        with told_training(training) as told:
            cls: Any = type(self.model)
            wanted = signature_of(cls)
            options: dict[str, Any] = {"training": told} if wanted.training else {}
            if wanted.mask:
                options["mask"] = Masks.of(given).nested
            try:
                result = self.model.call(given, **options)
            except ThalwegError as error:
                error.layer = error.layer or str(self)
                raise
        self.outputs_form, named = None, _results(result)
        if is_nested(result):
            parts, self.outputs_form = flatten(result)
            places = ["/".join(map(str, way)) for way in keys_to_leaves(self.outputs_form)]
            named = dict(zip(places if len(parts) > 1 else [""], parts, strict=True))
        wrong = [part for part in named.values() if not isinstance(part, Node)]
        if wrong or not named:
            raise GraphError(
                "the model's call gives something that is no tensor of the graph",
                expected="what layers and thalweg.ops give, or a list or mapping of such",
                got=f"{wrong[0]!r:.60} ({type(wrong[0]).__name__})" if wrong else "nothing",
                fix="return the result, and compute with layers and thalweg.ops in call",
                layer=str(self),
            )
        self.outputs, self.named_outputs = tuple(named), isinstance(result, Mapping)
        self.built = True
        return tuple(named.values())


def _results(result: Any) -> dict[str, Any]:
    """What ``call`` gives, by the names of outputs."""
    several = list(result) if isinstance(result, list | tuple) else [result]
    return dict(result) if isinstance(result, Mapping) else dict(zip(_names(len(several)), several, strict=True))


def own_build(cls: type) -> bool:
    """Whether a class of models writes a ``build`` of its own."""
    return hasattr(getattr(cls, "build", None), "__wrapped__")


def once_prepared(build: Callable[..., None]) -> Callable[..., None]:
    """A ``build`` of one's own, after which the model is built if it has not done that itself."""

    @wraps(build)
    def built(self: Any, input_shape: Any = None) -> None:
        body = vars(self).get("_body")
        if body is not None:
            body.prepared = True
        build(self, input_shape)
        if body is not None and not body.preparing and not self.built:
            self.build_for_shape(input_shape)

    return built


class OwnWeights(Layer):
    """The weights of a model of one's own that belong to none of its layers: ``Model.add_weight``."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.name = f"{model.name}_weights"
        self.built = True


def _names(count: int) -> list[str]:
    return [""] if count == 1 else [f"output_{number}" for number in range(count)]


def entries_for(x: Any) -> tuple[list[str] | None, dict[str, Symbol], TreeForm | None]:
    """How ``call`` is to get data like these, as ``Body.keys``, an Input for each part of them, by label, and how they
    are nested.

    Symbols are what they are; of arrays the type of input is that which a Sequential makes of them.
    """
    if is_nested(x):
        leaves, form = flatten(x)
        if leaves and all(isinstance(part, np.ndarray | Symbol) for part in leaves):
            return (
                [],
                {f"x/input_{number}": _entry(part, f"input_{number}") for number, part in enumerate(leaves)},
                form,
            )
    if isinstance(x, Mapping) and not hasattr(x, "columns"):
        return list(x), {f"x/{name}": _entry(part, name) for name, part in x.items()}, None
    if isinstance(x, list | tuple) and x and all(isinstance(part, np.ndarray | Symbol) for part in x):
        return [], {f"x/input_{number}": _entry(part, f"input_{number}") for number, part in enumerate(x)}, None
    return None, {"x": _entry(x, None)}, None


def _entry(part: Any, name: str | None) -> Symbol:
    if isinstance(part, Symbol):
        return Input(shape=part.shape[1:], dtype=part.dtype, name=name)
    kind = data.input_type(part)
    return by_data(kind.shape, kind.dtype, name)


def entries_of_shape(shape: Any) -> Any:
    """An Input for a shape with the batch axis, or for each of a list or mapping of shapes."""
    if isinstance(shape, Mapping):
        return {name: Input(batch_shape=part) for name, part in shape.items()}
    if isinstance(shape, list | tuple) and shape and all(isinstance(part, list | tuple) for part in shape):
        return [Input(batch_shape=part) for part in shape]
    return Input(batch_shape=shape)
