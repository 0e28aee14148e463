"""Sums of products: matrix products, batched products and, over windows, convolutions."""

from __future__ import annotations

import numpy as np

from thalweg.errors import DTypeError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply, node_of
from thalweg.graph.types import TensorType
from thalweg.ops.leaf import number

__all__ = ["contract"]

Labels = tuple[int, ...]


@dataclass(frozen=True)
class Contraction(Op, kind=Kind.CONTRACTION):
    """``out[o] = sum over the other labels of x[...] * y[...]``, Einstein's convention with numbered labels.

    Each axis carries a label. A label of ``x`` or ``y`` that ``out`` has not is summed over. The matrix product is
    ``x=(0, 1), y=(1, 2), out=(0, 2)``.

    Shapes: axes with equal labels have equal sizes; every label occurs in at least two of the three.
    """

    x: Labels
    y: Labels
    out: Labels

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        assert (len(self.x), len(self.y)) == (x.rank, y.rank), f"{self} of {x} and {y}"
        given = (self.x, self.y, self.out)
        assert all(len(set(labels)) == len(labels) for labels in given), f"{self} names an axis twice in one tensor"
        assert all(sum(label in labels for labels in given) >= 2 for label in {*self.x, *self.y, *self.out}), (
            f"{self} has a label that only one tensor has; its derivative would be no contraction"
        )
        sizes = dict(zip(self.x, x.shape, strict=True))
        for label, n in zip(self.y, y.shape, strict=True):
            if sizes.setdefault(label, n) != n:
                raise ShapeError(
                    "the sizes of a product do not fit",
                    expected=f"equal sizes on the shared axes of {x}",
                    got=f"{y}, where axis {self.y.index(label)} is {n} and should be {sizes[label]}",
                    fix="check the sizes of the layer before, and which axis is the features'",
                )
        if x.dtype != y.dtype or not x.is_float:
            raise DTypeError(
                "a product of tensors of these dtypes",
                expected="two float32 or two float64 tensors",
                got=f"{x} and {y}",
                fix="cast them first",
            )
        return x.with_shape(tuple(sizes[label] for label in self.out))

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.einsum(x, self.x, y, self.y, self.out, optimize=True)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, y = inputs
        return (apply(Contraction(self.out, self.y, self.x), g, y), apply(Contraction(self.x, self.out, self.y), x, g))


def contract(x: Node, y: Node, x_labels: Labels, y_labels: Labels, out_labels: Labels) -> Node:
    """Einstein's sum of two tensors: ``out[o] = sum over the other labels of x[...] * y[...]``, see Contraction.

    Shapes: x and y with an axis for each of their labels -> the sizes that ``out_labels`` have in them.
    Raises: ShapeError: if a label's sizes differ. DTypeError: unless both are float32 or both float64.
    """
    return apply(Contraction(x_labels, y_labels, out_labels), x, y)


def matmul(x: Node, y: Node) -> Node:
    """The matrix product over the last axis of ``x`` and the last but one of ``y``.

    Shapes: x (..., k), y (k, n) -> (..., n); or x (..., m, k), y (..., k, n) with equal leading axes -> (..., m, n).
    Raises: ShapeError: if they do not fit. DTypeError: for a number, or unless both are float32 or both float64.
    """
    x, y = (node_of(operand) if hasattr(operand, "node") else operand for operand in (x, y))
    if not (isinstance(x, Node) and isinstance(y, Node)):
        number(y if isinstance(x, Node) else x)  # raises for an array from outside
        raise DTypeError(
            "a matrix product with a number",
            expected="two tensors",
            got=f"{x!r:.60} and {y!r:.60}",
            fix="use * to multiply by a number",
        )
    if x.rank < 1 or y.rank < 2:
        raise ShapeError(
            "a matrix product of tensors with too few axes",
            expected="x (..., k) and y (k, n)",
            got=f"{x.type} and {y.type}",
            fix="reshape them first",
        )
    if y.rank > max(x.rank, 2):
        raise ShapeError(
            "a matrix product of tensors whose leading axes do not fit",
            expected=f"x of at least {y.rank} axes, because y has {y.rank}",
            got=f"{x.type} and {y.type}",
            fix="reshape x, or repeat it with broadcast_to",
        )
    shared, last = x.rank - 1, x.rank
    x_labels = tuple(range(x.rank))
    if y.rank == 2:
        return contract(x, y, x_labels, (shared, last), (*x_labels[:-1], last))
    leading = x_labels[: y.rank - 2]
    return contract(x, y, x_labels, (*leading, shared, last), (*x_labels[:-1], last))
