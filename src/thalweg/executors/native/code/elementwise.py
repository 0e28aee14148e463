"""How each elementwise operation is written in LLVM."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from thalweg.executors.native.code.builder import Builder, Value
from thalweg.executors.native.code.lowerings import Lowerings
from thalweg.graph.node import Op
from thalweg.ops import elementwise as e
from thalweg.ops.cast import Cast
from thalweg.ops.error_function import CENTRE, ERROR_FUNCTION

LOWERINGS = Lowerings()


# --- arithmetic -------------------------------------------------------------------------------------------------


def _direct(op: type[Op], method: Callable[..., Value], *, cheap: bool = True) -> None:
    LOWERINGS.lowers(op, cheap=cheap)(lambda _, build, *values: method(build, *values))


_direct(e.Add, Builder.add)
_direct(e.Subtract, Builder.subtract)
_direct(e.Multiply, Builder.multiply)
_direct(e.Divide, Builder.divide, cheap=False)
_direct(e.Negate, Builder.negate)
_direct(e.Select, Builder.select)
_direct(e.Less, lambda build, x, y: build.compare("olt", x, y))
_direct(e.LessEqual, lambda build, x, y: build.compare("ole", x, y))
_direct(e.Equal, lambda build, x, y: build.compare("oeq", x, y))
_direct(e.LogicalAnd, lambda build, x, y: build.binary("and", x, y))
_direct(e.LogicalOr, lambda build, x, y: build.binary("or", x, y))
_direct(e.LogicalNot, lambda build, x: build.binary("xor", x, build.like(True, x)))


@LOWERINGS.lowers(e.Absolute)
def lower_absolute(op: Op, build: Builder, x: Value) -> Value:
    if x.is_float:
        return build.intrinsic("fabs", x.dtype, x.lanes, x)
    return build.select(build.compare("olt", x, build.like(0, x)), build.negate(x), x)


@LOWERINGS.lowers(e.Sign)
def lower_sign(op: Op, build: Builder, x: Value) -> Value:
    below = build.select(build.compare("olt", x, build.like(0, x)), build.like(-1, x), x)
    return build.select(build.compare("ogt", x, build.like(0, x)), build.like(1, x), below)


@LOWERINGS.lowers(e.Floor)
def lower_floor(op: Op, build: Builder, x: Value) -> Value:
    if build.host.fma:  # as new as an instruction that rounds
        return build.intrinsic("floor", x.dtype, x.lanes, x)
    # No call of the system's floor: code that refers to nothing outside itself needs no linker.
    size = build.intrinsic("fabs", x.dtype, x.lanes, x)
    whole = build.like(2.0**23 if x.dtype == "float32" else 2.0**52, x)  # from here on there are no fractions
    near = build.subtract(build.add(size, whole), whole)
    near = build.intrinsic("copysign", x.dtype, x.lanes, near, x)
    down = build.select(build.compare("ogt", near, x), build.subtract(near, build.like(1, x)), near)
    return build.select(build.compare("olt", size, whole), down, x)


@LOWERINGS.lowers(e.Sqrt, cheap=False)
def lower_sqrt(op: Op, build: Builder, x: Value) -> Value:
    return build.intrinsic("sqrt", x.dtype, x.lanes, x)


@LOWERINGS.lowers(e.Relu)
def lower_relu(op: Op, build: Builder, x: Value) -> Value:
    return build.select(build.compare("olt", x, build.like(0, x)), build.like(0, x), x)


def extreme(build: Builder, relation: str, x: Value, y: Value) -> Value:
    """The larger (``ogt``) or smaller (``olt``) of two; NaN if either is."""
    chosen = build.select(build.compare(relation, x, y), x, y)  # y if either is NaN
    return build.select(build.compare("une", x, x), x, chosen) if x.is_float else chosen


_direct(e.Maximum, lambda build, x, y: extreme(build, "ogt", x, y))
_direct(e.Minimum, lambda build, x, y: extreme(build, "olt", x, y))


@LOWERINGS.lowers(Cast)
def lower_cast(op: Cast, build: Builder, x: Value) -> Value:
    to = op.dtype
    floating = to in ("float32", "float64")
    if x.dtype == to:
        return x
    if to == "bool":
        return build.compare("une", x, build.like(0, x))
    if x.is_float and floating:
        return build.convert("fpext" if to == "float64" else "fptrunc", x, to)
    if x.is_float:  # saturating, because a value out of range must not be undefined behaviour
        return _saturating(build, "fptosi" if to in ("int32", "int64") else "fptoui", x, to)
    if floating:
        return build.convert("sitofp" if x.is_signed else "uitofp", x, to)
    widths = {"bool": 1, "uint8": 8, "int32": 32, "uint32": 32, "int64": 64}
    if widths[x.dtype] == widths[to]:
        return build.bits(x, to)
    if widths[x.dtype] > widths[to]:
        return build.convert("trunc", x, to)
    return build.convert("sext" if x.is_signed else "zext", x, to)


def _saturating(build: Builder, kind: str, x: Value, to: str) -> Value:
    result = Value("", to, x.lanes)
    lanes = f"v{x.lanes}" if x.lanes else ""
    short = {"int32": "i32", "int64": "i64", "uint8": "i8", "uint32": "i32", "float32": "f32", "float64": "f64"}
    name = f"@llvm.{kind}.sat.{lanes}{short[to]}.{lanes}{short[x.dtype]}"
    build.declare(name, f"declare {result.type} {name}({x.type})")
    return build.emit(f"call {result.type} {name}({x})", to, x.lanes)


# --- exponentials -----------------------------------------------------------------------------------------------

# Cody & Waite (1980), "Software manual for the elementary functions", chapter 6: x = n log 2 + r, |r| <= log(2) / 2,
# with log 2 in two parts, of which n times the first is exact.
_EXP = {
    "float32": {
        "magic": 1.5 * 2**23,
        "high": 0.693359375,
        "low": -2.12194440e-4,
        "bias": 127,
        "digits": 23,
        "terms": 7,
    },
    "float64": {
        "magic": 1.5 * 2**52,
        "high": 6.93147180369123816490e-01,
        "low": 1.90821492927058770002e-10,
        "bias": 1023,
        "digits": 52,
        "terms": 14,
    },
}
_RANGE = {"float32": (-104.0, 89.0), "float64": (-746.0, 710.0)}  # beyond it the result is 0 or inf


def _integer(x: Value) -> str:
    return "int32" if x.dtype == "float32" else "int64"


def _bits(number: float, dtype: str) -> int:
    """The bits of a float as an integer."""
    integer, real = ("i", "f") if dtype == "float32" else ("q", "d")
    bits: int = struct.unpack(integer, struct.pack(real, number))[0]
    return bits


def polynomial(build: Builder, x: Value, coefficients: list[float]) -> Value:
    """Horner's scheme, highest power first."""
    result = build.like(coefficients[0], x)
    for c in coefficients[1:]:
        result = build.fma(result, x, build.like(c, x))
    return result


