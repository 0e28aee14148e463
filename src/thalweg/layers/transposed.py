"""Transposed convolutions: each place of the input adds its multiple of the filters to a window of the result."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from thalweg import ops
from thalweg.activations import Activation
from thalweg.checks import In
from thalweg.constraints import Projection
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.activation import activate, biased, check_activation
from thalweg.layers.layer import registry
from thalweg.layers.spatial import DataFormat, Padding, Size, Sizes, Spatial, each
from thalweg.regularizers import Penalty

__all__ = [
    "Conv1DTranspose",
    "Conv2DTranspose",
    "Conv3DTranspose",
    "Convolution1DTranspose",
    "Convolution2DTranspose",
    "Convolution3DTranspose",
]

More: TypeAlias = Annotated[int, In("[0, inf)")]
OutputPadding: TypeAlias = More | tuple[More, ...]
"""One for all axes of places, or one for each."""


class _Transposed(Spatial):
    filters: Size
    strides: Sizes
    output_padding: OutputPadding | None
    activation: str | Activation | None
    use_bias: bool
    kernel_initializer: str | Filling
    bias_initializer: str | Filling

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        more, strides = self._more(), self.frame().strides
        if more is not None and any(n >= s for n, s in zip(more, strides, strict=True)):
            raise ArgumentError(
                f"{type(self).__name__}: output_padding is too large",
                expected="less than the stride, on each axis",
                got=f"output_padding={self.output_padding}, strides={strides}",
                fix="leave it out, or make the stride larger",
            )

    def make(self, x: TensorType) -> None:
        shape = (*self.window(), self.filters, self.channels)
        self.kernel = self.parameter("kernel", shape, self.kernel_initializer)
        self.bias = self.parameter("bias", (self.filters,), self.bias_initializer) if self.use_bias else None

    def compute(self, x: Node, training: bool) -> Node:
        frame = self.frame()
        x = ops.cast(x, self.compute_dtype)
        margins = frame.transposed_margins(self._more())
        y = ops.convolve_transposed(x, self.kernel.node, frame.strides, margins, frame.dilation)
        return activate(self.activation, biased(y, self.bias), training)

    def _more(self) -> tuple[int, ...] | None:
        if self.output_padding is None:
            return None
        return each(self, "output_padding", self.output_padding, self.rank)


@registry.register("conv1d_transpose")
@dataclass(eq=False)
class Conv1DTranspose(_Transposed):
    """The transpose of a convolution: each time adds its multiple of the kernel to a window of the result.

    Shapes: x (batch, time, features) -> (batch, times, filters); kernel (kernel_size, filters, features), bias
    (filters,).

    Arguments: as in ``Conv2DTranspose``.
    """

    rank: ClassVar[int] = 1
    filters: Size
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    output_padding: OutputPadding | None = None
    data_format: DataFormat | None = None
    dilation_rate: Sizes = 1
    activation: str | Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    kernel_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    kernel_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None


@registry.register("conv2d_transpose")
@dataclass(eq=False)
class Conv2DTranspose(_Transposed):
    """The transpose of a convolution: each pixel adds its multiple of the kernel to a window of the result.

    It has the form of the gradient of ``Conv2D`` by its input, and so makes small images larger.

    Shapes: x (batch, height, width, channels) -> (batch, rows, columns, filters); kernel (*kernel_size, filters,
    channels), bias (filters,).

    Arguments:
        padding: "valid" for all of the result, ``(size - 1) * stride + max(kernel_size, stride)`` rows; "same" for its
            middle, ``size * stride`` rows.
        output_padding: gives ``(size - 1) * stride + kernel_size + output_padding`` rows instead, with "same"
            ``(size - 1) * stride + kernel_size % 2 + output_padding``; less than the stride.
        The others: as in ``Conv2D``.
    """

    rank: ClassVar[int] = 2
    filters: Size
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    output_padding: OutputPadding | None = None
    data_format: DataFormat | None = None
    dilation_rate: Sizes = 1
    activation: str | Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    kernel_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    kernel_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None


@registry.register("conv3d_transpose")
@dataclass(eq=False)
class Conv3DTranspose(_Transposed):
    """The transpose of a convolution: each place adds its multiple of the kernel to a window of the result.

    Shapes: x (batch, depth, height, width, channels) -> (batch, *places, filters); kernel (*kernel_size, filters,
    channels), bias (filters,).

    Arguments: as in ``Conv2DTranspose``, with three axes. As in Keras ``output_padding`` comes behind ``data_format``,
    other than there.
    """

    rank: ClassVar[int] = 3
    filters: Size
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    data_format: DataFormat | None = None
    output_padding: OutputPadding | None = None
    dilation_rate: Sizes = 1
    activation: str | Activation | None = None
    use_bias: bool = True
    kernel_initializer: str | Filling = "glorot_uniform"
    bias_initializer: str | Filling = "zeros"
    kernel_regularizer: str | Penalty | None = None
    bias_regularizer: str | Penalty | None = None
    activity_regularizer: str | Penalty | None = None
    kernel_constraint: str | Projection | None = None
    bias_constraint: str | Projection | None = None


# Keras has them under both names.
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
