"""Records made up by hand: a healthy training, and what turns it into a sick one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from thalweg.doctor.record import (
    Head,
    Inputs,
    LayerInfo,
    Outcome,
    Plan,
    Probe,
    Record,
    Reference,
    Repeats,
    Targets,
)

FALLING = tuple(2.3 * 0.7**epoch for epoch in range(20))
NAMES = ("a", "b", "c", "d", "e", "head")


def layer(name: str, activation: str = "relu", **changes: Any) -> LayerInfo:
    """A layer of 64 units on 64, as Glorot begins it."""
    values: dict[str, Any] = {"fan_in": 64, "fan_out": 64, "parameters": 4160, "gain": 1.0, "bias": 0.0}
    return LayerInfo(name, "Dense", activation, **(values | changes))


def layers(activation: str = "relu", **changes: Any) -> tuple[LayerInfo, ...]:
    """Five hidden ones and a head."""
    return (*(layer(name, activation, **changes) for name in NAMES[:-1]), layer("head", "softmax", fan_out=10))


def probe(step: int, epoch: float, way: float = 0.5, **statistics: Any) -> Probe:
    """A moment: each layer has the same statistics; a list gives each its own."""
    values: dict[str, Any] = {
        "kernel_gradient": 0.1,
        "gradient_norm": 0.12,
        "dead": 0.05,
        "saturated": 0.02,
        "pre_deviation": 1.0,
        **statistics,
    }
    own = {
        name: {key: value[i] if isinstance(value, list) else value for key, value in values.items()}
        for i, name in enumerate(NAMES)
    }
    return Probe(step, epoch, 2.3 * 0.7**epoch, own, dict.fromkeys(NAMES, way if step else 0.0))


def probes(way: float = 0.5, **statistics: Any) -> tuple[Probe, ...]:
    """At the start, after an epoch, and at the end."""
    return (
        probe(0, 0, **statistics),
        probe(30, 1, way / 3, **statistics),
        probe(600, 20, way, **statistics),
    )


def outcome(score: float, loss: float = 0.1, rows: int = 400, **changes: Any) -> Outcome:
    """Of ten classes that are recalled alike."""
    return Outcome(rows, loss, score, **({"recalls": (score,) * 10, "confident_errors": 0.01} | changes))


HEALTHY = Record(
    "multiclass",
    Plan("sgd", 0.05, 32, 960, 30, 20, parameters=20000),
    inputs=Inputs(960, 64),
    targets=Targets(shares=(0.1,) * 10),
    repeats=Repeats(0.0, 0.0, 0.0, 0.0),
    reference=Reference(0.1, 0.95, 0.05, 0.95),
    head=Head("head", 10, "softmax", "sparse_categorical_crossentropy"),
    layers=layers(),
    probes=probes(),
    curves={"loss": FALLING, "val_loss": tuple(1.1 * loss for loss in FALLING)},
    initial_loss=2.4,
    steps=600,
    epochs=20,
    train=outcome(0.99),
    validation=outcome(0.95, 0.15),
    best=outcome(0.95, 0.15),
)


def changed(record: Record = HEALTHY, **changes: Any) -> Record:
    """With other parts; a dict changes fields of a part."""
    for name, change in changes.items():
        old = getattr(record, name)
        if isinstance(change, dict) and not isinstance(old, dict):
            changes[name] = dataclasses.replace(old, **change)
    return dataclasses.replace(record, **changes)


def failing(record: Record = HEALTHY, score: float = 0.3, loss: float = 2.0, **changes: Any) -> Record:
    """It does not learn."""
    curve = tuple(2.3 - (2.3 - loss) * (1 - 0.6**epoch) for epoch in range(20))
    bad = outcome(score, loss)
    parts = {"train": bad, "validation": bad, "best": bad, "curves": {"loss": curve, "val_loss": curve}}
    return changed(record, **(parts | changes))


def numbers(score: float = 0.9, **changes: Any) -> Record:
    """A healthy regression."""
    own = outcome(score, 1 - score, recalls=(), confident_errors=None)
    parts: dict[str, Any] = {
        "task": "regression",
        "targets": Targets(),
        "reference": Reference(0.0, 0.8),
        "head": Head("head", 1, "linear", "mean_squared_error", linear=True),
        "train": own,
        "validation": own,
        "best": own,
    }
    return changed(**(parts | changes))


def curve(*values: float) -> dict[str, tuple[float, ...]]:
    """Both losses."""
    return {"loss": values, "val_loss": values}


NAN = math.nan