def _reduce_exponent(build: Builder, x: Value) -> tuple[Value, Value]:
    """n (an integer) and ``e^r - 1`` for x = n log 2 + r."""
    k: dict[str, Any] = _EXP[x.dtype]
    magic = build.like(k["magic"], x)  # adding it rounds to an integer, which then stands in the last bits
    shifted = build.fma(x, build.like(1 / math.log(2), x), magic)
    n = build.subtract(shifted, magic)
    r = build.fma(n, build.like(-k["high"], x), x)
    r = build.fma(n, build.like(-k["low"], x), r)
    magic = build.constant(_bits(k["magic"], x.dtype), _integer(x), x.lanes)
    integer = build.subtract(build.bits(shifted, _integer(x)), magic)
    series = [1 / math.factorial(i) for i in range(k["terms"], 1, -1)]
    return integer, build.fma(build.multiply(r, r), polynomial(build, r, series), r)


def _power_of_two(build: Builder, n: Value, dtype: str) -> Value:
    k: dict[str, Any] = _EXP[dtype]
    biased = build.add(n, build.like(k["bias"], n))
    return build.bits(build.binary("shl", biased, build.like(k["digits"], n)), dtype)


@LOWERINGS.lowers(e.Exp, cheap=False)
def lower_exp(op: Op, build: Builder, x: Value) -> Value:
    low, high = _RANGE[x.dtype]
    x = build.select(build.compare("olt", x, build.like(low, x)), build.like(low, x), x)
    x = build.select(build.compare("ogt", x, build.like(high, x)), build.like(high, x), x)
    n, rest = _reduce_exponent(build, x)
    half = build.binary("ashr", n, build.like(1, n))  # 2^n in two factors: either alone stays within range
    first = _power_of_two(build, half, x.dtype)
    second = _power_of_two(build, build.subtract(n, half), x.dtype)
    return build.multiply(build.multiply(build.add(rest, build.like(1, x)), first), second)


