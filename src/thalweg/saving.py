"""Saving and loading under Keras's names, and classes that files may name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from thalweg import absent
from thalweg.checks import FilePath, checked
from thalweg.errors import ArgumentError
from thalweg.model import Model
from thalweg.model import load_model as load_model
from thalweg.model import save_model as save_model
from thalweg.model.restoring import registry as models
from thalweg.registry import (
    GLOBAL_OBJECTS,
    Registry,
    all_registries,
    describe,
    functions,
    homes,
    known_objects,
    restore,
    sharing,
)

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)

Entry = TypeVar("Entry", bound=Callable[..., Any])


@checked
def save_weights(model: Model, filepath: FilePath, overwrite: bool = True) -> None:
    """``model.save_weights(filepath, overwrite)``."""
    model.save_weights(filepath, overwrite)


@checked
def load_weights(model: Model, filepath: FilePath, skip_mismatch: bool = False) -> None:
    """``model.load_weights(filepath, skip_mismatch)``."""
    model.load_weights(filepath, skip_mismatch)


@checked
def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Entry], Entry]:
    """Decorator: files name the class or function ``"package>name"`` from now on, and can be loaded.

    A function may be an activation, a loss, a metric ...: its use says which.

    Raises: ArgumentError for a class that is no part of a model, or a name that is taken.
    """

    def decorate(entry: Entry) -> Entry:
        for registry in _homes(entry):
            registry.register(f"{package}>{name or entry.__name__}")(entry)
        return entry

    return decorate


def _homes(entry: Any) -> list[Registry[Any]]:
    """The registries that an entry can stand in."""
    if isinstance(entry, type) and issubclass(entry, Model):
        return [models]
    if not isinstance(entry, type) and callable(entry) and hasattr(entry, "__name__"):
        return [functions]
    found = homes(entry)
    if not found:
        raise ArgumentError(
            "this is nothing that a file can name",
            expected="a class of layers, models, losses, metrics, optimizers, regularizers ..., or a function",
            got=f"{entry!r:.80}",
            fix="register the class that stands in the model",
        )
    return found


def get_registered_name(obj: Any) -> str:
    """The name of a class or function in files; its own name if it is not registered."""
    names = (registry.first_name(obj) for registry in _homes(obj))
    return next((name for name in names if name is not None), None) or obj.__name__


@checked
def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class or function that a name stands for; None if it stands for none."""
    for objects in (custom_objects or {}, GLOBAL_OBJECTS, module_objects or {}):
        if name in objects:
            return objects[name]
    found = (registry.attribute(name.casefold()) for registry in all_registries())
    return next((entry for entry in found if entry is not None), None)


def get_custom_objects() -> dict[str, Any]:
    """Name -> class or function: what is put in is known by that name everywhere, as ``activation="name"``."""
    return GLOBAL_OBJECTS


@contextmanager
@checked
def custom_object_scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Inside, these names stand for these classes and functions: in files, and as ``activation="name"``."""
    with known_objects(custom_objects):
        yield


CustomObjectScope = custom_object_scope


def serialize_keras_object(obj: Any) -> Any:
    """What is registered, and lists and mappings of it, in JSON types. Raises ArgumentError for anything else."""
    with sharing():
        return describe(obj, "serialize_keras_object()")


@checked
def deserialize_keras_object(
    config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
) -> Any:
    """What ``serialize_keras_object`` has described.

    Arguments:
        safe_mode: accepted; a description never runs anything.
    """
    with known_objects(custom_objects or {}), sharing():
        return restore(config)
