"""Layers that disturb training on purpose."""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry


@registry.register("dropout")
@dataclass(eq=False)
class Dropout(Layer):
    """In training each number becomes 0 with probability ``rate``, and the others are divided by ``1 - rate``.

    Otherwise it does nothing; the division keeps the expected sum the same.

    Shapes: x (batch, ...) -> (batch, ...).

    Arguments:
        noise_shape: the shape of the mask, with None or the full size where it follows x and 1 where one draw serves
            the whole axis.
        seed: in place of the layer's name, which otherwise tells its random numbers from those of other layers. The
            model's seed and the step count enter in any case.

    Source: Srivastava et al. (2014), JMLR 15; the division as in Keras ("inverted dropout").
    """

    rate: Annotated[float, In("[0, 1)")]
    noise_shape: tuple[Annotated[int, In("[1, inf)")] | None, ...] | None = None
    seed: Annotated[int, In("[0, inf)")] | None = None

    def call(self, x: Node, training: bool) -> Node:
        if not training or self.rate == 0:
            return x
        bits = ops.random_bits(self._mask_shape(x.shape), *self.random_key(self.seed))
        kept = bits >= int(self.rate * 2**32)  # the same as comparing with the rate in [0, 1), without the floats
        return ops.select(ops.broadcast_to(kept, x.shape), x * (1.0 / (1.0 - self.rate)), 0.0)

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.noise_shape is None:
            return shape
        fits = len(self.noise_shape) == len(shape) and all(
            n in (None, 1, size) for n, size in zip(self.noise_shape, shape, strict=True)
        )
        if not fits:
            raise ShapeError(
                "the noise_shape does not fit the input",
                expected=f"{len(shape)} sizes, each None, 1 or the input's: (None, {', '.join(map(str, shape[1:]))})",
                got=str(self.noise_shape),
                fix="use None for the batch axis and 1 where the mask should repeat",
            )
        return tuple(size if n is None else n for n, size in zip(self.noise_shape, shape, strict=True))
