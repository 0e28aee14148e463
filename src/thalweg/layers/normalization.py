"""Layers that shift and scale numbers to mean 0 and variance 1: over the batch, over a sample, over groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import In, OneOf, Reserved
from thalweg.constraints import Projection
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.layer import Layer, registry
from thalweg.layers.masking import along
from thalweg.layers.tracing import Parameter
from thalweg.ops.deviations import moment_about
from thalweg.regularizers import Penalty

__all__ = ["BatchNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"]


@registry.register("batch_normalization")
@dataclass(eq=False)
class BatchNormalization(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance of each feature.

    In training they are the batch's (the variance is the mean squared deviation, over n), and the moving ones follow:
    ``moving = momentum * moving + (1 - momentum) * batch's``. Otherwise, and in a layer with ``trainable=False``, they
    are the moving ones, so that the rows of a batch do not matter to each other. What a mask leaves out has no part in
    the batch's.

    Shapes: x (batch, ..., features) -> the same; parameters (features,).

    Arguments:
        axis: of the features; all others are averaged over.
        center, scale: whether there is a beta, a gamma.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as in Dense.
        renorm, renorm_clipping, renorm_momentum, synchronized: Keras's names, not there yet.

    Source: Ioffe & Szegedy (2015), arXiv:1502.03167, Algorithm 1. Differs: the moving variance is that of the batch
    without the factor n / (n - 1) of their Algorithm 2, as in Keras; PyTorch has the factor.
    """

    supports_masking: ClassVar[bool] = True
    axis: int = -1
    momentum: Annotated[float, In("[0, 1]")] = 0.99
    epsilon: Annotated[float, In("(0, inf)")] = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str | Filling = "zeros"
    gamma_initializer: str | Filling = "ones"
    moving_mean_initializer: str | Filling = "zeros"
    moving_variance_initializer: str | Filling = "ones"
    beta_regularizer: str | Penalty | None = None
    gamma_regularizer: str | Penalty | None = None
    beta_constraint: str | Projection | None = None
    gamma_constraint: str | Projection | None = None
    renorm: Annotated[bool, OneOf(False)] = False
    renorm_clipping: Annotated[object, Reserved()] = None
    renorm_momentum: Annotated[object, Reserved(0.99)] = 0.99
    synchronized: Annotated[bool, OneOf(False)] = False

    def build(self, x: TensorType) -> None:
        shape = (x.shape[normal_axis(self.axis, x)],)
        self.gamma, self.beta = _gamma_and_beta(self, shape)
        self.moving_mean = self.parameter("moving_mean", shape, self.moving_mean_initializer, trainable=False)
        self.moving_variance = self.parameter(
            "moving_variance", shape, self.moving_variance_initializer, trainable=False
        )

    def call(self, x: Node, training: bool, mask: Node | None = None) -> Node:
        x = ops.cast(x, self.compute_dtype)
        features = normal_axis(self.axis, x.type)
        require_size(x.type, {features: self.moving_mean.shape[0]})
        if mask is not None and mask.rank != x.rank - 1:
            raise ShapeError(
                "the mask does not fit the input",
                expected=f"one entry for each place: {('batch', *x.shape[1:-1])}",
                got=str(("batch", *mask.shape[1:])),
                fix="pass a mask with one axis less than the input",
            )
        if training and self.learns:
            others = tuple(a for a in range(x.rank) if a != features)
            moments = moments_over(x, others, mask)
            self._follow(self.moving_mean, moments.centre)
            self._follow(self.moving_variance, moments.variance)
        else:
            moments = Moments(x, self.moving_mean.node, None, self.moving_variance.node, (features,))
        gamma, beta = (None if p is None else p.node for p in (self.gamma, self.beta))
        return moments.normalised(self.epsilon, gamma, beta)

    def _follow(self, moving: Parameter, now: Node) -> None:
        """A shared layer that is called twice in a step moves twice."""
        self.update(moving, self.latest(moving) * self.momentum + now * (1.0 - self.momentum))


