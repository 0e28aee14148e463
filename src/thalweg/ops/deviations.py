"""Means of deviations over images, each of which is read but once."""

from __future__ import annotations

import math

import numpy as np

from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.broadcast import Reduction, broadcast, reduce_sum
from thalweg.ops.elementwise import multiply, require_float
from thalweg.ops.leaf import constant
from thalweg.ops.reduce import reduce_mean


@dataclass(frozen=True)
class MomentAbout(Op, kind=Kind.COMPOSITE):
    """``mean((x - centre)^power)`` over ``axes``, of which there are several: the first that of images.

    Shapes: x (...), centre the shape of x without ``axes`` -> that shape.
    Numerics: the deviations of an image are added up about the image's own mean, and the images' sums then moved to
    ``centre``. That loses no more digits than about ``centre`` from the beginning, and whoever has made an image can go
    on with it before the mean of all is known.
    Source: Chan, Golub & LeVeque (1983), The American Statistician 37(3), equations 2.1.
    """

    # A primitive because its gradient does not know of images: it is that of the deviations themselves.

    axes: tuple[int, ...]
    power: int

    def infer(self, x: TensorType, centre: TensorType) -> TensorType:
        assert len(self.axes) > 1 and self.power in (1, 2), "the mean of some power over images"
        result = require_float(self, Reduction(self.axes).infer(x))
        if centre != result:
            raise ShapeError(
                "deviations from a centre of another shape",
                expected=str(result),
                got=str(centre),
                fix="give the centre one number for each place that is left",
            )
        return result

    def reference(self, x: np.ndarray, centre: np.ndarray) -> np.ndarray:
        first, around = self.axes[0], self.axes[1:]
        of_each, images = (x.dtype.type(1 / n if n else math.nan) for n in (self._places(x), x.shape[first]))
        own = x.sum(around, keepdims=True) * of_each
        within = x - own
        left = within.sum(around, keepdims=True) * of_each
        off = own - np.expand_dims(centre, self.axes)
        if self.power == 1:
            return np.asarray((off + left).sum(self.axes) * images)
        square = (within * within).sum(around, keepdims=True) * of_each
        return np.asarray((square + off * (off + left + left)).sum(self.axes) * images)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, centre = inputs
        share = broadcast(multiply(g, constant(self.power / self._count(x), g.dtype)), x.shape, self._kept(x))
        each = share if self.power == 1 else multiply(share, self._about(x, centre))
        return each, -reduce_sum(each, self.axes)

    def decompose(self, *inputs: Node) -> Node:
        x, centre = inputs
        first, places = self.axes[0], self.axes[1:]
        own = reduce_mean(x, places)
        within = x - broadcast(own, x.shape, tuple(a for a in range(x.rank) if a not in places))
        left = reduce_mean(within, places)  # nothing but what the mean was rounded by
        kept = tuple(a - sum(p < a for p in places) for a in self._kept(x))
        off = own - broadcast(centre, own.shape, kept)
        if self.power == 1:
            return reduce_mean(off + left, first)
        return reduce_mean(reduce_mean(within * within, places) + off * (off + left + left), first)

    def _about(self, x: Node, centre: Node) -> Node:
        return x - broadcast(centre, x.shape, self._kept(x))

    def _kept(self, x: Node) -> tuple[int, ...]:
        return tuple(a for a in range(x.rank) if a not in self.axes)

    def _count(self, x: Node) -> float:
        return float(x.shape[self.axes[0]] * self._places(x)) or math.nan

    def _places(self, x: Node | np.ndarray) -> int:
        """Of an image."""
        return math.prod(x.shape[a] for a in self.axes[1:])


def moment_about(x: Node, centre: Node, axes: tuple[int, ...], power: int) -> Node:
    """``mean((x - centre)^power)`` over ``axes``, see MomentAbout. Shapes: x (...), centre and result without axes."""
    return apply(MomentAbout(axes, power), x, centre)
