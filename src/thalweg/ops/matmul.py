"""The matrix product, with which networks begin; ``products`` has what else is made of contractions."""

from __future__ import annotations

from thalweg.graph.node import Node
from thalweg.ops import contraction
from thalweg.ops.shape import reshape

__all__ = ["matmul"]


def matmul(x1: Node, x2: Node) -> Node:
    """The matrix product, as in NumPy.

    Shapes: (..., m, k), (..., k, n) -> (..., m, n); vectors (k,) as rows or columns.

    Raises: ShapeError: if they do not fit.
    """
    if x1.rank and x2.rank and (x1.rank == 1 or x2.rank == 1 or _repeats(x1, x2) or not x1.type.is_float):
        return _general(x1, x2)
    return contraction.matmul(x1, x2)


def _repeats(x: Node, y: Node) -> bool:
    """Whether leading axes have to be repeated."""
    return y.rank > 2 and x.shape[:-2] != y.shape[:-2] and (x.rank < y.rank or 1 in (*x.shape[:-2], *y.shape[:-2]))


def _general(x: Node, y: Node) -> Node:
    from thalweg.ops.products import einsum  # here, because most networks need none of what it loads

    rows, columns = x.shape[-2:-1], y.shape[-1:] if y.rank > 1 else ()
    x, y = (reshape(x, (1, *x.shape)) if x.rank == 1 else x), (reshape(y, (*y.shape, 1)) if y.rank == 1 else y)
    product = einsum("...mk,...kn->...mn", x, y)
    return reshape(product, (*product.shape[:-2], *rows, *columns))
