"""Views and moves: operations that compute nothing, because a formula tells which number lies where.

Where a number lies is a *line* over the axes of the tensor that it is in: ``start + sum of index * step``. Of the
address in memory this is the offset and the strides. A view makes of a line over its input's axes the line over its own
axes, as long as there is one: that is mathematics, and the same for every executor.
"""

from __future__ import annotations

from abc import abstractmethod

from thalweg.fields import dataclass
from thalweg.graph.node import Kind, Op
from thalweg.graph.types import Shape, TensorType

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Line:
    """A number for each place of a tensor: ``start + sum of index * step``."""

    start: int
    steps: tuple[int, ...]


class View(Op, base=True, kind=Kind.VIEW):
    """The input's numbers, each at one or more places of the result."""

    @abstractmethod
    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line | None:
        """The line over the result's axes that has the same numbers; None if there is none.

        Arguments:
            line: over the axes of the input, whose shape is ``shape``.
            kept: an axis of the input that counts as one of many steps even if its size is 1.
        """

    @abstractmethod
    def follow_axis(self, axis: int, shape: Shape) -> int | None:
        """The axis of the result that is all of axis ``axis`` of the input, in order; None if there is none."""

    def bordered_axes(self) -> tuple[int, ...]:
        """The axes of the input that the view looks beyond, at zeros that are not in memory."""
        return ()


class Move(Op, base=True, kind=Kind.MOVE):
    """The inputs' numbers in boxes of the result, which do not overlap, and zeros elsewhere."""

    @abstractmethod
    def boxes(self, *inputs: TensorType) -> tuple[Box, ...]:
        """For each input where in the result it lies: start, stop and step along every axis."""
