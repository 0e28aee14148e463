"""More functions of each number for itself, by NumPy's and Keras's names, made of the primitives in ``elementwise``.

Whole numbers become floatx first where the result is no whole number.
"""

from __future__ import annotations

import math

import numpy as np

from thalweg.graph.node import Node
from thalweg.ops.broadcast import filled
from thalweg.ops.cast import cast
from thalweg.ops.elementwise import (
    Operand,
    absolute,
    add,
    clip,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floating,
    floor,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negate,
    not_equal,
    power,
    same_kind,
    select,
    sign,
    sin,
    sqrt,
    square,
    subtract,
)
from thalweg.ops.leaf import stop_gradient

__all__ = [
    "abs",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "cosh",
    "deg2rad",
    "divide_no_nan",
    "erfc",
    "erfinv",
    "exp2",
    "fabs",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "greater",
    "greater_equal",
    "heaviside",
    "hypot",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "log10",
    "log2",
    "logaddexp",
    "logaddexp2",
    "logical_xor",
    "mod",
    "nan_to_num",
    "negative",
    "rad2deg",
    "reciprocal",
    "round",
    "rsqrt",
    "saturate_cast",
    "signbit",
    "sinc",
    "sinh",
    "tan",
    "true_divide",
    "trunc",
    "where",
]

PI = math.pi

# --- comparisons and choices --------------------------------------------------------------------------------------


def greater(x1: Operand, x2: Operand) -> Node:
    """``x1 > x2``. Shapes: as NumPy broadcasts them -> that shape, bool."""
    return less(x2, x1)


def greater_equal(x1: Operand, x2: Operand) -> Node:
    """``x1 >= x2``. Shapes: as NumPy broadcasts them -> that shape, bool."""
    return less_equal(x2, x1)


def logical_xor(x1: Node, x2: Node) -> Node:
    """Where just one is true. Shapes: as NumPy broadcasts them -> that shape, bool."""
    return not_equal(*same_kind(x1, x2))


def where(condition: Node, x1: Operand, x2: Operand) -> Node:
    """``x1`` where the condition holds (or is not 0), else ``x2``. Shapes: as NumPy broadcasts them -> that shape."""
    return select(cast(condition, "bool"), x1, x2)


def isnan(x: Node) -> Node:
    """Where x is NaN. Shapes: x (...) -> (...), bool."""
    return not_equal(x, x)


def isinf(x: Node) -> Node:
    """Where x is infinite. Shapes: x (...) -> (...), bool."""
    return equal(absolute(floating(x)), math.inf)


def isposinf(x: Node) -> Node:
    """Where x is infinity. Shapes: x (...) -> (...), bool."""
    return equal(floating(x), math.inf)


def isneginf(x: Node) -> Node:
    """Where x is minus infinity. Shapes: x (...) -> (...), bool."""
    return equal(floating(x), -math.inf)


def isfinite(x: Node) -> Node:
    """Where x is neither NaN nor infinite. Shapes: x (...) -> (...), bool."""
    return less(absolute(floating(x)), math.inf)


def isreal(x: Node) -> Node:
    """True everywhere: there are no complex numbers. Shapes: x (...) -> (...), bool."""
    return filled(x.shape, True, "bool")


