"""Layers that add or multiply random numbers in training, and do nothing otherwise."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.dropout import Dropout
from thalweg.layers.layer import Layer, registry

__all__ = ["AlphaDropout", "GaussianDropout", "GaussianNoise"]

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@registry.register("gaussian_noise")
@dataclass(eq=False)
class GaussianNoise(Layer):
    """In training ``x + stddev * z`` with z from the standard normal distribution.

    Shapes: x (batch, ...) -> (batch, ...).

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.

    Source: Bishop (1995), Neural Computation 7(1): noise on the inputs acts as a penalty on slopes.
    """

    disturbs: ClassVar[bool] = True
    supports_masking: ClassVar[bool] = True
    stddev: Annotated[float, In("[0, inf)")]
    seed: Annotated[int, In("[0, inf)")] | None = None

    def call(self, x: Node, training: bool) -> Node:
        if not training or self.stddev == 0:
            return x
        x = ops.cast(x, self.compute_dtype)
        return x + ops.random_normal(x.shape, *self.random_key(self.seed), dtype=x.dtype) * self.stddev


@registry.register("gaussian_dropout")
@dataclass(eq=False)
class GaussianDropout(Layer):
    """In training ``x * (1 + s * z)`` with z standard normal and ``s = sqrt(rate / (1 - rate))``.

    Mean and variance are those that ``Dropout(rate)`` gives.

    Shapes: x (batch, ...) -> (batch, ...).

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.

    Source: Srivastava et al. (2014), JMLR 15, section 10.
    """

    disturbs: ClassVar[bool] = True
    supports_masking: ClassVar[bool] = True
    rate: Annotated[float, In("[0, 1)")]
    seed: Annotated[int, In("[0, inf)")] | None = None

    def call(self, x: Node, training: bool) -> Node:
        if not training or self.rate == 0:
            return x
        x = ops.cast(x, self.compute_dtype)
        spread = math.sqrt(self.rate / (1.0 - self.rate))
        return x * (ops.random_normal(x.shape, *self.random_key(self.seed), dtype=x.dtype) * spread + 1.0)


@registry.register("alpha_dropout")
@dataclass(eq=False)
class AlphaDropout(Dropout):
    """Dropout for SELU: dropped numbers become its lowest value, and ``a * x + b`` restores mean and variance.

    With ``p = -scale * alpha`` (of SELU): ``a = ((1 - rate) * (1 + rate * p^2))^(-1/2)``, ``b = -a * rate * p``.

    Shapes: x (batch, ...) -> (batch, ...).

    Arguments:
        noise_shape, seed: as in ``Dropout``.

    Source: Klambauer et al. (2017), arXiv:1706.02515, section "New dropout technique".
    """

    def call(self, x: Node, training: bool) -> Node:
        if not training or self.rate == 0:
            return x
        x = ops.cast(x, self.compute_dtype)
        lowest = -SELU_ALPHA * SELU_SCALE
        a: float = ((1.0 - self.rate) * (1.0 + self.rate * lowest**2)) ** -0.5
        return ops.select(self.kept(x.shape), x, lowest) * a - a * self.rate * lowest
