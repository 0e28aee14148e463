"""The network of a case, built and compiled as a user of Keras would do it."""

from __future__ import annotations

from typing import Any

import thalweg
from thalweg import initializers, layers, losses, optimizers, regularizers

Case = dict[str, Any]

OPTIMIZERS: dict[str, Any] = {
    "sgd": optimizers.SGD,
    "adam": optimizers.Adam,
    "rmsprop": optimizers.RMSprop,
    "adagrad": optimizers.Adagrad,
    "adamw": optimizers.AdamW,
    "nadam": optimizers.Nadam,
}
LOSSES = {
    "sparse_categorical_crossentropy": losses.SparseCategoricalCrossentropy,
    "categorical_crossentropy": losses.CategoricalCrossentropy,
    "binary_crossentropy": losses.BinaryCrossentropy,
}


def compiled(case: Case, shape: tuple[int, ...]) -> thalweg.Model:
    """``Sequential`` for a stack of layers, the functional form for one with skips.

    Shapes: rows of the data are of ``shape``.
    """
    model = functional(case, shape) if has_skips(case) else stack(case)
    model.compile(optimizer(case), loss(case), metrics=["accuracy"] if case["task"] != "regression" else ["r2_score"])
    return model


def has_skips(case: Case) -> bool:
    """Whether some layer is a residual block."""
    return any(entry["type"] == "residual" for entry in case["layers"])


def stack(case: Case) -> thalweg.Sequential:
    """One layer after the other; it is built when the data come."""
    return thalweg.Sequential([layer(entry, case) for entry in case["layers"]])


def functional(case: Case, shape: tuple[int, ...]) -> thalweg.Model:
    """With ``x + f(x)`` for each residual block."""
    start = thalweg.Input(shape)
    end = start
    for entry in case["layers"]:
        end = connected(entry, end, case)
    return thalweg.Model(start, end)


def connected(entry: dict[str, Any], x: Any, case: Case) -> Any:
    """The result of a layer, or of a block with its skip, on ``x``."""
    if entry["type"] != "residual":
        return layer(entry, case)(x)
    y = x
    for inner in entry["layers"]:
        y = connected(inner, y, case)
    return layers.Add()([x, y])


def layer(entry: dict[str, Any], case: Case) -> thalweg.Layer:
    """What an entry of ``layers`` stands for."""
    kind = entry["type"]
    if kind == "dense":
        return layers.Dense(entry["units"], entry["activation"], **weights(entry, case))
    if kind == "conv2d":
        size, padding = entry["kernel"], entry["padding"]
        return layers.Conv2D(
            entry["filters"], size, padding=padding, activation=entry["activation"], **weights(entry, case)
        )
    if kind == "maxpool2d":
        return layers.MaxPooling2D(entry.get("size", 2))
    if kind == "dropout":
        return layers.Dropout(entry["rate"])
    return layers.Flatten() if kind == "flatten" else layers.BatchNormalization()


def weights(entry: dict[str, Any], case: Case) -> dict[str, Any]:
    """Initial kernel and bias, and the penalty on the kernel."""
    said = {**case, **entry}
    given: dict[str, Any] = {
        "use_bias": entry.get("bias", True),
        "kernel_initializer": initializer(said.get("init", "glorot_uniform")),
        "bias_initializer": initializers.Constant(said.get("bias_init", 0.0)),
    }
    if case.get("l2"):
        given["kernel_regularizer"] = regularizers.L2(case["l2"])
    return given


def initializer(init: str | dict[str, float]) -> Any:
    """A name of Keras's, or one of ``constant``, ``normal``, ``uniform`` and ``he_gain`` with its number."""
    if isinstance(init, str):
        return init
    ((kind, number),) = init.items()
    if kind == "constant":
        return initializers.Constant(number)
    if kind == "normal":
        return initializers.RandomNormal(0.0, number)
    if kind == "uniform":
        return initializers.RandomUniform(-number, number)
    return initializers.VarianceScaling(2 * number**2, "fan_in", "truncated_normal")


def optimizer(case: Case) -> thalweg.Optimizer:
    """With momentum and clipping where the case says so."""
    given = {name: case[name] for name in ("momentum", "clipnorm", "weight_decay") if case.get(name)}
    made: thalweg.Optimizer = OPTIMIZERS[case["optimizer"]](learning_rate=case["lr"], **given)
    return made


def loss(case: Case) -> Any:
    """By name, or the class where ``from_logits`` is said."""
    if "from_logits" not in case or case["loss"] not in LOSSES:
        return case["loss"]
    return LOSSES[case["loss"]](from_logits=case["from_logits"])


def targets(case: Case, y: Any, classes: int) -> Any:
    """Labels as they are for sparse crossentropy; else one-hot for several units and floats for one."""
    if case["task"] == "regression" or case["loss"].startswith("sparse"):
        return y
    if case["layers"][-1]["units"] == 1:
        return y.astype("float32")
    return thalweg.utils.to_categorical(y, classes)
