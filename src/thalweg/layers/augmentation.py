"""Layers that change images, at random in training only: each image in its own way, other ones at each step."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In, OneOf, Reserved, check_value
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry
from thalweg.layers.resampling import gathered, mixed_along, places_along, resampled, weights_of

__all__ = [
    "AutoContrast",
    "RandomBrightness",
    "RandomContrast",
    "RandomErasing",
    "RandomFlip",
    "RandomGrayscale",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Solarization",
]

Factor = float | tuple[float, float]
FillMode = Annotated[str, OneOf("reflect", "constant", "wrap", "nearest")]
OF_COLOURS = (0.2989, 0.587, 0.114)
"""What red, green and blue are to the eye."""

Interpolation = Annotated[str, OneOf("bilinear", "nearest")]


@dataclass(eq=False)
class ImageAugmentation(Layer):
    """Checks and casts; a subclass writes ``augment``.

    Shapes: x (batch, height, width, channels) -> the same, floating point whatever the input's dtype.

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.
    """

    disturbs: ClassVar[bool] = True
    seed: Annotated[int, In("[0, inf)")] | None = field(default=None, kw_only=True)
    data_format: Annotated[object, Reserved()] = field(default=None, kw_only=True)

    def augment(self, x: Node) -> Node:
        """The images of a training step."""
        raise NotImplementedError(f"{type(self).__name__} has no augment()")

    def call(self, x: Node, training: bool) -> Node:
        x = _images(x, self.compute_dtype)
        return self.augment(x) if training else x

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Node:
        """New numbers from [low, high)."""
        return ops.random_uniform(shape, *self.random_key(self.seed), dtype=self.compute_dtype) * (high - low) + low


RESAMPLING_ORDER = ("fill_mode", "interpolation", "seed", "fill_value", "data_format")
"""Places of the arguments, as in Keras, that all layers have which read images between their pixels."""


@registry.register("random_flip")
@dataclass(eq=False)
class RandomFlip(ImageAugmentation):
    """Turns each image over with probability 1/2: left-right, upside down, or each of both.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("mode", "seed", "data_format")
    mode: Annotated[str, OneOf("horizontal_and_vertical", "horizontal", "vertical")] = "horizontal_and_vertical"

    def augment(self, x: Node) -> Node:
        for axis, name in ((1, "vertical"), (2, "horizontal")):
            if name in self.mode:
                places = places_along(x, axis)
                flipped = ops.broadcast(self.uniform(x.shape[:1], 0.0, 1.0) < 0.5, places.shape, (0,))
                turned = ops.select(flipped, x.shape[axis] - 1.0 - places, places)
                x = mixed_along(x, axis, weights_of(turned, x.shape[axis], "nearest", "nearest"))
        return x


@registry.register("random_translation")
@dataclass(eq=False)
class RandomTranslation(ImageAugmentation):
    """Shifts each image by a share of its height (down) and width (to the right).

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        height_factor, width_factor: the largest share in both directions, or (lowest, highest); within [-1, 1].
        fill_mode: what stands beyond the edge: "reflect" (d c b a | a b c d | d c b a), "wrap", "nearest", or
            "constant" for ``fill_value``.
        interpolation: "bilinear", or "nearest" for shifts by whole pixels.
        seed: in place of the layer's name, as in ``Dropout``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("height_factor", "width_factor", *RESAMPLING_ORDER)
    height_factor: Factor
    width_factor: Factor
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height_factor", "width_factor"):
            _require_within(self, name, "[-1, 1]")

    def augment(self, x: Node) -> Node:
        sources = []
        for axis, factor in ((1, self.height_factor), (2, self.width_factor)):
            shift = self.uniform(x.shape[:1], *_bounds(factor)) * float(x.shape[axis])
            places = places_along(x, axis)
            sources.append(places - ops.broadcast(shift, places.shape, (0,)))
        return resampled(x, sources[0], sources[1], self.fill_mode, self.interpolation, self.fill_value)


@registry.register("random_zoom")
@dataclass(eq=False)
class RandomZoom(ImageAugmentation):
    """Makes each image smaller (factors above 0) or larger (below) about its middle.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        height_factor: the largest change in both directions, or (lowest, highest); within (-1, 1]. 0.2 shows 1.2 times
            as many rows.
        width_factor: the same for columns; None to keep the proportions.
        fill_mode, interpolation, fill_value: as in ``RandomTranslation``.
        seed: in place of the layer's name, as in ``Dropout``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("height_factor", "width_factor", *RESAMPLING_ORDER)
    height_factor: Factor
    width_factor: Factor | None = None
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height_factor", "width_factor"):
            if getattr(self, name) is not None:
                _require_within(self, name, "(-1, 1]")

    def augment(self, x: Node) -> Node:
        rows = self.uniform(x.shape[:1], *_bounds(self.height_factor)) + 1.0
        columns = rows
        if self.width_factor is not None:
            columns = self.uniform(x.shape[:1], *_bounds(self.width_factor)) + 1.0
        sources = []
        for axis, zoom in ((1, rows), (2, columns)):
            places, middle = places_along(x, axis), (x.shape[axis] - 1) / 2
            sources.append((places - middle) * ops.broadcast(zoom, places.shape, (0,)) + middle)
        return resampled(x, sources[0], sources[1], self.fill_mode, self.interpolation, self.fill_value)


