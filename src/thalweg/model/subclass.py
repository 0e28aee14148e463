"""Models that a class describes: layers as attributes, what they compute in ``call``, as in layers of one's own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, GraphError, ThalwegError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, asks_for_training, layers_among, name_layers
from thalweg.layers.symbols import Input, Symbol
from thalweg.layers.tracing import told_training
from thalweg.model.compiling import Compilable
from thalweg.model.files import made
from thalweg.registry import describe
from thalweg.training import checkpoint, data


@dataclass(eq=False)
class Body(Layer):
    """All of a model that a class describes as one layer, whose ``call`` is the model's. It has no name of its own in
    paths: the model's layers stand in the model.
    """

    model: Any
    keys: Sequence[str] | None = None
    """How ``call`` gets the inputs: None for one tensor, names for a mapping, nothing for a list."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.outputs: tuple[str, ...] = ("",)  # the names of what the last call gave
        self.named_outputs = False

    def base_name(self) -> str:
        return str(self.model.name)

    @property
    def class_name(self) -> str:
        return type(self.model).__name__

    def sublayers(self) -> list[Layer]:
        model: Any = vars(self).get("model")  # not yet there while the fields are being set
        if model is None:
            return []
        own = own_attributes(type(model))  # type: ignore[arg-type]  # classes can be hashed
        return layers_among([value for name, value in vars(model).items() if name not in own])

    def _on_nodes(self, inputs: Nodes, training: bool | None) -> Nodes:
        given: Any = inputs[0] if self.keys is None else list(inputs)
        if self.keys:
            given = dict(zip(self.keys, inputs, strict=True))
        name_layers(self.sublayers())
        with told_training(training) as told:
            cls: type = type(self.model)
            options = {"training": told} if asks_for_training(cls) else {}
            try:
                result = self.model.call(given, **options)
            except ThalwegError as error:
                error.layer = error.layer or str(self)
                raise
        several = list(result) if isinstance(result, list | tuple) else [result]
        named = dict(result) if isinstance(result, Mapping) else dict(zip(_names(len(several)), several, strict=True))
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


def _names(count: int) -> list[str]:
    return [""] if count == 1 else [f"output_{number}" for number in range(count)]


@cache
def own_attributes(cls: Any) -> frozenset[str]:
    """The attributes that every model has, which hold none of the layers of one's own."""
    bare = cls.__new__(cls)
    bare.begin(None, trainable=True)
    return frozenset(vars(bare))


def entries_for(x: Any) -> tuple[list[str] | None, dict[str, Symbol]]:
    """How ``call`` is to get data like these, as ``Body.keys``, and an Input for each part of them, by label.

    Symbols are what they are; of arrays the type of input is that which a Sequential makes of them.
    """
    if isinstance(x, Mapping) and not hasattr(x, "columns"):
        return list(x), {f"x/{name}": _entry(part, name) for name, part in x.items()}
    if isinstance(x, list | tuple) and x and all(isinstance(part, np.ndarray | Symbol) for part in x):
        return [], {f"x/input_{number}": _entry(part, f"input_{number}") for number, part in enumerate(x)}
    return None, {"x": _entry(x, None)}


def _entry(part: Any, name: str | None) -> Symbol:
    if isinstance(part, Symbol):
        return Input(shape=part.shape[1:], dtype=part.dtype, name=name)
    kind = data.input_type(part)
    return Input(shape=kind.shape, dtype=kind.dtype, name=name)


def entries_of_shape(shape: Any) -> Any:
    """An Input for a shape with the batch axis, or for each of a list or mapping of shapes."""
    if isinstance(shape, Mapping):
        return {name: Input(batch_shape=part) for name, part in shape.items()}
    if isinstance(shape, list | tuple) and shape and all(isinstance(part, list | tuple) for part in shape):
        return [Input(batch_shape=part) for part in shape]
    return Input(batch_shape=shape)


def require_arguments_known(model: Describable) -> None:
    """Raise ArgumentError where a file could not say how to make the model anew."""
    cls = type(model)
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    wanted = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name not in ("name", "trainable")]
    if wanted and cls.get_config is Describable.get_config:
        raise ArgumentError(
            f"the model cannot be saved as a whole: nothing says what {cls.__name__} was made with",
            expected=f"a method get_config of {cls.__name__} that gives the arguments of its __init__",
            got=f"no get_config; __init__ takes {', '.join(wanted)}",
            fix=f"write def get_config(self): return {{{wanted[0]!r}: self.{wanted[0]}}}, or use save_weights()",
        )


