"""How sine and cosine are written in LLVM."""

from __future__ import annotations

from thalweg.executors.native.code.builder import Builder, Value
from thalweg.executors.native.code.elementwise import polynomial
from thalweg.executors.native.code.lowerings import Lowerings
from thalweg.graph.node import Op
from thalweg.ops import elementwise as e

LOWERINGS = Lowerings()

# Cody & Waite (1980), chapter 8: x = n pi / 2 + r, |r| <= pi / 4, with pi / 2 in three parts of 53 bits, which fused
# multiply-adds take from x with one rounding each; the first one is exact, as long as n has no more than 51 bits.
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
_MAGIC = 1.5 * 2**52  # adding it rounds to an integer, which then stands in the last bits

# FDLIBM (Sun Microsystems 1993), k_sin.c and k_cos.c: the series in r^2 after r and after 1 - r^2 / 2.
_SINE = [
    1.58969099521155010221e-10,
    -2.50507602534068634195e-08,
    2.75573137070700676789e-06,
    -1.98412698298579493134e-04,
    8.33333333332248946124e-03,
    -1.66666666666666324348e-01,
]
_COSINE = [
    -1.13596475577881948265e-11,
    2.08757232129817482790e-09,
    -2.75573143513906633035e-07,
    2.48015872894767294178e-05,
    -1.38888888888741095749e-03,
    4.16666666666666019037e-02,
]

# Cephes (Moshier 1989), sinf.c: in single precision as close as 24 bits need, r + r^3 (...) and the cosine as a whole.
_SHORT_SINE = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]
_SHORT_COSINE = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5, 1.0]


@LOWERINGS.lowers(e.Sin, cheap=False)
def lower_sin(op: Op, build: Builder, x: Value) -> Value:
    result = _quarters(build, x, 0)
    return build.select(build.compare("oeq", x, build.like(0, x)), x, result)  # keeps -0


@LOWERINGS.lowers(e.Cos, cheap=False)
def lower_cos(op: Op, build: Builder, x: Value) -> Value:
    return _quarters(build, x, 1)


def _quarters(build: Builder, x: Value, ahead: int) -> Value:
    """The sine of ``x + ahead * pi / 2``; NaN for angles that are not known.

    Of single precision only the quarters are taken off in double precision, which is exact enough for all angles.
    """
    single = x.dtype == "float32"
    known = build.compare("ole", build.intrinsic("fabs", x.dtype, x.lanes, x), build.like(e.LARGEST_ANGLE, x))
    r = build.widened(x) if single else x
    shifted = build.fma(r, build.like(1 / _HALF_PI[0], r), build.like(_MAGIC, r))
    n = build.subtract(shifted, build.like(_MAGIC, r))
    for part in _HALF_PI[: 2 if single else 3]:
        r = _fused(build, n, -part, r)
    quarter = build.bits(shifted, "int64")
    if single:
        r, quarter = build.narrowed(r), build.convert("trunc", quarter, "int32")
    sine, cosine = _short_series(build, r) if single else _series(build, r)
    quarter = build.add(quarter, build.like(ahead, quarter))
    even = build.compare("oeq", build.binary("and", quarter, build.like(1, quarter)), build.like(0, quarter))
    first_half = build.compare("oeq", build.binary("and", quarter, build.like(2, quarter)), build.like(0, quarter))
    result = build.select(even, sine, cosine)
    result = build.select(first_half, result, build.negate(result))
    return build.select(known, result, build.like(float("nan"), x))


def _short_series(build: Builder, r: Value) -> tuple[Value, Value]:
    """Sine and cosine of ``r`` in single precision."""
    z = build.multiply(r, r)
    sine = build.fma(build.multiply(r, z), polynomial(build, z, _SHORT_SINE), r)
    return sine, polynomial(build, z, _SHORT_COSINE)


def _series(build: Builder, r: Value) -> tuple[Value, Value]:
    """Sine and cosine of ``r`` in double precision."""
    z = build.multiply(r, r)
    sine = build.fma(build.multiply(r, z), polynomial(build, z, _SINE), r)
    half = build.multiply(z, build.like(0.5, r))
    one = build.like(1, r)
    most = build.subtract(one, half)
    lost = build.subtract(build.subtract(one, most), half)
    cosine = build.add(most, build.fma(build.multiply(z, z), polynomial(build, z, _COSINE), lost))
    return sine, cosine


def _fused(build: Builder, x: Value, factor: float, y: Value) -> Value:
    """``x * factor + y``, rounded as if once also where the machine has no such instruction.

    Source: Dekker (1971), Numer. Math. 18: the exact product from halves of 26 bits, and Knuth's exact sum.
    """
    if build.host.fma:
        return build.fma(x, build.like(factor, x), y)
    add, subtract, multiply = build.add, build.subtract, build.multiply
    splitter = 2.0**27 + 1
    wide = multiply(x, build.like(splitter, x))
    high = subtract(wide, subtract(wide, x))
    low = subtract(x, high)
    factor_high = factor * splitter - (factor * splitter - factor)
    factor_low = build.like(factor - factor_high, x)
    product = multiply(x, build.like(factor, x))
    error = subtract(multiply(high, build.like(factor_high, x)), product)
    error = add(add(error, multiply(high, factor_low)), multiply(low, build.like(factor_high, x)))
    error = add(error, multiply(low, factor_low))
    total = add(product, y)
    share = subtract(total, product)
    rest = add(subtract(product, subtract(total, share)), subtract(y, share))
    return add(total, add(rest, error))
