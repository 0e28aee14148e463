"""The definition of products in bfloat16, beside exact fractions."""

from fractions import Fraction

import numpy as np
from tests.ops.cases import any_bits

from thalweg.ops.bfloat16 import NORMAL, rounded, sums_of_products, unpaired


def to_bits(x: Fraction, bits: int) -> Fraction:
    """The nearest number of so many significant bits, of two the even one; of any exponent."""
    if x == 0:
        return x
    exponent = 0
    while abs(x) * Fraction(2) ** -exponent >= 2**bits:
        exponent += 1
    while abs(x) * Fraction(2) ** -exponent < 2 ** (bits - 1):
        exponent -= 1
    return round(x * Fraction(2) ** -exponent) * Fraction(2) ** exponent


def flushed(x: Fraction) -> Fraction:
    return x if abs(x) >= NORMAL else Fraction(0)


def test_a_number_is_rounded_to_eight_bits_and_denormal_ones_to_zero():
    x = any_bits(np.random.default_rng(0), 3000)
    x = x[np.isfinite(x) & (np.abs(x) < 3e38)]
    for given, got in zip(x, rounded(x), strict=True):
        want = to_bits(flushed(Fraction(float(given))), 8)
        assert Fraction(float(got)) == want
        assert np.signbit(got) == np.signbit(given)


def test_special_numbers():
    x = np.array([np.inf, -np.inf, 3.4e38, -0.0, 2.0**-126, 2.0**-127, -(2.0**-149)], np.float32)
    want = np.array([np.inf, -np.inf, np.inf, -0.0, 2.0**-126, 0.0, -0.0], np.float32)
    assert rounded(x).tobytes() == want.tobytes()
    odd = np.array([0x7F800001, 0xFF80FFFF], np.uint32).view(np.float32)  # NaN whose upper half alone is infinite
    assert np.isnan(rounded(odd)).all()


def test_a_sum_is_rounded_to_24_bits_after_each_product():
    r = np.random.default_rng(1)
    for scale in (1.0, 2.0**-63):
        x, y = (rounded((r.standard_normal((40, 17)) * scale).astype(np.float32)) for _ in range(2))
        for row, other, got in zip(x, y, sums_of_products(x, y), strict=True):
            total = Fraction(0)
            for a, b in zip(row, other, strict=True):
                total = flushed(to_bits(total + Fraction(float(a)) * Fraction(float(b)), 24))
            assert Fraction(float(got)) == total


def test_what_is_denormal_only_before_rounding_stays():
    """2^-126 - 2^-150 has 24 bits and is denormal; half of that away it is rounded to 2^-126, which is not."""
    one, less = np.float32(2.0**-63), np.float32(2.0**-75)
    for by, want in ((1.0, 0.0), (0.5, 2.0**-126)):
        x = np.array([one, -less * np.float32(by)], np.float32)
        assert sums_of_products(x, np.array([one, less], np.float32)) == np.float32(want)


def test_a_zero_of_either_sign_is_kept_by_a_product_that_is_minus_zero():
    tiny = np.float32(2.0**-75)
    negative = sums_of_products(np.array([tiny, 0.0], np.float32), np.array([-tiny, -0.0], np.float32))
    assert np.signbit(negative)


def test_the_first_of_a_pair_is_the_upper_half():
    assert unpaired(np.array([0x3F804000], np.uint32)).tolist() == [1.0, 2.0]
