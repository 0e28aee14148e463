"""Models of layers one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

from thalweg import config
from thalweg.errors import ArgumentError
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, name_layers
from thalweg.layers.nested import unwrapped
from thalweg.layers.symbols import Input, Symbol
from thalweg.model.files import registry
from thalweg.model.model import Model
from thalweg.spelling import SpellingNotice
from thalweg.state.names import EVALUATION, METRICS, OPTIMIZER, PARAMETERS, SLOTS
from thalweg.training import data
from thalweg.training.handle import OptimizerHandle
from thalweg.training.inference import only


@registry.register("Sequential")
class Sequential(Model):
    """Layers one after the other. Without an Input in front the model is built when it first sees data.

    Raises: ArgumentError for what is no layer.
    """

    base_name: ClassVar[str] = "sequential"

    def __init__(
        self, layers: Sequence[Layer | Model | Symbol] | None = None, trainable: bool = True, name: str | None = None
    ) -> None:
        self.begin(name, trainable)
        self._seed = config.new_seed()
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def begin(self, name: str | None, trainable: bool) -> None:
        super().begin(name, trainable)
        self._input: Symbol | None = None

    def add(self, layer: Layer | Model | Symbol, rebuild: bool = True) -> None:
        """Put a layer behind the last one."""
        self._append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer | Model:
        """Take the last layer away and return it."""
        if not self._layers:
            raise ArgumentError(
                "there is no layer to take away", expected="at least one layer", got="none", fix="add layers first"
            )
        layer = self._layers.pop()
        if rebuild:
            self._rebuild()
        taken: Layer | Model = unwrapped([layer])[0]
        return taken

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Fix the shape of the input, batch axis included as in Keras: ``build((None, 784))``."""
        if input_shape is not None:
            self._input = Input(batch_shape=input_shape)
            self._rebuild()
        self._require_built("build")
        self._give_values()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Model):
            if layer.built and not self._layers and self._input is None:
                entry = only(layer.inputs)
                self._input = Input(shape=entry.shape[1:], dtype=entry.dtype) if isinstance(entry, Symbol) else None
            layer = layer.as_layer()
        if isinstance(layer, Symbol) and layer.call is None and not self._layers:
            self._input = layer
            return
        if not isinstance(layer, Layer) or layer in self._layers:
            problem = "is in the model already" if isinstance(layer, Layer) else "is no layer"
            raise ArgumentError(
                f"what is added to a Sequential {problem}",
                expected="layers, each once, and an Input in front",
                got=f"{layer!r:.80} ({type(layer).__name__}) at place {len(self._layers)}",
                fix="use layers such as thalweg.layers.Dense(10); a layer used twice needs Model(inputs, outputs)",
            )
        if layer.input_shape is not None and not self._layers and self._input is None:
            kind = type(layer).__name__
            warnings.warn(f"{kind}: input_shape= is read as a first Input(shape=...)", SpellingNotice, stacklevel=4)
            self._input = Input(shape=layer.input_shape)
        self._layers.append(layer)

    def connect(self, inputs: dict[str, Symbol], outputs: dict[str, Symbol]) -> None:
        self._input = inputs["x"]
        super().connect(inputs, outputs)

    def _rebuild(self) -> None:
        """Connect the layers, if the input is known. Values that parameters have stay."""
        name_layers(self._layers)
        if self._input is None or not self._layers:
            self._calls, self._inputs, self._outputs = [], {}, {}
            self._forget_programs()
            return
        self._connect_layers()
        self._give_values()

    def _connect_layers(self) -> None:
        name_layers(self._layers)
        assert self._input is not None, "asked for models with an input"
        layers, symbol = list(self._layers), self._input
        for layer in layers:
            symbol = layer(symbol)
        self._forget_state()
        self.connect({"x": self._input}, {"": symbol})

    def build_on(self, types: Sequence[TensorType]) -> None:
        if not self.built and self._layers and len(types) == 1:
            self._input = Input(shape=types[0].shape[1:], dtype=types[0].dtype)
            self._connect_layers()
        super().build_on(types)

    def _forget_state(self) -> None:
        """Drop what depends on the layers; they keep their parameters' values themselves. The optimizer starts anew."""
        if self.state.names(PARAMETERS) and self.optimizer is not None:
            self.optimizer = OptimizerHandle(self.optimizer.rule)
        self.state.drop(PARAMETERS, OPTIMIZER, SLOTS, METRICS, EVALUATION)

    def _build_for(self, x: Any, seed: int | None = None) -> None:
        if not self.built and self._layers:
            kind = data.input_type(x)
            if seed is not None:
                self._seed = seed
            self._input = Input(shape=kind.shape, dtype=kind.dtype)
            self._rebuild()
        self._require_built("running a model")