def isclose(x1: Node, x2: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Node:
    """``|x1 - x2| <= atol + rtol * |x2|``. Shapes: as NumPy broadcasts them -> that shape, bool."""
    x1, x2 = map(floating, same_kind(x1, x2))
    near = less_equal(absolute(subtract(x1, x2)), add(multiply(absolute(x2), rtol), atol))
    near = logical_or(equal(x1, x2), logical_and(near, isfinite(x2)))  # an infinity is close to itself alone
    return logical_or(near, logical_and(isnan(x1), isnan(x2))) if equal_nan else near


def signbit(x: Node) -> Node:
    """Where x is negative, -0 included. Shapes: x (...) -> (...), bool."""
    x = floating(x)
    return logical_or(less(x, 0.0), less(divide(1.0, x), 0.0))


def nan_to_num(x: Node, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Node:
    """Numbers in place of NaN and infinities, by default the largest of the dtype. Shapes: x (...) -> (...)."""
    if not x.type.is_float:
        return x
    largest = float(np.finfo(x.dtype).max)
    x = select(isnan(x), nan, x)
    x = select(isposinf(x), largest if posinf is None else posinf, x)
    return select(isneginf(x), -largest if neginf is None else neginf, x)


def fmax(x1: Operand, x2: Operand) -> Node:
    """The larger one; of NaN and a number the number. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = same_kind(x1, x2)
    return select(isnan(x1), x2, select(isnan(x2), x1, maximum(x1, x2)))


def fmin(x1: Operand, x2: Operand) -> Node:
    """The smaller one; of NaN and a number the number. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = same_kind(x1, x2)
    return select(isnan(x1), x2, select(isnan(x2), x1, minimum(x1, x2)))


def heaviside(x1: Node, x2: Operand) -> Node:
    """0 for negative x1, x2 for 0, 1 for positive. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = same_kind(x1, x2)
    step = select(less(x1, 0), 0, select(equal(x1, 0), x2, cast(greater(x1, 0), x1.dtype)))
    return select(isnan(x1), x1, step)


def saturate_cast(x: Node, dtype: str) -> Node:
    """As cast; numbers beyond those of the dtype become its ends. Shapes: x (...) -> (...)."""
    if not dtype.startswith(("int", "uint")):
        return cast(x, dtype)
    ends, wide = np.iinfo(dtype), cast(x, "float64" if x.type.is_float else "int64")
    if dtype == "int64":
        return cast(x, dtype)
    return cast(clip(wide, ends.min, ends.max), dtype)


# --- to whole numbers ---------------------------------------------------------------------------------------------


def ceil(x: Node) -> Node:
    """The smallest whole number that is not below x. It has no gradient. Shapes: x (...) -> (...)."""
    return negate(floor(negate(floating(x))))


def trunc(x: Node) -> Node:
    """x without its fraction. It has no gradient. Shapes: x (...) -> (...)."""
    return select(less(x, 0), ceil(x), floor(x)) if x.type.is_float else x


def round(x: Node, decimals: int = 0) -> Node:
    """The nearest whole number, of two equally near the even one; with ``decimals`` multiples of 10^-decimals.

    It has no gradient. Shapes: x (...) -> (...).
    """
    if decimals:
        scale = 10.0 ** math.fabs(decimals)
        x = floating(x)
        up, down = (multiply, divide) if decimals > 0 else (divide, multiply)
        return down(round(up(x, scale)), scale)
    if not x.type.is_float:
        return x
    below = floor(x)
    rest = subtract(x, below)
    odd = not_equal(multiply(floor(multiply(below, 0.5)), 2.0), below)
    up_it_goes = logical_or(less(0.5, rest), logical_and(equal(rest, 0.5), odd))
    return select(up_it_goes, add(below, 1.0), below)


def floor_divide(x1: Operand, x2: Operand) -> Node:
    """``x1 / x2`` rounded down; whole numbers stay whole, and by 0 are 0. Shapes: as NumPy broadcasts -> that shape."""
    x1, x2 = same_kind(x1, x2)
    return floor(divide(x1, x2)) if x1.type.is_float else _whole_division(x1, x2)[0]


def mod(x1: Operand, x2: Operand) -> Node:
    """What is left of x1 after floor division by x2; it has the sign of x2. Shapes: as NumPy broadcasts -> that shape.

    The derivative by x1 is 1, by x2 minus the quotient rounded down.
    """
    x1, x2 = same_kind(x1, x2)
    if not x1.type.is_float:
        return _whole_division(x1, x2)[1]
    return subtract(x1, multiply(x2, floor(divide(x1, x2))))


def fmod(x1: Operand, x2: Operand) -> Node:
    """What is left of x1 after division by x2 rounded towards 0; it has the sign of x1. Shapes: as for mod."""
    x1, x2 = same_kind(x1, x2)
    if x1.type.is_float:
        return subtract(x1, multiply(x2, trunc(divide(x1, x2))))
    rest = _whole_division(x1, x2)[1]
    other_side = logical_and(not_equal(rest, 0), logical_xor(less(rest, 0), less(x1, 0)))
    return select(other_side, subtract(rest, x2), rest)


def _whole_division(x: Node, y: Node) -> tuple[Node, Node]:
    """Quotient, rounded down, and rest, of whole numbers of one dtype; both 0 where y is 0.

    Numerics: the quotient in double precision is off by its last digits where numbers are large: what is left is
    divided once more, and then it is off by one at most.
    """
    dtype, nothing = x.dtype, equal(y, 0)
    x, y = (cast(z, "int64") for z in (x, select(nothing, 1, y)))
    quotient, rest = None, x
    for _ in range(2):
        part = cast(floor(divide(cast(rest, "float64"), cast(y, "float64"))), "int64")
        quotient = part if quotient is None else add(quotient, part)
        rest = subtract(rest, multiply(part, y))
    assert quotient is not None, "it was divided twice"
    below = logical_and(not_equal(rest, 0), logical_xor(less(rest, 0), less(y, 0)))
    above = logical_and(less_equal(absolute(y), absolute(rest)), logical_not(below))
    change = subtract(cast(above, "int64"), cast(below, "int64"))
    quotient, rest = add(quotient, change), subtract(rest, multiply(change, y))
    return cast(select(nothing, 0, quotient), dtype), cast(select(nothing, 0, rest), dtype)


# --- products and powers ------------------------------------------------------------------------------------------


def abs(x: Node) -> Node:
    """``|x|``. Shapes: x (...) -> (...)."""
    return absolute(x) if x.dtype in ("float32", "float64", "int32", "int64") else x  # unsigned ones are that


def fabs(x: Node) -> Node:
    """``|x|`` in floating point. Shapes: x (...) -> (...)."""
    return absolute(floating(x))


def negative(x: Node) -> Node:
    """``-x``. Shapes: x (...) -> (...)."""
    return negate(x)


def reciprocal(x: Node) -> Node:
    """``1 / x``. Shapes: x (...) -> (...)."""
    return divide(1.0, floating(x))


def true_divide(x1: Operand, x2: Operand) -> Node:
    """``x1 / x2``. Shapes: as NumPy broadcasts them -> that shape."""
    return divide(x1, x2)


def divide_no_nan(x1: Operand, x2: Operand) -> Node:
    """``x1 / x2``, and 0 where x2 is 0. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = map(floating, same_kind(x1, x2))
    nothing = equal(x2, 0.0)
    return select(nothing, 0.0, divide(x1, select(nothing, 1.0, x2)))


def rsqrt(x: Node) -> Node:
    """``1 / sqrt(x)``. Shapes: x (...) -> (...)."""
    return divide(1.0, sqrt(x))


def cbrt(x: Node) -> Node:
    """The cube root. Shapes: x (...) -> (...). Numerics: a power and one step of Newton's, exact to the last digits."""
    x = floating(x)
    size = absolute(x)
    some = less(0.0, size)
    root = stop_gradient(power(select(some, size, 1.0), 1.0 / 3.0))
    better = subtract(root, divide(subtract(multiply(square(root), root), size), multiply(square(root), 3.0)))
    return select(some, multiply(better, stop_gradient(sign(x))), x)


def hypot(x1: Operand, x2: Operand) -> Node:
    """``sqrt(x1^2 + x2^2)`` without overflow. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = map(floating, same_kind(x1, x2))
    largest = stop_gradient(maximum(absolute(x1), absolute(x2)))
    plain = logical_or(equal(largest, 0.0), equal(largest, math.inf))
    unit = select(plain, 1.0, largest)
    length = sqrt(add(square(divide(x1, unit)), square(divide(x2, unit))))
    return multiply(length, unit)


# --- exponentials and logarithms ----------------------------------------------------------------------------------


def exp2(x: Node) -> Node:
    """``2^x``. Shapes: x (...) -> (...)."""
    return power(2.0, floating(x))


def log2(x: Node) -> Node:
    """The logarithm to base 2. Shapes: x (...) -> (...)."""
    return multiply(log(x), 1.0 / math.log(2.0))


def log10(x: Node) -> Node:
    """The logarithm to base 10. Shapes: x (...) -> (...)."""
    return multiply(log(x), 1.0 / math.log(10.0))


def logaddexp(x1: Operand, x2: Operand) -> Node:
    """``log(e^x1 + e^x2)`` without overflow. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = map(floating, same_kind(x1, x2))
    apart = subtract(x1, x2)
    apart = select(isnan(apart), 0.0, apart)  # of two infinities, whose sum is one of them
    return add(maximum(x1, x2), log1p(exp(negate(absolute(apart)))))


def logaddexp2(x1: Operand, x2: Operand) -> Node:
    """``log2(2^x1 + 2^x2)`` without overflow. Shapes: as NumPy broadcasts them -> that shape."""
    x1, x2 = (multiply(floating(x), math.log(2.0)) for x in same_kind(x1, x2))
    return multiply(logaddexp(x1, x2), 1.0 / math.log(2.0))


def erfc(x: Node) -> Node:
    """``1 - erf(x)``. Shapes: x (...) -> (...)."""
    return subtract(1.0, erf(floating(x)))


def erfinv(x: Node) -> Node:
    """The inverse of erf; infinite at -1 and 1, NaN beyond. Shapes: x (...) -> (...).

    Numerics: a rough inverse (Winitzki 2008, a handy approximation for the error function and its inverse, eq. 7) and
    Newton's steps, of which the last one carries the derivative.
    """
    x = floating(x)
    inside = less(absolute(x), 1.0)
    y = select(inside, x, 0.0)
    tail = log(multiply(subtract(1.0, y), add(1.0, y)))
    half = add(multiply(tail, 0.5), 2.0 / (PI * 0.147))
    guess = multiply(sign(y), sqrt(subtract(sqrt(subtract(square(half), divide(tail, 0.147))), half)))
    for _ in range(4):
        guess = stop_gradient(guess)
        slope = multiply(exp(square(guess)), math.sqrt(PI) / 2)
        guess = add(guess, multiply(subtract(y, erf(guess)), slope))
    ends = select(equal(absolute(x), 1.0), multiply(sign(x), math.inf), math.nan)
    return select(inside, guess, ends)


# --- angles -------------------------------------------------------------------------------------------------------


def deg2rad(x: Node) -> Node:
    """Degrees as radians. Shapes: x (...) -> (...)."""
    return multiply(floating(x), PI / 180.0)


def rad2deg(x: Node) -> Node:
    """Radians as degrees. Shapes: x (...) -> (...)."""
    return multiply(floating(x), 180.0 / PI)


def tan(x: Node) -> Node:
    """The tangent of an angle in radians. Shapes: x (...) -> (...)."""
    return divide(sin(x), cos(x))


def sinc(x: Node) -> Node:
    """``sin(pi x) / (pi x)``, 1 at 0. Shapes: x (...) -> (...)."""
    angle = multiply(floating(x), PI)
    nothing = equal(angle, 0.0)
    return select(nothing, 1.0, divide(sin(angle), select(nothing, 1.0, angle)))


# Abramowitz & Stegun (1964), equation 4.4.49: the arctangent of numbers within [-1, 1] divided by them, a polynomial in
# their square, the highest power first; off by 1e-5.
ARCTANGENT = (0.0208351, -0.0851330, 0.1801410, -0.3302995, 0.9998660)


def arctan(x: Node) -> Node:
    """The angle in (-pi/2, pi/2) whose tangent is x. Shapes: x (...) -> (...).

    Numerics: numbers beyond 1 by their reciprocal. A polynomial gives an angle a that is off by 1e-5; what is missing
    is the arctangent of ``(x - tan a) / (1 + x tan a)``, of which four terms of the series are enough.
    """
    x = floating(x)
    inner = less_equal(absolute(x), 1.0)
    y = select(inner, x, divide(1.0, select(inner, 1.0, x)))
    squared, rough = square(y), None
    for coefficient in ARCTANGENT:
        rough = multiply(squared, 0.0) if rough is None else multiply(rough, squared)
        rough = add(rough, coefficient)
    assert rough is not None, "the polynomial has terms"
    rough = stop_gradient(multiply(y, rough))
    tangent = stop_gradient(tan(rough))
    rest = divide(subtract(y, tangent), add(multiply(y, tangent), 1.0))
    angle = add(rough, subtract(rest, multiply(multiply(square(rest), rest), 1.0 / 3.0)))
    return select(inner, angle, subtract(_quarter(x), angle))


def _quarter(x: Node) -> Node:
    """pi/2 with the sign of x."""
    return multiply(stop_gradient(sign(x)), PI / 2)


def arctan2(x1: Operand, x2: Operand) -> Node:
    """The angle of the point (x2, x1) in (-pi, pi]; 0 for (0, 0). Shapes: as NumPy broadcasts them -> that shape."""
    y, x = map(floating, same_kind(x1, x2))
    steep = less(absolute(x), absolute(y))  # divided by the larger, so that a 0 does no harm
    over = select(steep, y, select(equal(x, 0.0), 1.0, x))
    angle = arctan(divide(select(steep, x, y), over))
    flat = select(less(x, 0.0), add(angle, select(less(y, 0.0), filled(y.shape, -PI, y.dtype), PI)), angle)
    return select(steep, subtract(_quarter(y), angle), flat)


def arcsin(x: Node) -> Node:
    """The angle in [-pi/2, pi/2] whose sine is x; NaN beyond 1. Shapes: x (...) -> (...)."""
    x = floating(x)
    return arctan(divide(x, sqrt(multiply(subtract(1.0, x), add(x, 1.0)))))


def arccos(x: Node) -> Node:
    """The angle in [0, pi] whose cosine is x; NaN beyond 1. Shapes: x (...) -> (...)."""
    x = floating(x)
    return multiply(arctan(sqrt(divide(subtract(1.0, x), add(x, 1.0)))), 2.0)


def sinh(x: Node) -> Node:
    """``(e^x - e^-x) / 2``. Shapes: x (...) -> (...)."""
    x = floating(x)
    return multiply(subtract(expm1(x), expm1(negate(x))), 0.5)


def cosh(x: Node) -> Node:
    """``(e^x + e^-x) / 2``. Shapes: x (...) -> (...)."""
    x = floating(x)
    return multiply(add(exp(x), exp(negate(x))), 0.5)


def arcsinh(x: Node) -> Node:
    """The number whose hyperbolic sine is x. Shapes: x (...) -> (...). Numerics: exact near 0 and for both signs."""
    x = floating(x)
    below = less(x, 0.0)
    size = select(below, negate(x), x)
    large = less(1e9, size)  # whose square may overflow, and beside which 1 is nothing
    some = select(large, 1.0, size)
    rise = divide(square(some), add(sqrt(add(square(some), 1.0)), 1.0))  # sqrt(x^2 + 1) - 1 without cancellation
    value = select(large, add(log(select(large, size, 1.0)), math.log(2.0)), log1p(add(some, rise)))
    return select(below, negate(value), value)


def arccosh(x: Node) -> Node:
    """The number from 0 on whose hyperbolic cosine is x; NaN below 1. Shapes: x (...) -> (...)."""
    x = floating(x)
    above = subtract(x, 1.0)
    return log1p(add(above, sqrt(multiply(above, add(x, 1.0)))))


def arctanh(x: Node) -> Node:
    """The number whose hyperbolic tangent is x; infinite at -1 and 1. Shapes: x (...) -> (...)."""
    x = floating(x)
    return multiply(subtract(log1p(x), log1p(negate(x))), 0.5)
