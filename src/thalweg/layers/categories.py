"""Layers for several columns of categories at once, each numbered from 0."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np

from thalweg import ops
from thalweg.checks import Count, In, NotEmpty, WholeNumber
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.layer import Layer, registry
from thalweg.ops.literal import literal
from thalweg.ops.lookup import take

__all__ = ["ColumnEmbedding", "OneHotColumns"]


@registry.register("one_hot_columns")
@dataclass(eq=False)
class OneHotColumns(Layer):
    """For each column of categories as many columns of 0 and 1 as it has categories.

    Shapes: x (batch, columns) of whole numbers -> (batch, sum(sizes), less one for each column where ``without`` is
    given). A number outside of its column's size has no 1.

    Arguments:
        sizes: how many categories each column has.
        without: a category that has no column, in any of them: all its columns are 0, as for what was never seen.
    """

    sizes: Annotated[tuple[Count, ...], NotEmpty()]
    without: WholeNumber | None = None

    def build(self, x: TensorType) -> None:
        require_sizes(x, self.sizes)

    def call(self, x: Node, training: bool) -> Node:
        parts = [self._hot(ops.slice_axis(x, 1, start, stop), size) for start, stop, size in runs(self.sizes)]
        whole = [part for part in parts if part.shape[1]]
        return whole[0] if len(whole) == 1 else ops.concatenate(tuple(whole), 1)

    def _hot(self, x: Node, size: int) -> Node:
        """Of neighbours of one size: (batch, k) -> (batch, k * size)."""
        numbers = np.array([n for n in range(size) if n != self.without], np.int32)
        shape = (*x.shape, len(numbers))
        wide = ops.broadcast(ops.cast(x, "int32"), shape, (0, 1))
        same = ops.equal(wide, ops.broadcast(literal(numbers, "int32"), shape, (2,)))
        return ops.reshape(ops.cast(same, self.compute_dtype), (x.shape[0], x.shape[1] * len(numbers)))


@registry.register("column_embedding")
@dataclass(eq=False)
class ColumnEmbedding(Layer):
    """A trained vector for each category of each column, side by side.

    Shapes: x (batch, columns) of whole numbers -> (batch, columns * units); embeddings (sum(sizes), units). NaN for a
    number outside of what all columns have together, so that training stops with this layer's name.

    Arguments:
        sizes: how many categories each column has.
        units: how long the vectors are.

    Source: Guo & Berkhahn (2016), arXiv:1604.06737.
    """

    sizes: Annotated[tuple[Count, ...], NotEmpty()]
    units: Annotated[int, In("[1, inf)")] = 8
    embeddings_initializer: str | Filling = "uniform"

    def build(self, x: TensorType) -> None:
        require_sizes(x, self.sizes)
        shape = (sum(self.sizes), self.units)
        self.embeddings = self.parameter("embeddings", shape, self.embeddings_initializer)

    def call(self, x: Node, training: bool) -> Node:
        parts, row = [], 0
        for start, stop, size in runs(self.sizes):
            own = ops.cast(ops.slice_axis(x, 1, start, stop), "int32")
            parts.append(own + (ops.iota(own.shape, 1) * size + row))
            row += (stop - start) * size
        rows = parts[0] if len(parts) == 1 else ops.concatenate(tuple(parts), 1)
        return ops.reshape(take(self.embeddings.node, rows), (x.shape[0], x.shape[1] * self.units))


def runs(sizes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Neighbours of one size: where they begin and end, and the size.

    Example:
        >>> list(runs([2, 2, 5]))
        [(0, 2, 2), (2, 3, 5)]
    """
    start = 0
    for size, same in itertools.groupby(sizes):
        stop = start + len(list(same))
        yield start, stop, size
        start = stop


def require_sizes(x: TensorType, sizes: Sequence[object]) -> None:
    """Raise ShapeError unless the input has a column for each size."""
    if x.rank != 2 or x.shape[1] != len(sizes):
        raise ShapeError(
            "sizes does not fit the input",
            expected=f"(batch, {len(sizes)}), a column for each size",
            got=f"({', '.join(map(str, ('batch', *x.shape[1:])))})",
            fix="pass the size of each column of categories",
        )