@LOWERINGS.lowers(e.Expm1, cheap=False)
def lower_expm1(op: Op, build: Builder, x: Value) -> Value:
    size = lower_absolute(op, build, x)
    small = build.compare("olt", size, build.like(1, x))
    n, rest = _reduce_exponent(build, build.select(small, x, build.like(0, x)))
    scale = _power_of_two(build, n, x.dtype)
    near = build.fma(rest, scale, build.subtract(scale, build.like(1, x)))
    near = build.select(build.compare("oeq", x, build.like(0, x)), x, near)  # keeps -0
    far = build.subtract(lower_exp(op, build, x), build.like(1, x))
    return build.select(small, near, far)


@LOWERINGS.lowers(e.Tanh, cheap=False)
def lower_tanh(op: Op, build: Builder, x: Value) -> Value:
    """``t / (t + 2)`` with ``t = e^(2|x|) - 1``, and the sign of x."""
    size = lower_absolute(op, build, x)
    limit = build.like(10.0 if x.dtype == "float32" else 20.0, x)  # tanh is 1 to the last bit from here on
    size = build.select(build.compare("ogt", size, limit), limit, size)
    t = lower_expm1(op, build, build.add(size, size))
    return build.intrinsic("copysign", x.dtype, x.lanes, build.divide(t, build.add(t, build.like(2, x))), x)


def _exp_of_minus_absolute(build: Builder, x: Value) -> Value:
    return lower_exp(e.Exp(), build, build.negate(lower_absolute(e.Absolute(), build, x)))


@LOWERINGS.lowers(e.Sigmoid, cheap=False)
def lower_sigmoid(op: Op, build: Builder, x: Value) -> Value:
    small = _exp_of_minus_absolute(build, x)
    one = build.like(1, x)
    above = build.select(build.compare("oge", x, build.like(0, x)), one, small)
    return build.divide(above, build.add(one, small))


@LOWERINGS.lowers(e.Softplus, cheap=False)
def lower_softplus(op: Op, build: Builder, x: Value) -> Value:
    top = extreme(build, "ogt", x, build.like(0, x))
    return build.add(top, lower_log1p(op, build, _exp_of_minus_absolute(build, x)))


@LOWERINGS.lowers(e.Erf, cheap=False)
def lower_erf(op: Op, build: Builder, x: Value) -> Value:
    """Both branches of ``ops.error_function``, and the right one chosen."""
    k = ERROR_FUNCTION[x.dtype]
    size = lower_absolute(op, build, x)
    near = build.fma(x, polynomial(build, build.multiply(x, x), k.near), x)
    t = build.select(build.compare("ogt", size, build.like(k.limit, x)), build.like(k.limit, x), size)
    exponent = polynomial(build, build.subtract(t, build.like(CENTRE, x)), k.far)
    far = build.subtract(build.like(1, x), lower_exp(op, build, exponent))
    far = build.intrinsic("copysign", x.dtype, x.lanes, far, x)
    return build.select(build.compare("olt", size, build.like(1, x)), near, far)


# --- logarithms -------------------------------------------------------------------------------------------------

# Tang's and FDLIBM's scheme (e_log.c, Sun Microsystems 1993): x = 2^k m with m near 1, s = f / (2 + f), f = m - 1.
_LOG = {
    "float32": {
        "root": 0x3F3504F3,
        "digits": 23,
        "tiny": 2.0**-126,
        "lift": 25,
        "series": [0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693],
        "high": 6.9313812256e-01,
        "low": 9.0580006145e-06,
    },
    "float64": {
        "root": 0x3FE6A09E667F3BCD,
        "digits": 52,
        "tiny": 2.0**-1022,
        "lift": 54,
        "series": [
            1.479819860511658591e-01,
            1.531383769920937332e-01,
            1.818357216161805012e-01,
            2.222219843214978396e-01,
            2.857142874366239149e-01,
            3.999999999940941908e-01,
            6.666666666666735130e-01,
        ],
        "high": 6.93147180369123816490e-01,
        "low": 1.90821492927058770002e-10,
    },
}


