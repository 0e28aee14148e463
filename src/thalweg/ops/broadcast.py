"""Repetition and sum. Each is the other's derivative, so they stand together."""

from __future__ import annotations

import numpy as np

from thalweg.errors import DTypeError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import Shape, TensorType
from thalweg.ops.cast import cast
from thalweg.ops.leaf import constant
from thalweg.ops.shape import Axes, normal_axes, reshape
from thalweg.ops.views import Line, View

__all__ = ["broadcast", "broadcast_to", "filled", "reduce_sum"]


@dataclass(frozen=True)
class Broadcast(View):
    """Repeats: axis i of the input becomes axis ``axes[i]`` of the result, all other axes are repetition.

    Shapes: x (n0, n1, ...) -> ``shape``, where ``shape[axes[i]] == n_i`` and axes rise.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        fits = (
            len(self.axes) == x.rank
            and list(self.axes) == sorted(set(self.axes))
            and all(0 <= a < len(self.shape) and self.shape[a] == n for a, n in zip(self.axes, x.shape, strict=True))
        )
        if not fits:
            raise ShapeError(
                "a tensor cannot be repeated to this shape",
                expected=f"sizes {x.shape} at axes {self.axes} of the result",
                got=f"the result {self.shape}",
                fix="reshape the tensor first, or check which axis is which",
            )
        return x.with_shape(self.shape)

    def reference(self, x: np.ndarray) -> np.ndarray:
        sizes = dict(zip(self.axes, x.shape, strict=True))
        return np.broadcast_to(x.reshape([sizes.get(a, 1) for a in range(len(self.shape))]), self.shape)

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line:
        spread = [0] * len(self.shape)
        for axis, step in zip(self.axes, line.steps, strict=True):
            spread[axis] = step
        return Line(line.start, tuple(spread))

    def follow_axis(self, axis: int, shape: Shape) -> int:
        return self.axes[axis]

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (reduce_sum(g, tuple(a for a in range(len(self.shape)) if a not in self.axes)),)


@dataclass(frozen=True)
class Reduction(Op, base=True, kind=Kind.REDUCTION):
    """Shapes: x (...) -> the shape of x without ``axes``."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        assert list(self.axes) == sorted(set(self.axes)), f"axes {self.axes} are neither sorted nor distinct"
        if not all(0 <= a < x.rank for a in self.axes):
            raise ShapeError(
                f"{self.name} over an axis that does not exist",
                expected=f"axes below {x.rank}, for a tensor of shape {x.shape}",
                got=f"{self.axes}",
                fix="count axes from 0, or from -1 backwards",
            )
        return x.with_shape(tuple(n for a, n in enumerate(x.shape) if a not in self.axes))

    def start(self, dtype: str) -> float | int | bool:
        """What the reduction of nothing gives, and what changes no other number that it is put together with."""
        raise NotImplementedError(f"{self.name} is made of other reductions")

    def repeat(self, y: Node, x: Node) -> Node:
        """The result's shape back to the input's."""
        return broadcast(y, x.shape, tuple(a for a in range(x.rank) if a not in self.axes))


@dataclass(frozen=True)
class ReduceSum(Reduction):
    """The sum over ``axes``; 0 over nothing. Integers wrap around."""

    def infer(self, x: TensorType) -> TensorType:
        if x.dtype == "bool":
            raise DTypeError(
                "a sum of truth values",
                expected="numbers",
                got=str(x),
                fix="cast them to the dtype that the sum is to have",
            )
        return super().infer(x)

    def start(self, dtype: str) -> int:
        return 0

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.sum(self.axes, dtype=x.dtype))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (self.repeat(g, inputs[0]),)


def broadcast(x: Node, shape: tuple[int, ...], axes: tuple[int, ...]) -> Node:
    """``x`` repeated: its axis i becomes axis ``axes[i]`` of the result of shape ``shape``, see Broadcast.

    Shapes: x (n0, n1, ...) -> shape, where ``shape[axes[i]] == n_i`` and axes rise.
    Raises: ShapeError: if they do not.
    """
    return x if x.shape == shape else apply(Broadcast(shape, axes), x)


def broadcast_to(x: Node, shape: tuple[int, ...]) -> Node:
    """``x`` repeated by NumPy's rule: axes are matched from the right, and an axis of size 1 repeats.

    Shapes: x (...) -> shape.
    Raises: ShapeError: if a size is neither that of the shape nor 1, or if x has more axes.
    """
    if x.shape == shape:
        return x
    missing = len(shape) - x.rank
    if missing < 0 or any(n not in (1, shape[missing + a]) for a, n in enumerate(x.shape)):
        raise ShapeError(
            "a tensor cannot be repeated to this shape",
            expected=f"a shape that {x.shape} can be broadcast to",
            got=f"{shape}",
            fix="make the sizes equal, or 1 where the tensor should repeat",
        )
    kept = tuple(a for a, n in enumerate(x.shape) if n == shape[missing + a])
    return broadcast(reshape(x, tuple(x.shape[a] for a in kept)), shape, tuple(missing + a for a in kept))


def filled(shape: tuple[int, ...], value: float | int | bool, dtype: str = "float32") -> Node:
    """A tensor of one number.

    Shapes: -> shape.
    Raises: DTypeError: if the dtype does not hold the number, see constant.
    """
    return broadcast(constant(value, dtype), shape, ())


def reduce_over(kind: type[Reduction], x: Node, axes: Axes, keepdims: bool) -> Node:
    """A reduction over ``axes``, all of them for None, over none x itself; with ``keepdims`` they stay, of size 1.

    Raises: ShapeError: for an axis that is not there, or is there twice.
    """
    op = kind(normal_axes(axes, x.shape))
    result = apply(op, x) if op.axes else x
    if not keepdims:
        return result
    return reshape(result, tuple(1 if a in op.axes else n for a, n in enumerate(x.shape)))


def reduce_sum(x: Node, axes: Axes = None, keepdims: bool = False) -> Node:
    """The sum over ``axes``, all of them for None; 0 over nothing.

    Whole numbers and truth values, of which it counts the true ones, are added up in int64, as in NumPy.

    Shapes: x (...) -> without the axes, or with size 1 there if ``keepdims``.
    Raises: ShapeError: for an axis that is not there, or is there twice.
    """
    return reduce_over(ReduceSum, x if x.type.is_float else cast(x, "int64"), axes, keepdims)
