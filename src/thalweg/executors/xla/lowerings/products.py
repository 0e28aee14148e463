"""Sums of products. float32 is multiplied as float32: no device rounds the factors unless the operation says so."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution, KernelGradient, TransposedConvolution

LOWERINGS = Lowerings()

EXACT = lax.Precision.HIGHEST


@LOWERINGS.lowers(Contraction)
def _contraction(op: Contraction, x: Array, y: Array) -> Array:
    if op.precision == "bfloat16":
        x, y = (z.astype(jnp.bfloat16) for z in (x, y))
        return jnp.einsum(x, op.x, y, op.y, op.out, preferred_element_type=jnp.float32)
    return jnp.einsum(x, op.x, y, op.y, op.out, precision=EXACT)


@LOWERINGS.lowers(Convolution)
def _convolution(op: Convolution, x: Array, kernel: Array) -> Array:
    places = "DHW"[-len(op.strides) :]
    return _convolved(
        *(x, kernel, op.precision),
        window_strides=op.strides,
        padding=op.margins,
        rhs_dilation=op.dilation,
        dimension_numbers=(f"N{places}C", f"{places}IO", f"N{places}C"),
        feature_group_count=op.groups,
    )


@LOWERINGS.lowers(TransposedConvolution)
def _transposed_convolution(op: TransposedConvolution, x: Array, kernel: Array) -> Array:
    """In the form in which XLA knows a convolution's gradient by its input, for which GPUs have code of their own."""
    rank = len(op.strides)
    places = "DHW"[-rank:]
    *size, channels, filters = kernel.shape
    if op.groups > 1:  # each group's channels meet its filters alone
        parts = kernel.reshape(*size, channels, op.groups, filters // op.groups)
        kernel = jnp.moveaxis(parts, rank + 1, rank).reshape(*size, op.groups * channels, filters // op.groups)
    return _convolved(
        *(x, lax.rev(kernel, tuple(range(rank))), op.precision),
        window_strides=(1,) * rank,
        padding=op.margins,
        lhs_dilation=op.strides,
        rhs_dilation=op.dilation,
        dimension_numbers=(f"N{places}C", f"{places}OI", f"N{places}C"),
        feature_group_count=op.groups,
    )


@LOWERINGS.lowers(KernelGradient)
def _kernel_gradient(op: KernelGradient, x: Array, g: Array) -> Array:
    """A convolution over the rows of the batch, where the channels stand for the rows and g for the kernel."""
    places = "DHW"[-len(op.size) :]
    ends = [
        (low, (k - 1) * d + (m - 1) * s + 1 - n - low)
        for n, m, k, s, d, (low, _) in zip(
            x.shape[1:-1], g.shape[1:-1], op.size, op.strides, op.dilation, op.margins, strict=True
        )
    ]
    return _convolved(
        *(x, g, op.precision),
        window_strides=op.dilation,
        padding=ends,
        rhs_dilation=op.strides,
        dimension_numbers=(f"C{places}N", f"I{places}O", f"{places}NC"),
        batch_group_count=op.groups,
    )


def _convolved(x: Array, kernel: Array, precision: str | None, **how: Any) -> Array:
    if precision == "bfloat16":
        factors = (z.astype(jnp.bfloat16) for z in (x, kernel))
        return lax.conv_general_dilated(*factors, preferred_element_type=x.dtype, **how)
    return lax.conv_general_dilated(x, kernel, precision=EXACT, **how)
