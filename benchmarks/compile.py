"""What compiling a step takes, by phase: ``python -m benchmarks.compile``.

The training steps of networks with many layers, compiled with nothing in the cache. The phases: graph (layers, loss,
back-propagation, optimizer), plan, IR (its text), LLVM (that text to object code, on all cores), load (into this
process). Text and object code are made at the same time; "cold" is what the whole of it takes then.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

import thalweg
from benchmarks.table import markdown
from thalweg import layers, models
from thalweg.executors.native.code.llvm import binding, compile_parts
from thalweg.executors.native.code.step import generate, target
from thalweg.executors.native.machine import this_host
from thalweg.executors.native.plan.plan import make_plan
from thalweg.executors.native.run.loader import load
from thalweg.graph.node import Graph

BATCH = 32


class Recorded(Exception):
    """A model asked for the program of this graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__("a graph")
        self.graph = graph


class Recorder:
    """An executor that compiles nothing, and shows what it was to compile."""

    name = "recorder"
    stages = ()

    def compile(self, graph: Graph, *, gather: bool) -> Any:
        """Never returns. Raises Recorded."""
        raise Recorded(graph)


def densenet(blocks: int = 12, growth: int = 12) -> thalweg.Model:
    """Each block of a convolution sees what all blocks before it have made, side by side.

    Source: Huang et al. (2017), arXiv:1608.06993, section 3.
    """
    image = x = layers.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    for _ in range(blocks):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, layers.Conv2D(growth, 3, padding="same", use_bias=False)(y)])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return thalweg.Model(image, layers.Dense(10, "softmax")(layers.GlobalAveragePooling2D()(x)))


NETS: Mapping[str, Callable[[], Any]] = {
    "MNIST MLP": models.mlp,
    "ResNet-20": models.resnet,
    "DenseNet, 12 blocks": densenet,
    "U-Net": models.unet,
}


class Seconds(NamedTuple):
    """Of each phase, one after the other; ``cold``: of all, with the text written while LLVM compiles.

    ``cores`` are the seconds of all cores together that this takes: what a busy machine does not change.
    """

    graph: float
    plan: float
    ir: float
    llvm: float
    load: float
    cold: float
    cores: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--net", nargs="+", choices=NETS, default=list(NETS), metavar="NAME")
    given = parser.parse_args()
    binding()  # LLVM's own start is not any net's
    rows = []
    for name in given.net:
        runs = [measured(NETS[name]()) for _ in range(given.repeats)]
        medians = [statistics.median(run[i] for run in runs) for i in range(len(Seconds._fields))]
        rows.append([name, *(f"{seconds:.3f}" for seconds in medians)])
    print(markdown(["seconds", *Seconds._fields], rows))


def measured(model: Any) -> Seconds:
    """The phases of compiling the model's training step."""
    host = this_host()
    lap = _stopwatch()
    graph = training_graph(model)
    traced = lap()
    plan = make_plan(graph, target(host), gather=False)
    planned = lap()
    parts = list(generate(plan, host, checked=False))
    written = lap()
    objects = compile_parts(parts, host)
    compiled = lap()
    load(objects)
    loaded = lap()
    before = process_time()
    load(compile_parts(generate(make_plan(graph, target(host), gather=False), host, checked=False), host))
    return Seconds(traced, planned, written, compiled, loaded, traced + lap(), process_time() - before)


def _stopwatch() -> Callable[[], float]:
    """Gives the seconds since it was last asked."""
    last = perf_counter()

    def lap() -> float:
        nonlocal last
        before, last = last, perf_counter()
        return last - before

    return lap


def training_graph(model: Any) -> Graph:
    """The graph of a training step of the model, traced anew."""
    pixels = len(model.output_shape) > 2
    model.compile("adam", "binary_crossentropy" if pixels else "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.executor = Recorder()
    x = np.zeros((BATCH, *model.input_shape[1:]), np.float32)
    y = np.zeros((BATCH, *model.output_shape[1:]), np.float32) if pixels else np.zeros(BATCH, np.int64)
    try:
        model.train_on_batch(x, y)
    except Recorded as recorded:
        return recorded.graph
    raise AssertionError("a model compiles its step before it trains")


if __name__ == "__main__":
    main()
