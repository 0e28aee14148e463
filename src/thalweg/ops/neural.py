"""What layers compute, by Keras's names: convolutions, pooling, normalisation, attention, crossentropies."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

from thalweg import config
from thalweg.errors import ArgumentError, ShapeError
from thalweg.graph.node import Node
from thalweg.ops import convolution
from thalweg.ops.arithmetic import log10, where
from thalweg.ops.arrangement import moveaxis, squeeze, tril
from thalweg.ops.broadcast import broadcast_to, filled, reduce_sum
from thalweg.ops.cast import cast
from thalweg.ops.concatenate import concatenate as join
from thalweg.ops.convolution import convolve, convolve_transposed, reach, surrounded
from thalweg.ops.elementwise import (
    Operand,
    add,
    clip,
    divide,
    equal,
    exp,
    floating,
    less,
    log,
    logical_and,
    logical_or,
    maximum,
    multiply,
    negate,
    not_equal,
    softplus,
    sqrt,
    square,
    subtract,
)
from thalweg.ops.leaf import iota, stop_gradient
from thalweg.ops.places import one_hot
from thalweg.ops.products import einsum
from thalweg.ops.reduce import lowest, reduce_max, reduce_mean
from thalweg.ops.reductions import logsumexp, mean, var
from thalweg.ops.shape import Axes, normal_axes, normal_axis, reshape, slice_axis, transpose
from thalweg.ops.softmax import log_softmax, softmax

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "batch_normalization",
    "binary_crossentropy",
    "categorical_crossentropy",
    "conv",
    "conv_transpose",
    "ctc_loss",
    "depth_to_space",
    "depthwise_conv",
    "dot_product_attention",
    "layer_normalization",
    "max_pool",
    "psnr",
    "rms_normalization",
    "separable_conv",
    "space_to_depth",
    "sparse_categorical_crossentropy",
]

Each = int | Sequence[int]

# --- windows ------------------------------------------------------------------------------------------------------


def _each(value: Each, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _margins(
    places: Sequence[int], spans: Sequence[int], strides: Sequence[int], padding: str
) -> list[tuple[int, int]]:
    """Places of zeros before and after each axis. Raises ArgumentError for an unknown padding."""
    if padding == "valid":
        return [(0, 0)] * len(places)
    if padding == "causal":
        return [(span - 1, 0) for span in spans]
    if padding != "same":
        raise ArgumentError(
            "argument 'padding' does not fit its rule",
            expected="'valid' or 'same'",
            got=repr(padding),
            fix="choose one of these",
        )
    missing = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(places, strides, spans, strict=True)]
    return [(n // 2, n - n // 2) for n in missing]


def _channels_last(function: Callable[[Node], Node], x: Node, data_format: str | None) -> Node:
    """A function of (batch, *places, channels) where the channels may come first."""
    if data_format != "channels_first":
        return function(x)
    return moveaxis(function(moveaxis(x, 1, -1)), -1, 1)


def conv(
    inputs: Node,
    kernel: Node,
    strides: Each = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Each = 1,
) -> Node:
    """A convolution, in groups if the kernel has fewer channels. Shapes: inputs (batch, *places, channels), kernel
    (*size, channels / groups, filters) -> (batch, *places, filters).
    """
    rank = kernel.rank - 2
    steps, dilation = _each(strides, rank), _each(dilation_rate, rank)
    spans = list(map(reach, kernel.shape[:rank], dilation))

    def compute(x: Node) -> Node:
        margins = _margins(x.shape[1:-1], spans, steps, padding)
        return convolve(x, kernel, steps, margins, dilation, x.shape[-1] // max(kernel.shape[-2], 1))

    return _channels_last(compute, inputs, data_format)


def depthwise_conv(
    inputs: Node,
    kernel: Node,
    strides: Each = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Each = 1,
) -> Node:
    """Each channel by kernels of its own.

    Shapes: inputs (batch, *places, channels), kernel (*size, channels, multiplier)
    -> (batch, *places, channels * multiplier).
    """
    *size, channels, multiplier = kernel.shape
    kernel = reshape(kernel, (*size, 1, channels * multiplier))
    return conv(inputs, kernel, strides, padding, data_format, dilation_rate)


def separable_conv(
    inputs: Node,
    depthwise_kernel: Node,
    pointwise_kernel: Node,
    strides: Each = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Each = 1,
) -> Node:
    """A depthwise convolution, then one that mixes the channels.

    Shapes: pointwise_kernel (1, ..., channels, filters).
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, data_format=data_format)


