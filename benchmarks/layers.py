"""The layers that the workloads are made of: values that know their shapes, their work and the size of their state.

Shapes are those of one sample: (features,), or (height, width, channels). FLOPs are those of the contractions, a
multiplication and an addition each; pooling, normalisation and activations count nothing. Every product of the forward
pass gives one to the gradient by the input and one to that by the kernel, so each of the three costs the same.

Loaded by every timed process: nothing heavy here.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import prod
from typing import Literal, NamedTuple, Union

Shape = tuple[int, ...]


class Dense(NamedTuple):
    """A dense layer with bias."""

    units: int
    activation: Literal["relu", "softmax"]
    normalized: bool = False  # batch normalisation between the product and the activation
    dropout: float = 0.0  # after the activation: the share of numbers that become 0 in training

    @property
    def plain(self) -> bool:
        """Whether there is nothing but product, bias and activation."""
        return not self.normalized and not self.dropout

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return (*shape[:-1], self.units)

    def forward_flops(self, shape: Shape) -> int:
        """For one sample."""
        return 2 * prod(shape) * self.units

    def parameter_count(self, shape: Shape) -> int:
        """Kernel and bias; scale and shift of the normalisation."""
        return (shape[-1] + (3 if self.normalized else 1)) * self.units


class Conv(NamedTuple):
    """A convolution with bias, or with batch normalisation, which has one of its own."""

    filters: int | None  # None: depthwise, which means one for each channel of the input
    size: int = 3
    strides: int = 1
    padding: Literal["valid", "same"] = "same"
    activation: Literal["relu", "linear"] = "relu"
    normalized: bool = True

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        height, width, channels = shape
        return (self._places(height), self._places(width), self.filters or channels)

    def forward_flops(self, shape: Shape) -> int:
        """For one sample; what falls on the zeros around the image needs no product and is not counted."""
        height, width, channels = shape
        return 2 * self._products(height) * self._products(width) * channels * (self.filters or 1)

    def parameter_count(self, shape: Shape) -> int:
        """Kernel and bias, or scale and shift of the normalisation."""
        *_, channels = shape
        kernel = self.size**2 * channels * (self.filters or 1)
        return kernel + (2 if self.normalized else 1) * (self.filters or channels)

    def _places(self, pixels: int) -> int:
        """Results along an axis of the image."""
        return -(-(pixels if self.padding == "same" else pixels - self.size + 1) // self.strides)

    def _products(self, pixels: int) -> int:
        """Pairs of a result and a pixel that it sees, along an axis of the image; zeros as Keras places them."""
        places = self._places(pixels)
        zeros_before = max((places - 1) * self.strides + self.size - pixels, 0) // 2
        firsts = (place * self.strides - zeros_before for place in range(places))
        return sum(min(first + self.size, pixels) - max(first, 0) for first in firsts)


class MaxPool(NamedTuple):
    """The greatest of each square of ``size`` x ``size`` pixels."""

    size: int
    dropout: float = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        height, width, channels = shape
        return (height // self.size, width // self.size, channels)

    def forward_flops(self, shape: Shape) -> int:
        """No products."""
        return 0

    def parameter_count(self, shape: Shape) -> int:
        """None."""
        return 0


class GlobalAveragePool(NamedTuple):
    """The mean of each channel."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shape[-1:]

    def forward_flops(self, shape: Shape) -> int:
        """No products."""
        return 0

    def parameter_count(self, shape: Shape) -> int:
        """None."""
        return 0


class Flatten(NamedTuple):
    """All numbers of a sample in one row."""

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return (prod(shape),)

    def forward_flops(self, shape: Shape) -> int:
        """No products."""
        return 0

    def parameter_count(self, shape: Shape) -> int:
        """None."""
        return 0


class Residual(NamedTuple):
    """relu(body(x) + shortcut(x)); an empty shortcut is x itself."""

    body: tuple["Layer", ...]
    shortcut: tuple["Layer", ...] = ()

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer."""
        return shapes(self.body, shape)[-1]

    def forward_flops(self, shape: Shape) -> int:
        """Of both ways."""
        ways = (*inputs(self.body, shape), *inputs(self.shortcut, shape))
        return sum(layer.forward_flops(given) for layer, given in ways)

    def parameter_count(self, shape: Shape) -> int:
        """Of both ways."""
        ways = (*inputs(self.body, shape), *inputs(self.shortcut, shape))
        return sum(layer.parameter_count(given) for layer, given in ways)


Layer = Union[Dense, Conv, MaxPool, GlobalAveragePool, Flatten, Residual]  # noqa: UP007 - Residual refers to it


def shapes(layers: Sequence[Layer], shape: Shape) -> list[Shape]:
    """Shape of one sample before the first layer and after each."""
    return list(accumulate(layers, lambda given, layer: layer.output_shape(given), initial=shape))


def inputs(layers: Sequence[Layer], shape: Shape) -> Iterator[tuple[Layer, Shape]]:
    """Each layer with the shape of one sample that it receives."""
    return zip(layers, shapes(layers, shape), strict=False)


def mlp(*units: int) -> tuple[Dense, ...]:
    """Dense ReLU layers, the last one softmax."""
    *hidden, classes = units
    return (*(Dense(width, "relu") for width in hidden), Dense(classes, "softmax"))


def regularized(*units: int, dropout: float) -> tuple[Dense, ...]:
    """The same with batch normalisation and dropout in every hidden layer."""
    *hidden, last = mlp(*units)
    return (*(layer._replace(normalized=True, dropout=dropout) for layer in hidden), last)


def small_cnn(classes: int = 10) -> tuple[Layer, ...]:
    """Two convolutions, one pooling, one dense layer, with dropout: what tutorials train on MNIST."""
    first, second = (Conv(filters, padding="valid", normalized=False) for filters in (32, 64))
    return (first, second, MaxPool(2, dropout=0.25), Flatten(), Dense(128, "relu", dropout=0.5), *mlp(classes))


def resnet(depth: int, filters: int = 16, classes: int = 10) -> tuple[Layer, ...]:
    """He et al. (2015), arXiv:1512.03385, section 4.2; where the size changes the way around is their option B."""
    layers: list[Layer] = [Conv(filters)]
    for stage in range(3):
        for block in range((depth - 2) // 6):
            layers.append(residual(filters * 2**stage, shrinks=stage > 0 and block == 0))
    return (*layers, GlobalAveragePool(), *mlp(classes))


def residual(filters: int, *, shrinks: bool) -> Residual:
    """Two convolutions; to half the height and width, or of the same."""
    strides = 2 if shrinks else 1
    around = (Conv(filters, size=1, strides=strides, activation="linear"),) if shrinks else ()
    return Residual((Conv(filters, strides=strides), Conv(filters, activation="linear")), around)


def depthwise_separable(classes: int = 10) -> tuple[Layer, ...]:
    """Small and like MobileNet: Howard et al. (2017), arXiv:1704.04861, figure 3."""
    blocks = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1))
    separable = [part for filters, strides in blocks for part in (Conv(None, strides=strides), Conv(filters, size=1))]
    return (Conv(32), *separable, GlobalAveragePool(), *mlp(classes))
