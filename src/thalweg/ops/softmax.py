"""Softmax and its relatives."""

from __future__ import annotations

import numpy as np

from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.broadcast import Reduction, reduce_over, reduce_sum
from thalweg.ops.elementwise import exp, log, require_float
from thalweg.ops.reduce import reduce_max
from thalweg.ops.shape import Axes, normal_axes, reshape

__all__ = ["log_softmax", "log_sum_exp", "softmax"]


@dataclass(frozen=True)
class Softmax(Op, kind=Kind.COMPOSITE):
    """``e^x / sum(e^x)`` along ``axis``: positive, adding up to 1.

    Shapes: x (...) -> (...).
    Numerics: the largest element is subtracted first, so nothing overflows.
    """

    # A primitive so that a loss can recognise it and work on its input, the logits.

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        Reduction((self.axis,)).infer(x)  # for its check of the axis
        return require_float(self, x)

    def reference(self, x: np.ndarray) -> np.ndarray:
        e = np.exp(x - x.max(self.axis, keepdims=True, initial=-np.inf))
        return np.asarray(e / e.sum(self.axis, keepdims=True))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (output * (g - reduce_sum(g * output, self.axis, keepdims=True)),)

    def decompose(self, *inputs: Node) -> Node:
        (x,) = inputs
        e = exp(x - reduce_max(x, self.axis, keepdims=True))
        return e / reduce_sum(e, self.axis, keepdims=True)


@dataclass(frozen=True)
class LogSumExp(Reduction, kind=Kind.COMPOSITE):
    """``log(sum(e^x))`` over ``axes``, a smooth maximum.

    Numerics: the largest element is subtracted first and added last.
    """

    # A primitive because its gradient is exactly softmax; the composite's would run through the maximum too.

    def infer(self, x: TensorType) -> TensorType:
        return super().infer(require_float(self, x))

    def reference(self, x: np.ndarray) -> np.ndarray:
        top = x.max(self.axes, keepdims=True, initial=-np.inf)
        total = np.exp(x - top).sum(self.axes)
        return np.asarray(np.log(total) + top.reshape(total.shape))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        (x,) = inputs
        if len(self.axes) == 1:
            return (self.repeat(g, x) * softmax(x, self.axes[0]),)
        return (self.repeat(g, x) * exp(x - self.repeat(output, x)),)

    def decompose(self, *inputs: Node) -> Node:
        (x,) = inputs
        top = reduce_max(x, self.axes, keepdims=True)
        total = reduce_sum(exp(x - top), self.axes)
        return log(total) + reshape(top, total.shape)


def softmax(x: Node, axis: Axes = -1) -> Node:
    """``e^x / sum(e^x)`` along ``axis``, or over several axes together: positive, adding up to 1.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not floating point. ShapeError: if there is no such axis.
    Numerics: the largest element is subtracted first, so nothing overflows.
    """
    axes = normal_axes(axis, x.shape)
    return apply(Softmax(axes[0]), x) if len(axes) == 1 else exp(log_softmax(x, axes))


def log_sum_exp(x: Node, axis: Axes = -1, keepdims: bool = False) -> Node:
    """``log(sum(e^x))`` along ``axis``, a smooth maximum.

    Shapes: x (...) -> without the axis, or with size 1 there if ``keepdims``.
    Raises: DTypeError: if x is not floating point. ShapeError: if there is no such axis.
    Numerics: the largest element is subtracted first and added last.
    """
    return reduce_over(LogSumExp, x, axis, keepdims)


def log_softmax(x: Node, axis: Axes = -1) -> Node:
    """``log(softmax(x))`` along ``axis``, exact also where softmax is as good as 0.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not floating point. ShapeError: if there is no such axis.
    """
    return x - log_sum_exp(x, axis, keepdims=True)
