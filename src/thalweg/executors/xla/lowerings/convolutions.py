"""Convolutions and their gradients: whole where XLA has code of its own for them, in parts where it has not.

A gradient by the input, or by the kernel, is one convolution in the form that JAX gives it: GPUs have routines for it.
The CPU has a fast routine for one order of the axes (elsewhere XLA brings them into it, but not inside of a loop), and
none for groups or single taps: there the forms below take from a third to a thousandth of the time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from thalweg.executors.xla.lowerings.products import EXACT
from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.graph.types import TensorType
from thalweg.ops.convolution import Convolution, KernelGradient, Sizes, TransposedConvolution, Windows, reach

LOWERINGS, ON_CPU = Lowerings(), Lowerings()

AnyConvolution = Convolution | TransposedConvolution | KernelGradient


# --- whole ----------------------------------------------------------------------------------------------------------


class Form(NamedTuple):
    """A convolution as XLA has it: the order of the axes, and all else."""

    x: str
    kernel: str
    result: str
    options: dict[str, Any]


def _form(op: AnyConvolution, x: Array, y: Array) -> Form:
    """What XLA has to do with x and the kernel; with its flipped taps, or with the gradient in its stead."""
    how: dict[str, Any]
    p = _places(op)
    if isinstance(op, Convolution):
        how = {"window_strides": op.strides, "rhs_dilation": op.dilation, "padding": op.margins}
        return Form(f"N{p}C", f"{p}IO", f"N{p}C", {**how, "feature_group_count": op.groups})
    if isinstance(op, TransposedConvolution):
        how = {"lhs_dilation": op.strides, "rhs_dilation": op.dilation, "padding": op.margins}
        ones = (1,) * len(op.strides)
        return Form(f"N{p}C", f"{p}OI", f"N{p}C", {**how, "window_strides": ones, "feature_group_count": op.groups})
    ends = [
        (low, (k - 1) * d + (m - 1) * s + 1 - n - low)
        for n, m, k, s, d, (low, _) in zip(
            x.shape[1:-1], y.shape[1:-1], op.size, op.strides, op.dilation, op.margins, strict=True
        )
    ]
    how = {"window_strides": op.dilation, "rhs_dilation": op.strides, "padding": ends}
    return Form(f"C{p}N", f"I{p}O", f"{p}NC", {**how, "batch_group_count": op.groups})


def _places(op: AnyConvolution) -> str:
    """The names of their axes."""
    return "DHW"[-len(op.strides) :]


@LOWERINGS.lowers(Convolution, TransposedConvolution, KernelGradient)
def _whole(op: AnyConvolution, x: Array, y: Array) -> Array:
    form = _form(op, x, y)
    if op.precision == "bfloat16":
        factors, exact = (x.astype(jnp.bfloat16), y.astype(jnp.bfloat16)), None
    else:
        factors, exact = (x, y), EXACT
    return lax.conv_general_dilated(
        *(factors[0], _flipped(op, factors[1])),
        **form.options,
        dimension_numbers=form[:3],
        precision=exact,
        preferred_element_type=x.dtype,
    )


def _flipped(op: AnyConvolution, kernel: Array) -> Array:
    """Of a transposed convolution the taps backwards, and each group's channels with its filters alone."""
    if not isinstance(op, TransposedConvolution):
        return kernel
    rank = len(op.strides)
    kernel = lax.rev(kernel, range(rank))
    if op.groups == 1:
        return kernel
    *size, channels, filters = kernel.shape
    parts = kernel.reshape(*size, channels, op.groups, filters // op.groups)
    return jnp.moveaxis(parts, rank + 1, rank).reshape(*size, op.groups * channels, filters // op.groups)


# --- on a CPU -------------------------------------------------------------------------------------------------------


@ON_CPU.lowers(Convolution, TransposedConvolution, KernelGradient)
def _on_cpu(op: AnyConvolution, x: Array, y: Array) -> Array:
    if op.precision == "bfloat16":  # factors that are rounded, but float32: for these there is the fast routine
        x, y = (lax.reduce_precision(z, exponent_bits=8, mantissa_bits=7) for z in (x, y))
        op = replace(op, precision=None)
    channels = x.shape[-1] // op.groups if isinstance(op, KernelGradient) else y.shape[-2]
    if op.groups > 1 and channels == 1:
        return _depthwise(op, x, y)
    if op.groups > 1:
        pairs = zip(jnp.split(x, op.groups, -1), jnp.split(y, op.groups, -1), strict=True)
        return lax.concatenate([_on_cpu(replace(op, groups=1), *pair) for pair in pairs], x.ndim - 1)
    if isinstance(op, KernelGradient) and math.prod(op.size) == 1:
        (seen,) = _seen(op, op.size, x)
        rows, slopes = (z.reshape(-1, z.shape[-1]) for z in (seen, y))
        return jnp.dot(rows.T, slopes, precision=EXACT).reshape(*op.size, channels, -1)
    return _in_order(op, x, y)


def _in_order(op: AnyConvolution, x: Array, y: Array) -> Array:
    """A convolution whose axes have been brought into the order that is fast."""
    form = _form(op, x, y)
    p = _places(op)
    order = (f"N{p}C", f"{p}IO", f"N{p}C")
    x, kernel = (
        jnp.transpose(z, [axes.index(name) for name in wanted])
        for z, axes, wanted in zip((x, _flipped(op, y)), form[:2], order, strict=False)
    )
    options = {name: value for name, value in form.options.items() if not name.endswith("group_count")}
    result = lax.conv_general_dilated(x, kernel, **options, dimension_numbers=order, precision=EXACT)
    return jnp.transpose(result, [order[2].index(name) for name in form.result])


def _depthwise(op: AnyConvolution, x: Array, y: Array) -> Array:
    """Tap by tap, where every channel has filters of its own."""
    if isinstance(op, KernelGradient):
        each = y.shape[-1] // op.groups
        sums = [jnp.sum(jnp.repeat(seen, each, -1) * y, range(y.ndim - 1)) for seen in _seen(op, op.size, x)]
        return jnp.stack(sums).reshape(*op.size, 1, y.shape[-1])
    *size, _, filters = y.shape
    taps = y.reshape(-1, filters)
    each = filters // op.groups
    if isinstance(op, Convolution):
        return sum(jnp.repeat(seen, each, -1) * tap for seen, tap in zip(_seen(op, size, x), taps, strict=True))
    parts = [jnp.sum((x * tap).reshape(*x.shape[:-1], op.groups, each), -1) for tap in taps]
    return sum(
        lax.pad(part, jnp.zeros((), x.dtype), ends) for part, ends in zip(parts, _ends(op, size, x), strict=True)
    )


def _seen(op: Convolution | KernelGradient, size: Sizes, x: Array) -> Iterator[Array]:
    """For each tap what it meets."""
    windows = Windows(tuple(size), op.strides, op.dilation, op.margins)
    places = windows.infer(TensorType(x.shape, x.dtype.name)).shape[1 : len(size) + 1]
    x = jnp.pad(x, ((0, 0), *op.margins, (0, 0)))
    for tap in itertools.product(*map(range, size)):
        first = [i * d for i, d in zip(tap, op.dilation, strict=True)]
        last = [a + (m - 1) * s + 1 for a, m, s in zip(first, places, op.strides, strict=True)]
        yield lax.slice(x, (0, *first, 0), (len(x), *last, x.shape[-1]), (1, *op.strides, 1))


def _ends(op: TransposedConvolution, size: Sizes, x: Array) -> Iterator[tuple[tuple[int, int, int], ...]]:
    """For each tap where in the result its products lie: what is before, after and between them."""
    for tap in itertools.product(*map(range, size)):
        around = [
            (i * d - (reach(k, d) - 1 - low), (k - 1 - i) * d - (reach(k, d) - 1 - high), s - 1)
            for i, k, d, s, (low, high) in zip(tap, size, op.dilation, op.strides, op.margins, strict=True)
        ]
        yield ((0, 0, 0), *around, (0, 0, 0))
