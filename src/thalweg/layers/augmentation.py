"""Layers that change images at random, in training only: each image in its own way, other ones at each step.

What moves pixels is written as two products with matrices, one for the rows and one for the columns, whose entries are
the weights of the interpolation: so it runs at the speed of products, and its gradient is exact.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated

from thalweg import ops
from thalweg.checks import In, OneOf, Reserved, check_value
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry

Factor = float | tuple[float, float]
FillMode = Annotated[str, OneOf("reflect", "constant", "wrap", "nearest")]
Interpolation = Annotated[str, OneOf("bilinear", "nearest")]


@dataclass(eq=False)
class ImageAugmentation(Layer):
    """Checks and casts; a subclass writes ``augment``.

    Shapes: x (batch, height, width, channels) -> the same, floating point whatever the input's dtype.

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.
    """

    seed: Annotated[int, In("[0, inf)")] | None = field(default=None, kw_only=True)
    data_format: Annotated[object, Reserved()] = field(default=None, kw_only=True)

    def augment(self, x: Node) -> Node:
        """The images of a training step."""
        raise NotImplementedError(f"{type(self).__name__} has no augment()")

    def call(self, x: Node, training: bool) -> Node:
        if x.rank != 4:
            raise ShapeError(
                "the input is no batch of images",
                expected="(batch, height, width, channels)",
                got=str(("batch", *x.shape[1:])),
                fix="put Reshape((height, width, channels)) before this layer",
            )
        x = ops.cast(x, self.compute_dtype)
        return self.augment(x) if training else x

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Node:
        """New numbers from [low, high)."""
        return ops.random_uniform(shape, *self.random_key(self.seed), dtype=self.compute_dtype) * (high - low) + low


@registry.register("random_flip")
@dataclass(eq=False)
class RandomFlip(ImageAugmentation):
    """Turns each image over with probability 1/2: left-right, upside down, or each of both.

    Shapes: x (batch, height, width, channels) -> the same.

    Arguments:
        seed: in place of the layer's name, as in ``Dropout``.
    """

    mode: Annotated[str, OneOf("horizontal_and_vertical", "horizontal", "vertical")] = "horizontal_and_vertical"

    def augment(self, x: Node) -> Node:
        for axis, name in ((1, "vertical"), (2, "horizontal")):
            if name in self.mode:
                places = _places(x, axis)
                flipped = ops.broadcast(self.uniform(x.shape[:1], 0.0, 1.0) < 0.5, places.shape, (0,))
                turned = ops.select(flipped, x.shape[axis] - 1.0 - places, places)
                x = _mixed(x, axis, _weights(turned, x.shape[axis], "nearest", "nearest"))
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
            places = _places(x, axis)
            sources.append(places - ops.broadcast(shift, places.shape, (0,)))
        return _resampled(x, sources[0], sources[1], self.fill_mode, self.interpolation, self.fill_value)


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
            places, middle = _places(x, axis), (x.shape[axis] - 1) / 2
            sources.append((places - middle) * ops.broadcast(zoom, places.shape, (0,)) + middle)
        return _resampled(x, sources[0], sources[1], self.fill_mode, self.interpolation, self.fill_value)


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

    factor: Factor = 1.0
    scale: tuple[float, float] = (0.02, 0.33)
    fill_value: float | None = None
    value_range: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("factor", "scale"):
            _require_within(self, name, "[0, 1]")

    def augment(self, x: Node) -> Node:
        bounds = self.factor if isinstance(self.factor, tuple) else (0.0, self.factor)
        inside = ops.broadcast(self.uniform(x.shape[:1], 0.0, 1.0) < self.uniform(x.shape[:1], *bounds), x.shape, (0,))
        for axis in (1, 2):
            size = x.shape[axis]
            length = ops.sqrt(self.uniform(x.shape[:1], *self.scale)) * float(size)
            start = self.uniform(x.shape[:1], 0.0, 1.0) * (float(size) - length)
            places = _places(x, axis)
            start, end = (ops.broadcast(v, places.shape, (0,)) for v in (start, start + length))
            inside = inside & ops.broadcast((places >= start) & (places < end), x.shape, (0, axis))
        low, high = self.value_range
        if self.fill_value is not None:
            return ops.select(inside, min(max(self.fill_value, low), high), x)
        noise = ops.random_normal(x.shape, *self.random_key(self.seed), dtype=x.dtype) * high
        return ops.select(inside, ops.clip(noise, low, high), x)


def _bounds(factor: Factor) -> tuple[float, float]:
    return (-abs(factor), abs(factor)) if isinstance(factor, float) else factor


def _require_within(layer: Layer, name: str, interval: str) -> None:
    """Raise ArgumentError unless the argument, a number or a rising pair, lies in the interval."""
    one = Annotated[float, In(interval)]
    value = check_value(type(layer).__name__, name, one | tuple[one, one], getattr(layer, name))
    if isinstance(value, tuple):
        setattr(layer, name, (min(value), max(value)) if name != "factor" or interval != "[0, 1]" else value)


def _places(x: Node, axis: int) -> Node:
    """0, 1, 2 ... along an axis of each image: (batch, size)."""
    return ops.iota((x.shape[0], x.shape[axis]), 1, x.dtype)


def _resampled(x: Node, rows: Node, columns: Node, fill_mode: str, interpolation: str, fill_value: float) -> Node:
    """Images whose pixel (i, j) comes from (rows[i], columns[j]) of the old ones: (batch, height), (batch, width)."""
    by_rows, by_columns = (
        _weights(places, x.shape[axis], fill_mode, interpolation) for axis, places in ((1, rows), (2, columns))
    )
    y = _mixed(_mixed(x, 1, by_rows), 2, by_columns)
    if fill_mode != "constant" or fill_value == 0:
        return y
    known = ops.broadcast(ops.reduce_sum(by_rows, 2), x.shape, (0, 1)) * ops.broadcast(
        ops.reduce_sum(by_columns, 2), x.shape, (0, 2)
    )
    return y + (1.0 - known) * fill_value


def _mixed(x: Node, axis: int, weights: Node) -> Node:
    """Along one axis of each image, sums with these weights: (batch, new, old)."""
    labels = (0, 1, 2, 3)
    return ops.contract(weights, x, (0, 4, axis), labels, tuple(4 if a == axis else a for a in labels))


def _weights(places: Node, size: int, fill_mode: str, interpolation: str) -> Node:
    """How much each of ``size`` old pixels counts for what comes from these places: (batch, new, size)."""
    if fill_mode == "wrap":
        places = _modulo(places, size)
    elif fill_mode == "reflect":
        folded = _modulo(places + 0.5, 2 * size)
        places = ops.minimum(folded, 2.0 * size - folded) - 0.5
    if interpolation == "nearest":
        places = ops.floor(places + 0.5)
        places = _modulo(places, size) if fill_mode == "wrap" else places
    if fill_mode in ("reflect", "nearest"):
        places = ops.clip(places, 0.0, size - 1.0)
    shape = (*places.shape, size)
    distance = ops.absolute(ops.broadcast(places, shape, (0, 1)) - ops.iota(shape, 2, places.dtype))
    if fill_mode == "wrap":
        distance = ops.minimum(distance, float(size) - distance)
    return ops.relu(1.0 - distance)


def _modulo(x: Node, n: int) -> Node:
    return x - ops.floor(x * (1.0 / n)) * float(n)
