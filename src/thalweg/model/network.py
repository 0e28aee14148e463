"""The layers of a model and how they are connected; their weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from thalweg.data.arrays import as_array, converted
from thalweg.errors import ArgumentError, GraphError, ShapeError, did_you_mean
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, name_layers
from thalweg.layers.nested import Nested, unwrapped
from thalweg.layers.summary import table_lines, total_lines
from thalweg.layers.symbols import Call, Symbol
from thalweg.layers.tracing import Parameter, add_parameters
from thalweg.model.wiring import calls
from thalweg.state import State
from thalweg.state.names import EPOCH_STATE, OPTIMIZER, SEED_STATE, SLOTS, STEP_STATE, parameter_state
from thalweg.training import checkpoint, data
from thalweg.training.inference import only

COUNTERS = {
    name: TensorType((), dtype)
    for name, dtype in ((SEED_STATE, "uint32"), (STEP_STATE, "uint32"), (EPOCH_STATE, "int64"))
}
"""The states that every model has besides its parameters."""


class Network:
    """What a model is without a purpose: layers between inputs and outputs, and their parameters in ``state``."""

    base_name: ClassVar[str] = "functional"
    """Of models without a name."""

    def begin(self, name: str | None, trainable: bool) -> None:
        """Be a model without layers. A method of its own, because models from files are made without ``__init__``."""
        self.name = name or self.base_name
        self._has_own_name = name is not None
        self._trainable = trainable
        self._nested: Nested | None = None  # what this model is in others
        self._named_outputs = False
        self._layers: list[Layer] = []
        self._inputs: dict[str, Symbol] = {}  # by their labels in the graph: "x", or "x/<name>" if there are several
        self._outputs: dict[str, Symbol] = {}  # by their names; the only output of a model is called ""
        self._calls: list[Call] = []  # the uses of the layers, each after those that it needs
        self.state = State()
        self._seed = 0
        self._has_values = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {len(self._layers)} layers{'' if self.built else ', not built'}>"

    # Structure

    def connect(self, inputs: dict[str, Symbol], outputs: dict[str, Symbol]) -> None:
        """Make these the model's inputs and outputs, and name its layers."""
        self._inputs, self._outputs = inputs, outputs
        self._calls = calls(inputs, outputs)
        self._layers = self._find_layers()
        self._has_values = False
        name_layers(self._layers)
        if not self._trainable:
            self.trainable = False

    def _find_layers(self) -> list[Layer]:
        return list(dict.fromkeys(call.layer for call in self._calls))

    @property
    def built(self) -> bool:
        """Whether the type of the input is known, and with it all parameters."""
        return bool(self._calls)

    @property
    def trainable(self) -> bool:
        """Whether training changes the model; setting it sets it for all layers. ``compile`` goes by what it finds."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self._layers:
            layer.trainable = value

    @property
    def layers(self) -> list[Any]:
        """The layers, and the models that are used as such."""
        return unwrapped(self._layers)

    def own_layers(self) -> list[Layer]:
        """The layers, with a ``Nested`` in place of each model among them."""
        return list(self._layers)

    def layers_by_path(self) -> dict[str, Layer]:
        """All layers and those inside them, ``"encoder/dense"``; each after the one that it is in."""
        return _by_path(self._layers, "")

    @property
    def inputs(self) -> list[Symbol]:
        return list(self._inputs.values())

    @property
    def outputs(self) -> list[Symbol]:
        return list(self._outputs.values())

    @property
    def input(self) -> Any:
        """The symbol of the input; a list of several."""
        self._require_built("input")
        return only(self.inputs)

    @property
    def output(self) -> Any:
        """The symbol of the output; a list of several."""
        self._require_built("output")
        return only(self.outputs)

    @property
    def weights(self) -> list[Parameter]:
        """All parameters; ``.numpy()`` gives the value of one, ``.assign(array)`` changes it."""
        self._require_built("weights")
        self._give_values()
        return list(self.parameters().values())

    @property
    def trainable_weights(self) -> list[Parameter]:
        trained = self.parameters(trainable_only=True).values()
        return [parameter for parameter in self.weights if parameter in trained]

    @property
    def non_trainable_weights(self) -> list[Parameter]:
        trained = self.parameters(trainable_only=True).values()
        return [parameter for parameter in self.weights if parameter not in trained]

    @property
    def input_shape(self) -> Any:
        return only([symbol.shape for symbol in self._inputs.values()])

    @property
    def output_shape(self) -> Any:
        return only([symbol.shape for symbol in self._outputs.values()])

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer (or model used as one) by its name or its place.

        Raises: ArgumentError if there is no such layer.
        """
        names = [layer.label for layer in self._layers]
        if index is not None and name is None and -len(names) <= index < len(names):
            return self.layers[index]
        if name in names and index is None:
            return self.layers[names.index(name)]
        raise ArgumentError(
            "there is no such layer",
            expected=f"name= one of {', '.join(map(repr, names))}, or index= below {len(names)}",
            got=f"name={name!r}, index={index!r}",
            fix=did_you_mean(str(name), names) if name is not None else "pass name= or index=",
        )

    def parameters(self, trainable_only: bool = False) -> dict[str, Parameter]:
        """Path, as ``"dense_1/kernel"``, -> parameter; of one that is reached by several ways the first path."""
        found: dict[str, Parameter] = {}
        for layer in self._layers:
            add_parameters(found, layer.named_parameters(f"{layer.label}/"))
        if not trainable_only:
            return found
        layers = self._layers if self.trainable else []
        trained = {p for layer in layers for p in layer.named_parameters(trainable_only=True).values()}
        return {path: parameter for path, parameter in found.items() if parameter in trained}

    def count_params(self) -> int:
        """How many numbers the parameters are."""
        self._require_built("count_params")
        return sum(parameter.type.size for parameter in self.parameters().values())

    def _require_built(self, what: str) -> None:
        if not self.built:
            raise GraphError(
                f"{what}: the model is not built",
                expected="a model that knows the shape of its input",
                got=f"a {type(self).__name__} " + ("without an Input" if self.layers else "that has seen no data"),
                fix="put Input(shape=...) first, call build(input_shape), or fit the model to data",
            )

    def call_on(self, inputs: Sequence[Node], training: bool) -> tuple[Node, ...]:
        """The outputs in their order, made by calling the layers on a node for each input."""
        known = dict(zip(self._inputs.values(), inputs, strict=True))
        values: dict[tuple[Call | None, int], Node] = {}

        def value(symbol: Symbol) -> Node:
            return known[symbol] if symbol in known else values[symbol.call, symbol.index]

        for call in self._calls:
            told = training if call.training is None else call.training
            results = call.layer(*map(value, call.inputs), training=told)
            for index, node in enumerate(results if isinstance(results, tuple) else (results,)):
                values[call, index] = node
        return tuple(value(symbol) for symbol in self._outputs.values())

    def _call_inside(self, inputs: Any, tensors: Sequence[Symbol | Node], training: bool | None) -> Any:
        """This model as a layer of the one that ``tensors``, those in ``inputs``, belong to: its outputs there."""
        labels = list(self._inputs) or ["x"]
        if len(tensors) != len(labels):
            raise ArgumentError(
                "a model is called on another number of symbols than it has inputs",
                expected=f"{len(labels)}",
                got=f"{len(tensors)}",
                fix="pass one symbol for each input",
            )
        parts = data.by_label(inputs if isinstance(inputs, Mapping) or len(tensors) > 1 else tensors[0], labels, "x")
        made = self.as_layer()(*parts.values(), training=training)
        if not self._named_outputs:
            return only(list(made)) if isinstance(made, tuple) else made
        return dict(zip(self._outputs, made if isinstance(made, tuple) else (made,), strict=True))

    def as_layer(self) -> Nested:
        """What stands for this model among the layers of others: always the same."""
        if self._nested is None:
            Nested(model=self, name=self.name if self._has_own_name else None, trainable=self._trainable)
        assert self._nested is not None, "it made itself known by use_as"
        return self._nested

    def use_as(self, layer: Nested) -> None:
        """Be known by this layer in other models."""
        self._nested = layer

    def build_on(self, types: Sequence[TensorType]) -> None:
        """Get ready for inputs of these types, batch axis included, as a part of another model."""
        self._require_built("calling a model on symbols")

    def get_config(self) -> dict[str, Any]:
        """The layers and how they are connected, in JSON types."""
        self._require_built("get_config")
        structure = checkpoint.Structure(
            self.name, self.trainable, self._inputs, self._outputs, self._layers, self._calls, self._named_outputs
        )
        return checkpoint.describe_structure(structure)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, the shapes of their outputs and how many parameters they have.

        Arguments:
            expand_nested: whether the layers of models among them are shown too.
        """
        show = print_fn or print
        table = table_lines(self._layers, line_length, positions, show_trainable, layer_range, expand_nested)
        optimizer = [self.state[name].type for name in self.state.names(OPTIMIZER, SLOTS)]
        totals = total_lines(self.parameters(), list(self.parameters(trainable_only=True)), optimizer)
        for line in [f'Model: "{self.name}"', *table, *totals]:
            show(line)

    # Weights

    def _give_values(self, seed: int | None = None) -> None:
        """Put every parameter, and the counters, into the state; new parameters get their initial values."""
        if self._has_values:
            return
        if SEED_STATE not in self.state:
            for name, kind in COUNTERS.items():
                self.state.add(name, kind)
            self.state.write(SEED_STATE, self._seed if seed is None else seed)
        for path, parameter in self.parameters().items():
            self.state.put(parameter_state(path), parameter.make(self.state.number(SEED_STATE), path))
        self._has_values = True

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all parameters, layer by layer."""
        self._require_built("get_weights")
        self._give_values()
        return list(self._values().values())

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put values into all parameters.

        Raises: ShapeError or DTypeError, before any is changed.
        """
        self._require_built("set_weights")
        self._give_values()
        arrays = [as_array(array, f"weights[{number}]") for number, array in enumerate(weights)]
        wanted = {path: parameter.shape for path, parameter in self.parameters().items()}
        if [array.shape for array in arrays] != list(wanted.values()):
            raise ShapeError(
                "the arrays do not fit the model's weights",
                expected=", ".join(f"{path} {shape}" for path, shape in wanted.items()),
                got=", ".join(str(array.shape) for array in arrays) or "no arrays",
                fix="pass what get_weights() of an equal model gives",
            )
        for (path, parameter), array in zip(self.parameters().items(), arrays, strict=True):
            parameter.assign(converted(array, parameter.dtype, path))

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """The parameters alone, by their names, in a safetensors file."""
        self._require_built("save_weights")
        self._give_values()
        checkpoint.save_weights(filepath, self._values(), overwrite)

    def load_weights(self, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
        """Parameters by their names from a file that ``save_weights`` or ``save`` wrote.

        Arguments:
            skip_mismatch: leave parameters as they are that the file lacks or has in another shape.

        Raises: FileFormatError, before any is changed.
        """
        self._require_built("load_weights")
        self._give_values()
        shapes = {path: parameter.shape for path, parameter in self.parameters().items()}
        for path, array in checkpoint.load_weights(filepath, shapes, skip_mismatch).items():
            self.state.write(parameter_state(path), array)

    def _values(self) -> dict[str, np.ndarray]:
        """Copies of all parameters by path."""
        return {path: parameter.numpy() for path, parameter in self.parameters().items()}


def _by_path(layers: Sequence[Layer], prefix: str) -> dict[str, Layer]:
    found: dict[str, Layer] = {}
    for layer in layers:
        path = f"{prefix}{layer.label}"
        found |= {path: layer} | _by_path(layer.sublayers(), f"{path}/")
    return found
