"""Layers that change shapes and no numbers."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In, Reserved
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry

__all__ = ["Flatten", "Identity", "Permute", "RepeatVector", "Reshape"]


@registry.register("identity")
@dataclass(eq=False)
class Identity(Layer):
    """Its input: a place to name, or what is put where a layer was.

    Shapes: x (batch, ...) -> the same. The dtype stays.
    """

    supports_masking: ClassVar[bool] = True

    def call(self, x: Node, training: bool) -> Node:
        return x


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


@registry.register("permute")
@dataclass(eq=False)
class Permute(Layer):
    """The axes of a sample in another order.

    Shapes: x (batch, a, b) -> (batch, b, a) for ``dims=(2, 1)``. The dtype stays.

    Arguments:
        dims: the axes counted from 1, the batch's not among them, in the order that the result has.
    """

    dims: tuple[Annotated[int, In("[1, inf)")], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(
                "Permute: dims is no order of the axes",
                expected="each of the numbers 1 to the number of axes once",
                got=str(self.dims),
                fix="count from 1 and leave out the batch: (2, 1) swaps the two axes of a sample",
            )

    def call(self, x: Node, training: bool) -> Node:
        if len(self.dims) != x.rank - 1:
            raise ShapeError(
                "dims does not fit the input",
                expected=f"an order of {x.rank - 1} axes",
                got=f"dims={self.dims}",
                fix="name every axis of a sample once",
            )
        return ops.transpose(x, (0, *self.dims))


@registry.register("repeat_vector")
@dataclass(eq=False)
class RepeatVector(Layer):
    """Each sample's features ``n`` times.

    Shapes: x (batch, features) -> (batch, n, features). The dtype stays.
    """

    n: Annotated[int, In("[1, inf)")]

    def call(self, x: Node, training: bool) -> Node:
        if x.rank != 2:
            raise ShapeError(
                "only vectors can be repeated",
                expected="(batch, features)",
                got=str(("batch", *x.shape[1:])),
                fix="put Flatten() before this layer",
            )
        return ops.broadcast(x, (x.shape[0], self.n, x.shape[1]), (0, 2))