class Describable(Compilable):
    """A model that may be described by its class."""

    _body: Body | None  # of one that is

    def begin(self, name: str | None, trainable: bool) -> None:
        super().begin(name, trainable)
        self._body = None

    def describe(self) -> None:
        """Be what ``call`` says. Raises: ArgumentError if the class does not write it."""
        cls = type(self)
        if cls.call is Describable.call:
            raise ArgumentError(
                f"{cls.__name__}: a model without inputs and outputs",
                expected="Model(inputs, outputs), or a class derived from Model with a method call(self, inputs)",
                got=f"{cls.__name__}() without a call",
                fix="pass the symbols, or write call, and make the layers in __init__ after super().__init__()",
            )
        self._body = Body(model=self)
        if not self._has_own_name:
            self.name = "".join(f"_{c}" if c.isupper() else c for c in cls.__name__).strip("_").lower()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The outputs for the inputs, nodes or lists or mappings of such as they come."""
        raise NotImplementedError(f"{type(self).__name__} has no call()")

    def build(self, input_shape: Any = None) -> None:
        """Make the parameters of a model that a class describes, for inputs of a shape with the batch axis.

        Arguments:
            input_shape: ``(None, 784)``; for several inputs a list or mapping of such.
        """
        if input_shape is not None and not self.built:
            self._describe_by(entries_of_shape(input_shape))
        self._require_built("build")
        self._give_values()

    def _describe_by(self, x: Any) -> None:
        """Connect the layers of the class, for inputs like ``x``: data, or symbols."""
        if self._body is not None:
            self._describe_as(*entries_for(x))

    def _describe_as(self, keys: Sequence[str] | None, entries: dict[str, Symbol]) -> None:
        assert self._body is not None, "asked for models that a class describes"
        self._body.keys = keys
        made = self._body(*entries.values())
        self._named_outputs = self._body.named_outputs
        parts = made if isinstance(made, tuple) else (made,)
        self.connect(entries, dict(zip(self._body.outputs, parts, strict=True)))

    def _find_layers(self) -> list[Layer]:
        return super()._find_layers() if self._body is None else self._body.sublayers()

    def build_on(self, types: Sequence[TensorType]) -> None:
        if not self.built:
            symbols = [Input(shape=kind.shape[1:], dtype=kind.dtype) for kind in types]
            self._describe_by(symbols if len(symbols) > 1 else symbols[0])
        super().build_on(types)

    def __getattr__(self, name: str) -> Any:
        if "name" not in vars(self) and name in own_attributes(Describable):
            raise GraphError(
                f"{type(self).__name__} is used before it is a model",
                expected="super().__init__() in its __init__",
                got=f"no {name!r}, which that makes",
                fix="call super().__init__() first, then make the layers",
            )
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def _build_for(self, x: Any, seed: int | None = None) -> None:
        """Build a model that has no Input yet for data like these."""
        if not self.built and self._body is not None:
            self._seed = self._seed if seed is None else seed
            self._describe_by(x)
        self._require_built("running a model")

    def structure(self) -> dict[str, Any]:
        """What a file says of the layers, in JSON types. Raises: ArgumentError if a class of one's own does not say."""
        if self._body is None:
            return self.get_config()
        self._require_built("save")
        require_arguments_known(self)
        return {
            "name": self.name,
            "trainable": self._trainable,
            "arguments": describe(self.get_config(), f"{type(self).__name__}.get_config()"),
            "keys": self._body.keys,
            "layers": {path: layer.trainable for path, layer in self.layers_by_path().items()},
            "inputs": checkpoint.describe_inputs(self._inputs),
        }

    def get_config(self) -> dict[str, Any]:
        """The layers and how they are connected, in JSON types. A class of one's own gives the arguments of its
        ``__init__``, as in Keras; here it has none.
        """
        return super().get_config() if self._body is None else {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """A model, without values, from what ``get_config`` gave."""
        return made(cls, config)
