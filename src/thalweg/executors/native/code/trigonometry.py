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

# FreeBSD's k_sinf.c and k_cosf.c (Bruce D. Evans, after FDLIBM): in double precision as close as a result of 24 bits
# needs, r + r^3 (...) within 2^-37.5 and 1 - r^2 / 2 + r^4 (...) within 2^-34.
_SHORT_SINE = [
    2.7183114939898219064e-06,
    -1.98393348360966317347e-04,
    8.3333293858894631756e-03,
    -1.66666666416265235595e-01,
]
_SHORT_COSINE = [
    2.43904487962774090654e-05,
    -1.38867637746099294692e-03,
    4.16666233237390631894e-02,
    -4.99999997251031003120e-01,
    1.0,
]


@LOWERINGS.lowers(e.Sin, cheap=False)
def lower_sin(op: Op, build: Builder, x: Value) -> Value:
    result = _quarters(build, x, 0)
    return build.select(build.compare("oeq", x, build.like(0, x)), x, result)  # keeps -0


@LOWERINGS.lowers(e.Cos, cheap=False)
def lower_cos(op: Op, build: Builder, x: Value) -> Value:
    return _quarters(build, x, 1)


def _quarters(build: Builder, x: Value, ahead: int) -> Value:
    """The sine of ``x + ahead * pi / 2``, in double precision; NaN for angles that are not known."""
    dtype = x.dtype
    if dtype == "float32":
        x = build.convert("fpext", x, "float64")
    size = build.intrinsic("fabs", x.dtype, x.lanes, x)
    known = build.compare("ole", size, build.like(e.LARGEST_ANGLE, x))
    shifted = build.fma(x, build.like(1 / _HALF_PI[0], x), build.like(_MAGIC, x))
    n = build.subtract(shifted, build.like(_MAGIC, x))
    sine, cosine = _short_series(build, x, n) if dtype == "float32" else _series(build, x, n)
    quarter = build.bits(shifted, "int64")
    quarter = build.add(quarter, build.like(ahead, quarter))
    even = build.compare("oeq", build.binary("and", quarter, build.like(1, quarter)), build.like(0, quarter))
    first_half = build.compare("oeq", build.binary("and", quarter, build.like(2, quarter)), build.like(0, quarter))
    result = build.select(even, sine, cosine)
    result = build.select(first_half, result, build.negate(result))
    result = build.select(known, result, build.like(float("nan"), x))
    return build.convert("fptrunc", result, dtype) if dtype == "float32" else result


def _short_series(build: Builder, x: Value, n: Value) -> tuple[Value, Value]:
    """Sine and cosine of ``x - n pi / 2`` to be rounded to single precision, of an x that was single precision."""
    r = x
    for part in _HALF_PI[:2]:
        r = _fused(build, n, -part, r)
    z = build.multiply(r, r)
    sine = build.fma(build.multiply(r, z), polynomial(build, z, _SHORT_SINE), r)
    return sine, polynomial(build, z, _SHORT_COSINE)


def _series(build: Builder, x: Value, n: Value) -> tuple[Value, Value]:
    """Sine and cosine of ``x - n pi / 2`` in double precision."""
    r = x
    for part in _HALF_PI:
        r = _fused(build, n, -part, r)
    z = build.multiply(r, r)
    sine = build.fma(build.multiply(r, z), polynomial(build, z, _SINE), r)
    half = build.multiply(z, build.like(0.5, x))
    one = build.like(1, x)
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
