"""Layers that give images another size: stretched, or cut out of the middle."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import Count, Finite, OneOf
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import registry
from thalweg.layers.spatial import DataFormat, Spatial

__all__ = ["CenterCrop", "Resizing"]

REACH = {"bilinear": 1.0, "bicubic": 2.0, "lanczos3": 3.0, "lanczos5": 5.0}
"""How far from a place the pixels lie that it is made of."""


def resized(x: Node, height: int, width: int, interpolation: str, antialias: bool = False) -> Node:
    """Images stretched to this size. Shapes: x (batch, rows, columns, channels) -> (batch, height, width, channels)."""
    y = x
    for axis, size in ((1, height), (2, width)):
        if y.shape[axis] != size:
            weights = _weights(y.shape[axis], size, interpolation, antialias, y.dtype)
            y = ops.contract(weights, y, (4, axis), (0, 1, 2, 3), tuple(4 if a == axis else a for a in range(4)))
    return y


def _weights(old: int, new: int, interpolation: str, antialias: bool, dtype: str) -> Node:
    """How much each of the old pixels along an axis counts for each new one: (new, old), rows of sum 1.

    A pixel stands for the middle of its share of the axis. Where images become smaller ``antialias`` averages over all
    pixels that a new one covers.
    """
    shape, step = (new, old), old / new
    places = (ops.iota(shape, 0, dtype) + 0.5) * step - 0.5
    if interpolation == "nearest":
        return ops.cast(ops.equal(ops.floor(places + 0.5), ops.iota(shape, 1, dtype)), dtype)
    distance = ops.absolute(places - ops.iota(shape, 1, dtype)) / (max(step, 1.0) if antialias else 1.0)
    weights = _share(distance, interpolation)
    return weights / ops.broadcast(ops.reduce_sum(weights, 1), shape, (0,))


def _share(distance: Node, interpolation: str) -> Node:
    """What a pixel at this distance counts.

    Source: Keys (1981), IEEE Transactions on Acoustics, Speech and Signal Processing 29(6), equation 15 (bicubic).
    """
    reach = REACH[interpolation]
    if interpolation == "bilinear":
        return ops.relu(1.0 - distance)
    if interpolation == "bicubic":
        near = ((1.5 * distance - 2.5) * distance) * distance + 1.0
        far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
        share = ops.select(distance < 1.0, near, far)
    else:
        share = ops.sinc(distance) * ops.sinc(distance / reach)
    return ops.select(distance < reach, share, 0.0)


def middle_of_shape(x: Node, height: int, width: int) -> Node:
    """The largest part of images, out of their middle, whose sides are to each other as these."""
    _, rows, columns, _ = x.shape
    kept_rows = max(min(rows, int(columns * height / width)), 1)
    kept_columns = max(min(columns, int(rows * width / height)), 1)
    top, left = (rows - kept_rows) // 2, (columns - kept_columns) // 2
    return ops.slice_axis(ops.slice_axis(x, 1, top, top + kept_rows), 2, left, left + kept_columns)


@registry.register("resizing")
@dataclass(eq=False)
class Resizing(Spatial):
    """Images stretched to one size.

    Shapes: x (batch, rows, columns, channels) -> (batch, height, width, channels), in the layer's dtype. Rows and
    columns may be open (None).

    Arguments:
        antialias: average over all pixels that a new one covers, where images become smaller.
        crop_to_aspect_ratio: keep the proportions, and cut off what sticks out.
        pad_to_aspect_ratio: keep the proportions, and fill what is missing with ``fill_value``.
        fill_mode: "constant"; Keras has no other either.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    height: Count
    width: Count
    interpolation: Annotated[str, OneOf("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")] = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: Annotated[str, OneOf("constant")] = "constant"
    fill_value: Finite = 0.0
    antialias: bool = False
    data_format: DataFormat | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError(
                "Resizing: images are either cropped or padded to keep their proportions",
                expected="one of crop_to_aspect_ratio and pad_to_aspect_ratio",
                got="both",
                fix="leave one of them out",
            )

    def compute(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        if self.crop_to_aspect_ratio:
            x = middle_of_shape(x, self.height, self.width)
        if self.pad_to_aspect_ratio:
            _, rows, columns, _ = x.shape
            above = max(int(columns * self.height / self.width) - rows, 0) // 2
            beside = max(int(rows * self.width / self.height) - columns, 0) // 2
            x = ops.pad(x, ((0, 0), (above, above), (beside, beside), (0, 0)), constant_values=self.fill_value)
        return resized(x, self.height, self.width, self.interpolation, self.antialias)


@registry.register("center_crop")
@dataclass(eq=False)
class CenterCrop(Spatial):
    """The middle of images; smaller ones are stretched until they fill it, and what sticks out is cut off.

    Shapes: x (batch, rows, columns, channels) -> (batch, height, width, channels), in the layer's dtype.

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    height: Count
    width: Count
    data_format: DataFormat | None = None

    def compute(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        _, rows, columns, _ = x.shape
        if rows < self.height or columns < self.width:
            return resized(middle_of_shape(x, self.height, self.width), self.height, self.width, "bilinear")
        top, left = (rows - self.height) // 2, (columns - self.width) // 2
        return ops.slice_axis(ops.slice_axis(x, 1, top, top + self.height), 2, left, left + self.width)
