"""Layers that mix the samples of a batch, in training only. Batches are shuffled: the next sample is a random one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry

__all__ = ["MixUp", "SwapNoise"]

ROUNDS = 16
"""How often a number is drawn until it is taken: with alpha = 1 one in 2^16 is left at 1/2."""


@registry.register("mix_up")
@dataclass(eq=False)
class MixUp(Layer):
    """In training each sample becomes ``share * x + (1 - share) * next``, with the share from Beta(alpha, alpha).

    The loss becomes ``share * loss(y) + (1 - share) * loss(next y)``. For crossentropies that is the loss against mixed
    targets; for the squared error the gradients are those. Class numbers need not be one-hot. Metrics of the training
    compare with each sample's own target; evaluation knows nothing of it. To be put where the data enter.

    Shapes: x (batch, ...) -> the same, floating point.

    Arguments:
        alpha: small for shares near 0 and 1; 1 for any share alike.
        seed: in place of the layer's name, as in ``Dropout``.

    Raises: GraphError if a model has two, or uses one twice.

    Source: Zhang et al. (2017), arXiv:1710.09412, equations 1 and 2. Differs: Keras's layer takes images and labels
    before the model; this one is part of it. The shares come from Johnk (1964), Metrika 8: u^(1/alpha) of two uniform
    numbers, taken if their sum is at most 1.
    """

    disturbs: ClassVar[bool] = True
    argument_order: ClassVar[tuple[str, ...]] = ("alpha",)
    alpha: Annotated[float, In("(0, 1]")] = 0.2
    seed: Annotated[int, In("[0, inf)")] | None = None

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        if not training:
            return x
        share = self._share(x.shape[0], x.dtype)
        self.mix(share)
        own = ops.broadcast(share, x.shape, (0,))
        return x * own + rolled(x) * (1.0 - own)

    def _share(self, batch: int, dtype: str) -> Node:
        u, v = (
            ops.maximum(ops.random_uniform((ROUNDS, batch), *self.random_key(self.seed), dtype=dtype), 2.0**-33)
            for _ in range(2)
        )
        share = ops.sigmoid((ops.log(u) - ops.log(v)) * (1.0 / self.alpha))  # a / (a + b) without underflow
        taken = u ** (1.0 / self.alpha) + v ** (1.0 / self.alpha) <= 1.0
        accepted = ops.filled((batch,), 0.5, dtype)
        for turn in reversed(range(ROUNDS)):
            accepted = ops.select(taken[turn], share[turn], accepted)
        return accepted


@registry.register("swap_noise")
@dataclass(eq=False)
class SwapNoise(Layer):
    """In training each number of a row is, with probability ``rate``, that of the next row in the same column.

    So every column keeps its distribution, whatever it holds: noise for tables.

    Shapes: x (batch, ...) -> the same. The dtype stays.

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.

    Source: Jahrer (2017), first place in Kaggle's "Porto Seguro's Safe Driver Prediction": input swap noise.
    """

    disturbs: ClassVar[bool] = True
    rate: Annotated[float, In("[0, 1)")]
    seed: Annotated[int, In("[0, inf)")] | None = None

    def call(self, x: Node, training: bool) -> Node:
        if not training or self.rate == 0:
            return x
        bits = ops.random_bits(x.shape, *self.random_key(self.seed))
        return ops.select(bits >= int(self.rate * 2**32), x, rolled(x))


def rolled(x: Node) -> Node:
    """Each sample's next one; the last one's is the first."""
    return x if x.shape[0] < 2 else ops.concatenate((x[1:], x[:1]), 0)
