"""What steps are compiled to, as text, compared with the files of tests/golden.

A test that fails shows the difference. If that is what was meant, ``pytest --update-golden tests/test_golden.py``
writes the files anew; look at them with ``git diff`` before they are committed.
"""

import difflib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import thalweg
from thalweg import layers, models, ops
from thalweg.executors.explain import explain
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.executor import NativeExecutor
from thalweg.executors.native.host import AVX2, AVX512, NEON, SSE2
from thalweg.executors.native.plan.plan import make_plan
from thalweg.graph.node import Graph
from thalweg.ops.leaf import state_node

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


def functions(graph, host, *names):
    """Of the code of a graph the functions whose names begin so."""

    def text():
        return chosen(explain(NativeExecutor(host=host), graph(), "ir", gather=False), names)

    return text


def stamped(graph, host):
    """The code that runs a step with a profile, and its clock."""

    def text():
        *_, ir = generate(make_plan(graph(), target(host), False), host, checked=False, profiled=True)
        return chosen(ir.text, ("run", "clock", "stamp"))

    return text


def chosen(ir, names):
    found = re.findall(r"^define .*?^}\n", ir, re.MULTILINE | re.DOTALL)
    return "\n".join(f for f in found if f.split("@")[1].startswith(names))


def scaled():
    """One elementwise expression, whose loop has whole vectors and a rest."""
    return Graph({"y": ops.relu(2.0 * ops.input_node("x", (37,)) + 1.0)})


def product():
    """A product with what follows it elementwise."""
    x, w = ops.input_node("x", (4, 6)), state_node("w", (6, 8), "float32")
    return Graph({"y": ops.relu(x @ w + 1.0)})


def total():
    return Graph({"y": ops.reduce_sum(ops.input_node("x", (3, 20)), 1)})


CASES: dict[str, Callable[[], str]] = {
    "softmax-graph": step(softmax, "graph"),
    "adam-graph": step(adam, "graph"),
    "normalised-graph": step(normalised, "graph"),
    "dropped-graph": step(dropped, "graph"),
    "embedded-graph": step(embedded, "graph"),
    "searched-graph": step(searched, "graph"),
    "softmax-evaluated-graph": step(softmax, "graph", "evaluate"),
    "softmax-predicted-graph": step(softmax, "graph", "predict"),
    "softmax-kernels": step(softmax, "kernels"),
    "normalised-kernels": step(normalised, "kernels"),
    "convolved-kernels": step(convolved, "kernels"),
    "softmax-plan": step(softmax, "plan"),
    "convolved-plan": step(convolved, "plan"),
    "embedded-plan": step(embedded, "plan"),
    "joined-plan": step(joined, "plan"),
    "digits-plan": step(digits, "plan", batch_size=128),
    "softmax-simplified": step(softmax, "simplified"),
    "convolved-simplified": step(convolved, "simplified"),
    "joined-simplified": step(joined, "simplified"),
    "scaled-ir-avx512": functions(scaled, AVX512, "kernel"),  # masked loads and stores for the rest
    "scaled-ir-sse2": functions(scaled, SSE2, "kernel"),
    "product-ir-avx2": functions(product, AVX2, "kernel", "tile"),
    "total-ir-neon": functions(total, NEON, "kernel"),
    "total-run-avx2": functions(total, AVX2, "run", "barrier"),
    "total-stamped-run-avx2": stamped(total, AVX2),
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
