"""All weights of a model: as arrays, and in files of their own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from thalweg.data.arrays import as_array, converted, require_finite
from thalweg.errors import ShapeError
from thalweg.layers.tracing import Parameter
from thalweg.model.runner import Runner
from thalweg.processes.job import current
from thalweg.training import checkpoint


def made(runner: Runner, what: str) -> dict[str, Parameter]:
    """The parameters by path, with values. Raises GraphError if the model is not built."""
    runner.require_built(what)
    runner.give_values()
    return runner.structure.parameters()


def put(runner: Runner, weights: Iterable[Any]) -> None:
    """Put values into all parameters. Raises ShapeError, DTypeError or DataError, before any is changed."""
    parameters = made(runner, "set_weights")
    arrays = [as_array(array, f"weights[{number}]") for number, array in enumerate(weights)]
    if [array.shape for array in arrays] != [parameter.shape for parameter in parameters.values()]:
        raise ShapeError(
            "the arrays do not fit the model's weights",
            expected=", ".join(f"{path} {parameter.shape}" for path, parameter in parameters.items()),
            got=", ".join(str(array.shape) for array in arrays) or "no arrays",
            fix="pass what get_weights() of an equal model gives",
        )
    ready = [converted(array, p.dtype, path) for (path, p), array in zip(parameters.items(), arrays, strict=True)]
    for path, array in zip(parameters, ready, strict=True):
        require_finite(array, f"the value for {path!r}")
    for parameter, array in zip(parameters.values(), ready, strict=True):
        parameter.assign(array)


def save(runner: Runner, path: checkpoint.Path, overwrite: bool) -> None:
    """Write the parameters by their paths. Raises StorageError."""
    parameters = values(made(runner, "save_weights"))
    current().by_the_first("save_weights", partial(checkpoint.save_weights, path, parameters, overwrite))


def load(runner: Runner, path: checkpoint.Path, skip_mismatch: bool) -> None:
    """Parameters by their paths from a file. Raises FileFormatError, before any is changed."""
    parameters = made(runner, "load_weights")
    shapes = {path: parameter.shape for path, parameter in parameters.items()}
    for name, array in checkpoint.load_weights(path, shapes, skip_mismatch).items():
        parameters[name].assign(array)


def values(parameters: dict[str, Parameter]) -> dict[str, np.ndarray]:
    """Copies by path."""
    return {path: parameter.numpy() for path, parameter in parameters.items()}
