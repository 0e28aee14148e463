"""Models from descriptions: from files, copies, and other models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import config
from thalweg.errors import NameNotFoundError
from thalweg.registry import Registry, restore
from thalweg.training import checkpoint

if TYPE_CHECKING:
    from thalweg.model.model import Model


class Models(Registry[Any]):
    """The classes of models by their names in files. The description of a layer can hold a whole model, as Nested's."""

    def config(self, instance: Model) -> dict[str, Any]:
        return {"kind": self.kind, "class_name": class_name(type(instance)), "config": instance.structure()}

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
        custom_objects: name -> class, for models, layers, losses, metrics and optimizers that are not registered.
        compile: whether to restore optimizer, loss and metrics too.
        safe_mode: accepted; a file never runs anything.

    Raises: FileFormatError for a file that is damaged or no model, StorageError if it cannot be read.
    """
    arrays, description = checkpoint.read(filepath)
    custom = dict(custom_objects or {})
    base: Any = registry.find("Model")
    for key in [key for key, entry in custom.items() if isinstance(entry, type) and issubclass(entry, base)]:
        registry.register(key)(custom.pop(key))
    checkpoint.register_custom(custom)
    with checkpoint.reading(filepath):
        model = restored(description, compile)
    model.take_state(checkpoint.fitting(filepath, model.state_types(), arrays, description["format"]))
    return model


def clone_model(model: Model) -> Model:
    """A model of the same layers with new initial weights, not compiled."""
    clone = restored(model._description(with_compile=False), compile=False, cls=type(model))
    clone._seed = config.new_seed()
    clone._give_values()
    return clone


def revived(
    cls: type[Model], description: Mapping[str, Any], arrays: Mapping[str, np.ndarray], format: int = 1
) -> Model:
    """The model of a copy or a pickle; older pickles do not say what format their names are of."""
    model = restored(description, compile=True, cls=cls)
    model.take_state(checkpoint.fitting("the pickle", model.state_types(), arrays, format))
    return model


def restored(description: Mapping[str, Any], compile: bool, cls: type[Model] | None = None) -> Model:
    """The model of a description, without values.

    Arguments:
        cls: its class; without, the registered one of that name. A functional model whose class is not registered
            becomes a plain Model.

    Raises: NameNotFoundError if a class describes the model, and is not registered.
    """
    settings, name = description["config"], description["class_name"]
    described = "arguments" in settings
    if cls is None:
        cls = _class(str(name), described)
    model = cls.from_config(restore(settings["arguments"])) if described else made(cls, settings)
    if described:
        model.name, model._trainable = str(settings["name"]), bool(settings["trainable"])
        model._describe_as(settings["keys"], checkpoint.restore_inputs(settings["inputs"]))
        for path, layer in model.layers_by_path().items():
            layer.trainable = bool(settings["layers"][path])
    if compile and "compile" in description:
        model.compile(**checkpoint.restore_compile(description["compile"]))
        if "compiled_for" in description:
            model.fix_trainable_as(description["compiled_for"])
    return model


def made(cls: Any, settings: Mapping[str, Any]) -> Model:
    """A model of a class from what its ``get_config`` gave: layers and connections, or arguments."""
    if not {"inputs", "outputs", "layers", "calls"} <= settings.keys():
        described: Model = cls(**settings)
        return described
    inputs, outputs = checkpoint.restore_structure(settings)
    model: Model = cls.__new__(cls)
    model.begin(str(settings["name"]), trainable=bool(settings["trainable"]))
    model._named_outputs = bool(settings.get("named_outputs", False))
    model.connect(inputs, outputs)
    return model


def class_name(cls: type[Model]) -> str:
    """The name of a class of models in files: the one that it is registered under, else its own."""
    return next((name for name, entry in registry.items() if entry is cls), cls.__name__)


def _class(name: str, described: bool) -> Any:
    try:
        return registry.find(name)
    except NameNotFoundError as error:
        if not described:
            return registry.find("Model")
        raise NameNotFoundError(
            "the class of the model is not known here",
            expected="one that is registered: a file holds no code",
            got=f"{name!r:.60}",
            fix=f"load_model(path, custom_objects={{{name!r:.60}: {name:.60}}}), or register the class with "
            f"@thalweg.models.registry.register({name.lower()!r:.60})",
        ) from error
