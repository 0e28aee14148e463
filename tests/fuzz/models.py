"""Damaged model files: bytes that were changed, and descriptions that say something else, under a right checksum.

A case is ``dense: set 12 255; cut 300`` or ``image: json /config/layers/1/units null``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.fuzz import edits
from tests.fuzz.running import Outcome, tried

import thalweg
from thalweg import Input, layers
from thalweg.training import checkpoint

VALUES = (
    *("null", "true", "false", "0", "-1", "1", "2", "1.5", "1e999", "-1e999", "NaN", "4611686018427387904", "[]", "{}"),
    *(
        '""',
        '"a"',
        '"relu"',
        '"dense"',
        '"float64"',
        '"x/y"',
        '"\\u0000"',
        "[null]",
        "[0, 1]",
        '[["a", 0]]',
        "[[[1]]]",
    ),
    *('{"class_name": "dense"}', '{"class_name": "dense", "config": {}}', '{"kind": "layer"}', "10000000", "[7, 7]"),
)


def _dense() -> thalweg.Model:
    model = thalweg.Sequential([Input((4,)), layers.Dense(3, "relu", kernel_regularizer="l2"), layers.Dense(2)])
    model.compile(thalweg.optimizers.Adam(thalweg.optimizers.schedules.CosineDecay(0.1, 10)), "mse", metrics=["mae"])
    return model


def _image() -> thalweg.Model:
    x = Input((6, 6, 1), dtype="uint8")
    y = layers.Conv2D(2, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(x))
    y = layers.Add()([layers.BatchNormalization()(y), y * 2.0])
    model = thalweg.Model(x, layers.Dense(3, "softmax")(layers.Flatten()(layers.MaxPooling2D()(y))))
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


MODELS = {"dense": (_dense, np.ones((2, 4), "float32")), "image": (_image, np.ones((2, 6, 6, 1), "uint8"))}


@cache
def _file(name: str) -> bytes:
    """What ``save`` writes, the same in every process."""
    thalweg.utils.set_random_seed(0)
    model = MODELS[name][0]()
    model.executor = "numpy"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        model.save(path)
        return path.read_bytes()


@cache
def _predictions(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(_file(name))
        return _used(path, name).tobytes()


def _used(path: Path, name: str) -> np.ndarray:
    model = thalweg.load_model(path)
    model.executor = "numpy"
    return np.asarray(model.predict(MODELS[name][1], verbose=0))


def make(random: Random) -> str:
    name = random.choice(list(MODELS))
    content = _file(name)
    if random.random() < 0.4:
        return f"{name}: {edits.make(random, len(content))}"
    changes = []
    for _ in range(random.choice((1, 1, 2))):
        place = random.choice(list(_places(_description(name)[1])))
        changes.append(f"json {place} {random.choice((*VALUES, *VALUES, 'gone'))}")
    return f"{name}: {'; '.join(changes)}"


def run(case: str) -> Outcome:
    """How loading and one prediction end. A file that is accepted with changed bytes must hold the same model."""
    name, _, changes = case.partition(": ")
    path = Path("damaged")
    if changes.startswith("json"):
        arrays, description = _description(name)
        for change in changes.split("; "):
            _, place, value = change.split(" ", 2)
            _put(description, place.split("/")[1:], value)
        checkpoint.save(path, arrays, description, overwrite=True)
        return tried(lambda: _used(path, name))
    path.write_bytes(edits.applied(_file(name), changes))
    results: list[np.ndarray] = []
    outcome = tried(lambda: results.append(_used(path, name)))
    if outcome.result == "accepted" and results[0].tobytes() != _predictions(name):
        return Outcome("failed", "another model", "the file was changed, is read, and predicts something else")
    return outcome


def _description(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(_file(name))
        return checkpoint.read(path)


def _places(value: Any, where: str = "") -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        place = f"{where}/{str(key).replace('/', '~')}"
        yield place
        yield from _places(item, place)


def _put(value: Any, place: list[str], text: str) -> None:
    """Put what the JSON text says at the place, if that is there still; "gone" takes it away."""
    for step, key in enumerate(place):
        at: Any = int(key) if isinstance(value, list) else key.replace("~", "/")
        there = at < len(value) if isinstance(value, list) else isinstance(value, dict) and at in value
        if not there:
            return
        if step == len(place) - 1:
            if text == "gone":
                del value[at]
            else:
                value[at] = json.loads(text)
            return
        value = value[at]


def smaller(case: str) -> Iterator[str]:
    name, _, changes = case.partition(": ")
    yield from (f"{name}: {fewer}" for fewer in edits.smaller(changes))
