"""Operations number by number."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jax.scipy import special

from thalweg.executors.xla.lowerings.table import Array, Lowerings
from thalweg.graph.node import Op
from thalweg.ops import elementwise as e
from thalweg.ops.bfloat16 import PairBfloat16, RoundToBfloat16
from thalweg.ops.cast import Cast

LOWERINGS = Lowerings()

_SAME: dict[type[Op], Callable[..., Array]] = {
    e.Negate: jnp.negative,
    e.Absolute: jnp.abs,
    e.Sign: jnp.sign,
    e.Floor: jnp.floor,
    e.Exp: jnp.exp,
    e.Expm1: jnp.expm1,
    e.Log: jnp.log,
    e.Sqrt: jnp.sqrt,
    e.Tanh: jnp.tanh,
    e.Erf: special.erf,
    e.Add: jnp.add,
    e.Subtract: jnp.subtract,
    e.Multiply: jnp.multiply,
    e.Divide: jnp.divide,
    e.Power: jnp.power,
    e.Maximum: jnp.maximum,
    e.Minimum: jnp.minimum,
    e.Less: jnp.less,
    e.LessEqual: jnp.less_equal,
    e.Equal: jnp.equal,
    e.LogicalAnd: jnp.logical_and,
    e.LogicalOr: jnp.logical_or,
    e.LogicalNot: jnp.logical_not,
    e.Select: jnp.where,
}
"""What JAX has under the same meaning."""


def _plain(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda op, *arrays: function(*arrays)


for _op, _function in _SAME.items():
    LOWERINGS[_op] = _plain(_function)


@LOWERINGS.lowers(Cast)
def _cast(op: Cast, x: Array) -> Array:
    return x != 0 if op.dtype == "bool" else lax.convert_element_type(x, op.dtype)


@LOWERINGS.lowers(e.Log1p)
def _log1p(op: e.Log1p, x: Array) -> Array:
    """Below -0.29 as a logarithm: there XLA's log1p of double precision for CPUs is wrong by up to 100 last places."""
    return jnp.where(x < math.sqrt(0.5) - 1, jnp.log(1 + x), jnp.log1p(x)) if x.dtype == "float64" else jnp.log1p(x)


@LOWERINGS.lowers(e.Sin)
def _sin(op: e.Sin, x: Array) -> Array:
    return jnp.sin(_known_angle(x)).astype(x.dtype)


@LOWERINGS.lowers(e.Cos)
def _cos(op: e.Cos, x: Array) -> Array:
    return jnp.cos(_known_angle(x)).astype(x.dtype)


def _known_angle(x: Array) -> Array:
    return jnp.where(jnp.abs(x) <= e.LARGEST_ANGLE, x.astype("float64"), jnp.nan)


@LOWERINGS.lowers(e.Sigmoid)
def _sigmoid(op: e.Sigmoid, x: Array) -> Array:
    small = jnp.exp(-jnp.abs(x))
    return jnp.where(x >= 0, jnp.ones((), x.dtype), small) / (1 + small)


@LOWERINGS.lowers(e.Relu)
def _relu(op: e.Relu, x: Array) -> Array:
    return jnp.where(x < 0, jnp.zeros((), x.dtype), x)


@LOWERINGS.lowers(e.Softplus)
def _softplus(op: e.Softplus, x: Array) -> Array:
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@LOWERINGS.lowers(RoundToBfloat16)
def _round_to_bfloat16(op: RoundToBfloat16, x: Array) -> Array:
    """In whole numbers, as the definition: XLA may leave out a cast to bfloat16 and back."""
    bits = lax.bitcast_convert_type(x, jnp.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    nearest = jnp.where(bits & 0x7F800000, nearest, bits & 0x80000000)
    nearest = jnp.where(jnp.isnan(x), (bits | 0x00400000) & 0xFFFF0000, nearest)
    return lax.bitcast_convert_type(nearest.astype(jnp.uint32), jnp.float32)


@LOWERINGS.lowers(PairBfloat16)
def _pair_bfloat16(op: PairBfloat16, first: Array, second: Array) -> Array:
    upper, lower = (
        lax.bitcast_convert_type(_round_to_bfloat16(RoundToBfloat16(), x), jnp.uint32) for x in (first, second)
    )
    return upper | lower >> 16
