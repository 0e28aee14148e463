"""A model as one file: its arrays in the safetensors format, a description of everything else in it as JSON.

Reading makes only what the description names out of registered classes; it runs nothing from the file. The arrays
are compared with what the description asks for before anything is made for them.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import numpy as np

from thalweg import losses, metrics, optimizers
from thalweg.data import safetensors
from thalweg.errors import ArgumentError, FileFormatError, StorageError, ThalwegError
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss
from thalweg.metrics.metric import Metric
from thalweg.optimizers.optimizer import Optimizer
from thalweg.registry import functions
from thalweg.state.names import DRAW_STATE, METRICS, OPTIMIZERS, SLOTS, in_format_1, level, parameter_state
from thalweg.training.position import TYPES
from thalweg.version import __version__

FORMAT = 2
"""Since 2 parameters and slots have a level of their own among the names (see ``state.names``)."""
DRAW_TYPE = TensorType((), "uint32")
KEY = "thalweg"
"""Of the description among the file's strings."""
FOREIGN_ENDINGS = {".h5": "Keras", ".hdf5": "Keras", ".keras": "Keras", ".pt": "PyTorch", ".pth": "PyTorch"}
FOREIGN_STARTS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes .h5",
    b"PK\x03\x04": "a zip archive, as Keras writes .keras and PyTorch .pt",
}
"""What names and bytes of files say of the program that they are of."""

Path = str | os.PathLike[str]
Arrays = Mapping[str, np.ndarray]


def save(path: Path, state: Arrays, description: Mapping[str, Any], overwrite: bool) -> None:
    """Write a model. Raises StorageError if the file cannot be written, or is there and may not be replaced."""
    _may_write(path, overwrite)
    text = json.dumps({"format": FORMAT, "version": __version__, **description})
    safetensors.write(path, state, {KEY: text})


def save_weights(path: Path, parameters: Arrays, overwrite: bool) -> None:
    """Write parameters by their names. Raises StorageError."""
    _may_write(path, overwrite)
    safetensors.write(path, parameters, {})


class FileNotice(UserWarning):
    """A file has the name of another program's format."""


def _may_write(path: Path, overwrite: bool) -> None:
    ending = os.path.splitext(os.fspath(path))[1]
    if ending in FOREIGN_ENDINGS:
        warnings.warn(
            f"{os.fspath(path)!r} is written in thalweg's own format, which thalweg reads under any name "
            f"and {FOREIGN_ENDINGS[ending]} does not",
            FileNotice,
            stacklevel=6,
        )
    if not overwrite and os.path.exists(path):
        raise StorageError(
            f"the file {os.fspath(path)!r} exists",
            expected="a new file name, as overwrite=False",
            got="a file of this name",
            fix="choose another name or pass overwrite=True",
        )


def load_weights(path: Path, shapes: Mapping[str, tuple[int, ...]], skip_mismatch: bool) -> dict[str, np.ndarray]:
    """The parameters of these paths and shapes in a file of weights, or of a whole model of any format.

    Arguments:
        skip_mismatch: leave out those that the file lacks or has in another shape.

    Raises: FileFormatError.
    """
    arrays, strings = _contents(path)
    has_levels = KEY in strings and read_description(path, strings)["format"] > 1
    stored = {name: parameter_state(name) if has_levels else name for name in shapes}
    values = {name: arrays[key] for name, key in stored.items() if key in arrays and arrays[key].shape == shapes[name]}
    missing = [name for name in shapes if name not in values]
    if missing and not skip_mismatch:
        name, key = missing[0], stored[missing[0]]
        raise FileFormatError(
            f"{os.fspath(path)!r} does not hold the weights of this model",
            expected=f"{name!r} of shape {shapes[name]}",
            got=f"shape {arrays[key].shape}" if key in arrays else f"only {', '.join(arrays) or 'nothing'}"[:200],
            fix="build the model as it was when it was saved, or pass skip_mismatch=True",
        )
    return values


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the description of a model's file. Raises FileFormatError or StorageError."""
    arrays, strings = _contents(path)
    if KEY not in strings:
        raise _malformed(path, "it holds arrays only", "a description of the model", "none", "load_weights() reads it")
    return arrays, read_description(path, strings)


