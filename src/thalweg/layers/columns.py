"""Layers for the columns of a table: each number on its own, before a network mixes them."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling, RandomNormal, RandomUniform
from thalweg.layers.layer import Layer, registry
from thalweg.layers.normalization import require_size
from thalweg.ops.contraction import contract
from thalweg.regularizers import Penalty

__all__ = ["PeriodicEmbedding", "Scale", "SmoothClipping"]


@registry.register("scale")
@dataclass(eq=False)
class Scale(Layer):
    """``x * scale``, with a trained factor for each feature: in front of a network, how much it looks at a column.

    Shapes: x (batch, ..., features) -> the same; scale (features,).

    Source: Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491, section 3 ("scaling layer").
    """

    supports_masking: ClassVar[bool] = True
    scale_initializer: str | Filling = "ones"
    scale_regularizer: str | Penalty | None = None

    def build(self, x: TensorType) -> None:
        if x.rank < 2:
            raise _no_features(x)
        self.scale = self.parameter("scale", (x.shape[-1],), self.scale_initializer)

    def call(self, x: Node, training: bool) -> Node:
        require_size(x.type, {x.rank - 1: self.scale.shape[0]})
        x = ops.cast(x, self.compute_dtype)
        return x * self.scale.node


@registry.register("smooth_clipping")
@dataclass(eq=False)
class SmoothClipping(Layer):
    """``x / sqrt(1 + (x / limit)^2)``: nearly x where x is small, and never beyond ``-limit`` and ``limit``.

    So an outlier is not far from the other numbers, and two outliers still differ.

    Shapes: x (batch, ...) -> the same.

    Source: Holzmüller, Grinsztajn & Steinwart (2024), arXiv:2407.04491, equation 1, where the limit is 3.
    """

    supports_masking: ClassVar[bool] = True
    limit: Annotated[float, In("(0, inf)")] = 3.0

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        return x / ops.sqrt(ops.square(x * (1.0 / self.limit)) + 1.0)


@registry.register("periodic_embedding")
@dataclass(eq=False)
class PeriodicEmbedding(Layer):
    """For each number x of a sample ``(x, W cos(2 pi f x + p) + b)``, with frequencies, phases, W and b of its own.

    Waves of several frequencies let a network draw steps and bumps along a column that x alone would need many units
    for; x itself is kept beside them.

    Shapes: x (batch, features) -> (batch, features * units); frequencies and phases (features, frequencies), kernel
    (features, frequencies, units - 1), bias (features, units - 1).

    Arguments:
        units: how many numbers one becomes, itself included.
        frequencies: how many waves.
        deviation: of the normal distribution that the frequencies are drawn from; the phases are drawn evenly.

    Source: Gorishniy, Rubachev & Babenko (2022), arXiv:2203.05556, section 3.3, as the PBLD embeddings of Holzmüller,
    Grinsztajn & Steinwart (2024), arXiv:2407.04491, whose defaults these are.
    """

    units: Annotated[int, In("[2, inf)")] = 4
    frequencies: Annotated[int, In("[1, inf)")] = 16
    deviation: Annotated[float, In("(0, inf)")] = 0.1

    def build(self, x: TensorType) -> None:
        if x.rank != 2:
            raise _no_features(x)
        (_, features), waves, units = x.shape, self.frequencies, self.units - 1
        bound = 1.0 / math.sqrt(waves)
        self.frequency = self.parameter("frequency", (features, waves), RandomNormal(0.0, self.deviation))
        self.phase = self.parameter("phase", (features, waves), RandomUniform(-math.pi, math.pi))
        self.kernel = self.parameter("kernel", (features, waves, units), RandomUniform(-bound, bound))
        self.bias = self.parameter("bias", (features, units), RandomUniform(-bound, bound))

    def call(self, x: Node, training: bool) -> Node:
        features, waves, units = self.kernel.shape
        require_size(x.type, {1: features})
        x = ops.cast(x, self.compute_dtype)
        batch = x.shape[0]
        wide = (batch, features, waves)
        angle = ops.broadcast(x, wide, (0, 1)) * ops.broadcast(self.frequency.node * (2.0 * math.pi), wide, (1, 2))
        cosines = ops.cos(angle + ops.broadcast(self.phase.node, wide, (1, 2)))
        y = contract(cosines, self.kernel.node, (0, 1, 2), (1, 2, 3), (0, 1, 3))
        y = y + ops.broadcast(self.bias.node, y.shape, (1, 2))
        joined = ops.concatenate((ops.reshape(x, (batch, features, 1)), y), axis=2)
        return ops.reshape(joined, (batch, features * (units + 1)))


def _no_features(x: TensorType) -> ShapeError:
    return ShapeError(
        "the input has no features",
        expected="(batch, features)",
        got=f"({', '.join(map(str, ('batch', *x.shape[1:])))})" if x.rank else "a scalar",
        fix="check what the layer before gives; Flatten() makes (batch, features) of any shape",
    )
