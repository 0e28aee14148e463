"""bfloat16: the upper half of a float32, with 8 significant bits. What rounding to it and adding up its products mean.

Tensors stay float32 in memory. What is bfloat16 are the factors of a contraction (``Contraction.precision``): each is
rounded, and the products, which a float32 holds exactly, are added up in float32. The rules are those of Intel's and
AMD's instruction ``vdpbf16ps``, found by experiment, so that a processor that has it gives the same bits as one that
has not, and as this module, which defines them:

- A number is rounded to the nearest bfloat16, of two equally near ones to that with an even last bit; what is too large
  becomes infinite, a NaN stays one, and a denormal number becomes a zero of its sign.
- A sum begins with 0. One product after the other is added, in the order of the summed axes, each with one rounding to
  float32 (as a fused multiply-add). A sum that would be denormal becomes a zero of its sign; whether it would be is
  decided after rounding it to 24 bits, whatever its exponent.
"""

from __future__ import annotations

import numpy as np

from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType

NORMAL = 2.0**-126
"""The least positive number that is no denormal."""

FLUSHED = NORMAL * (1 - 2.0**-25)
"""What is less than this is rounded, to 24 bits, to less than ``NORMAL``."""


@dataclass(frozen=True)
class RoundToBfloat16(Op, kind=Kind.ELEMENTWISE):
    """The nearest bfloat16, as a float32; denormal numbers become zeros. For passes, after gradients have been made."""

    def infer(self, x: TensorType) -> TensorType:
        assert x.dtype == "float32", f"{self} of {x}"
        return x

    def reference(self, x: np.ndarray) -> np.ndarray:
        return rounded(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)


def round_to_bfloat16(x: Node) -> Node:
    """Each number as a product in bfloat16 takes it.

    Shapes: x (...) float32 -> (...) float32.
    """
    return apply(RoundToBfloat16(), x)


@dataclass(frozen=True)
class PairBfloat16(Op, kind=Kind.ELEMENTWISE):
    """Two numbers as bfloat16 in 32 bits: the first in the upper half, the second in the lower. For passes."""

    def infer(self, first: TensorType, second: TensorType) -> TensorType:
        assert first == second and first.dtype == "float32", f"{self} of {first} and {second}"
        return first.with_dtype("uint32")

    def reference(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        upper, lower = (rounded(x).view(np.uint32) for x in (first, second))
        return upper | lower >> 16

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None, None)


def pair(first: Node, second: Node) -> Node:
    """Two numbers as bfloat16 in 32 bits.

    Shapes: first, second (...) float32 -> (...) uint32.
    """
    return apply(PairBfloat16(), first, second)


def unpaired(x: np.ndarray) -> np.ndarray:
    """The numbers of pairs, along the last axis.

    Shapes: x (..., n) uint32 -> (..., 2 n) float32.
    """
    both = np.stack([x & 0xFFFF0000, x << 16], -1).astype(np.uint32)
    return both.view(np.float32).reshape(*x.shape[:-1], 2 * x.shape[-1])


def rounded(x: np.ndarray) -> np.ndarray:
    """The nearest bfloat16 numbers, as float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    nearest = np.where(bits & 0x7F800000, nearest, bits & 0x80000000)
    nearest = np.where(np.isnan(x), (bits | 0x00400000) & 0xFFFF0000, nearest)
    return nearest.astype(np.uint32).view(np.float32).reshape(x.shape)


def sums_of_products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``sum over k of x[..., k] * y[..., k]`` of bfloat16 numbers, one after the other.

    Shapes: x, y (..., n), whose other axes are repeated to each other's -> (...), float32.
    Numerics: a float64 holds a product exactly, and a sum of it and a float32 with so many digits that rounding it
        twice gives what rounding it once does.
    Source: Figueroa (1995), "When is double rounding innocuous?", SIGNUM Newsletter 30(3).
    """
    sums = np.zeros(np.broadcast_shapes(x.shape[:-1], y.shape[:-1]), np.float32)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        for k in range(x.shape[-1]):
            exact = wide_x[..., k] * wide_y[..., k] + sums
            sums = np.where(np.abs(exact) < FLUSHED, np.copysign(0, exact), exact).astype(np.float32)
    return sums
