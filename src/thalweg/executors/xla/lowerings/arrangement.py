"""Views and moves: where numbers lie."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.broadcast import Broadcast
from thalweg.ops.concatenate import Concatenate
from thalweg.ops.convolution import Flip, Windows
from thalweg.ops.leaf import StopGradient
from thalweg.ops.shape import Pad, Reshape, Slice, Transpose

LOWERINGS = Lowerings()


@LOWERINGS.lowers(StopGradient)
def _stop_gradient(op: StopGradient, x: Array) -> Array:
    return x


@LOWERINGS.lowers(Reshape)
def _reshape(op: Reshape, x: Array) -> Array:
    return jnp.reshape(x, op.shape)


@LOWERINGS.lowers(Transpose)
def _transpose(op: Transpose, x: Array) -> Array:
    return jnp.transpose(x, op.axes)


@LOWERINGS.lowers(Broadcast)
def _broadcast(op: Broadcast, x: Array) -> Array:
    return lax.broadcast_in_dim(x, op.shape, op.axes)


@LOWERINGS.lowers(Flip)
def _flip(op: Flip, x: Array) -> Array:
    return jnp.flip(x, op.axes)


@LOWERINGS.lowers(Concatenate)
def _concatenate(op: Concatenate, *inputs: Array) -> Array:
    return lax.concatenate(inputs, op.axis)


@LOWERINGS.lowers(Slice)
def _slice(op: Slice, x: Array) -> Array:
    return lax.slice(x, op.starts, op.stops, op.steps)


@LOWERINGS.lowers(Pad)
def _pad(op: Pad, x: Array) -> Array:
    return lax.pad(x, jnp.zeros((), x.dtype), tuple(zip(op.low, op.high, op.inner, strict=True)))


@LOWERINGS.lowers(Windows)
def _windows(op: Windows, x: Array) -> Array:
    """Tap by tap: a copy, which products over windows (``products``) do without."""
    x = jnp.pad(x, ((0, 0), *op.margins, (0, 0)))
    rank = len(op.size)
    for axis, (k, s, d) in enumerate(zip(op.size, op.strides, op.dilation, strict=True), 1):
        places = (x.shape[axis] - (k - 1) * d - 1) // s + 1
        taps = [lax.slice_in_dim(x, i * d, i * d + (places - 1) * s + 1, s, axis) for i in range(k)]
        x = jnp.stack(taps, rank + axis)
    return x
