"""Hashes of texts by which other programs number categories: FarmHash64 and SipHash.

Source: Pike (2014), github.com/google/farmhash, Fingerprint64 of farmhashna; Aumasson & Bernstein (2012), SipHash.
"""

from __future__ import annotations

from collections.abc import Iterable

ALL = (1 << 64) - 1
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def siphash(text: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 under a key of two numbers of 64 bits."""
    v0, v1 = key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D
    v2, v3 = key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573
    last = len(text) % 8
    padded = text + bytes(7 - last) + bytes([len(text) & 255])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v3 ^= word
        for _ in range(2):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _left(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (64 - bits))) & ALL


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0, v2 = (v0 + v1) & ALL, (v2 + v3) & ALL
    v1, v3 = _left(v1, 13) ^ v0, _left(v3, 16) ^ v2
    v0, v2 = (_left(v0, 32) + v3) & ALL, (v2 + v1) & ALL
    v3, v1 = _left(v3, 21) ^ v0, _left(v1, 17) ^ v2
    return v0, v1, _left(v2, 32), v3


def crossed(values: Iterable[str | int]) -> int:
    """One number for several values, as TensorFlow's ``sparse.cross_hashed`` makes it.

    Source: tensorflow/core/platform/fingerprint.h, FingerprintCat64.
    """
    mul, result = 0xC6A4A7935BD1E995, 0xDECAFCAFFE
    for value in values:
        number = value & ALL if isinstance(value, int) else farmhash(value.encode())
        result = (result ^ mul ^ _mix(number * mul & ALL) * mul & ALL) * mul & ALL
        result = _mix(_mix(result) * mul & ALL)
    return result


def farmhash(text: bytes) -> int:
    """Fingerprint64."""
    n = len(text)
    if n > 64:
        return _of_long(text)
    if n > 32:
        return _of_33_to_64(text)
    if n > 16:
        return _of_17_to_32(text)
    if n >= 8:
        mul = K2 + 2 * n
        a, b = _word(text, 0) + K2 & ALL, _word(text, n - 8)
        return _pair(_right(b, 37) * mul + a & ALL, (_right(a, 25) + b) * mul & ALL, mul)
    if n >= 4:
        first, last = (int.from_bytes(text[at : at + 4], "little") for at in (0, n - 4))
        return _pair(n + (first << 3), last, K2 + 2 * n)
    if n:
        return _mix((text[0] + (text[n >> 1] << 8)) * K2 & ALL ^ (n + (text[-1] << 2)) * K0 & ALL) * K2 & ALL
    return K2


def _word(text: bytes, at: int) -> int:
    return int.from_bytes(text[at : at + 8], "little")


def _right(x: int, bits: int) -> int:
    return _left(x, 64 - bits)


def _mix(x: int) -> int:
    return x ^ (x >> 47)


def _pair(u: int, v: int, mul: int) -> int:
    a = _mix((u ^ v) * mul & ALL)
    return _mix((v ^ a) * mul & ALL) * mul & ALL


def _of_17_to_32(text: bytes) -> int:
    n, mul = len(text), K2 + 2 * len(text)
    a, b = _word(text, 0) * K1 & ALL, _word(text, 8)
    c, d = _word(text, n - 8) * mul & ALL, _word(text, n - 16) * K2 & ALL
    u = _right(a + b & ALL, 43) + _right(c, 30) + d & ALL
    return _pair(u, a + _right(b + K2 & ALL, 18) + c & ALL, mul)


def _of_33_to_64(text: bytes) -> int:
    n, mul = len(text), K2 + 2 * len(text)
    a, b = _word(text, 0) * K2 & ALL, _word(text, 8)
    c, d = _word(text, n - 8) * mul & ALL, _word(text, n - 16) * K2 & ALL
    y = _right(a + b & ALL, 43) + _right(c, 30) + d & ALL
    z = _pair(y, a + _right(b + K2 & ALL, 18) + c & ALL, mul)
    e, f = _word(text, 16) * mul & ALL, _word(text, 24)
    g, h = (y + _word(text, n - 32)) * mul & ALL, (z + _word(text, n - 24)) * mul & ALL
    u = _right(e + f & ALL, 43) + _right(g, 30) + h & ALL
    return _pair(u, e + _right(f + a & ALL, 18) + g & ALL, mul)


Two = tuple[int, int]


def _weak(text: bytes, at: int, a: int, b: int) -> Two:
    w, x, y, z = (_word(text, at + 8 * place) for place in range(4))
    a = a + w & ALL
    b = _right(b + a + z & ALL, 21)
    c = a
    a = a + x + y & ALL
    return a + z & ALL, b + _right(a, 44) + c & ALL


def _block(text: bytes, at: int, x: int, y: int, z: int, v: Two, w: Two, mul: int, weight: int) -> tuple[int, ...]:
    """One turn over 64 bytes: x, y, z, v and w after it. The last turn has another multiplier and ``weight`` 9."""
    x = _right(x + y + v[0] + _word(text, at + 8) & ALL, 37) * mul & ALL
    y = _right(y + v[1] + _word(text, at + 48) & ALL, 42) * mul & ALL
    x ^= w[1] * weight & ALL
    y = y + v[0] * weight + _word(text, at + 40) & ALL
    z = _right(z + w[0] & ALL, 33) * mul & ALL
    v = _weak(text, at, v[1] * mul & ALL, x + w[0] & ALL)
    w = _weak(text, at + 32, z + w[1] & ALL, y + _word(text, at + 16) & ALL)
    return z, y, x, *v, *w


def _of_long(text: bytes) -> int:
    seed = 81
    x, y = (seed * K2 + _word(text, 0)) & ALL, (seed * K1 + 113) & ALL
    z = _mix((y * K2 + 113) & ALL) * K2 & ALL
    v: Two = (0, 0)
    w: Two = (0, 0)
    end = (len(text) - 1) // 64 * 64
    for at in range(0, end, 64):
        x, y, z, *rest = _block(text, at, x, y, z, v, w, K1, 1)
        v, w = (rest[0], rest[1]), (rest[2], rest[3])
    mul = K1 + ((z & 0xFF) << 1) & ALL
    w = (w[0] + ((len(text) - 1) & 63) & ALL, w[1])
    v = (v[0] + w[0] & ALL, v[1])
    w = (w[0] + v[0] & ALL, w[1])
    x, y, z, *rest = _block(text, len(text) - 64, x, y, z, v, w, mul, 9)
    v, w = (rest[0], rest[1]), (rest[2], rest[3])
    first = _pair(v[0], w[0], mul) + _mix(y) * K0 + z & ALL
    return _pair(first, _pair(v[1], w[1], mul) + x & ALL, mul)
