"""Trainings that prescriptions are written for."""

from __future__ import annotations

from typing import Any

import numpy as np

import thalweg
from thalweg import layers
from thalweg.diagnosis.treatment.material import Material, Task, material
from thalweg.diagnosis.treatment.program import Program


def stack(hidden: str = "sigmoid", units: int = 1, head: str = "sigmoid", depth: int = 3) -> thalweg.Sequential:
    """Dense layers one after the other."""
    between = [layers.Dense(4, activation=hidden) for _ in range(depth)]
    return thalweg.Sequential([layers.Input((3,)), *between, layers.Dense(units, activation=head)])


def pictures() -> thalweg.Sequential:
    """A convolution, a Dropout, and an activation of its own behind the head."""
    return thalweg.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, kernel_regularizer="l2"),
            layers.Softmax(),
        ]
    )


def with_skip() -> thalweg.Model:
    """A block that its input goes around."""
    x = layers.Input((4,))
    y = layers.Dense(4, activation="tanh")(x)
    y = layers.Dense(4)(y)
    return thalweg.Model(x, layers.Dense(1)(layers.Add()([x, y])))


def rows(task: Task, shape: tuple[int, ...] = (3,), count: int = 40, **fit: Any) -> Material:
    """Numbers far from 0, and targets of the task."""
    random = np.random.default_rng(0)
    x = random.normal(20, 5, (count, *shape)).astype(np.float32)
    first = x.reshape(count, -1)[:, 0]
    y = first * 50 if task == "regression" else (first > 20).astype(int)
    if task == "multiclass":
        y = np.digitize(first, [18, 22])
    return material(x, y, task, dict(fit), seed=0)


def program(model: thalweg.Model, loss: str, optimizer: Any = "sgd", **fit: Any) -> Program:
    """The model compiled so, as a program."""
    model.compile(optimizer, loss, metrics=[])
    return Program.of(model, {"epochs": 4, "batch_size": 8, **fit})
