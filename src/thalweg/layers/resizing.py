"""Layers that make images larger or smaller without weights: repeating, padding with zeros, cutting edges off."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, TypeAlias

from thalweg import ops
from thalweg.checks import OneOf, WholeNumber
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import registry
from thalweg.layers.resampling import mixed_along, places_along, weights_of
from thalweg.layers.spatial import DataFormat, Margins, Sizes, Spatial, each

__all__ = [
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]

Ends: TypeAlias = WholeNumber | tuple[WholeNumber, WholeNumber]
Edges: TypeAlias = WholeNumber | tuple[WholeNumber | tuple[WholeNumber, WholeNumber], ...]
"""One for all edges, one for each axis, or for each axis (before, after)."""


def _repeated(x: Node, size: tuple[int, ...]) -> Node:
    """Each place as often along each axis as ``size`` says."""
    rank = len(size)
    batch, *places, channels = x.shape
    apart = [n for pair in zip(places, size, strict=True) for n in pair]
    y = ops.broadcast(x, (batch, *apart, channels), (0, *range(1, 2 * rank, 2), 2 * rank + 1))
    return ops.reshape(y, (batch, *(n * k for n, k in zip(places, size, strict=True)), channels))


class _UpSampling(Spatial):
    size: Sizes

    def __post_init__(self) -> None:
        super().__post_init__()
        self.size = each(self, "size", self.size, self.rank)

    def factors(self) -> tuple[int, ...]:
        return each(self, "size", self.size, self.rank)

    def compute(self, x: Node, training: bool) -> Node:
        return _repeated(x, self.factors())


@registry.register("up_sampling1d")
@dataclass(eq=False)
class UpSampling1D(_UpSampling):
    """Each time ``size`` times.

    Shapes: x (batch, time, features) -> (batch, time * size, features). The dtype stays.
    """

    rank: ClassVar[int] = 1
    size: Sizes = 2


@registry.register("up_sampling2d")
@dataclass(eq=False)
class UpSampling2D(_UpSampling):
    """Images made larger by whole factors.

    Shapes: x (batch, height, width, channels) -> (batch, height * size[0], width * size[1], channels). The dtype stays,
    but for "bilinear", which casts to the layer's.

    Arguments:
        size: one factor, or (of the rows, of the columns).
        data_format: "channels_last" unless given; see ``Spatial``.
        interpolation: "nearest" repeats pixels; "bilinear" mixes the nearest two along each axis by their distance,
            pixels being squares whose value is that of their middle. (PyTorch's ``align_corners=False``.) Keras's other
            kinds are not there yet.
    """

    rank: ClassVar[int] = 2
    size: Sizes = (2, 2)
    data_format: DataFormat | None = None
    interpolation: Annotated[str, OneOf("nearest", "bilinear")] = "nearest"

    def compute(self, x: Node, training: bool) -> Node:
        if self.interpolation == "nearest":
            return super().compute(x, training)
        x = ops.cast(x, self.compute_dtype)
        for axis, factor in enumerate(self.factors(), 1):
            new = places_along(_repeated(x, self.factors()), axis)
            weights = weights_of((new + 0.5) * (1.0 / factor) - 0.5, x.shape[axis], "nearest", "bilinear")
            x = mixed_along(x, axis, weights)
        return x


@registry.register("up_sampling3d")
@dataclass(eq=False)
class UpSampling3D(_UpSampling):
    """Volumes made larger by whole factors: each place is repeated.

    Shapes: x (batch, depth, height, width, channels) -> the same with each axis of places times its ``size``. The dtype
    stays.

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 3
    size: Sizes = (2, 2, 2)
    data_format: DataFormat | None = None


def _margins(owner: Spatial, name: str, value: Any) -> Margins:
    """(before, after) for each axis. For one axis a pair is these two."""
    per_axis = (value,) if owner.rank == 1 else each(owner, name, value, owner.rank)
    return tuple(ends if isinstance(ends, tuple) else (ends, ends) for ends in per_axis)


class _ZeroPadding(Spatial):
    padding: Edges

    def __post_init__(self) -> None:
        super().__post_init__()
        self.margins()

    def margins(self) -> Margins:
        return _margins(self, "padding", self.padding)

    def compute(self, x: Node, training: bool) -> Node:
        return ops.surrounded(x, self.margins())


@registry.register("zero_padding1d")
@dataclass(eq=False)
class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after a series.

    Shapes: x (batch, time, features) -> (batch, before + time + after, features). The dtype stays.

    Arguments:
        padding: as many at both ends, or (before, after).
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 1
    padding: Ends = 1
    data_format: DataFormat | None = None


@registry.register("zero_padding2d")
@dataclass(eq=False)
class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Shapes: x (batch, height, width, channels) -> (batch, top + height + bottom, left + width + right, channels). The
    dtype stays.

    Arguments:
        padding: as many on all sides; (rows at either end, columns at either end); or ((top, bottom), (left, right)).
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    padding: Edges = (1, 1)
    data_format: DataFormat | None = None


@registry.register("zero_padding3d")
@dataclass(eq=False)
class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes.

    Shapes: x (batch, depth, height, width, channels) -> the same with larger axes of places. The dtype stays.

    Arguments:
        padding: as many on all sides; one number for each axis; or (before, after) for each axis.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 3
    padding: Edges = ((1, 1), (1, 1), (1, 1))
    data_format: DataFormat | None = None


class _Cropping(Spatial):
    cropping: Edges

    def __post_init__(self) -> None:
        super().__post_init__()
        self.margins()

    def margins(self) -> Margins:
        return _margins(self, "cropping", self.cropping)

    def compute(self, x: Node, training: bool) -> Node:
        margins = self.margins()
        if any(low + high >= n for (low, high), n in zip(margins, x.shape[1:-1], strict=True)):
            raise ShapeError(
                "nothing is left of the image",
                expected=f"more places than are cut off, {tuple(map(sum, margins))}",
                got=f"{x.shape[1:-1]}",
                fix="cut off less",
            )
        for axis, (low, high) in enumerate(margins, 1):
            x = ops.slice_axis(x, axis, low, x.shape[axis] - high)
        return x


@registry.register("cropping1d")
@dataclass(eq=False)
class Cropping1D(_Cropping):
    """A series without its first and last times.

    Shapes: x (batch, time, features) -> (batch, time - first - last, features). The dtype stays.

    Arguments:
        cropping: as many at both ends, or (first, last).
    """

    rank: ClassVar[int] = 1
    cropping: Ends = (1, 1)


@registry.register("cropping2d")
@dataclass(eq=False)
class Cropping2D(_Cropping):
    """Images without their edges.

    Shapes: x (batch, height, width, channels) -> (batch, height - top - bottom, width - left - right, channels). The
    dtype stays.

    Arguments:
        cropping: as in ``ZeroPadding2D``.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    cropping: Edges = ((0, 0), (0, 0))
    data_format: DataFormat | None = None


@registry.register("cropping3d")
@dataclass(eq=False)
class Cropping3D(_Cropping):
    """Volumes without their edges.

    Shapes: x (batch, depth, height, width, channels) -> the same with smaller axes of places. The dtype stays.

    Arguments:
        cropping: as in ``ZeroPadding3D``.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 3
    cropping: Edges = ((1, 1), (1, 1), (1, 1))
    data_format: DataFormat | None = None
