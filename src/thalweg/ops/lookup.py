"""Rows by number: looking them up in a table, and adding them up into one."""

from __future__ import annotations

import math

import numpy as np

from thalweg.errors import DTypeError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.cast import cast
from thalweg.ops.shape import normal_axis, reshape, transpose

__all__: list[str] = []  # the public one is that of ``places``


@dataclass(frozen=True)
class Take(Op, kind=Kind.LOOKUP):
    """Row ``index[i]`` of a table (n, width) as row i of the result (k, width); NaN where the table has no such row.

    NaN rather than some other row: a wrong number shows in the loss, and training stops with the layer's name.
    """

    def infer(self, table: TensorType, index: TensorType) -> TensorType:
        _check(table, index)
        return TensorType((index.shape[0], table.shape[1]), table.dtype)

    def reference(self, table: np.ndarray, index: np.ndarray) -> np.ndarray:
        inside = (index >= 0) & (index < len(table))
        rows = np.full((len(index), table.shape[1]), np.nan, table.dtype)
        rows[inside] = table[index[inside]]
        return rows

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        table, index = inputs
        return apply(AddRows(table.shape[0]), g, index), None


@dataclass(frozen=True)
class AddRows(Op, kind=Kind.LOOKUP):
    """Zeros (size, width), and row i of the input added to row ``index[i]``, in order; others are left out."""

    size: int

    def infer(self, rows: TensorType, index: TensorType) -> TensorType:
        _check(rows, index)
        if rows.shape[0] != index.shape[0]:
            raise ShapeError(
                "rows cannot be added up by these numbers",
                expected=f"one number for each of the {rows.shape[0]} rows",
                got=f"{index.shape[0]} numbers",
                fix="check the shape of the index",
            )
        return TensorType((self.size, rows.shape[1]), rows.dtype)

    def reference(self, rows: np.ndarray, index: np.ndarray) -> np.ndarray:
        inside = (index >= 0) & (index < self.size)
        total = np.zeros((self.size, rows.shape[1]), rows.dtype)
        np.add.at(total, index[inside], rows[inside])
        return total

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        _, index = inputs
        return apply(Take(), g, index), None


def take(x: Node, index: Node, axis: int = 0) -> Node:
    """The parts of ``x`` along ``axis`` that ``index`` names, in its shape: ``numpy.take(x, index, axis)``.

    Shapes: x (..., n, ...), index (any) of integers in [0, n) -> (..., *index.shape, ...). NaN where a number is
    outside; the gradient leaves it out.
    Raises: DTypeError: unless x is floating point and the index of whole numbers. ShapeError: for a missing axis.
    """
    axis = normal_axis(axis, x.shape)
    if axis:
        axes = (axis, *(a for a in range(x.rank) if a != axis))
        taken = take(transpose(x, axes), index)
        rank = index.rank
        back = (*range(rank, rank + axis), *range(rank), *range(rank + axis, taken.rank))
        return transpose(taken, back)
    if index.dtype not in ("int32", "int64") and not index.type.is_float:
        index = cast(index, "int32")
    n, *rest = x.shape
    table = reshape(x, (n, math.prod(rest)))
    rows = apply(Take(), table, reshape(index, (index.type.size,)))
    return reshape(rows, (*index.shape, *rest))


def _check(rows: TensorType, index: TensorType) -> None:
    if rows.rank != 2 or index.rank != 1:
        raise ShapeError(
            "rows cannot be found in this",
            expected="a table (n, width) and numbers (k,)",
            got=f"{rows.shape} and {index.shape}",
            fix="use take(), which reshapes",
        )
    if not rows.is_float or index.dtype not in ("int32", "int64"):
        raise DTypeError(
            "rows cannot be found by these numbers",
            expected="a table of floats, and int32 or int64 numbers",
            got=f"{rows.dtype} and {index.dtype}",
            fix="cast the numbers to int32",
        )