@registry.register("random_rotation")
@dataclass(eq=False)
class RandomRotation(ImageAugmentation):
    """Turns each image about its middle, counter-clockwise.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        factor: the largest angle in both directions, or (lowest, highest), in turns: 0.25 is a right angle; [-1, 1].
        fill_mode, interpolation, fill_value: as in ``RandomTranslation``.
        seed: in place of the layer's name, as in ``Dropout``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("factor", *RESAMPLING_ORDER)
    factor: Factor
    fill_mode: FillMode = "reflect"
    interpolation: Interpolation = "bilinear"
    fill_value: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_within(self, "factor", "[-1, 1]")

    def augment(self, x: Node) -> Node:
        batch, height, width, _ = x.shape
        places = (batch, height, width)
        angle = self.uniform((batch,), *_bounds(self.factor)) * (2 * math.pi)
        sine, cosine = (ops.broadcast(f(angle), places, (0,)) for f in (ops.sin, ops.cos))
        middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
        down, right = ops.iota(places, 1, x.dtype) - middle_y, ops.iota(places, 2, x.dtype) - middle_x
        rows = cosine * down + sine * right + middle_y
        columns = cosine * right - sine * down + middle_x
        return gathered(x, rows, columns, self.fill_mode, self.interpolation, self.fill_value)


@registry.register("random_contrast")
@dataclass(eq=False)
class RandomContrast(ImageAugmentation):
    """``(x - mean) * f + mean`` with the mean of each channel of the image, cut off at ``value_range``.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        factor: f is drawn from [1 - factor, 1 + factor], or [1 - lower, 1 + upper] for (lower, upper); each in [0, 1].
        value_range: what pixels can be.
        seed: in place of the layer's name, as in ``Dropout``.

    Differs: for one number Keras 3.15 draws from [1, 1 + factor], against its own documentation.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("factor", "value_range", "seed")
    factor: Factor
    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_within(self, "factor", "[0, 1]")

    def augment(self, x: Node) -> Node:
        lower, upper = self.factor if isinstance(self.factor, tuple) else (self.factor, self.factor)
        factor = ops.broadcast(self.uniform(x.shape[:1], 1.0 - lower, 1.0 + upper), x.shape, (0,))
        mean = ops.broadcast(ops.reduce_mean(x, (1, 2)), x.shape, (0, 3))
        return ops.clip((x - mean) * factor + mean, *self.value_range)


@registry.register("random_brightness")
@dataclass(eq=False)
class RandomBrightness(ImageAugmentation):
    """Adds one number to each image, cut off at ``value_range``.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        factor: the largest change in both directions, or (lowest, highest), as a share of the range; within [-1, 1].
        value_range: what pixels can be.
        seed: in place of the layer's name, as in ``Dropout``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("factor", "value_range", "seed")
    factor: Factor
    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_within(self, "factor", "[-1, 1]")

    def augment(self, x: Node) -> Node:
        low, high = self.value_range
        more = self.uniform(x.shape[:1], *_bounds(self.factor)) * (high - low)
        return ops.clip(x + ops.broadcast(more, x.shape, (0,)), low, high)


@registry.register("random_erasing")
@dataclass(eq=False)
class RandomErasing(ImageAugmentation):
    """Puts a rectangle of one value, or of noise, somewhere into each image (cutout).

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        factor: the probability for an image, drawn from [0, factor], or from [lower, upper] of two.
        scale: height and width of the rectangle are ``sqrt(s)`` of the image's, each s drawn from this range.
        fill_value: of the rectangle; None for normal noise times the highest of the range.
        value_range: what pixels can be.
        seed: in place of the layer's name, as in ``Dropout``.

    Source: Zhong et al. (2017), arXiv:1708.04896; DeVries & Taylor (2017), arXiv:1708.04552.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("factor", "scale", "fill_value", "value_range", "seed", "data_format")
    factor: Factor = 1.0
    scale: tuple[float, float] = (0.02, 0.33)
    fill_value: float | None = None
    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("factor", "scale"):
            _require_within(self, name, "[0, 1]")

    def augment(self, x: Node) -> Node:
        lot = self.uniform(x.shape[:1], 0.0, 1.0)
        inside = ops.broadcast(lot < self.uniform(x.shape[:1], *_from_zero(self.factor)), x.shape, (0,))
        for axis in (1, 2):
            size = x.shape[axis]
            length = ops.sqrt(self.uniform(x.shape[:1], *self.scale)) * float(size)
            start = self.uniform(x.shape[:1], 0.0, 1.0) * (float(size) - length)
            places = places_along(x, axis)
            start, end = (ops.broadcast(v, places.shape, (0,)) for v in (start, start + length))
            inside = inside & ops.broadcast((places >= start) & (places < end), x.shape, (0, axis))
        low, high = self.value_range
        if self.fill_value is not None:
            return ops.select(inside, min(max(self.fill_value, low), high), x)
        noise = ops.random_normal(x.shape, *self.random_key(self.seed), dtype=x.dtype) * high
        return ops.select(inside, ops.clip(noise, low, high), x)


