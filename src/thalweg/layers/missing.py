"""Layers for columns of numbers as tables have them: with gaps, and of any size."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import Finite, In, NotEmpty, WholeNumber
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Given
from thalweg.layers.layer import Layer, registry

__all__ = ["ColumnLimits", "FillMissing", "MissingFlags", "RobustScaling"]

FURTHEST = 1e6
"""How many spreads from the centre a number may be: further ones are as far, so that no square of one overflows."""


@registry.register("fill_missing")
@dataclass(eq=False)
class FillMissing(Layer):
    """A value for each column in place of what is missing: NaN, and infinities, which no network can compute with.

    Shapes: x (batch, ..., columns) -> the same.

    Arguments:
        values: one for each column, as the median of the training rows.
    """

    values: Annotated[tuple[Finite, ...], NotEmpty()]

    def build(self, x: TensorType) -> None:
        require_columns(x, len(self.values), "values")
        self.fillings = self.parameter("values", (len(self.values),), Given(self.values), trainable=False)

    def takes_missing(self, place: int) -> bool:
        return True

    def call(self, x: Node, training: bool) -> Node:
        return ops.select(ops.isfinite(x), x, self.fillings.node)


@registry.register("missing_flags")
@dataclass(eq=False)
class MissingFlags(Layer):
    """1 where a number is missing (NaN or infinite), else 0, for some of the columns.

    Shapes: x (batch, columns) -> (batch, len(columns)).

    Arguments:
        columns: their places, rising.
    """

    columns: Annotated[tuple[WholeNumber, ...], NotEmpty()]

    def build(self, x: TensorType) -> None:
        if x.rank != 2 or max(self.columns) >= x.shape[1]:
            raise ShapeError(
                "the input has no such columns",
                expected=f"(batch, more than {max(self.columns)})",
                got=f"({', '.join(map(str, ('batch', *x.shape[1:])))})",
                fix="pass the places of columns that there are",
            )

    def takes_missing(self, place: int) -> bool:
        return True

    def call(self, x: Node, training: bool) -> Node:
        flags = ops.cast(ops.logical_not(ops.isfinite(x)), self.compute_dtype)
        return columns_of(flags, self.columns)


@registry.register("robust_scaling")
@dataclass(eq=False)
class RobustScaling(Layer):
    """``(x - center) / scale`` for each column, by numbers that outliers do not move: median and quartiles.

    What is further than a million scales from the centre counts as that far.

    Shapes: x (batch, ..., columns) -> the same.

    Arguments:
        center, scale: one for each column.

    Source: scale and centre as in Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491, section 3.
    """

    supports_masking: ClassVar[bool] = True
    center: tuple[Finite, ...]
    scale: tuple[Annotated[float, In("(0, inf)")], ...]

    def build(self, x: TensorType) -> None:
        for name, given in (("center", self.center), ("scale", self.scale)):
            require_columns(x, len(given), name)
        shape = (x.shape[-1],)
        self.centers = self.parameter("center", shape, Given(self.center), trainable=False)
        self.scales = self.parameter("scale", shape, Given(self.scale), trainable=False)

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        return ops.clip((x - self.centers.node) / self.scales.node, -FURTHEST, FURTHEST)


@registry.register("column_limits")
@dataclass(eq=False)
class ColumnLimits(Layer):
    """Each column held between two numbers of its own.

    Shapes: x (batch, ..., columns) -> the same.

    Arguments:
        low, high: one for each column.
    """

    low: Annotated[tuple[Finite, ...], NotEmpty()]
    high: Annotated[tuple[Finite, ...], NotEmpty()]

    def build(self, x: TensorType) -> None:
        for name, given in (("low", self.low), ("high", self.high)):
            require_columns(x, len(given), name)
        self.lows = self.parameter("low", (x.shape[-1],), Given(self.low), trainable=False)
        self.highs = self.parameter("high", (x.shape[-1],), Given(self.high), trainable=False)

    def call(self, x: Node, training: bool) -> Node:
        return ops.minimum(ops.maximum(x, self.lows.node), self.highs.node)


def columns_of(x: Node, columns: tuple[int, ...]) -> Node:
    """Some of the columns: the runs of neighbours among them, side by side. Shapes: x (batch, n) -> (batch, k)."""
    runs: list[list[int]] = []
    for column in columns:
        if runs and column == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([column, column + 1])
    parts = tuple(ops.slice_axis(x, 1, first, end) for first, end in runs)
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, 1)


def require_columns(x: TensorType, count: int, what: str) -> None:
    """Raise ShapeError if the last axis has another size than there are numbers."""
    if x.rank < 2 or x.shape[-1] != count:
        raise ShapeError(
            f"{what} does not fit the input",
            expected=f"one number for each of {x.shape[-1] if x.rank > 1 else 1} columns",
            got=f"{count}",
            fix="pass one for each column",
        )
