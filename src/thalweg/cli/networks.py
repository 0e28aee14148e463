"""The networks for images that commands make: by their names, with the options that they have."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import thalweg
from thalweg import executors, models, optimizers
from thalweg.cli.data import DATASETS, Images, images_of
from thalweg.cli.options import executor_of
from thalweg.errors import ArgumentError, NameNotFoundError, did_you_mean
from thalweg.model import Model

MODELS: dict[str, Callable[..., Model]] = {
    "mlp": models.mlp,
    "cnn": models.small_cnn,
    "lenet": models.lenet,
    "resnet": models.resnet,
}
DEFAULTS = {"mnist": "mlp"}
"""By data set. MNIST's takes seconds and is 98 % right; the convolutional ones take longer and are 99 % right."""

RESNET_DEPTH = 8
"""The smallest: one block for each of its three sizes."""

LARGE = 64 * 64
"""Pixels from which on the dense layer of small_cnn would have tens of millions of weights."""

LOSS = "sparse_categorical_crossentropy"


def default(data: Images) -> str:
    """The kind of network that these images get."""
    return DEFAULTS.get(data.name) or ("resnet" if np.prod(data.shape[:2]) >= LARGE else "cnn")


def others(kind: str) -> str:
    """The kinds that there are beside this one."""
    *most, last = (name for name in MODELS if name != kind)
    return f"{', '.join(most)} or {last}"


def network(kind: str, data: Images, **options: Any) -> Model:
    """A network, not compiled, for images that go in as they are in memory. Raises NameNotFoundError, ArgumentError."""
    if kind not in MODELS:
        raise NameNotFoundError(
            "there is no model of this kind", expected=", ".join(MODELS), got=repr(kind), fix=did_you_mean(kind, MODELS)
        )
    make = MODELS[kind]
    given = {name: value for name, value in options.items() if value is not None}
    surplus = given.keys() - inspect.signature(make).parameters.keys()
    if surplus:
        raise ArgumentError(
            f"the model {kind!r} is built without some of these options",
            expected=", ".join(f"--{name}" for name in options if name in inspect.signature(make).parameters) or "none",
            got=", ".join(f"--{name}" for name in sorted(surplus)),
            fix="leave it out, or choose --model mlp",
        )
    if kind == "resnet":
        given["depth"] = RESNET_DEPTH
    return make(input_shape=data.shape, classes=len(data.class_names), dtype=data.dtype, **given)


def named_or_saved(name: str) -> Model:
    """The model in this file, or the one that train makes of the data set of this name, as it is at its beginning."""
    if name not in DATASETS:
        return thalweg.load_model(Path(name))
    net = network(DEFAULTS[name], images_of(name).cut())
    net.compile("adam", LOSS, metrics=["accuracy"])
    return net


def optimizer(name: str, learning_rate: float | None) -> optimizers.Optimizer:
    """The optimizer of this name. Raises NameNotFoundError."""
    entry = optimizers.registry.find(name)
    made: optimizers.Optimizer = entry() if learning_rate is None else entry(learning_rate=learning_rate)
    return made


def choose_executor(net: Model, name: str | None, device: str | None = None) -> None:
    """What the options say of it, if they say anything. Raises what ``executor_of`` and ``executors.named`` raise."""
    chosen = executor_of(name, device)
    if chosen is not None:
        net.executor = executors.named(chosen)
