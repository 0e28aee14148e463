"""Activation functions as layers."""

from __future__ import annotations

from typing import Annotated

from thalweg import activations, ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry


@registry.register("activation")
@dataclass(eq=False)
class Activation(Layer):
    """``activation(x)``, by name or as a function from node to node.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    activation: str | activations.Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        activations.get(self.activation)

    def call(self, x: Node, training: bool) -> Node:
        return activations.get(self.activation)(x)


@registry.register("re_lu", "relu")
@dataclass(eq=False)
class ReLU(Layer):
    """``x`` from ``threshold`` on, at most ``max_value``; below it ``negative_slope * (x - threshold)``.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    max_value: Annotated[float, In("[0, inf)")] | None = None
    negative_slope: Annotated[float, In("[0, inf)")] = 0.0
    threshold: Annotated[float, In("[0, inf)")] = 0.0

    def call(self, x: Node, training: bool) -> Node:
        return activations.relu(x, self.negative_slope, self.max_value, self.threshold)


@registry.register("softmax")
@dataclass(eq=False)
class Softmax(Layer):
    """``e^x / sum(e^x)`` along ``axis``.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    axis: int = -1

    def call(self, x: Node, training: bool) -> Node:
        return ops.softmax(x, self.axis)
