"""What steps are compiled to, as text, compared with the files of tests/golden.

A test that fails shows the difference. If that is what was meant, ``pytest --update-golden tests/test_golden.py``
writes the files anew; look at them with ``git diff`` before they are committed.
"""

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

import thalweg
from thalweg import layers, models
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX2

FOLDER = Path(__file__).parent / "golden"
HOST = AVX2  # not this machine's: the same text everywhere
BATCH = 8


def network(*parts, loss="mse", optimizer="sgd", **options):
    """The layers as a compiled model; its name, and so theirs, do not depend on what was made before."""
    model = thalweg.Sequential([*parts])
    model.compile(optimizer, loss, **options)
    model.executor = NativeExecutor(host=HOST)
    return model


def softmax():
    """A dense layer, softmax, crossentropy, plain gradient descent: the smallest net."""
    return network(layers.Input((4,)), layers.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy")


def adam():
    return network(layers.Input((4,)), layers.Dense(1), optimizer="adam")


def normalised():
    return network(layers.Input((6,)), layers.Dense(5, use_bias=False), layers.BatchNormalization(), layers.ReLU())


def dropped():
    return network(layers.Input((6,)), layers.Dropout(0.5), layers.Dense(2))


def convolved():
    parts = [layers.Conv2D(4, 3, activation="relu", padding="same"), layers.MaxPooling2D(), layers.Flatten()]
    return network(layers.Input((6, 6, 2)), *parts, layers.Dense(3))


def embedded():
    return network(layers.Input((5,), dtype="int32"), layers.Embedding(10, 4), layers.Flatten(), layers.Dense(2))


def joined():
    x = thalweg.Input((4,))
    both = layers.Concatenate()([layers.Dense(3, activation="relu")(x), layers.Dense(2)(x)])
    model = thalweg.Model(x, layers.Dense(1)(both))
    model.compile("sgd", "mse")
    model.executor = NativeExecutor(host=HOST)
    return model


def searched():
    return network(layers.Input((4,)), layers.Dense(1), optimizer="lbfgs")


def digits():
    """The network of ``thalweg train mnist``."""
    model = models.mlp(input_shape=(28, 28), classes=10, dtype="uint8")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.executor = NativeExecutor(host=HOST)
    return model


def step(make, stage, what="train", batch_size=BATCH):
    return lambda: make().explain(stage, batch_size, what)


CASES: dict[str, Callable[[], str]] = {
    "softmax-graph": step(softmax, "graph"),
    "adam-graph": step(adam, "graph"),
    "normalised-graph": step(normalised, "graph"),
    "dropped-graph": step(dropped, "graph"),
    "embedded-graph": step(embedded, "graph"),
    "searched-graph": step(searched, "graph"),
    "softmax-evaluated-graph": step(softmax, "graph", "evaluate"),
    "softmax-predicted-graph": step(softmax, "graph", "predict"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_that_of_the_file(name, request):
    file, text = FOLDER / f"{name}.txt", CASES[name]()
    if request.config.getoption("--update-golden"):
        file.write_text(text, encoding="utf-8")
    known = file.read_text(encoding="utf-8") if file.exists() else ""
    difference = difflib.unified_diff(known.splitlines(), text.splitlines(), file.name, "now", lineterm="", n=2)
    assert known == text, "\n".join(["--update-golden writes the file anew", *difference])


def test_every_file_belongs_to_a_case():
    assert {file.stem for file in FOLDER.glob("*.txt")} == CASES.keys()