@registry.register("layer_normalization")
@dataclass(eq=False)
class LayerNormalization(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance over each sample's features.

    Shapes: x (batch, ...) -> the same; parameters: the sizes of ``axis``.

    Arguments:
        axis: over which mean and variance are taken; one or several.
        center, scale: whether there is a beta, a gamma.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as in Dense.

    Source: Ba, Kiros & Hinton (2016), arXiv:1607.06450, equation 4.
    """

    supports_masking: ClassVar[bool] = True
    axis: int | tuple[int, ...] = -1
    epsilon: Annotated[float, In("(0, inf)")] = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str | Filling = "zeros"
    gamma_initializer: str | Filling = "ones"
    beta_regularizer: str | Penalty | None = None
    gamma_regularizer: str | Penalty | None = None
    beta_constraint: str | Projection | None = None
    gamma_constraint: str | Projection | None = None

    def build(self, x: TensorType) -> None:
        self.sizes = tuple(x.shape[a] for a in normal_axes(self.axis, x))
        self.gamma, self.beta = _gamma_and_beta(self, self.sizes)

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        axes = normal_axes(self.axis, x.type)  # of this input: a shared layer may see inputs of different rank
        require_size(x.type, dict(zip(axes, self.sizes, strict=True)))
        y = moments_over(x, axes).normalised(self.epsilon)
        return _scaled(y, self.gamma, self.beta, axes)


@registry.register("rms_normalization")
@dataclass(eq=False)
class RMSNormalization(Layer):
    """``scale * x / sqrt(mean(x^2) + epsilon)``, with the mean over each sample's features: no shift.

    Shapes: x (batch, ...) -> the same; scale: the sizes of ``axis``.

    Source: Zhang & Sennrich (2019), arXiv:1910.07467, equation 4.
    """

    axis: int | tuple[int, ...] = -1
    epsilon: Annotated[float, In("(0, inf)")] = 1e-6

    def build(self, x: TensorType) -> None:
        self.sizes = tuple(x.shape[a] for a in normal_axes(self.axis, x))
        self.scale = self.parameter("scale", self.sizes, "ones")

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        axes = normal_axes(self.axis, x.type)
        require_size(x.type, dict(zip(axes, self.sizes, strict=True)))
        factor = 1.0 / ops.sqrt(ops.reduce_mean(ops.square(x), axes) + self.epsilon)
        kept = tuple(a for a in range(x.rank) if a not in axes)
        return _scaled(x * ops.broadcast(factor, x.shape, kept), self.scale, None, axes)


@registry.register("group_normalization")
@dataclass(eq=False)
class GroupNormalization(Layer):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance over groups of channels.

    They are taken over the channels of a group and all places of one sample.

    Shapes: x (batch, ..., channels) -> the same; parameters (channels,).

    Arguments:
        groups: a divisor of the channels; -1 for as many as there are channels (instance normalization).
        axis: of the channels.
        center, scale: whether there is a beta, a gamma.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: as in Dense.

    Source: Wu & He (2018), arXiv:1803.08494, equations 1 to 3.
    """

    supports_masking: ClassVar[bool] = True
    groups: Annotated[int, In("[1, inf)")] | Annotated[int, OneOf(-1)] = 32
    axis: int = -1
    epsilon: Annotated[float, In("(0, inf)")] = 1e-3
    center: bool = True
    scale: bool = True
    beta_initializer: str | Filling = "zeros"
    gamma_initializer: str | Filling = "ones"
    beta_regularizer: str | Penalty | None = None
    gamma_regularizer: str | Penalty | None = None
    beta_constraint: str | Projection | None = None
    gamma_constraint: str | Projection | None = None

    def build(self, x: TensorType) -> None:
        size = x.shape[normal_axis(self.axis, x)]
        if self.groups != -1 and size % self.groups:
            raise ShapeError(
                "the channels cannot be divided into equal groups",
                expected=f"a number of channels that {self.groups} groups share evenly",
                got=f"{size} channels",
                fix=f"choose groups among the divisors of {size}, for example groups={math.gcd(size, self.groups)}",
            )
        self.gamma, self.beta = _gamma_and_beta(self, (size,))
        self.sizes = (size,)

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        (size,) = self.sizes
        axis = normal_axis(self.axis, x.type)
        require_size(x.type, {axis: size})
        groups = size if self.groups == -1 else self.groups
        parted = ops.reshape(x, (*x.shape[:axis], groups, size // groups, *x.shape[axis + 1 :]))
        within = tuple(a for a in range(1, parted.rank) if a != axis)
        y = ops.reshape(moments_over(parted, within).normalised(self.epsilon), x.shape)
        return _scaled(y, self.gamma, self.beta, (axis,))


@registry.register("unit_normalization")
@dataclass(eq=False)
class UnitNormalization(Layer):
    """``x / |x|``: each sample's vectors along ``axis`` get length 1; the zero vector stays zero.

    Shapes: x (batch, ...) -> the same.

    Arguments:
        axis: of the vectors; one or several.
    """

    supports_masking: ClassVar[bool] = True
    axis: int | tuple[int, ...] = -1

    def call(self, x: Node, training: bool) -> Node:
        return unit(ops.cast(x, self.compute_dtype), normal_axes(self.axis, x.type), 1e-12)


def unit(x: Node, axes: tuple[int, ...], epsilon: float) -> Node:
    """``x / max(|x|, epsilon)``, the length being taken over ``axes``."""
    length = ops.sqrt(ops.maximum(ops.reduce_sum(ops.square(x), axes), epsilon**2))
    kept = tuple(a for a in range(x.rank) if a not in axes)
    return x * ops.broadcast(1.0 / length, x.shape, kept)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of ``x`` along the axes that are not ``kept``; the mean is ``shift + mean``.

    Shapes: shift, mean and variance: the sizes of ``kept``. A mean of None is 0.
    """

    x: Node
    shift: Node
    mean: Node | None
    variance: Node
    kept: tuple[int, ...]

    @property
    def centre(self) -> Node:
        """The mean as it is."""
        return self.shift if self.mean is None else self.shift + self.mean

    def normalised(self, epsilon: float, gamma: Node | None = None, beta: Node | None = None) -> Node:
        """``gamma * (x - shift - mean) / sqrt(variance + epsilon) + beta``, gamma and beta shaped like the mean.

        Numerics and speed: written as ``(x - shift) * a + b``, whose derivatives need two sums over the data and no
        more; b is small, because the shift has taken the mean away before.
        """
        a = 1.0 / ops.sqrt(self.variance + epsilon)
        a = a if gamma is None else a * gamma
        b = beta
        if self.mean is not None:
            b = -(self.mean * a) if beta is None else beta - self.mean * a
        y = (self.x - self._along(self.shift)) * self._along(a)
        return y if b is None else y + self._along(b)

    def _along(self, vector: Node) -> Node:
        return ops.broadcast(vector, self.x.shape, self.kept)


def moments_over(x: Node, axes: tuple[int, ...], mask: Node | None = None) -> Moments:
    """Mean and variance (the mean squared deviation) over ``axes``, in two passes over the data.

    Arguments:
        mask: of the first axes, which places count; None for all.

    Numerics: the corrected two-pass algorithm. The first pass gives a mean that may be off by rounding; the second one
    sums deviations from it and their squares, and corrects both. What the first pass gave is, for the derivatives, a
    constant: mean and variance do not depend on the shift. Of images both passes go through one after the other.
    Source: Chan, Golub & LeVeque (1983), The American Statistician 37(3), equation 1.7.
    """
    kept = tuple(a for a in range(x.rank) if a not in axes)
    if mask is None and axes[0] == 0 and math.prod(x.shape[a] for a in axes[1:]) >= PLACES_OF_AN_IMAGE:
        shift = ops.stop_gradient(ops.reduce_mean(ops.reduce_mean(x, axes[1:]), 0))
        mean, square = (moment_about(x, shift, axes, power) for power in (1, 2))
    else:
        mean_over = partial(ops.reduce_mean, axes=axes) if mask is None else _mean_of_some(mask, x, axes)
        shift = ops.stop_gradient(mean_over(x))
        deviation = x - ops.broadcast(shift, x.shape, kept)
        mean, square = mean_over(deviation), mean_over(ops.square(deviation))
    # Rounding may leave less than nothing where all numbers are equal and large.
    return Moments(x, shift, mean, ops.maximum(square - ops.square(mean), 0.0), kept)


PLACES_OF_AN_IMAGE = 16
"""So many that sums of each image are few beside what they are made of."""


def _mean_of_some(mask: Node, x: Node, axes: tuple[int, ...]) -> Callable[[Node], Node]:
    """The mean over ``axes`` of what counts, of tensors shaped like ``x``; 0 of nothing."""
    counts = along(mask, x)
    number = ops.maximum(ops.reduce_sum(ops.cast(counts, x.dtype), axes), 1.0)
    return lambda values: ops.reduce_sum(ops.select(counts, values, 0), axes) / number


def normal_axis(axis: int, x: TensorType) -> int:
    """The axis counted from 0. Raises ShapeError if the input has no such axis, or if it is the batch's."""
    (only,) = normal_axes(axis, x)
    return only


def normal_axes(axis: int | Sequence[int], x: TensorType) -> tuple[int, ...]:
    """Axes counted from 0, in order. Raises ShapeError if the input has no such axis, or if one is the batch's."""
    given = (axis,) if isinstance(axis, int) else tuple(axis)
    axes = tuple(sorted({a % x.rank for a in given if -x.rank <= a < x.rank}))
    if len(axes) != len(given) or not axes or axes[0] == 0:
        raise ShapeError(
            "the input has no such axis, or it is the batch's",
            expected=f"different axes out of 1 to {x.rank - 1}, or -1 backwards" if x.rank > 1 else "more axes",
            got=f"axis={axis} for an input of shape {('batch', *x.shape[1:])}",
            fix="choose the axis of the features, usually -1",
        )
    return axes


def require_size(x: TensorType, sizes: dict[int, int]) -> None:
    """Raise ShapeError if an axis has another size than the parameters were made for."""
    for axis, size in sizes.items():
        if axis >= x.rank or x.shape[axis] != size:
            raise ShapeError(
                "the input does not fit the parameters",
                expected=f"size {size} on axis {axis}, as the layer was built with",
                got=f"shape {('batch', *x.shape[1:])}",
                fix="check what the layer before gives",
            )


def _gamma_and_beta(
    layer: BatchNormalization | LayerNormalization | GroupNormalization, shape: tuple[int, ...]
) -> tuple[Parameter | None, Parameter | None]:
    gamma = layer.parameter("gamma", shape, layer.gamma_initializer) if layer.scale else None
    beta = layer.parameter("beta", shape, layer.beta_initializer) if layer.center else None
    return gamma, beta


def _scaled(y: Node, gamma: Parameter | None, beta: Parameter | None, axes: tuple[int, ...]) -> Node:
    if gamma is not None:
        y = y * ops.broadcast(gamma.node, y.shape, axes)
    return y if beta is None else y + ops.broadcast(beta.node, y.shape, axes)
