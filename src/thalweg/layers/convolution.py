"""Convolutions: filters that are laid over every window of an image, of a series or of a volume."""

from __future__ import annotations

from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.activations import Activation
from thalweg.checks import OneOf
from thalweg.constraints import Projection
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.activation import activate, biased, check_activation
from thalweg.layers.layer import registry
from thalweg.layers.spatial import DataFormat, Padding, Size, Sizes, Spatial
from thalweg.layers.tracing import Parameter
from thalweg.regularizers import Penalty

__all__ = [
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Convolution1D",
    "Convolution2D",
    "Convolution3D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
]


def convolved(layer: Spatial, x: Node, kernel: Node, groups: int = 1) -> Node:
    """The convolution by the layer's frame, in its dtype."""
    frame = layer.frame()
    x = ops.cast(x, layer.compute_dtype)
    return ops.convolve(x, kernel, frame.strides, frame.margins(x.shape[1:-1]), frame.dilation, groups)


@dataclass(eq=False)
class _Convolution(Spatial):
    filters: Size
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    data_format: DataFormat | None = None
    dilation_rate: Sizes = 1
    groups: Size = 1
    activation: str | Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    kernel_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    kernel_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if self.filters % self.groups:
            raise ArgumentError(
                f"{type(self).__name__}: the filters cannot be divided among the groups",
                expected=f"a multiple of {self.groups} filters",
                got=f"filters={self.filters}, groups={self.groups}",
                fix="change one of the two",
            )

    def make(self, x: TensorType) -> None:
        if self.channels % self.groups:
            raise ShapeError(
                "the channels cannot be divided among the groups",
                expected=f"a multiple of {self.groups} channels",
                got=f"{self.channels} channels, in an input of shape {('batch', *x.shape[1:])}",
                fix=f"choose groups= so that it divides {self.channels}",
            )
        shape = (*self.window(), self.channels // self.groups, self.filters)
        self.kernel = self.parameter("kernel", shape, self.kernel_initializer)
        self.bias = self.parameter("bias", (self.filters,), self.bias_initializer) if self.use_bias else None

    def compute(self, x: Node, training: bool) -> Node:
        return activate(self.activation, biased(convolved(self, x, self.kernel.node, self.groups), self.bias), training)


@registry.register("conv1d")
@dataclass(eq=False)
class Conv1D(_Convolution):
    """``activation(x * kernel + bias)``: at each time, ``filters`` weighted sums over a window of times.

    Shapes: x (batch, time, features) -> (batch, windows, filters); kernel (kernel_size, features / groups, filters),
    bias (filters,). Inputs of any dtype are cast to the layer's.

    Arguments:
        padding: "valid" for windows inside only; "same" for ceil(time / stride) of them, with zeros outside; "causal"
            for windows that end at their time, so that nothing later counts.
        data_format: "channels_last" unless given; see ``Spatial``.
        dilation_rate: the distance of the times in a window.
        groups: the features are cut into so many parts, and each part meets its own part of the filters.
        activation, the regularizers and constraints: as in ``Dense``.
    """

    rank: ClassVar[int] = 1
    padding: Annotated[str, OneOf("valid", "same", "causal")] = "valid"


@registry.register("conv2d")
@dataclass(eq=False)
class Conv2D(_Convolution):
    """``activation(x * kernel + bias)``: at each place, ``filters`` weighted sums over a window of the image.

    Shapes: x (batch, height, width, channels) -> (batch, rows, columns, filters); kernel (*kernel_size,
    channels / groups, filters), bias (filters,). Inputs of any dtype are cast to the layer's.

    Arguments:
        kernel_size, strides, dilation_rate: one for both axes, or (height, width). Differs: strides and dilation may
            both be more than 1, which Keras refuses.
        padding: "valid" for windows inside only; "same" for ceil(size / stride) of them, with zeros outside, one more
            behind than before if their number is odd. (PyTorch pads both sides alike.)
        data_format: "channels_last" unless given; see ``Spatial``.
        groups: the channels are cut into so many parts, and each part meets its own part of the filters.
        activation, the regularizers and constraints: as in ``Dense``.

    Raises: ShapeError if there is no axis of channels, if the window is larger than the image, if the channels cannot
    be divided among the groups, or if the channels seem to come first.

    Source: LeCun et al. (1998), Proc. IEEE 86(11); as everywhere in deep learning the kernel is not flipped.
    """

    rank: ClassVar[int] = 2


@registry.register("conv3d")
@dataclass(eq=False)
class Conv3D(_Convolution):
    """``activation(x * kernel + bias)``: at each place, ``filters`` weighted sums over a window of the volume.

    Shapes: x (batch, depth, height, width, channels) -> (batch, *windows, filters); kernel (*kernel_size,
    channels / groups, filters), bias (filters,).

    Arguments: as in ``Conv2D``, with three axes.
    """

    rank: ClassVar[int] = 3


@dataclass(eq=False)
class _Depthwise(Spatial):
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    depth_multiplier: Size = 1
    data_format: DataFormat | None = None
    dilation_rate: Sizes = 1
    activation: str | Activation | None = None
    use_bias: bool = True
    depthwise_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    depthwise_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    depthwise_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def make(self, x: TensorType) -> None:
        shape = (*self.window(), self.channels, self.depth_multiplier)
        self.kernel = self.parameter("kernel", shape, self.depthwise_initializer, arguments="depthwise")
        self.bias = (
            self.parameter("bias", (self.channels * self.depth_multiplier,), self.bias_initializer)
            if self.use_bias
            else None
        )

    def compute(self, x: Node, training: bool) -> Node:
        y = convolved(self, x, _by_channel(self.kernel), self.channels)
        return activate(self.activation, biased(y, self.bias), training)


@registry.register("depthwise_conv1d")
@dataclass(eq=False)
class DepthwiseConv1D(_Depthwise):
    """A convolution of each feature by itself, with ``depth_multiplier`` filters.

    Shapes: x (batch, time, features) -> (batch, windows, features * depth_multiplier), the results of a feature one
    after the other; kernel (kernel_size, features, depth_multiplier), bias (features * depth_multiplier,).

    Arguments: as in ``Conv1D``.
    """

    rank: ClassVar[int] = 1


@registry.register("depthwise_conv2d")
@dataclass(eq=False)
class DepthwiseConv2D(_Depthwise):
    """A convolution of each channel by itself, with ``depth_multiplier`` filters.

    Shapes: x (batch, height, width, channels) -> (batch, rows, columns, channels * depth_multiplier), the results of a
    channel one after the other; kernel (*kernel_size, channels, depth_multiplier), bias (channels *
    depth_multiplier,).

    Arguments: as in ``Conv2D``.
    """

    rank: ClassVar[int] = 2


@dataclass(eq=False)
class _Separable(Spatial):
    filters: Size
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    data_format: DataFormat | None = None
    dilation_rate: Sizes = 1
    depth_multiplier: Size = 1
    activation: str | Activation | None = None
    use_bias: bool = True
    depthwise_initializer: str | Filling = "glorot_uniform"
    pointwise_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    depthwise_regularizer: str | Penalty | None = None
    pointwise_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    depthwise_constraint: str | Projection | None = None
    pointwise_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def make(self, x: TensorType) -> None:
        inner = self.channels * self.depth_multiplier
        depthwise = (*self.window(), self.channels, self.depth_multiplier)
        pointwise = (*(1,) * self.rank, inner, self.filters)
        self.depthwise_kernel = self.parameter(
            "depthwise_kernel", depthwise, self.depthwise_initializer, arguments="depthwise"
        )
        self.pointwise_kernel = self.parameter(
            "pointwise_kernel", pointwise, self.pointwise_initializer, arguments="pointwise"
        )
        self.bias = self.parameter("bias", (self.filters,), self.bias_initializer) if self.use_bias else None

    def compute(self, x: Node, training: bool) -> Node:
        apart = convolved(self, x, _by_channel(self.depthwise_kernel), self.channels)
        mixing = ops.reshape(self.pointwise_kernel.node, self.pointwise_kernel.shape[-2:])
        return activate(self.activation, biased(ops.matmul(apart, mixing), self.bias), training)


@registry.register("separable_conv1d")
@dataclass(eq=False)
class SeparableConv1D(_Separable):
    """A convolution of each feature by itself, then ``filters`` weighted sums of the results at each time.

    Shapes: x (batch, time, features) -> (batch, windows, filters); depthwise_kernel (kernel_size, features,
    depth_multiplier), pointwise_kernel (1, features * depth_multiplier, filters), bias (filters,).

    Arguments: as in ``Conv1D``.
    """

    rank: ClassVar[int] = 1


@registry.register("separable_conv2d")
@dataclass(eq=False)
class SeparableConv2D(_Separable):
    """A convolution of each channel by itself, then ``filters`` weighted sums of the results at each place.

    Shapes: x (batch, height, width, channels) -> (batch, rows, columns, filters); depthwise_kernel (*kernel_size,
    channels, depth_multiplier), pointwise_kernel (1, 1, channels * depth_multiplier, filters), bias (filters,).

    Arguments: as in ``Conv2D``.

    Source: Chollet (2017), arXiv:1610.02357.
    """

    rank: ClassVar[int] = 2


def _by_channel(kernel: Parameter) -> Node:
    """(*size, channels, multiplier) as the kernel of as many groups as channels: (*size, 1, filters)."""
    *size, channels, multiplier = kernel.shape
    return ops.reshape(kernel.node, (*size, 1, channels * multiplier))


# Keras has them under both names.
Convolution1D = Conv1D
Convolution2D = Conv2D
Convolution3D = Conv3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
