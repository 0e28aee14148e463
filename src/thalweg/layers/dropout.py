"""Layers that disturb training on purpose."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry
from thalweg.layers.spatial import DataFormat, Spatial

__all__ = ["Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"]


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

    disturbs: ClassVar[bool] = True
    supports_masking: ClassVar[bool] = True
    rate: Annotated[float, In("[0, 1)")]
    noise_shape: tuple[Annotated[int, In("[1, inf)")] | None, ...] | None = None
    seed: Annotated[int, In("[0, inf)")] | None = None

    def call(self, x: Node, training: bool) -> Node:
        if not training or self.rate == 0:
            return x
        return dropped(x, self.kept(x.shape), self.rate)

    def kept(self, shape: tuple[int, ...]) -> Node:
        """Which numbers stay in this step, for an input of this shape."""
        return kept(self, shape, self._mask_shape(shape), self.rate, self.seed)

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


class _SpatialDropout(Spatial):
    disturbs: ClassVar[bool] = True
    supports_masking: ClassVar[bool] = True
    rate: float
    seed: int | None

    def call(self, x: Node, training: bool) -> Node:
        self._in_order(x.type)
        if not training or self.rate == 0:
            return x
        channels = 1 if self.channels_first else x.rank - 1
        mask_shape = tuple(n if a in (0, channels) else 1 for a, n in enumerate(x.shape))
        return dropped(x, kept(self, x.shape, mask_shape, self.rate, self.seed), self.rate)


@registry.register("spatial_dropout_1d")
@dataclass(eq=False)
class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole features: in each sample one draw serves all times.

    Shapes: x (batch, time, features) -> the same.

    Arguments:
        seed: as in ``Dropout``.

    Source: Tompson et al. (2015), arXiv:1411.4280, section 3.2.
    """

    rank: ClassVar[int] = 1
    rate: Annotated[float, In("[0, 1)")]
    seed: Annotated[int, In("[0, inf)")] | None = None


@registry.register("spatial_dropout_2d")
@dataclass(eq=False)
class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels: in each sample one draw serves all places.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
        seed: as in ``Dropout``.

    Source: Tompson et al. (2015), arXiv:1411.4280, section 3.2.
    """

    rank: ClassVar[int] = 2
    rate: Annotated[float, In("[0, 1)")]
    data_format: DataFormat | None = None
    seed: Annotated[int, In("[0, inf)")] | None = None


@registry.register("spatial_dropout_3d")
@dataclass(eq=False)
class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels: in each sample one draw serves all places.

    Shapes: x (batch, depth, height, width, channels) -> the same.

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
        seed: as in ``Dropout``.

    Source: Tompson et al. (2015), arXiv:1411.4280, section 3.2.
    """

    rank: ClassVar[int] = 3
    rate: Annotated[float, In("[0, 1)")]
    data_format: DataFormat | None = None
    seed: Annotated[int, In("[0, inf)")] | None = None


def kept(layer: Layer, shape: tuple[int, ...], mask_shape: tuple[int, ...], rate: float, seed: int | None) -> Node:
    """True with probability ``1 - rate``: a draw for each entry of the mask, repeated to ``shape``."""
    bits = ops.random_bits(mask_shape, *layer.random_key(seed))
    return ops.broadcast_to(bits >= int(rate * 2**32), shape)  # as comparing with the rate, without the floats


def dropped(x: Node, kept: Node, rate: float) -> Node:
    """0 for what is not kept; the rest divided by ``1 - rate``."""
    return ops.select(kept, x * (1.0 / (1.0 - rate)), 0.0)
