"""Some axes folded into one number, or looked at together."""

from __future__ import annotations

import jax.numpy as jnp

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.broadcast import ReduceSum
from thalweg.ops.order import ArgSort
from thalweg.ops.reduce import ArgMax, ReduceMax, ReduceMin
from thalweg.ops.softmax import LogSumExp, Softmax

LOWERINGS = Lowerings()


@LOWERINGS.lowers(ReduceSum)
def _sum(op: ReduceSum, x: Array) -> Array:
    return jnp.sum(x, op.axes, dtype=x.dtype)


@LOWERINGS.lowers(ReduceMax)
def _max(op: ReduceMax, x: Array) -> Array:
    return _of_parts(op, x, jnp.max(x, op.axes, initial=op.start(x.dtype.name)))


@LOWERINGS.lowers(ReduceMin)
def _min(op: ReduceMin, x: Array) -> Array:
    return _of_parts(op, x, jnp.min(x, op.axes, initial=op.start(x.dtype.name)))


def _of_parts(op: ReduceMax | ReduceMin, x: Array, found: Array) -> Array:
    """NaN where there is one: devices that have parts of the first axis, and compare what they found, leave NaN out."""
    if 0 not in op.axes or not jnp.issubdtype(x.dtype, jnp.floating):
        return found
    return jnp.where(jnp.any(jnp.isnan(x), op.axes), jnp.nan, found)


@LOWERINGS.lowers(LogSumExp)
def _log_sum_exp(op: LogSumExp, x: Array) -> Array:
    top = jnp.max(x, op.axes, keepdims=True, initial=-jnp.inf)
    total = jnp.sum(jnp.exp(x - top), op.axes)
    return jnp.log(total) + top.reshape(total.shape)


@LOWERINGS.lowers(Softmax)
def _softmax(op: Softmax, x: Array) -> Array:
    e = jnp.exp(x - jnp.max(x, op.axis, keepdims=True, initial=-jnp.inf))
    return e / jnp.sum(e, op.axis, keepdims=True)


@LOWERINGS.lowers(ArgMax)
def _arg_max(op: ArgMax, x: Array) -> Array:
    return jnp.argmax(x, op.axis).astype("int32")


@LOWERINGS.lowers(ArgSort)
def _arg_sort(op: ArgSort, x: Array) -> Array:
    return jnp.argsort(x, op.axis, stable=True).astype("int32")
