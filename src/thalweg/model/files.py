"""Models from files and from other models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from thalweg import config
from thalweg.checks import FilePath, checked
from thalweg.model.model import Model
from thalweg.model.restoring import description as described
from thalweg.model.restoring import registry, restored
from thalweg.model.restoring import revived as revived  # where pickles made before look for it
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
        custom_objects: name -> class, for models, layers, losses, metrics and optimizers that are not registered.
        compile: whether to restore optimizer, loss and metrics too.
        safe_mode: accepted; a file never runs anything.

    Raises: FileFormatError for a file that is damaged or no model, StorageError if it cannot be read.
    """
    arrays, description = checkpoint.read(filepath)
    custom = dict(custom_objects or {})
    for key in [key for key, entry in custom.items() if isinstance(entry, type) and issubclass(entry, Model)]:
        registry.register(key)(custom.pop(key))
    checkpoint.register_custom(custom)
    if not compile:
        description = {key: value for key, value in description.items() if key not in ("compile", "compiled_for")}
    with checkpoint.reading(filepath):
        model: Model = restored(description)
    runner = model.runner
    runner.take_state(checkpoint.fitting(filepath, runner.state_types(), arrays, description["format"]))
    return model


@checked
def clone_model(model: M) -> M:
    """A model of the same layers with new initial weights, not compiled."""
    clone: M = restored(described(model), type(model))
    clone.runner.seed = config.new_seed()
    clone.runner.give_values()
    return clone