@LOWERINGS.lowers(e.Log, cheap=False)
def lower_log(op: Op, build: Builder, x: Value) -> Value:
    k: dict[str, Any] = _LOG[x.dtype]
    denormal = build.compare("olt", x, build.like(k["tiny"], x))
    lifted = build.select(denormal, build.multiply(x, build.like(2.0 ** k["lift"], x)), x)
    integer = _integer(x)
    raised = build.subtract(build.bits(lifted, integer), build.constant(k["root"], integer, x.lanes))
    exponent = build.binary("ashr", raised, build.like(k["digits"], raised))
    digits = build.binary("and", raised, build.like((1 << k["digits"]) - 1, raised))
    m = build.bits(build.add(digits, build.like(k["root"], digits)), x.dtype)
    n = build.convert("sitofp", exponent, x.dtype)
    n = build.select(denormal, build.subtract(n, build.like(k["lift"], x)), n)
    f = build.subtract(m, build.like(1, x))
    s = build.divide(f, build.add(f, build.like(2, x)))
    z = build.multiply(s, s)
    series = build.multiply(z, polynomial(build, z, k["series"]))
    half = build.multiply(build.multiply(f, f), build.like(0.5, x))
    tail = build.fma(s, build.add(half, series), build.multiply(n, build.like(k["low"], x)))
    result = build.fma(n, build.like(k["high"], x), build.add(build.subtract(tail, half), f))
    infinite = build.compare("oeq", x, build.like(math.inf, x))
    result = build.select(infinite, x, result)
    result = build.select(build.compare("oeq", x, build.like(0, x)), build.like(-math.inf, x), result)
    return build.select(build.compare("uge", x, build.like(0, x)), _or_nan(build, x, result), build.like(math.nan, x))


def _or_nan(build: Builder, x: Value, result: Value) -> Value:
    """``result``, or ``x`` where that is NaN."""
    return build.select(build.compare("une", x, x), x, result)


@LOWERINGS.lowers(e.Log1p, cheap=False)
def lower_log1p(op: Op, build: Builder, x: Value) -> Value:
    """``log(u) x / (u - 1)`` with ``u = 1 + x``: the rounding of u cancels (Goldberg 1991, theorem 4)."""
    one = build.like(1, x)
    u = build.add(x, one)
    ratio = build.divide(x, build.subtract(u, one))
    exact = build.multiply(lower_log(e.Log(), build, u), ratio)
    infinite = build.compare("oeq", x, build.like(math.inf, x))
    return build.select(infinite, x, build.select(build.compare("oeq", u, one), x, exact))


@LOWERINGS.lowers(e.Power, cheap=False)
def lower_power(op: Op, build: Builder, x: Value, y: Value) -> Value:
    """``e^(y log |x|)`` in double precision, with the sign of an odd power and the ends as C99's pow has them."""
    dtype = x.dtype
    if dtype == "float32":
        x, y = build.convert("fpext", x, "float64"), build.convert("fpext", y, "float64")
    zero, one = build.like(0, x), build.like(1, x)
    size = lower_absolute(op, build, x)
    exponent = build.multiply(y, lower_log(op, build, size))
    result = lower_exp(op, build, exponent)
    whole = build.compare("oeq", lower_floor(op, build, y), y)
    halved = build.multiply(y, build.like(0.5, x))
    odd = build.binary("and", whole, build.compare("one", lower_floor(op, build, halved), halved))
    signed = build.intrinsic("copysign", x.dtype, x.lanes, result, x)
    result = build.select(odd, signed, result)
    finite_negative = build.binary(
        "and", build.compare("olt", x, zero), build.compare("ogt", x, build.like(-math.inf, x))
    )
    no_root = build.binary("and", finite_negative, build.binary("xor", whole, build.like(True, whole)))
    result = build.select(no_root, build.like(math.nan, x), result)
    result = _or_nan(build, x, _or_nan(build, y, result))
    unit = build.binary("or", build.compare("oeq", y, zero), build.compare("oeq", x, one))
    level = build.compare("oeq", size, one)  # (+-1)^(+-inf) is 1
    endless = build.compare("oeq", lower_absolute(op, build, y), build.like(math.inf, x))
    result = build.select(build.binary("or", unit, build.binary("and", level, endless)), one, result)
    return build.convert("fptrunc", result, dtype) if dtype == "float32" else result
