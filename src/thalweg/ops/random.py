"""Random numbers from a counter, not from a hidden state: the same bits on every executor and any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.cast import cast
from thalweg.ops.elementwise import add, less, log, minimum, multiply, negate, select, sqrt, subtract

__all__ = ["random_bits", "random_normal", "random_uniform"]

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
ROUNDS = 20
PARITY = 0x1BD11BDA


@dataclass(frozen=True)
class RandomBits(Op, kind=Kind.RANDOM):
    """32 random bits per element: the first word of Threefry-2x32-20.

    The key is (seed, ``stream``), the counter (index of the element, step): two streams, two steps or two elements
    never share a counter.

    Shapes: seed () uint32, step () uint32 -> ``shape`` uint32.
    Source: Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC'11, section 3.
    """

    shape: tuple[int, ...]
    stream: int

    def infer(self, seed: TensorType, step: TensorType) -> TensorType:
        assert 0 <= self.stream < 2**32, f"the stream {self.stream} is not 32 bits"
        assert seed == step == TensorType((), "uint32"), f"{self} of {seed} and {step}"
        return TensorType(self.shape, "uint32")

    def reference(self, seed: np.ndarray, step: np.ndarray) -> np.ndarray:
        index = np.arange(int(np.prod(self.shape)), dtype=np.uint32)
        key = (np.uint32(seed), np.uint32(self.stream))
        return threefry(key, (index, np.full_like(index, step)))[0].reshape(self.shape)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None, None)


def threefry(key: tuple[Any, Any], counter: tuple[Any, Any]) -> tuple[Any, Any]:
    """Threefry-2x32-20 on arrays of counters (uint32), of NumPy or of another library with its operators."""
    keys = (key[0], key[1], np.uint32(PARITY) ^ key[0] ^ key[1])
    with np.errstate(over="ignore"):
        x, y = counter[0] + keys[0], counter[1] + keys[1]
        for turn in range(ROUNDS):
            x = x + y
            left = ROTATIONS[turn % 8]
            y = ((y << np.uint32(left)) | (y >> np.uint32(32 - left))) ^ x
            if turn % 4 == 3:
                block = turn // 4 + 1
                x = x + keys[block % 3]
                y = y + keys[(block + 1) % 3] + np.uint32(block)
    return x, y


def random_bits(shape: tuple[int, ...], stream: int, seed: Node, step: Node) -> Node:
    """32 random bits for each element, from counters: see RandomBits.

    Shapes: seed () uint32, step () uint32 -> shape, uint32.

    Arguments:
        stream: tells apart what is drawn with one seed in one step, below 2^32.
    """
    return apply(RandomBits(shape, stream), seed, step)


def random_uniform(shape: tuple[int, ...], stream: int, seed: Node, step: Node, dtype: str = "float32") -> Node:
    """Uniform numbers in [0, 1), multiples of 2^-32 rounded to ``dtype`` (below 1 also after rounding).

    Shapes: seed () uint32, step () uint32 -> shape.
    """
    bits = random_bits(shape, stream, seed, step)
    scaled = cast(bits, "float64") * 2.0**-32
    # the 256 largest would round up to 1 in float32
    largest = {"float32": 1 - 2.0**-24, "float64": 1.0}[dtype]
    return cast(minimum(scaled, largest), dtype)


# Giles (2012), Table 5: the inverse error function divided by its argument x, with w = -log(1 - x^2), as polynomials
# in w - 2.5 for w < 5 and in sqrt(w) - 3 from there on; the highest power first.
CENTRE = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
TAIL = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)


def random_normal(shape: tuple[int, ...], stream: int, seed: Node, step: Node, dtype: str = "float32") -> Node:
    """Numbers from the standard normal distribution, each from 32 bits; the largest is 6.34.

    Shapes: seed () uint32, step () uint32 -> shape.
    Numerics: the inverse of the distribution function, ``sqrt(2) * erfinv(x)`` with x uniform in (-1, 1), symmetric
    about 0. Relative error 3e-7 up to 5.4 and 4e-4 beyond, where one number in 15 million falls. ``1 - x^2`` is
    computed as ``(1 - x) * (1 + x)`` in float64, because float32 has no numbers as near to 1.
    Source: Giles (2012), "Approximating the erfinv function", GPU Computing Gems 2, Table 5.
    """
    bits = random_bits(shape, stream, seed, step)
    x = subtract(multiply(add(cast(bits, "float64"), 0.5), 2.0**-31), 1.0)
    w = negate(log(cast(multiply(subtract(1.0, x), add(x, 1.0)), "float32")))
    centre, tail = _polynomial(CENTRE, subtract(w, 2.5)), _polynomial(TAIL, subtract(sqrt(w), 3.0))
    ratio = select(less(w, 5.0), centre, tail)
    return cast(multiply(ratio, cast(multiply(x, 2.0**0.5), "float32")), dtype)


def _polynomial(coefficients: tuple[float, ...], x: Node) -> Node:
    """Horner's scheme."""
    total: Node = multiply(x, coefficients[0])
    for coefficient in coefficients[1:-1]:
        total = multiply(add(total, coefficient), x)
    return add(total, coefficients[-1])
