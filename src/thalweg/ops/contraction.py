"""Sums of products: matrix products, batched products and, over windows, convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import ClassVar

import numpy as np

from thalweg.errors import DTypeError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply, node_of
from thalweg.graph.types import TensorType
from thalweg.ops import bfloat16
from thalweg.ops.leaf import number

__all__ = ["contract"]

Labels = tuple[int, ...]

_precision: ContextVar[str | None] = ContextVar("thalweg_precision", default=None)


@contextmanager
def products_in(precision: str | None) -> Iterator[None]:
    """Products of float32 made inside take factors of this precision, see ``Contraction``."""
    token = _precision.set(precision)
    try:
        yield
    finally:
        _precision.reset(token)


def precision_for(dtype: str) -> str | None:
    """What products of tensors of a dtype are made with here."""
    return _precision.get() if dtype == "float32" else None


@dataclass(frozen=True)
class Contraction(Op, kind=Kind.CONTRACTION):
    """``out[o] = sum over the other labels of x[...] * y[...]``, Einstein's convention with numbered labels.

    Each axis carries a label. A label of ``x`` or ``y`` that ``out`` has not is summed over. The matrix product is
    ``x=(0, 1), y=(1, 2), out=(0, 2)``.

    With ``precision="bfloat16"`` the factors are rounded to bfloat16, and their products are added up as
    ``ops.bfloat16`` says, in the order of the summed labels' numbers, the last of them running fastest. (Where one of
    the tensors has no axis of its own that is longer than 1, this is a sum as any other, in any order.)

    Shapes: axes with equal labels have equal sizes; every label occurs in at least two of the three.
    """

    x: Labels
    y: Labels
    out: Labels
    precision: str | None = None

    products: ClassVar[int] = 1
    """Of a number of x and one of y."""

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
        assert self.precision is None or x.dtype == "float32", f"{self} of {x}"
        return x.with_shape(tuple(sizes[label] for label in self.out))

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if self.precision is None:
            return np.einsum(x, self.x, y, self.y, self.out, optimize=True)
        factors = (bfloat16.rounded(self._for_sums(*given)) for given in ((x, self.x), (y, self.y)))
        return bfloat16.sums_of_products(*factors)

    @property
    def summed(self) -> Labels:
        """The labels that are summed over, in the order in which that is done."""
        return tuple(sorted({*self.x, *self.y} - {*self.out}))

    def _for_sums(self, x: np.ndarray, labels: Labels) -> np.ndarray:
        """Axes as those of the result, of size 1 where x has none, and a last one with what is summed over."""
        order = [label for label in (*self.out, *self.summed) if label in labels]
        x = np.transpose(x, [labels.index(label) for label in order])
        kept = [x.shape[order.index(label)] if label in labels else 1 for label in self.out]
        return x.reshape(*kept, math.prod(x.shape[order.index(label)] for label in self.summed if label in labels))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, y = inputs
        by_x = replace(self, x=self.out, out=self.x)
        by_y = replace(self, y=self.out, out=self.y)
        return (apply(by_x, g, y), apply(by_y, x, g))


@dataclass(frozen=True)
class PairContraction(Contraction, base=True):
    """The sum of products in bfloat16 of pairs (``bfloat16.PairBfloat16``), in their order.

    It is entered as no primitive: only plans for processors with an instruction for it have it.

    Shapes: as of a contraction, uint32 -> float32. The last of the summed labels counts pairs.
    """

    products: ClassVar[int] = 2

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        assert x.dtype == y.dtype == "uint32", f"{self} of {x} and {y}"
        return super().infer(x.with_dtype("float32"), y.with_dtype("float32"))

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return bfloat16.sums_of_products(*(bfloat16.unpaired(self._for_sums(*g)) for g in ((x, self.x), (y, self.y))))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None, None)


def contract(x: Node, y: Node, x_labels: Labels, y_labels: Labels, out_labels: Labels) -> Node:
    """Einstein's sum of two tensors: ``out[o] = sum over the other labels of x[...] * y[...]``, see Contraction.

    Shapes: x and y with an axis for each of their labels -> the sizes that ``out_labels`` have in them.
    Raises: ShapeError: if a label's sizes differ. DTypeError: unless both are float32 or both float64.
    """
    return apply(Contraction(x_labels, y_labels, out_labels, precision_for(x.dtype)), x, y)


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
