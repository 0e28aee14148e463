"""Layers that change shapes and no numbers."""

from __future__ import annotations

import math
from typing import Annotated

from thalweg import ops
from thalweg.checks import In, Reserved
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry


@registry.register("flatten")
@dataclass(eq=False)
class Flatten(Layer):
    """All axes of a sample as one.

    Shapes: x (batch, ...) -> (batch, features); (batch,) -> (batch, 1). The dtype stays.
    """

    data_format: Annotated[object, Reserved()] = None

    def call(self, x: Node, training: bool) -> Node:
        return ops.flatten(x)


@registry.register("reshape")
@dataclass(eq=False)
class Reshape(Layer):
    """Samples under another shape, their numbers in the same order.

    Shapes: x (batch, ...) -> (batch, *target_shape). One size may be -1, to be worked out. The dtype stays.
    """

    target_shape: tuple[Annotated[int, In("[-1, inf)")], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_shape.count(-1) > 1:
            raise ArgumentError(
                "Reshape: more than one size is left open",
                expected="at most one -1 in target_shape",
                got=str(self.target_shape),
                fix="write out all sizes but one",
            )

    def call(self, x: Node, training: bool) -> Node:
        features = math.prod(x.shape[1:])
        known = math.prod(n for n in self.target_shape if n != -1)
        open_size = features // known if known else 0
        shape = tuple(open_size if n == -1 else n for n in self.target_shape)
        if math.prod(shape) != features:
            raise ShapeError(
                "a sample cannot take this shape",
                expected=f"a target_shape of {features} numbers, as a sample of shape {x.shape[1:]} has",
                got=f"{self.target_shape}",
                fix="choose sizes whose product is that number; one may be -1",
            )
        return ops.reshape(x, (x.shape[0], *shape))
