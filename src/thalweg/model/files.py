"""Models from descriptions: from files, copies, and other models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import config
from thalweg.registry import Registry
from thalweg.training import checkpoint

if TYPE_CHECKING:
    from thalweg.model.model import Model


class Models(Registry[Any]):
    """The classes of models by their names in files. The description of a layer can hold a whole model, as Nested's."""

    def config(self, instance: Model) -> dict[str, Any]:
        return {"kind": self.kind, "class_name": type(instance).__name__, "config": instance.get_config()}

    def from_config(self, description: Mapping[str, Any]) -> Model:
        return restored(description, compile=False)


registry = Models("model")


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model that ``save`` wrote; training goes on from it as if it had never stopped.

    Arguments:
        custom_objects: name -> class, for layers, losses, metrics and optimizers that are not registered.
        compile: whether to restore optimizer, loss and metrics too.
        safe_mode: accepted; a file never runs anything.

    Raises: FileFormatError for a file that is damaged or no model, StorageError if it cannot be read.
    """
    arrays, description = checkpoint.read(filepath)
    checkpoint.register_custom(custom_objects or {})
    with checkpoint.reading(filepath):
        model = restored(description, compile)
    checkpoint.check_arrays(filepath, model.state_types(), arrays)
    model.take_state(arrays)
    return model


def clone_model(model: Model) -> Model:
    """A model of the same layers with new initial weights, not compiled."""
    clone = restored({"class_name": type(model).__name__, "config": model.get_config()}, compile=False)
    clone._seed = config.new_seed()
    clone._give_values()
    return clone


def revived(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Model:
    """The model of a copy or a pickle."""
    model = restored(description, compile=True)
    model.take_state(arrays)
    return model


def restored(description: Mapping[str, Any], compile: bool) -> Model:
    """The model of a description, without values. A class that is not registered gives a plain Model."""
    settings = description["config"]
    inputs, outputs = checkpoint.restore_structure(settings)
    name = description["class_name"]
    cls: Any = registry.find(name if name in registry.names() else "Model")
    model: Model = cls.__new__(cls)
    model.begin(str(settings["name"]), trainable=bool(settings["trainable"]))
    model._named_outputs = bool(settings.get("named_outputs", False))
    model.connect(inputs, outputs)
    if compile and "compile" in description:
        model.compile(**checkpoint.restore_compile(description["compile"]))
    return model
