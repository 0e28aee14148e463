"""Constants, counters and random numbers. Inputs and states come from outside."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.ops.leaf import Constant, Iota
from thalweg.ops.random import PARITY, ROTATIONS, ROUNDS, RandomBits

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
    keys = (seed, jnp.uint32(op.stream), jnp.uint32(PARITY) ^ seed ^ jnp.uint32(op.stream))
    x, y = index + keys[0], step + keys[1]
    for turn in range(ROUNDS):
        x = x + y
        left = ROTATIONS[turn % 8]
        y = ((y << jnp.uint32(left)) | (y >> jnp.uint32(32 - left))) ^ x
        if turn % 4 == 3:
            block = turn // 4 + 1
            x = x + keys[block % 3]
            y = y + keys[(block + 1) % 3] + jnp.uint32(block)
    return x
