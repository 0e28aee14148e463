"""Random programs of products in bfloat16, whose results have the same bits on every executor.

Between products stand only operations that do not round: rounding to bfloat16 would make much of the last bit of a
number. ``python -m tests.executors.random_bfloat16 --seed S --count N`` goes on as long as one likes.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from thalweg.backprop import gradients
from thalweg.executors.executor import Executor
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph, Node
from thalweg.graph.text import to_text
from thalweg.graph.types import TensorType
from thalweg.graph.verify import verify
from thalweg.ops import (
    concatenate,
    contract,
    convolve,
    input_node,
    maximum,
    negate,
    reduce_sum,
    relu,
    reshape,
    state_node,
    transpose,
)
from thalweg.ops.contraction import products_in
from thalweg.ops.convolution import flip
from thalweg.state.layout import empty

SIZES = (2, 3, 4, 5, 7, 8, 13, 16, 17, 31, 32, 33, 48, 65)
LARGEST = 5000
"""Elements of a tensor."""


class Maker:
    """Makes one program, of numbers of ordinary size, of such that many sums are denormal, or of any bits."""

    def __init__(self, seed: int) -> None:
        self.r = np.random.default_rng(seed)
        self.kind = str(self.r.choice(["ordinary", "small", "any"], p=[0.5, 0.3, 0.2]))
        self.arrays: dict[str, np.ndarray] = {}
        self.nodes: list[Node] = []
        self.outputs: list[Node] = []
        self.differentiable = self.kind != "any"

    def size(self) -> int:
        return int(self.r.choice(SIZES))

    def leaf(self, *shape: int) -> Node:
        name = f"x{len(self.arrays)}"
        x = self.r.standard_normal(shape)
        if self.kind == "any":
            bits = self.r.integers(0, 2**32, shape, np.uint64).astype(np.uint32)
            odd = self.r.random(shape)
            bits = np.where(odd < 0.02, bits | 0x7F800000, np.where(odd < 0.2, bits & 0x807FFFFF, bits))
            x = bits.astype(np.uint32).view(np.float32)
        elif self.kind == "small":
            x = x * 2.0 ** self.r.integers(-66, -58, shape)
        self.arrays[name] = np.asarray(x, np.float32)
        return (state_node if self.r.random() < 0.5 else input_node)(name, shape, "float32")

    def operand(self, *shape: int) -> Node:
        """An earlier node of this shape in another form, or a leaf."""
        fitting = [n for n in self.nodes if sorted(n.shape) == sorted(shape)]
        if not fitting or self.r.random() < 0.4:
            return self.leaf(*shape)
        x = fitting[int(self.r.integers(len(fitting)))]
        left = list(range(x.rank))
        order = []
        for n in shape:
            order.append(next(a for a in left if x.shape[a] == n))
            left.remove(order[-1])
        return self.changed(transpose(x, tuple(order)))

    def changed(self, x: Node) -> Node:
        way = int(self.r.integers(8))
        if way == 0:
            return relu(x)
        if way == 1:
            return negate(x)
        if way == 2:
            return flip(x, (int(self.r.integers(x.rank)),))
        if way == 3:
            return maximum(x, self.leaf(*x.shape))
        if way == 4 and x.shape[0] > 2:
            return concatenate((x[1:], x[:1]), 0)
        return x

    def product(self) -> Node:
        while True:
            numbers = [int(self.r.choice([1, 1, 2])), int(self.r.choice([1, 1, 2])), int(self.r.choice([1, 1, 2])), 0]
            numbers[3] = int(self.r.random() < 0.25)
            labels = [int(i) for i in self.r.permutation(sum(numbers))]
            sizes = {i: self.size() for i in labels}
            of_x, of_y, summed, shared = (labels[sum(numbers[:k]) : sum(numbers[: k + 1])] for k in range(4))
            if self.r.random() < 0.2:
                sizes[summed[0]] = 1
            x, y, out = (
                [int(i) for i in self.r.permutation(some)]
                for some in (of_x + summed + shared, of_y + summed + shared, of_x + of_y + shared)
            )
            shapes = [tuple(sizes[i] for i in some) for some in (x, y, out)]
            if max(map(math.prod, shapes)) <= LARGEST and math.prod(sizes.values()) <= 200_000:
                self.differentiable &= any(sizes[i] > 1 for i in summed)  # else a gradient is a sum as any other
                return contract(self.operand(*shapes[0]), self.operand(*shapes[1]), tuple(x), tuple(y), tuple(out))

    def convolution(self) -> Node:
        while True:
            places = [int(self.r.integers(4, 12)) for _ in range(int(self.r.choice([1, 2])))]
            rank = len(places)
            size = [int(self.r.integers(1, 4)) for _ in places]
            strides, dilation = ([int(self.r.choice([1, 1, 2])) for _ in places] for _ in range(2))
            # An infinite weight meets the zeros around an image on some executors only.
            around = [(0, 0) if self.kind == "any" else tuple(map(int, self.r.integers(0, 2, 2))) for _ in places]
            channels, filters = int(self.r.choice([1, 2, 3, 8, 16])), int(self.r.choice([2, 3, 16, 17]))
            shape, kernel = (int(self.r.choice([1, 2, 3])), *places, channels), (*size, channels, filters)
            if max(math.prod(shape), math.prod(kernel), filters * math.prod(shape[:-1])) > LARGEST:
                continue
            padded = [n + sum(ends) for n, ends in zip(places, around, strict=True)]
            reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
            if any(n < k for n, k in zip(padded, reach, strict=True)):
                continue
            if all((n - k) // s == 0 for n, k, s in zip(padded, reach, strides, strict=True)) and shape[0] == 1:
                continue  # nothing but the sums: the image has no axis of its own
            self.differentiable &= channels > 1  # as below
            x = self.operand(*shape)
            y = convolve(x, self.leaf(*kernel), strides, around, dilation)
            assert y.rank == rank + 2, "batch, places, filters"
            return y

    def program(self) -> Graph:
        with products_in("bfloat16"):
            for _ in range(int(self.r.integers(1, 5))):
                y = self.convolution() if self.r.random() < 0.25 else self.product()
                self.nodes.append(self.changed(reshape(y, y.shape)))
                self.outputs += [y] if self.r.random() < 0.5 else [self.nodes[-1]]
            last = self.outputs[-1]
            if self.differentiable and self.r.random() < 0.5:
                leaves = [n for n in Graph({"y": last}).nodes() if not n.inputs and n.type.size > 1 and n.rank]
                slope = reduce_sum(last * self.leaf(*last.shape))
                self.outputs += gradients(slope, leaves[:3])
        graph = Graph({f"y{i}": n for i, n in enumerate(self.outputs)})
        verify(graph)
        return graph


def results(executor: Executor, graph: Graph, arrays: dict[str, np.ndarray], threads: int) -> dict[str, np.ndarray]:
    made = {name: np.empty(node.shape, node.dtype) for name, node in graph.outputs.items()}
    leaves = {node.op.name: {} for node in graph.nodes() if not node.inputs}
    for node in graph.nodes():
        if node.op.name in ("input", "state"):
            leaves[node.op.name][node.op.label] = arrays[node.op.label].copy()  # type: ignore[attr-defined]
    program = executor.compile(graph, gather=False)
    states = {name: _stored(array) for name, array in leaves.get("state", {}).items()}
    program.run(states, leaves.get("input", {}), None, made, threads)
    return made


def _stored(array: np.ndarray) -> np.ndarray:
    """The same numbers where a state has them."""
    state = empty(TensorType(array.shape, str(array.dtype)))
    state[...] = array
    return state


def fault(executor: Executor, seed: int) -> str:
    """The outputs that have other bits than the numpy executor's, or other ones with two threads; NaN is NaN.

    Products with the zeros around an image are done by some executors only: there a sum that is 0 may have any sign.
    """
    maker = Maker(seed)
    graph = maker.program()
    around = any(node.op.name == "convolution" for node in graph.nodes())
    want = results(NumpyExecutor(), graph, maker.arrays, 1)
    one, two = (results(executor, graph, maker.arrays, threads) for threads in (1, 2))
    found = []
    for name, x in want.items():
        for threads, got in ((1, one[name]), (2, two[name])):
            same = (got.view(np.uint32) == x.view(np.uint32)) | (np.isnan(got) & np.isnan(x))
            same |= (got == 0) & (x == 0) & around
            if not same.all():
                where = tuple(map(int, np.argwhere(~same)[0]))
                what = f"{(~same).sum()} of {x.size}; at {where} {got[where]!r}, not {x[where]!r}"
                found.append(f"{name}, {threads} threads: {what}")
    return f"seed {seed}, {maker.kind}:\n{to_text(graph)}{chr(10).join(found)}" if found else ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare an executor with the numpy one on products in bfloat16.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--executor", default="native")
    given = parser.parse_args()
    from tests.conftest import EXECUTORS  # here, so that making programs needs no pytest

    began, wrong = time.monotonic(), 0
    for seed in range(given.seed, given.seed + given.count):
        text = fault(EXECUTORS[given.executor], seed)
        wrong += bool(text)
        if text:
            print(text, flush=True)
    print(f"{given.count} programs, {wrong} wrong, {time.monotonic() - began:.1f} seconds")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
