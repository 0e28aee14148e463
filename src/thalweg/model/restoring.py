"""Models from descriptions, in one way: for files, copies, pickles, clones, and models inside of models."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from thalweg.checks import check_value
from thalweg.errors import ArgumentError, NameNotFoundError
from thalweg.model.compiled import Trained
from thalweg.model.description import bad_entry
from thalweg.registry import Registry
from thalweg.state import Snapshot
from thalweg.training import checkpoint

Model = Any
"""A ``thalweg.Model``, which stands further down: it has ``file_config`` and ``from_file_config``,
``compile`` and a ``runner``.
"""


NAMED = "named"
"""In descriptions: whether the name was given, so that the model keeps it as a layer of others; yes unless said."""
LATER = {"TableModel": "thalweg.tables"}
"""Classes of models that stand further down, and are loaded when a file names them: name -> module."""
CLASS_NAMES = "class_names"
"""In descriptions: what the classes are called; none unless said."""
OWN_STEPS = "own_steps"
"""In descriptions: that the class of the model says itself what a step does, and cannot be left out."""


class Models(Registry[Model]):
    """The classes of models by their names in files. The description of a layer can hold a whole model, as Nested's."""

    def config(self, instance: Model) -> dict[str, Any]:
        return {"kind": self.kind, **description(instance)}

    def from_config(self, description: Mapping[str, Any]) -> Model:
        return restored(description)


registry = Models("model")


def description(model: Model) -> dict[str, Any]:
    """A model without weights, in JSON types."""
    described = {"class_name": class_name(type(model)), "config": model.file_config()}
    if not model.has_own_name:
        described[NAMED] = False
    if model.class_names:
        names = check_value(type(model).__name__, CLASS_NAMES, tuple[str, ...], model.class_names)
        described[CLASS_NAMES] = list(names)
    if model.runner.own is not None:
        described[OWN_STEPS] = True
    return described


def whole_description(model: Model) -> dict[str, Any]:
    """The same with what ``compile`` decided."""
    runner = model.runner
    whole, compiled = description(model), runner.compiled
    if compiled is not None:
        whole["compile"] = model.get_compile_config()
        if compiled.trained != Trained.now(runner.structure, model.trainable):
            whole["compiled_for"] = compiled.trained.described(runner.structure)
    return whole


def restored(description: Mapping[str, Any], cls: type[Model] | None = None) -> Model:
    """The model of a description, without values; compiled if the description says how.

    Arguments:
        cls: its class; without, the registered one of that name. A functional model whose class is not registered
            becomes a plain Model.

    Raises: NameNotFoundError if a class describes the model, and is not registered.
    """
    settings, name = description.get("config"), description.get("class_name")
    if not isinstance(settings, Mapping) or not isinstance(name, str):
        raise bad_entry("the model has no class_name and config", "a string and a mapping", description)
    told = {key: description.get(key, default) for key, default in ((OWN_STEPS, False), (NAMED, True))}
    for key, value in told.items():
        if not isinstance(value, bool):
            raise bad_entry(f"{key!r} of the model does not fit its rule", "True or False", value)
    model_class: Model = _class(name, "arguments" in settings or told[OWN_STEPS]) if cls is None else cls
    model = model_class.from_file_config(settings)
    model.has_own_name = told[NAMED]
    if CLASS_NAMES in description:
        model.class_names = check_value("the file", CLASS_NAMES, tuple[str, ...], description[CLASS_NAMES])
    if "compile" in description:
        if not isinstance(description["compile"], Mapping | None):
            raise bad_entry("the arguments of compile are no mapping", "optimizer, loss ...", description["compile"])
        model.compile_from_config(description["compile"])
    if "compiled_for" in description and model.runner.compiled is not None:
        model.runner.settle(Trained.restored(description["compiled_for"], model.runner.structure))
    return model


def revived(cls: type[Model], description: Mapping[str, Any], arrays: Snapshot, format: int = 1) -> Model:
    """The model of a copy or a pickle; older pickles do not say what format their names are of."""
    model = restored(description, cls)
    model.runner.take_state(checkpoint.fitting("the pickle", model.runner.state_types(), arrays, format))
    return model


def class_name(cls: type[Model]) -> str:
    """The name of a class of models in files: the one that it is registered under, else its own."""
    return registry.first_name(cls) or cls.__name__


def _class(name: str, described: bool) -> Model:
    if name in LATER:
        importlib.import_module(LATER[name])
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


def require_arguments_known(cls: type[Model], get_config: Any) -> None:
    """Raise ArgumentError where a file could not say how to make a model of this class anew.

    Arguments:
        get_config: that of all models, which says nothing of arguments.
    """
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    wanted = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.name not in ("name", "trainable")]
    if wanted and cls.get_config is get_config:
        raise ArgumentError(
            f"the model cannot be saved as a whole: nothing says what {cls.__name__} was made with",
            expected=f"a method get_config of {cls.__name__} that gives the arguments of its __init__",
            got=f"no get_config; __init__ takes {', '.join(wanted)}",
            fix=f"write def get_config(self): return {{{wanted[0]!r}: self.{wanted[0]}}}, or use save_weights()",
        )
