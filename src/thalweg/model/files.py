"""Models from files and from other models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from thalweg import config
from thalweg.checks import FilePath, checked
from thalweg.model.model import Model
from thalweg.model.restoring import description as described
from thalweg.model.restoring import restored
from thalweg.model.restoring import revived as revived  # where pickles made before look for it
from thalweg.registry import known_objects
from thalweg.training import checkpoint

M = TypeVar("M", bound=Model)


@checked
def load_model(
    filepath: FilePath,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model that ``save`` wrote; training goes on from it as if it had never stopped.

    Arguments:
        custom_objects: name -> class or function, for what is not registered: models, layers, losses, activations ...
        compile: whether to restore optimizer, loss and metrics too.
        safe_mode: accepted; a file never runs anything.

    Raises: FileFormatError for a file that is damaged or no model, StorageError if it cannot be read.
    """
    arrays, description = checkpoint.read(filepath)
    if not compile:
        description = {key: value for key, value in description.items() if key not in ("compile", "compiled_for")}
    with checkpoint.reading(filepath), known_objects(custom_objects or {}):
        model: Model = restored(description)
    runner = model.runner
    runner.take_state(checkpoint.fitting(filepath, runner.state_types(), arrays, description["format"]))
    return model


@checked
def save_model(model: Model, filepath: FilePath, overwrite: bool = True) -> None:
    """``model.save(filepath, overwrite)``."""
    model.save(filepath, overwrite)


@checked
def clone_model(
    model: M,
    input_tensors: None = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: None = None,
    recursive: bool = False,
) -> M:
    """A model of the same layers with new initial weights, not compiled.

    Arguments:
        clone_function: gives for each layer, or model inside of the model, the one to put in its place; a copy of it
            unless given.
        input_tensors, call_function: not there; the clone can be called on other inputs, ``Model(x, clone(x))``.
        recursive: accepted; what is in nested models is cloned with them.

    Raises: ArgumentError for ``clone_function`` with a class of models of one's own.
    """
    clone: M = restored(described(model), type(model)) if clone_function is None else model.with_layers(clone_function)
    clone.runner.seed = config.new_seed()
    clone.runner.give_values()
    return clone


@checked
def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """A model of the layers that ``to_json`` has described, with new initial weights, not compiled.

    Arguments:
        custom_objects: name -> class, for what is not registered.

    Raises: FileFormatError if the text describes no model.
    """
    with checkpoint.reading("the text"), known_objects(custom_objects or {}):
        model: Model = restored(json.loads(json_string))
    model.runner.seed = config.new_seed()
    model.runner.give_values()
    return model