def conv_transpose(
    inputs: Node,
    kernel: Node,
    strides: Each = 1,
    padding: str = "valid",
    output_padding: Each | None = None,
    data_format: str | None = None,
    dilation_rate: Each = 1,
) -> Node:
    """The transpose of a convolution. Shapes: inputs (batch, *places, channels), kernel (*size, filters, channels) ->
    (batch, *places * strides, filters), for "valid" with what windows reach beyond.
    """
    rank = kernel.rank - 2
    steps, dilation = _each(strides, rank), _each(dilation_rate, rank)
    more = None if output_padding is None else _each(output_padding, rank)
    margins = []
    for axis, span in enumerate(map(reach, kernel.shape[:rank], dilation)):
        if padding == "valid":
            low = span - 1
            total = 2 * low + (max(steps[axis] - span, 0) if more is None else more[axis])
        else:
            total = span - 2 + (steps[axis] if more is None else span % 2 + more[axis])
            low = min(total - total // 2, span - 1)
        margins.append((low, total - low))
    return _channels_last(lambda x: convolve_transposed(x, kernel, steps, margins, dilation), inputs, data_format)


def max_pool(
    inputs: Node,
    pool_size: Each,
    strides: Each | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Node:
    """The largest number of each window.

    Shapes: inputs (batch, *places, channels) -> (batch, *places that fit, channels).

    Raises: ShapeError: if the window fits nowhere.
    """
    size = _each(pool_size, inputs.rank - 2)
    steps = size if strides is None else _each(strides, len(size))

    def compute(x: Node) -> Node:
        margins = _margins(x.shape[1:-1], size, steps, padding)
        around = surrounded(x, margins, lowest(x.dtype)) if any(map(any, margins)) else x
        return convolution.max_pool(around, size, steps)

    return _channels_last(compute, inputs, data_format)


def average_pool(
    inputs: Node,
    pool_size: Each,
    strides: Each | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Node:
    """The mean of each window, of what lies inside. Shapes: (batch, *places, channels) -> (batch, *places, channels).

    Raises: ShapeError: if the window fits nowhere.
    """
    size = _each(pool_size, inputs.rank - 2)
    steps = size if strides is None else _each(strides, len(size))

    def compute(x: Node) -> Node:
        margins = _margins(x.shape[1:-1], size, steps, padding)
        if not any(map(any, margins)):
            return convolution.average_pool(x, size, steps)
        x = floating(x)
        pooled = convolution.average_pool(surrounded(x, margins), size, steps)
        ones = filled((1, *x.shape[1:-1], 1), 1.0, x.dtype)
        inside = convolution.average_pool(surrounded(ones, margins), size, steps)
        return divide(pooled, broadcast_to(inside, pooled.shape))

    return _channels_last(compute, inputs, data_format)


def adaptive_max_pool(inputs: Node, output_size: Each, data_format: str | None = None) -> Node:
    """The largest number of as many windows as wanted, as evenly as can be. Shapes: (batch, *places, channels) ->
    (batch, *output_size, channels).
    """
    return _adapted(reduce_max, inputs, output_size, data_format)


def adaptive_average_pool(inputs: Node, output_size: Each, data_format: str | None = None) -> Node:
    """The means of as many windows as wanted, as evenly as can be. Shapes: (batch, *places, channels) ->
    (batch, *output_size, channels).
    """
    return _adapted(reduce_mean, inputs, output_size, data_format)


def _adapted(fold: Callable[..., Node], inputs: Node, output_size: Each, data_format: str | None) -> Node:
    """One axis after the other: window i goes from the i-th to the (i + 1)-th of equal parts, and rounds outwards."""
    sizes = _each(output_size, inputs.rank - 2)

    def compute(x: Node) -> Node:
        for axis, size in enumerate(sizes, 1):
            n = x.shape[axis]
            ends = [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]
            parts = [fold(slice_axis(x, axis, low, high), axis, True) for low, high in ends]
            x = join(tuple(parts), axis)
        return x

    return _channels_last(compute, inputs, data_format)


def depth_to_space(x: Node, block_size: int, data_format: str = "channels_last") -> Node:
    """Channels as blocks of pixels.

    Shapes: x (batch, height, width, b b channels) -> (batch, b height, b width, channels).
    """

    def compute(x: Node) -> Node:
        batch, height, width, channels = x.shape
        rest = channels // block_size**2
        x = reshape(x, (batch, height, width, block_size, block_size, rest))
        x = transpose(x, (0, 1, 3, 2, 4, 5))
        return reshape(x, (batch, height * block_size, width * block_size, rest))

    return _channels_last(compute, x, data_format)


def space_to_depth(x: Node, block_size: int, data_format: str = "channels_last") -> Node:
    """Blocks of pixels as channels.

    Shapes: x (batch, b height, b width, channels) -> (batch, height, width, b b channels).
    """

    def compute(x: Node) -> Node:
        batch, height, width, channels = x.shape
        small = (height // block_size, width // block_size)
        x = reshape(x, (batch, small[0], block_size, small[1], block_size, channels))
        return reshape(transpose(x, (0, 1, 3, 2, 4, 5)), (batch, *small, block_size**2 * channels))

    return _channels_last(compute, x, data_format)


# --- normalisation ------------------------------------------------------------------------------------------------


def _along(x: Node, like: Node, axes: Sequence[int]) -> Node:
    """Numbers for some axes, shaped so that they repeat over the others."""
    return reshape(x, tuple(n if a in axes else 1 for a, n in enumerate(like.shape)))


def batch_normalization(
    x: Node,
    mean: Node,
    variance: Node,
    axis: int,
    offset: Node | None = None,
    scale: Node | None = None,
    epsilon: float = 1e-3,
) -> Node:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, one of each along the axis.

    Shapes: x (...) -> (...).
    """
    axes = (normal_axis(axis, x.shape),)
    factor = divide(1.0, sqrt(add(_along(variance, x, axes), epsilon)))
    factor = factor if scale is None else multiply(factor, _along(scale, x, axes))
    y = multiply(subtract(x, _along(mean, x, axes)), factor)
    return y if offset is None else add(y, _along(offset, x, axes))


def layer_normalization(
    x: Node, gamma: Node | None = None, beta: Node | None = None, axis: Axes = -1, epsilon: float | None = None
) -> Node:
    """x less its mean, over its deviation along the axes, times gamma, plus beta. Shapes: x (...) -> (...)."""
    axes = normal_axes(axis, x.shape)
    middle, spread = mean(x, axes, True), var(x, axes, True)
    y = divide(subtract(x, middle), sqrt(add(spread, config.epsilon() if epsilon is None else epsilon)))
    y = y if gamma is None else multiply(y, _along(gamma, x, axes))
    return y if beta is None else add(y, _along(beta, x, axes))


def rms_normalization(x: Node, scale: Node | None = None, axis: Axes = -1, epsilon: float | None = None) -> Node:
    """x over the root of its mean square along the axes, times scale. Shapes: x (...) -> (...)."""
    axes = normal_axes(axis, x.shape)
    squares = add(reduce_mean(square(floating(x)), axes, True), config.epsilon() if epsilon is None else epsilon)
    y = divide(x, sqrt(squares))
    return y if scale is None else multiply(y, _along(scale, x, axes))


# --- attention ----------------------------------------------------------------------------------------------------


def dot_product_attention(
    query: Node,
    key: Node,
    value: Node,
    bias: Node | None = None,
    mask: Node | None = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Node:
    """Means of the values, weighted by how well the keys fit the query.

    Shapes: query (batch, m, heads, size), key and value (batch, n, heads, size) -> (batch, m, heads, size); bias and
    mask (batch, heads, m, n), or what repeats to that.

    Raises: ArgumentError: for a soft cap, which is not there.
    Source: Vaswani et al. (2017), arXiv:1706.03762, equation 1.
    """
    if attn_logits_soft_cap is not None:
        raise ArgumentError(
            "dot_product_attention: attn_logits_soft_cap is not there",
            expected="None",
            got=repr(attn_logits_soft_cap),
            fix="leave it out",
        )
    fit = einsum("bmhd,bnhd->bhmn", query, key)
    fit = multiply(fit, 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale)
    fit = fit if bias is None else add(fit, bias)
    never = -1e30
    if mask is not None:
        fit = where(mask, fit, never)
    if is_causal:
        fit = where(tril(filled(fit.shape, 1, "int32")), fit, never)
    return einsum("bhmn,bnhd->bmhd", softmax(fit, -1), value)


# --- crossentropies -----------------------------------------------------------------------------------------------


def binary_crossentropy(target: Node, output: Node, from_logits: bool = False) -> Node:
    """``-target * log p - (1 - target) * log(1 - p)`` of each number. Shapes: target, output (...) -> (...)."""
    output = floating(output)
    target = cast(target, output.dtype)
    if from_logits:
        return add(multiply(target, softplus(negate(output))), multiply(subtract(1.0, target), softplus(output)))
    p = clip(output, config.epsilon(), 1 - config.epsilon())
    return negate(add(multiply(target, log(p)), multiply(subtract(1.0, target), log(subtract(1.0, p)))))


def categorical_crossentropy(target: Node, output: Node, from_logits: bool = False, axis: int = -1) -> Node:
    """``-sum(target * log p)`` along the axis, p made to sum to 1 first.

    Shapes: target, output (..., classes) -> (...).
    """
    return negate(
        reduce_sum(multiply(cast(target, floating(output).dtype), _log_shares(output, from_logits, axis)), axis)
    )


def _log_shares(output: Node, from_logits: bool, axis: int) -> Node:
    output = floating(output)
    if from_logits:
        return log_softmax(output, axis)
    p = divide(output, reduce_sum(output, axis, keepdims=True))
    return log(clip(p, config.epsilon(), 1 - config.epsilon()))


def sparse_categorical_crossentropy(target: Node, output: Node, from_logits: bool = False, axis: int = -1) -> Node:
    """``-log p`` of the class that the target names. Shapes: target (...) or (..., 1), output (..., classes) -> (...).

    Raises: ShapeError: if the target is shaped otherwise.
    """
    at = normal_axis(axis, output.shape)
    if target.rank == output.rank and target.shape[at] == 1:
        target = squeeze(target, at)
    if target.shape != tuple(n for a, n in enumerate(output.shape) if a != at):
        raise ShapeError(
            "the class numbers do not fit the predictions",
            expected=f"{output.shape} without axis {axis}",
            got=str(target.shape),
            fix="pass one class number for each row of predictions",
        )
    log_p = _log_shares(output, from_logits, axis)
    return negate(reduce_sum(multiply(one_hot(target, output.shape[at], at, log_p.dtype), log_p), at))


NEVER = -1e30
"""The logarithm of a probability that is 0: finite, because the difference of two infinities is no number."""


def ctc_loss(
    target: Node, output: Node, target_length: Node, output_length: Node | None = None, mask_index: int = 0
) -> Node:
    """Minus the log of how likely labels are read from logits, at whatever times, see ``losses.CTC``.

    Shapes: target (batch, labels), output (batch, times, classes) logits, target_length and output_length (batch,), all
    times unless given -> (batch,).
    Numerics: sums of probabilities in logarithms; time after time, for each label and the blanks around it.
    Source: Graves et al. (2006), ICML, equations 5 to 8.
    """
    batch, times, classes = output.shape
    states = 2 * target.shape[1] + 1
    blanks = filled((batch, target.shape[1], 1), mask_index, target.dtype)
    labels = reshape(join((blanks, reshape(target, (*target.shape, 1))), 2), (batch, states - 1))
    labels = join((labels, filled((batch, 1), mask_index, target.dtype)), 1)
    read = einsum("btc,bsc->bts", log_softmax(floating(output)), one_hot(labels, classes, dtype=floating(output).dtype))
    two_before = join((filled((batch, 2), mask_index, labels.dtype), labels[:, :-2]), 1)
    skips = logical_and(not_equal(labels, mask_index), not_equal(labels, two_before))
    place = iota((batch, states), 1)
    alpha = where(less(place, 2), read[:, 0], NEVER)
    before = filled((batch, 2), NEVER, alpha.dtype)
    for t in range(1, times):
        around = join((before, alpha), 1)
        moved = add(_log_sum(alpha, around[:, 1:-1], where(skips, around[:, :-2], NEVER)), read[:, t])
        alpha = moved if output_length is None else where(less(t, reshape(output_length, (batch, 1))), moved, alpha)
    last = multiply(reshape(cast(target_length, "int32"), (batch, 1)), 2)
    ends = logical_or(equal(place, last), equal(place, subtract(last, 1)))
    return negate(logsumexp(where(ends, alpha, NEVER), 1))


def _log_sum(*terms: Node) -> Node:
    """The logarithm of the sum of what these are logarithms of."""
    largest = stop_gradient(functools.reduce(maximum, terms))
    return add(log(functools.reduce(add, (exp(subtract(x, largest)) for x in terms))), largest)


def psnr(x1: Node, x2: Operand, max_val: float) -> Node:
    """``10 log10(max_val^2 / mean((x1 - x2)^2))``, of images. Shapes: x1, x2 (...) -> ()."""
    error = reduce_mean(square(subtract(x1, x2)))
    return multiply(log10(divide(float(max_val) ** 2, error)), 10.0)