@registry.register("random_grayscale")
@dataclass(eq=False)
class RandomGrayscale(ImageAugmentation):
    """Takes the colours from some of the images: each channel becomes ``0.2989 red + 0.587 green + 0.114 blue``.

    Shapes: x (batch, height, width, 3) -> the same.

    Arguments:
        factor: the probability for an image.
        seed: in place of the layer's name, as in ``Dropout``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("factor", "data_format", "seed")
    factor: Annotated[float, In("[0, 1]")] = 0.5

    def augment(self, x: Node) -> Node:
        if x.shape[3] != len(OF_COLOURS):
            raise ShapeError(
                "the images have no three colours to make grey",
                expected="(batch, height, width, 3)",
                got=str(("batch", *x.shape[1:])),
                fix="leave the layer out, or give it images of red, green and blue",
            )
        red, green, blue = (x[..., channel] * weight for channel, weight in enumerate(OF_COLOURS))
        grey = ops.broadcast(red + green + blue, x.shape, (0, 1, 2))
        chosen = self.uniform(x.shape[:1], 0.0, 1.0) < self.factor
        return ops.select(ops.broadcast(chosen, x.shape, (0,)), grey, x)


@registry.register("solarization")
@dataclass(eq=False)
class Solarization(ImageAugmentation):
    """Adds a number to each image, and turns what is then at a threshold or above it: ``high - (x - low)``.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        addition_factor: the number is drawn from [0, factor], or from [lower, upper] of two, as a share of the range.
        threshold_factor: the threshold, in the same way; 0 turns everything.
        value_range: what pixels can be.
        seed: in place of the layer's name, as in ``Dropout``.

    Differs: of two numbers Keras 3.15 takes the lower one as a pixel's value, against its own documentation.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("addition_factor", "threshold_factor", "value_range", "seed")
    addition_factor: Factor = 0.0
    threshold_factor: Factor = 0.0
    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.value_range = (min(self.value_range), max(self.value_range))
        for name in ("addition_factor", "threshold_factor"):
            _require_within(self, name, "[0, 1]")

    def augment(self, x: Node) -> Node:
        low, high = self.value_range
        more, threshold = (
            ops.broadcast(self.uniform(x.shape[:1], *bounds) * (high - low), x.shape, (0,))
            for bounds in map(_from_zero, (self.addition_factor, self.threshold_factor))
        )
        x = ops.clip(x + more, low, high)
        return ops.select(x < threshold + low, x, high + low - x)


@registry.register("auto_contrast")
@dataclass(eq=False)
class AutoContrast(Layer):
    """Stretches each channel of an image over the whole range, ``(x - min) / (max - min)`` of it; not only in training.

    A channel of one value stays as it is.

    Shapes: x (batch, height, width, channels) -> the same, floating point whatever the input's dtype.

    Arguments:
        value_range: what pixels can be.
    """

    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.value_range = (min(self.value_range), max(self.value_range))

    def call(self, x: Node) -> Node:
        x = _images(x, self.compute_dtype)
        low, high = self.value_range
        least, most = (ops.broadcast(reduce(x, (1, 2)), x.shape, (0, 3)) for reduce in (ops.reduce_min, ops.reduce_max))
        flat = ops.equal(most, least)
        share = (x - least) / ops.select(flat, 1.0, most - least)
        return ops.select(flat, x, ops.clip(share * (high - low) + low, low, high))


def _images(x: Node, dtype: str) -> Node:
    """The images as numbers of this type. Raises ShapeError if they are none."""
    if x.rank != 4:
        raise ShapeError(
            "the input is no batch of images",
            expected="(batch, height, width, channels)",
            got=str(("batch", *x.shape[1:])),
            fix="put Reshape((height, width, channels)) before this layer",
        )
    return ops.cast(x, dtype)


def _from_zero(factor: Factor) -> tuple[float, float]:
    return factor if isinstance(factor, tuple) else (0.0, factor)


def _bounds(factor: Factor) -> tuple[float, float]:
    return (-abs(factor), abs(factor)) if isinstance(factor, float) else factor


def _require_within(layer: Layer, name: str, interval: str) -> None:
    """Raise ArgumentError unless the argument, a number or a rising pair, lies in the interval."""
    one = Annotated[float, In(interval)]
    value = check_value(type(layer).__name__, name, one | tuple[one, one], getattr(layer, name))
    if isinstance(value, tuple):
        setattr(layer, name, (min(value), max(value)) if name != "factor" or interval != "[0, 1]" else value)
