"""Random numbers from a counter, not from a hidden state: the same bits on every executor and any number of threads."""

from __future__ import annotations

import numpy as np

from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.elementwise import cast, minimum

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
ROUNDS = 20
PARITY = 0x1BD11BDA


@dataclass(frozen=True)
class RandomBits(Op):
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


def threefry(key: tuple[np.uint32, np.uint32], counter: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Threefry-2x32-20 on arrays of counters (uint32)."""
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
    return apply(RandomBits(shape, stream), seed, step)


def random_uniform(shape: tuple[int, ...], stream: int, seed: Node, step: Node, dtype: str = "float32") -> Node:
    """Uniform numbers in [0, 1), multiples of 2^-32 rounded to ``dtype`` (below 1 also after rounding)."""
    bits = random_bits(shape, stream, seed, step)
    scaled = cast(bits, "float64") * 2.0**-32
    # the 256 largest would round up to 1 in float32
    largest = {"float32": 1 - 2.0**-24, "float64": 1.0}[dtype]
    return cast(minimum(scaled, largest), dtype)
