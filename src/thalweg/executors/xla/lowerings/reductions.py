"""Some axes folded into one number, or looked at together."""

from __future__ import annotations

import functools
import math

import jax.numpy as jnp
import numpy as np

from thalweg.executors.xla.lowerings.table import Array, Lowerings, Write
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
    return _extreme(op, x, jnp.max, jnp.maximum)


@LOWERINGS.lowers(ReduceMin)
def _min(op: ReduceMin, x: Array) -> Array:
    return _extreme(op, x, jnp.min, jnp.minimum)


FEW = 16
"""Of so many numbers, as of a window of pooling, the largest is found by comparing two and two: in half the time."""


def _extreme(op: ReduceMax | ReduceMin, x: Array, of_all: Write, of_two: Write) -> Array:
    """NaN where there is one: that of many numbers leaves it out on CPUs (JAX 0.10), and wherever devices compare what
    they have found in parts of the first axis.
    """
    if 0 not in op.axes and 0 < math.prod(x.shape[axis] for axis in op.axes) <= FEW:
        last = jnp.moveaxis(x, op.axes, range(-len(op.axes), 0))
        places = np.ndindex(*(x.shape[axis] for axis in op.axes))
        return functools.reduce(of_two, (last[(..., *place)] for place in places))
    found = of_all(x, op.axes, initial=op.start(x.dtype.name))
    if not jnp.issubdtype(x.dtype, jnp.floating):
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
