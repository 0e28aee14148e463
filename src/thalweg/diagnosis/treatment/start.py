"""What can be treated, and what a training begins with."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.data.streams.opening import has_columns, parts_of
from thalweg.errors import ArgumentError
from thalweg.initializers import Given
from thalweg.model import Model
from thalweg.state.names import SEED_STATE


def require_treatable(model: Model, x: Any, y: Any) -> None:
    """Raises GraphError if the model is not compiled; ArgumentError for what cannot be treated, and why."""
    runner = model.runner
    runner.require_compiled("treat")
    if parts_of(x, y if has_columns(x) else None) is not None:
        raise _cannot("a stream, whose rows come once", f"{type(x).__name__}", "arrays, which can be trained on again")
    if y is None:
        raise _cannot("data without targets", "y=None", "arrays x and y: without targets there is no score to gain in")
    if runner.own is not None:
        fix = "examine it with thalweg.diagnosis.examine, and change it by hand"
        raise _cannot("a model with a step of its own", type(model).__name__, "a model that fit trains by compile", fix)
    if len(runner.structure.outputs) > 1 or isinstance(y, dict | tuple):
        raise _cannot("a model of several outputs", f"{len(runner.structure.outputs)} outputs", "a model of one output")
    if type(model).compile is not Model.compile:
        raise _cannot("a model with a compile of its own", type(model).__name__, "a model compiled by Model.compile")


def _cannot(what: str, got: str, expected: str, fix: str | None = None) -> ArgumentError:
    problem = f"treat cannot treat {what}"
    return ArgumentError(problem, expected=expected, got=got, fix=fix or f"pass {expected}")


def sample_of(x: Any) -> Any:
    """The rows, with zeros in place of what is no number: by these a model can be built."""
    array = x if isinstance(x, np.ndarray) else None
    if array is None or array.dtype.kind != "f" or np.isfinite(array).all():
        return x
    return np.where(np.isfinite(array), array, 0).astype(array.dtype)


def starting_values(model: Model) -> dict[str, np.ndarray]:
    """Of parameters that do not begin with what their initialisers draw: layers that are frozen or were adapted to
    data, and, as long as the model is not trained, weights that somebody has put there.
    """
    model.runner.give_values()
    trained = set(model.parameters(trainable_only=True))
    is_new = model.optimizer is None or not int(model.optimizer.iterations)
    seed, kept = model.state.number(SEED_STATE), {}
    for path, parameter in model.parameters().items():
        value = parameter.numpy()
        frozen = parameter.trainable and path not in trained
        adapted = not parameter.trainable and isinstance(parameter.initializer, Given)
        put = is_new and not np.array_equal(value, parameter.initial(seed, path), equal_nan=True)
        if frozen or adapted or put:
            kept[path] = value
    return kept


def build(model: Model, x: Any) -> None:
    """Let a model that has no Input yet know its input, also where its loss does not fit: that may be the disease."""
    compiled = model.runner.compiled
    model.runner.compiled = None
    try:
        model.build_for(sample_of(x))
    finally:
        model.runner.compiled = compiled
