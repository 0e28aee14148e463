"""Constants, counters and random numbers. Inputs and states come from outside."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.leaf import Constant, Iota
from thalweg.ops.random import RandomBits, threefry

LOWERINGS = Lowerings()


@LOWERINGS.lowers(Constant)
def _constant(op: Constant) -> Array:
    return jnp.asarray(op.value, op.dtype)


@LOWERINGS.lowers(Iota)
def _iota(op: Iota) -> Array:
    return lax.broadcasted_iota(op.dtype, op.shape, op.axis)


@LOWERINGS.lowers(RandomBits)
def _random_bits(op: RandomBits, seed: Array, step: Array) -> Array:
    """As the definition, in arithmetic modulo 2^32: the same bits on every device."""
    index = lax.iota("uint32", math.prod(op.shape)).reshape(op.shape)
    return threefry((seed, np.uint32(op.stream)), (index, step))[0]
