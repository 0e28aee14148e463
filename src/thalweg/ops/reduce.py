"""Operations that pick one of many numbers, and the mean."""

from __future__ import annotations

import math

import numpy as np

from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.broadcast import Reduction, filled, reduce_over, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.elementwise import divide, equal, logical_or, multiply, not_equal, select
from thalweg.ops.leaf import constant, iota
from thalweg.ops.shape import Axes, normal_axes, normal_axis

__all__ = ["reduce_max", "reduce_mean", "reduce_min"]


@dataclass(frozen=True)
class _Extreme(Reduction):
    """Numerics: NaN if any element is NaN. Ties share the gradient equally, as the mean of their one-sided choices."""

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        (x,) = inputs
        ties = cast(equal(x, self.repeat(output, x)), x.dtype)
        return (multiply(ties, self.repeat(divide(g, reduce_sum(ties, self.axes)), x)),)


@dataclass(frozen=True)
class ReduceMax(_Extreme):
    """The largest over ``axes``; -inf (or the smallest integer) over nothing."""

    def start(self, dtype: str) -> float | int | bool:
        return lowest(dtype)

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.max(self.axes, initial=self.start(x.dtype.name)))


@dataclass(frozen=True)
class ReduceMin(_Extreme):
    """The smallest over ``axes``; inf (or the largest integer) over nothing."""

    def start(self, dtype: str) -> float | int | bool:
        return highest(dtype)

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.min(self.axes, initial=self.start(x.dtype.name)))


@dataclass(frozen=True)
class ArgMax(Op, kind=Kind.COMPOSITE):
    """Where along ``axis`` the first largest element stands; the first NaN if there is one.

    Shapes: x (...) -> the shape of x without ``axis``, int32.
    """

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        result = ReduceMax((self.axis,)).infer(x).with_dtype("int32")
        if x.shape[self.axis] == 0:
            raise ShapeError(
                "the place of the largest element among none",
                expected=f"at least one element along axis {self.axis}",
                got=str(x),
                fix="leave out empty tensors",
            )
        return result

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.argmax(self.axis).astype(np.int32))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)

    def decompose(self, *inputs: Node) -> Node:
        (x,) = inputs
        top = equal(x, reduce_max(x, self.axis, keepdims=True))
        first = logical_or(top, not_equal(x, x)) if x.type.is_float else top
        places = select(first, iota(x.shape, self.axis), filled(x.shape, x.shape[self.axis], "int32"))
        return reduce_min(places, self.axis)


def lowest(dtype: str) -> float | int | bool:
    """What a maximum starts from."""
    return -math.inf if dtype.startswith("float") else False if dtype == "bool" else int(np.iinfo(dtype).min)


def highest(dtype: str) -> float | int | bool:
    """What a minimum starts from."""
    return math.inf if dtype.startswith("float") else True if dtype == "bool" else int(np.iinfo(dtype).max)


def reduce_max(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    """The largest over ``axes``, all of them for None; -inf, or the smallest integer, over nothing.

    NaN if any element is NaN. Equal largest numbers share the gradient.

    Shapes: x (...) -> without the axes, or with size 1 there if ``keepdims``.
    Raises: ShapeError: for an axis that is not there, or is there twice.
    """
    return reduce_over(ReduceMax, x, axes, keepdims)


def reduce_min(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    """The smallest over ``axes``, all of them for None; inf, or the largest integer, over nothing.

    NaN if any element is NaN. Equal smallest numbers share the gradient.

    Shapes: x (...) -> without the axes, or with size 1 there if ``keepdims``.
    Raises: ShapeError: for an axis that is not there, or is there twice.
    """
    return reduce_over(ReduceMin, x, axes, keepdims)


def reduce_mean(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    """The arithmetic mean over ``axes``, all of them for None; NaN over nothing.

    Of whole numbers and truth values it is float64, as in NumPy.

    Shapes: x (...) -> without the axes, or with size 1 there if ``keepdims``.
    Raises: ShapeError: for an axis that is not there, or is there twice.
    """
    if not x.type.is_float:
        x = cast(x, "float64")
    count = math.prod(x.shape[a] for a in normal_axes(axes, x.shape))
    total = reduce_sum(x, axes, keepdims)
    return multiply(total, constant(1.0 / count if count else math.nan, x.dtype))


def argmax(x: Node, axis: int = -1) -> Node:
    """Where along ``axis`` the first largest element stands, int32; the first NaN if there is one. It has no gradient.

    Shapes: x (...) -> without the axis.
    Raises: ShapeError: if there is no such axis, or nothing along it.
    """
    return apply(ArgMax(normal_axis(axis, x.shape)), x)