def _contents(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays and the strings of a file. Raises FileFormatError, which names the format if it is another's."""
    try:
        return safetensors.read(path)
    except (FileFormatError, StorageError) as error:
        got = _another_format(os.fspath(path))
        if got is None:
            raise
        raise FileFormatError(
            f"{os.fspath(path)!r} is a file of another program",
            expected="one that thalweg has written, with save or save_weights; the name's ending does not matter",
            got=got,
            fix="load it there, and hand its weights over as arrays: np.savez('w.npz', *model.get_weights()) there, "
            "model.set_weights(list(np.load('w.npz').values())) here",
        ) from error


def _another_format(path: str) -> str | None:
    if os.path.isdir(path):
        return "a folder, as TensorFlow writes models" if os.path.exists(os.path.join(path, "saved_model.pb")) else None
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        start = file.read(8)
    return next((what for magic, what in FOREIGN_STARTS.items() if start.startswith(magic)), None)


def read_description(path: Path, strings: Mapping[str, str]) -> dict[str, Any]:
    """The description among a file's strings. Raises FileFormatError if it is none, or of a newer format."""
    try:
        description = json.loads(strings[KEY])
    except (ValueError, RecursionError) as error:
        raise _malformed(path, "its description is no JSON", "JSON", str(error)) from error
    if (
        not isinstance(description, dict)
        or type(description.get("format")) is not int
        or description["format"] < 1
        or not isinstance(description.get("version"), str)
    ):
        got = str(description)[:80]
        raise _malformed(path, "its description has no format number", "a mapping with 'format' and 'version'", got)
    if description["format"] > FORMAT:
        version = f"format {description['format']}, written by thalweg {description.get('version')!r:.20}"
        raise _malformed(path, "it is from a newer version", f"format {FORMAT}", version, "install that version")
    return description


class reading:
    """Turns whatever a bad description causes into a FileFormatError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileFormatError | MemoryError) or not isinstance(error, Exception):
            return
        problem, expected, fix = "its description does not make a model", "a model", "make or fetch the file again"
        got = f"{type(error).__name__}: {error}"
        if isinstance(error, RecursionError):
            raise _malformed(self.path, "its models are nested too deep", "a few dozen at most", "more") from None
        if isinstance(error, ThalwegError):
            problem = f"{problem}: {error.problem if error.layer is None else f'{error.layer}: {error.problem}'}"
            expected, got, fix = error.expected, error.got, error.fix
        raise _malformed(self.path, problem, expected[:300], got[:300], fix) from error


def fitting(path: Path, wanted: Mapping[str, TensorType], arrays: Arrays, format: int) -> dict[str, np.ndarray]:
    """The state of these types out of a file of this format, and where it says that training stands within an epoch.

    Raises: FileFormatError unless all of these types is there and fits.
    """
    state = {}
    for name, kind in wanted.items():
        stored = name if format > 1 else in_format_1(name)
        got = arrays.get(stored)
        if got is None or got.shape != kind.shape or got.dtype != kind.dtype:
            shown = "none" if got is None else f"{got.dtype}{list(got.shape)}"
            raise _malformed(path, f"its array {stored!r} does not fit its description", str(kind), shown)
        state[name] = got
    return _within_epoch(arrays) | (_own_slots(arrays) if format > 1 else {}) | state


def _within_epoch(arrays: Arrays) -> dict[str, np.ndarray]:
    """What files need not have: where in an epoch training stood, its running sums, and what evaluations have drawn."""
    kinds = TYPES | {DRAW_STATE: DRAW_TYPE}
    places = {
        name: arrays[name] for name, kind in kinds.items() if name in arrays and kind == TensorType.of(arrays[name])
    }
    sums = {name: array for name, array in arrays.items() if level(name) == METRICS and array.dtype.kind in "fiub"}
    return places | sums


def _own_slots(arrays: Arrays) -> dict[str, np.ndarray]:
    """What the optimizers of a model keep that says itself what a step does: files need not have it."""
    return {name: array for name, array in arrays.items() if level(name) in (SLOTS, OPTIMIZERS)}


def _malformed(
    path: Path, problem: str, expected: str, got: str, fix: str = "make or fetch the file again"
) -> FileFormatError:
    return FileFormatError(
        f"{os.fspath(path)!r} is no model file that can be used: {problem}", expected=expected, got=got, fix=fix
    )


# What compile was told


def describe_compile(optimizer: Optimizer, given: Mapping[str, Any]) -> dict[str, Any]:
    """The optimizer and the arguments of ``compile``, in JSON types.

    Raises: ArgumentError for a loss or metric that is not registered.
    """
    return {"optimizer": optimizers.registry.config(optimizer), **{key: _plain(value) for key, value in given.items()}}


def _plain(value: Any) -> Any:
    """Losses and metrics as descriptions, anything around them as it is."""
    value = getattr(value, "loss_class", value)
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Loss):
        return losses.registry.config(value)
    if isinstance(value, Metric):
        return metrics.registry.config(value)
    for registry in (losses.registry, metrics.registry):
        if any(value is entry for _, entry in registry.items()):
            return registry.name_of(value)
    if isinstance(value, FunctionType) and value.__name__.isidentifier():
        return functions.config(value)
    raise ArgumentError(
        "the model cannot be saved: a loss or metric has no name",
        expected="names, objects of classes, and functions that have a name of their own",
        got=f"{value!r:.80}",
        fix="write it with def or as a class, or save_weights() only",
    )


def restore_compile(description: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for ``compile``. Raises a ThalwegError if the description is bad."""
    known = {"optimizer", "loss", "loss_weights", "metrics", "weighted_metrics"}
    if "optimizer" not in description or not description.keys() <= known:
        raise ArgumentError(
            "what compile was told is not known",
            expected=f"optimizer, and of {', '.join(sorted(known - {'optimizer'}))} any",
            got=f"{', '.join(map(str, description)) or 'nothing'}"[:200],
            fix="make or fetch the file again",
        )
    given = {key: _restored(value) for key, value in description.items() if key != "optimizer"}
    return {"optimizer": optimizers.registry.from_config(description["optimizer"]), **given}


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "class_name" not in value:
        return {key: _restored(item) for key, item in value.items()}
    kind = value.get("kind")
    registry: Any = metrics.registry if kind == "metric" else functions if kind == "function" else losses.registry
    return registry.from_config(value)
