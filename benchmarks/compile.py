"""What compiling a step takes, by phase: ``python -m benchmarks.compile``.

The training steps of networks with many layers, compiled with nothing in the cache. The phases: graph (layers, loss,
back-propagation, optimizer), plan, IR (its text), LLVM (that text to object code), load (into this process).
"""

from collections.abc import Callable, Mapping
from typing import Any

import thalweg
from thalweg import layers, models
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
    "mnist_mlp": models.mlp,
    "resnet20": models.resnet,
    "densenet12": densenet,
    "unet": models.unet,
}
