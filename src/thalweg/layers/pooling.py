"""Layers that take the largest number or the mean of each window, or of the whole image."""

from __future__ import annotations

from typing import Any, ClassVar

from thalweg import ops
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import registry
from thalweg.layers.spatial import DataFormat, Padding, Sizes, Spatial
from thalweg.ops.reduce import lowest

__all__ = [
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
]


class _MaxPooling(Spatial):
    def compute(self, x: Node, training: bool) -> Node:
        frame = self.frame()
        around = ops.surrounded(x, frame.margins(x.shape[1:-1]), lowest(x.dtype))
        return ops.max_pool(around, frame.size, frame.strides)


class _AveragePooling(Spatial):
    def compute(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        frame = self.frame()
        margins = frame.margins(x.shape[1:-1])
        mean = ops.average_pool(ops.surrounded(x, margins), frame.size, frame.strides)
        if not any(map(any, margins)):
            return mean
        ones = ops.filled((1, *x.shape[1:-1], 1), 1.0, x.dtype)
        inside = ops.average_pool(ops.surrounded(ones, margins), frame.size, frame.strides)
        return mean / ops.broadcast_to(inside, mean.shape)


class _GlobalMaxPooling(Spatial):
    keepdims: bool

    def call(self, x: Node, training: bool) -> Node:
        return ops.reduce_max(x, self.places(x), self.keepdims)


class _GlobalAveragePooling(Spatial):
    keepdims: bool

    def call(self, x: Node, training: bool) -> Node:
        return ops.reduce_mean(ops.cast(x, self.compute_dtype), self.places(x), self.keepdims)


@registry.register("max_pooling1d")
@dataclass(eq=False)
class MaxPooling1D(_MaxPooling):
    """The largest number of each window of times, feature by feature.

    Shapes: x (batch, time, features) -> (batch, windows, features).

    Arguments:
        pool_size: the length of a window.
        strides: from one window to the next; ``pool_size`` unless given.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, where what is outside never
            is the largest.
        data_format: "channels_last" unless given; see ``Spatial``.

    Equal largest numbers share the gradient equally; in Keras and PyTorch the first one of them gets it all. It is the
    same after a ReLU, where equal ones are zeros that pass no gradient on.
    """

    rank: ClassVar[int] = 1
    pool_size: Sizes = 2
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None


@registry.register("max_pooling2d")
@dataclass(eq=False)
class MaxPooling2D(_MaxPooling):
    """The largest number of each window, channel by channel.

    Shapes: x (batch, height, width, channels) -> (batch, *windows, channels).

    Arguments:
        pool_size, strides: one for all axes, or one for each; ``strides`` is ``pool_size`` unless given.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, where what is outside never
            is the largest.
        data_format: "channels_last" unless given; see ``Spatial``.

    Equal largest numbers share the gradient equally; in Keras and PyTorch the first one of them gets it all. It is the
    same after a ReLU, where equal ones are zeros that pass no gradient on.
    """

    rank: ClassVar[int] = 2
    pool_size: Sizes = (2, 2)
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None


@registry.register("max_pooling3d")
@dataclass(eq=False)
class MaxPooling3D(_MaxPooling):
    """The largest number of each window, channel by channel.

    Shapes: x (batch, depth, height, width, channels) -> (batch, *windows, channels).

    Arguments:
        pool_size, strides: one for all axes, or one for each; ``strides`` is ``pool_size`` unless given.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, where what is outside never
            is the largest.
        data_format: "channels_last" unless given; see ``Spatial``.

    Equal largest numbers share the gradient equally; in Keras and PyTorch the first one of them gets it all. It is the
    same after a ReLU, where equal ones are zeros that pass no gradient on.
    """

    rank: ClassVar[int] = 3
    pool_size: Sizes = (2, 2, 2)
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None


@registry.register("average_pooling1d")
@dataclass(eq=False)
class AveragePooling1D(_AveragePooling):
    """The mean of each window of times, feature by feature.

    Shapes: x (batch, time, features) -> (batch, windows, features).

    Arguments:
        pool_size: the length of a window.
        strides: from one window to the next; ``pool_size`` unless given.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, where only what is inside
            counts.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 1
    pool_size: Sizes
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None


@registry.register("average_pooling2d")
@dataclass(eq=False)
class AveragePooling2D(_AveragePooling):
    """The mean of each window, channel by channel.

    Shapes: x (batch, height, width, channels) -> (batch, *windows, channels).

    Arguments:
        pool_size, strides: one for all axes, or one for each; ``strides`` is ``pool_size`` unless given.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, where only what is inside
            counts.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    pool_size: Sizes
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None


@registry.register("average_pooling3d")
@dataclass(eq=False)
class AveragePooling3D(_AveragePooling):
    """The mean of each window, channel by channel.

    Shapes: x (batch, depth, height, width, channels) -> (batch, *windows, channels).

    Arguments:
        pool_size, strides: one for all axes, or one for each; ``strides`` is ``pool_size`` unless given.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, where only what is inside
            counts.
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 3
    pool_size: Sizes
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat | None = None


@registry.register("global_max_pooling1d")
@dataclass(eq=False)
class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest number over all times, feature by feature.

    Shapes: x (batch, time, features) -> (batch, features), with ``keepdims`` (batch, 1, features).

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 1
    data_format: DataFormat | None = None
    keepdims: bool = False


@registry.register("global_max_pooling2d")
@dataclass(eq=False)
class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest number over the whole image, channel by channel.

    Shapes: x (batch, height, width, channels) -> (batch, channels), with ``keepdims`` (batch, 1, 1, channels).

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    data_format: DataFormat | None = None
    keepdims: bool = False


@registry.register("global_max_pooling3d")
@dataclass(eq=False)
class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest number over the whole volume, channel by channel.

    Shapes: x (batch, depth, height, width, channels) -> (batch, channels), or (batch, 1, 1, 1, channels)
    with ``keepdims``.

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 3
    data_format: DataFormat | None = None
    keepdims: bool = False


@registry.register("global_average_pooling1d")
@dataclass(eq=False)
class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean over all times, feature by feature; of those that a mask leaves, and 0 where it leaves none.

    Shapes: x (batch, time, features) -> (batch, features), with ``keepdims`` (batch, 1, features).

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 1
    data_format: DataFormat | None = None
    keepdims: bool = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: there are no times any more."""

    def call(self, x: Node, training: bool, mask: Node | None = None) -> Node:
        if mask is None:
            return super().call(x, training)
        (time,) = self.places(x)
        if mask.shape != (x.shape[0], x.shape[time]):
            raise ShapeError(
                "the mask does not fit the times",
                expected=f"(batch, {x.shape[time]})",
                got=str(("batch", *mask.shape[1:])),
                fix="pass a mask with one entry for each time of each sample",
            )
        x = ops.cast(x, self.compute_dtype)
        counts = ops.cast(ops.broadcast(mask, x.shape, (0, time)), x.dtype)
        total, number = (ops.reduce_sum(values, time, self.keepdims) for values in (x * counts, counts))
        return total / ops.maximum(number, 1.0)


@registry.register("global_average_pooling2d")
@dataclass(eq=False)
class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean over the whole image, channel by channel.

    Shapes: x (batch, height, width, channels) -> (batch, channels), with ``keepdims`` (batch, 1, 1, channels).

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 2
    data_format: DataFormat | None = None
    keepdims: bool = False


@registry.register("global_average_pooling3d")
@dataclass(eq=False)
class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean over the whole volume, channel by channel.

    Shapes: x (batch, depth, height, width, channels) -> (batch, channels), or (batch, 1, 1, 1, channels)
    with ``keepdims``.

    Arguments:
        data_format: "channels_last" unless given; see ``Spatial``.
    """

    rank: ClassVar[int] = 3
    data_format: DataFormat | None = None
    keepdims: bool = False


# Keras has them under both names.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
