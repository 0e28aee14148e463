"""Joining tensors."""

from __future__ import annotations

import itertools

import numpy as np

from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Node, Nodes, apply
from thalweg.graph.types import TensorType
from thalweg.ops.cast import cast
from thalweg.ops.elementwise import add
from thalweg.ops.shape import normal_axis, pad, slice_axis
from thalweg.ops.views import Box, Move

__all__: list[str] = []  # the public one is that of ``arrangement``


@dataclass(frozen=True)
class Concatenate(Move):
    """The inputs one after the other along ``axis``; all other sizes equal."""

    axis: int

    def infer(self, *inputs: TensorType) -> TensorType:
        assert inputs, "nothing to join"
        first = inputs[0]
        if not 0 <= self.axis < first.rank:
            raise ShapeError(
                "tensors cannot be joined along an axis that they do not have",
                expected=f"an axis below {first.rank}",
                got=f"axis {self.axis} of {first}",
                fix="check the number of axes, or reshape first",
            )
        rests = {x.shape[: self.axis] + x.shape[self.axis + 1 :] for x in inputs}
        if len(rests) != 1 or len({x.dtype for x in inputs}) != 1:
            raise ShapeError(
                f"tensors cannot be joined along axis {self.axis}",
                expected=f"equal dtypes, and equal sizes on all axes but {self.axis}",
                got=", ".join(map(str, inputs)),
                fix="reshape or cast them first, or join along another axis",
            )
        total = sum(x.shape[self.axis] for x in inputs)
        return first.with_shape((*first.shape[: self.axis], total, *first.shape[self.axis + 1 :]))

    def boxes(self, *inputs: TensorType) -> tuple[Box, ...]:
        ends = itertools.accumulate((x.shape[self.axis] for x in inputs), initial=0)
        return tuple(
            tuple(slice(start, stop, 1) if a == self.axis else slice(0, n, 1) for a, n in enumerate(x.shape))
            for x, (start, stop) in zip(inputs, itertools.pairwise(ends), strict=True)
        )

    def reference(self, *inputs: np.ndarray) -> np.ndarray:
        return np.concatenate(inputs, self.axis)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        places = [box[self.axis] for box in self.boxes(*(x.type for x in inputs))]
        return tuple(slice_axis(g, self.axis, place.start, place.stop) for place in places)

    def decompose(self, *inputs: Node) -> Node:
        dtype = inputs[0].dtype
        if dtype in ("bool", "uint8"):  # which add does not take
            return cast(self.decompose(*(cast(x, "int32") for x in inputs)), dtype)
        result: Node | None = None
        total, start = self.infer(*(x.type for x in inputs)).shape[self.axis], 0
        for x in inputs:
            n = x.shape[self.axis]
            low = tuple(start if a == self.axis else 0 for a in range(x.rank))
            high = tuple(total - start - n if a == self.axis else 0 for a in range(x.rank))
            padded = pad(x, low, high)
            result = padded if result is None else add(result, padded)
            start += n
        assert result is not None, "concatenate has at least one input"
        return result


def concatenate(xs: Nodes, axis: int = -1) -> Node:
    """The tensors one after the other along an axis; all other sizes equal.

    Shapes: xs, several (..., n_i, ...) -> (..., sum of n_i, ...).
    Raises: ShapeError: if other sizes or the dtypes differ, or if there is no such axis.
    """
    return xs[0] if len(xs) == 1 else apply(Concatenate(normal_axis(axis, xs[0].shape)), *xs)
