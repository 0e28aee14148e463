"""Models of layers one after the other."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from thalweg import config
from thalweg.checks import check_value
from thalweg.errors import ArgumentError
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.nested import unwrapped
from thalweg.layers.signature import symbolic
from thalweg.layers.symbols import Input, InputLayer, Symbol, by_data
from thalweg.model.model import Model
from thalweg.model.restoring import registry
from thalweg.model.structure import Structure, stacked
from thalweg.spelling import SpellingNotice
from thalweg.training import data
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
        self._begin(name, trainable)
        self.runner.seed = config.new_seed()
        given: Iterable[Any] | None = check_value("Sequential", "layers", Iterable[Any] | None, layers)
        for layer in () if given is None else given:
            self._append(layer)
        self._rebuild()

    def _begin(self, name: str | None, trainable: bool) -> None:
        super()._begin(name, trainable)
        self._entry: Symbol | None = None
        self._stack: list[Layer] = []

    def _become(self, structure: Structure) -> None:
        super()._become(structure)
        self._entry = structure.inputs.get("x", self._entry)
        self._stack = list(structure.layers)

    def add(self, layer: Layer | Model | Symbol, rebuild: bool = True) -> None:
        """Put a layer behind the last one."""
        self._append(layer)
        self._changed(rebuild)

    def pop(self, rebuild: bool = True) -> Layer | Model:
        """Take the last layer away and return it."""
        if not self._stack:
            raise ArgumentError(
                "there is no layer to take away", expected="at least one layer", got="none", fix="add layers first"
            )
        taken: Layer | Model = unwrapped([self._stack.pop()])[0]
        self._changed(rebuild)
        return taken

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Fix the shape of the input, batch axis included as in Keras: ``build((None, 784))``."""
        if input_shape is not None:
            self._entry = Input(batch_shape=input_shape)
            self._rebuild()
        self.runner.require_built("build")
        self.runner.give_values()

    def build_for(self, x: Any, seed: int | None = None) -> None:
        if not self.built and self._stack:
            given = data.of_the_only_part(x)
            x = given if getattr(given, "ndim", 0) > 1 else x
            kind = data.input_type(x, whole=self._stack[0].takes_whole_numbers)
            if seed is not None:
                self.runner.seed = seed
            self._entry = by_data(kind.shape, kind.dtype)
            self._rebuild()
        self.runner.require_built("running a model")
        self._open_for(x)

    def build_on(self, types: Sequence[TensorType]) -> None:
        if not self.built and self._stack and len(types) == 1:
            self._entry = Input(shape=symbolic(types[0].shape[1:]), dtype=types[0].dtype)
            self._become(stacked(self._entry, self._stack))
        super().build_on(types)

    def _members(self) -> list[Layer]:
        """Without the input, as in Keras."""
        return list(self.runner.structure.layers)

    def _append(self, layer: Any) -> None:
        if isinstance(layer, InputLayer):
            layer = layer.symbol
        if isinstance(layer, Model):
            if layer.built and not self._stack and self._entry is None:
                entry = only(layer.inputs)
                self._entry = Input(shape=entry.shape[1:], dtype=entry.dtype) if isinstance(entry, Symbol) else None
            layer = layer.as_layer()
        if isinstance(layer, Symbol) and layer.call is None and not self._stack and self._entry is None:
            self._entry = layer
            return
        if isinstance(layer, Symbol) and layer.call is None:
            raise ArgumentError(
                "a Sequential has one Input, in front",
                expected="layers" if self._entry is not None else "an Input before the first layer",
                got=f"a second Input of shape {layer.shape}" if self._entry is not None else "one behind a layer",
                fix="keep one of them; a model of several inputs is Model([a, b], outputs)",
            )
        if not isinstance(layer, Layer) or layer in self._stack:
            problem = "is in the model already" if isinstance(layer, Layer) else "is no layer"
            raise ArgumentError(
                f"what is added to a Sequential {problem}",
                expected="layers, each once, and an Input in front",
                got=f"{layer!r:.80} ({type(layer).__name__}) at place {len(self._stack)}",
                fix="use layers such as thalweg.layers.Dense(10); a layer used twice needs Model(inputs, outputs)",
            )
        if layer.input_shape is not None and not self._stack and self._entry is None:
            shape = layer.input_shape
            assert not isinstance(shape, int), "a layer makes it a tuple"
            said = f"{type(layer).__name__}: input_shape= is read as a first Input(shape={shape})"
            warnings.warn(said, SpellingNotice, stacklevel=3)
            self._entry = Input(shape=shape)
        self._stack.append(layer)

    def _connected(self, entries: Mapping[str, Symbol]) -> Structure:
        return stacked(entries["x"], self._stack)

    def _changed(self, rebuild: bool) -> None:
        if check_value(type(self).__name__, "rebuild", bool, rebuild):
            self._rebuild()
        else:
            self.runner.structure = dataclasses.replace(self.runner.structure, layers=tuple(self._stack))

    def _rebuild(self) -> None:
        """Connect the layers, if the input is known. Values that parameters have stay."""
        self._become(stacked(self._entry, self._stack))
        if self.built:
            self.runner.give_values()
