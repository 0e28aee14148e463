"""Sums of products. float32 is multiplied as float32: no device rounds the factors unless the operation says so."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution

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
    bfloat16 = op.precision == "bfloat16"
    return lax.conv_general_dilated(
        *((z.astype(jnp.bfloat16) for z in (x, kernel)) if bfloat16 else (x, kernel)),
        window_strides=op.strides,
        padding=op.margins,
        rhs_dilation=op.dilation,
        dimension_numbers=(f"N{places}C", f"{places}IO", f"N{places}C"),
        feature_group_count=op.groups,
        precision=None if bfloat16 else EXACT,
        preferred_element_type=x.dtype,
    )
