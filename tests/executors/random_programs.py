"""Random graphs, to be run by one executor and by the numpy one.

``python -m tests.executors.random_programs --seed S --count N --executor native`` is a loop over seeds that prints what
differs, shrunk; the tests run a few hundred.
"""

from __future__ import annotations

import argparse
import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from tests.compute import label

from thalweg.backprop import gradients
from thalweg.executors.executor import leaf_types
from thalweg.executors.numpy import NumpyExecutor
from thalweg.executors.xla.executor import XlaExecutor
from thalweg.graph.node import Graph, Node
from thalweg.graph.text import to_text
from thalweg.graph.types import FLOATS, TensorType
from thalweg.graph.verify import verify
from thalweg.ops import (
    absolute,
    add,
    argmax,
    average_pool,
    broadcast,
    cast,
    clip,
    concatenate,
    contract,
    convolve,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    filled,
    floor,
    input_node,
    iota,
    less,
    less_equal,
    log,
    log1p,
    log_sum_exp,
    logical_and,
    logical_not,
    logical_or,
    max_pool,
    maximum,
    minimum,
    multiply,
    negate,
    power,
    random_bits,
    random_uniform,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_sum,
    relu,
    reshape,
    select,
    sigmoid,
    sign,
    sin,
    softmax,
    softplus,
    sqrt,
    state_node,
    subtract,
    surrounded,
    tanh,
    transpose,
)
from thalweg.ops.broadcast import ReduceSum
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import CONVOLUTIONS, reach
from thalweg.ops.deviations import MomentAbout, moment_about
from thalweg.ops.leaf import Input, State
from thalweg.ops.lookup import take
from thalweg.ops.shape import pad
from thalweg.ops.softmax import LogSumExp, Softmax
from thalweg.state.layout import empty

SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 10, 13, 16, 17, 19, 31, 32, 33, 48, 64, 65)
LARGEST = 6000
"""Elements of one tensor."""

EXACT = {
    *("input", "state", "constant", "iota", "stop_gradient", "random_bits", "broadcast", "reshape", "transpose"),
    *("slice", "pad", "concatenate", "select", "negate", "absolute", "sign", "floor", "relu", "maximum", "minimum"),
    *("less", "less_equal", "equal", "logical_and", "logical_or", "logical_not", "reduce_max", "reduce_min"),
    *("arg_max", "cast", "take", "add_rows", "windows", "flip"),
}
"""What gives equal bits for equal bits on every executor. A cast does not round differently either."""

KINKED = {"absolute", "sign", "floor", "relu", "maximum", "minimum", "select", "reduce_max", "reduce_min", "arg_max"}
"""What has jumps in its derivative: two executors may find themselves on different sides of one."""


@dataclass(frozen=True)
class Program:
    seed: int
    graph: Graph
    state: dict[str, np.ndarray]
    data: dict[str, np.ndarray]
    index: np.ndarray | None


class Maker:
    """Makes one program. ``exact`` nodes have the same bits everywhere, so a comparison may depend on them."""

    def __init__(self, seed: int) -> None:
        self.r = np.random.default_rng(seed)
        self.seed = seed
        self.float = str(self.r.choice(["float32", "float32", "float64"]))
        self.special = bool(self.r.random() < 0.1)  # NaN and infinities in the data
        self.batch = int(self.r.choice([1, 2, 3, 5, 8, 16, 17, 32, 33]))
        self.sizes = [self.batch, *(int(n) for n in self.r.choice(SIZES, 4))]
        if self.r.random() < 0.05:
            self.sizes.append(0)
        if self.r.random() < 0.05:
            self.sizes.append(256)  # where rows of state are padded
        self.nodes: list[Node] = []
        self.exact: dict[Node, bool] = {}
        self.smooth: dict[Node, bool] = {}
        self.states: list[Node] = []
        self.exact_states: set[Node] = set()
        self.leaves = 0

    # choices

    def chance(self, p: float) -> bool:
        return bool(self.r.random() < p)

    def one(self, items):
        return items[int(self.r.integers(len(items)))]

    def shape(self) -> tuple[int, ...]:
        while True:
            rank = int(self.r.choice([0, 1, 2, 3, 4], p=[0.08, 0.27, 0.4, 0.2, 0.05]))
            shape = tuple(self.one(self.sizes) for _ in range(rank))
            if math.prod(shape) <= LARGEST:
                return shape

    def keep(self, node: Node) -> Node:
        """Enter a node, and those that its function made below it, with what is known of them."""
        for n in Graph({"y": node}).nodes():
            if n not in self.exact:
                self.exact[n] = all(self.exact[x] for x in n.inputs) and (n.op.name in EXACT or n.dtype not in FLOATS)
                kink = n.op.name in KINKED and any(x.type.is_float and not self.exact[x] for x in n.inputs)
                self.smooth[n] = not kink and all(self.smooth[x] for x in n.inputs)
        if node not in self.nodes and node.type.size <= LARGEST:
            self.nodes.append(node)
        return node

    def leaf(self, shape: tuple[int, ...], dtype: str) -> Node:
        self.leaves += 1
        label = f"{self.leaves}"
        if shape and shape[0] == self.batch and self.chance(0.6):
            return self.keep(input_node(f"x{label}", shape, dtype))
        node = self.keep(state_node(f"s/{label}", shape, dtype))
        self.states.append(node)
        if dtype not in FLOATS or self.chance(0.3):
            self.exact_states.add(node)
        else:
            self.exact[node] = False  # it may be updated with a rounded number
        return node

    def pick(self, accept: Callable[[Node], bool] = lambda _: True, dtype: str | None = None) -> Node:
        """An earlier node, more often a late one; a leaf if there is none."""
        dtype = self.float if dtype is None else dtype
        found = [n for n in self.nodes if n.dtype == dtype and accept(n)]
        if not found or self.chance(0.05):
            for _ in range(100):
                shape = self.shape()
                node = self.leaf(shape, dtype)
                if accept(node):
                    return node
                self.nodes.remove(node)
        return found[-1 - min(int(self.r.exponential(4)), len(found) - 1)]

    def like(self, x: Node, dtype: str | None = None, exact: bool = False) -> Node:
        """A node of the same shape, or one repeated to it."""
        dtype = x.dtype if dtype is None else dtype
        shape = x.shape
        found = [n for n in self.nodes if n.dtype == dtype and (self.exact[n] or not exact)]
        same = [n for n in found if n.shape == shape]
        if same and self.chance(0.6):
            return self.one(same)
        if self.chance(0.5):
            fitting = []
            for n in found:
                axes, at = [], 0
                for a, size in enumerate(shape):
                    if at < n.rank and n.shape[at] == size:
                        axes.append(a)
                        at += 1
                if at == n.rank:
                    fitting.append((n, tuple(axes)))
            if fitting:
                n, axes = self.one(fitting)
                return self.keep(broadcast(n, shape, axes))
        if self.chance(0.3) and dtype != "bool":
            return self.keep(
                filled(shape, self.one([0.5, -1.5, 2.0, 1.0, 0.0] if dtype in FLOATS else [0, 1, 3]), dtype)
            )
        if same:
            return self.one(same)
        if dtype == "bool":
            y = self.like(x, "int32")
            return self.keep(less(y, 20))
        node = self.leaf(shape, dtype)
        return node if self.exact[node] or not exact else self.keep(filled(shape, 0.25, dtype))

    def tame(self, x: Node) -> Node:
        """Numbers of ordinary size."""
        return self.keep(tanh(x) if self.chance(0.7) else clip(x, -2.0, 2.0))

    # kinds of operations; each returns the new node

    def unary(self) -> Node:
        x = self.pick()
        name = self.one(
            [
                *("negate", "absolute", "relu", "exp", "expm1", "log", "log1p", "sqrt"),
                *("tanh", "sigmoid", "softplus", "erf", "sin", "cos"),
            ]
        )
        if name in ("exp", "expm1"):
            return (exp if name == "exp" else expm1)(self.tame(x))
        if name in ("log", "log1p", "sqrt"):
            return {"log": log, "log1p": log1p, "sqrt": sqrt}[name](absolute(x) + 0.5)
        if name in ("sin", "cos"):
            return (sin if name == "sin" else cos)(self.tame(x))
        functions = {"negate": negate, "absolute": absolute, "relu": relu, "tanh": tanh, "sigmoid": sigmoid, "erf": erf}
        return functions.get(name, softplus)(x)

    def binary(self) -> Node:
        x = self.pick()
        y = self.like(x)
        kind = int(self.r.integers(8))
        if kind < 2:
            return (add if kind else subtract)(x, y)
        if kind < 4:
            return multiply(self.tame(x), y)
        if kind == 4:
            return divide(x, absolute(y) + 0.5)
        if kind == 5:
            return (maximum if self.chance(0.5) else minimum)(x, y)
        if kind == 6:
            return power(
                absolute(self.tame(x)) + 0.5, self.tame(y) if self.chance(0.7) else self.one([2.0, 3.0, 0.5, -1.0])
            )
        return 0.9 * x + 0.1 * y

    def chain(self) -> Node:
        x = self.pick()
        for _ in range(int(self.r.integers(2, 6))):
            x = self.keep(self.tame(x * self.like(x)) if self.chance(0.5) else sigmoid(x - self.like(x)))
        return x

    def integer(self) -> Node:
        dtype = self.one(["int32", "int64", "uint32", "uint8"])
        x = self.pick(dtype=dtype)
        if dtype == "uint8":
            return cast(x, self.one(["int32", self.float]))
        function = self.one([add, subtract, multiply, maximum, minimum])
        return function(x, self.like(x))

    def compare(self) -> Node:
        dtype = self.one([self.float, "int32", "uint8", "uint32"])
        x = self.pick(lambda n: self.exact[n], dtype)
        return self.one([less, less_equal, equal])(x, self.like(x, exact=True))

    def logic(self) -> Node:
        x = self.like(self.pick(), "bool")
        return logical_not(x) if self.chance(0.3) else self.one([logical_and, logical_or])(x, self.like(x, "bool"))

    def choose(self) -> Node:
        x = self.pick()
        return select(self.like(x, "bool"), x, self.like(x))

    def convert(self) -> Node:
        old = self.one(["int32", "uint8", "uint32", "int64", "bool"])
        if old == "bool":
            x = self.like(self.pick(), "bool")
        else:
            x = self.pick(dtype=old)
        if self.chance(0.3) and not self.special:
            return cast(clip(self.pick(lambda n: self.exact[n]), -1e6, 1e6), self.one(["int32", "int64", "bool"]))
        if self.chance(0.15):  # to the other floating point type and back
            other = "float64" if self.float == "float32" else "float32"
            return cast(tanh(cast(self.pick(), other)), self.float)
        new = self.one([self.float, self.float, "int32", "bool", "uint32", "uint8"])
        # large integers in floats would drown the rest
        return cast(x, new) * 2.0**-31 if new in FLOATS and old in ("uint32", "int64", "int32") else cast(x, new)

    def step_function(self) -> Node:
        x = self.pick(lambda n: self.exact[n])
        return floor(x) if self.chance(0.5) else sign(x)

    def axes(self, x: Node) -> tuple[int, ...]:
        count = int(self.r.integers(1, x.rank + 1))
        return tuple(sorted(int(a) for a in self.r.choice(x.rank, count, replace=False)))

    def reduce(self) -> Node:
        x = self.pick(lambda n: n.rank > 0 and n.type.size > 0)
        axes, keepdims = self.axes(x), self.chance(0.3)
        kind = int(self.r.integers(5))
        if kind == 0:
            return reduce_sum(self.tame(x), axes, keepdims) * (1.0 / math.sqrt(x.type.size))
        if kind == 4 and self.chance(0.5):
            return reduce_sum(self.like(x, "int32"), axes, keepdims)
        return (reduce_mean, reduce_mean, reduce_max, reduce_min, reduce_max)[kind](x, axes, keepdims)

    def norm(self) -> Node:
        x = self.pick(lambda n: n.rank > 0 and n.type.size > 0)
        axis = int(self.r.integers(x.rank))
        if self.chance(0.5):
            return softmax(x, axis)
        if self.chance(0.5):
            return log_sum_exp(x, axis, self.chance(0.5))
        if x.rank > 2 and self.chance(0.5):  # as of a batch of images
            axes = tuple(range(x.rank - 1))
            return moment_about(x, reduce_mean(x, axes), axes, int(self.r.integers(1, 3)))
        centred = x - reduce_mean(x, axis, keepdims=True)
        return centred / sqrt(reduce_mean(centred * centred, axis, keepdims=True) + 0.1)

    def arg(self) -> Node:
        x = self.pick(lambda n: n.rank > 0 and n.type.size > 0 and self.exact[n])
        return argmax(x, int(self.r.integers(x.rank)))

    def product(self) -> Node:
        """Two tensors with random labels: some summed, some of a batch, some of one tensor only; axes in any order."""
        sizes: dict[int, int] = {}
        for _ in range(100):
            x = self.pick(lambda n: n.rank > 0)
            x_labels = [int(i) for i in self.r.permutation(x.rank)]
            sizes = dict(zip(x_labels, x.shape, strict=True))
            out_x = [i for i in x_labels if self.chance(0.5)]
            rest = [i for i in x_labels if i not in out_x]  # summed, so y needs them
            shared = [i for i in out_x if self.chance(0.25)]
            new = [x.rank + i for i in range(int(self.r.integers(0, 3)))]
            for i in new:
                sizes[i] = self.one(self.sizes)
            y_labels = [int(i) for i in self.r.permutation(rest + shared + new)]
            out = [int(i) for i in self.r.permutation(out_x + new)]
            shape_y, shape_out = tuple(sizes[i] for i in y_labels), tuple(sizes[i] for i in out)
            work = math.prod(sizes.values())
            if math.prod(shape_y) <= LARGEST and math.prod(shape_out) <= LARGEST and work <= 300_000:
                break
        else:
            return negate(self.pick())
        found = [n for n in self.nodes if n.dtype == self.float and n.shape == shape_y]
        y = self.one(found) if found and self.chance(0.7) else self.leaf(shape_y, self.float)
        if self.chance(0.5):
            x, y, x_labels, y_labels = y, x, y_labels, x_labels
        terms = math.prod(n for i, n in sizes.items() if i not in out)
        made = contract(self.tame(x), y, tuple(x_labels), tuple(y_labels), tuple(out))
        return made * (1.0 / math.sqrt(max(terms, 1)))

    def dense(self) -> Node:
        """What nets are made of: a product, a bias and an activation."""
        x = self.pick(lambda n: n.rank >= 1 and n.type.size > 0)
        units = self.one(self.sizes)
        if x.shape[-1] * units > LARGEST or x.type.size // x.shape[-1] * units > LARGEST:
            return negate(x)
        kernel, bias = self.leaf((x.shape[-1], units), self.float), self.leaf((units,), self.float)
        y = (self.tame(x) @ kernel) * (1 / math.sqrt(x.shape[-1])) + bias
        return self.one([tanh, relu, sigmoid, softplus, lambda y: y])(y)

    def picture(self) -> Node:
        """(batch, *places, channels): an earlier node, or a leaf."""
        found = [n for n in self.nodes if n.dtype == self.float and 3 <= n.rank <= 4 and n.type.size]
        if found and self.chance(0.6):
            return self.one(found)
        while True:
            rank = int(self.r.choice([1, 2, 3], p=[0.35, 0.55, 0.1]))
            places = self.r.integers(1, 12 if rank < 3 else 5, rank)
            shape = (self.one([1, 2, self.batch]), *map(int, places), max(self.one(self.sizes), 1))
            if math.prod(shape) <= LARGEST:
                return self.leaf(shape, self.float)

    def each(self, low: int, high: int, x: Node) -> tuple[int, ...]:
        """A number from ``low`` up to below ``high`` for each axis of places, small ones more often."""
        return tuple(min(map(int, self.r.integers(low, high, 2))) for _ in range(x.rank - 2))

    def padding(self, x: Node) -> list[tuple[int, int]]:
        if self.special or self.chance(0.4):
            return [(0, 0)] * (x.rank - 2)
        return list(zip(self.each(0, 4, x), self.each(0, 4, x), strict=True))

    def convolution(self) -> Node:
        """Forward, often with a bias and an activation, or one of its gradients.

        Infinite weights times the zeros around an image are NaN to some executors and nothing to others: so with
        special numbers there are no such zeros, which the gradients have, too.
        """
        for _ in range(100):
            x = self.picture()
            size, strides, dilation = self.each(1, 8, x), self.each(1, 4, x), self.each(1, 4, x)
            padding, channels = self.padding(x), x.shape[-1]
            padded = [n + sum(ends) for n, ends in zip(x.shape[1:-1], padding, strict=True)]
            spans = map(reach, size, dilation)
            groups = self.one([g for g in range(1, channels + 1) if channels % g == 0]) if self.chance(0.4) else 1
            filters = groups * max(self.one(self.sizes if groups == 1 else [1, 1, 2, 3]), 1)
            shape = (*size, channels // groups, filters)
            made = x.shape[0] * math.prod(padded) * filters
            fits = all(span <= n for span, n in zip(spans, padded, strict=True))
            if fits and max(math.prod(shape), made) <= LARGEST and made * math.prod(shape[:-1]) <= 1_000_000:
                break
        else:
            return negate(self.pick())
        x, kernel = self.tame(x), self.leaf(shape, self.float)
        y = self.keep(convolve(x, kernel, strides, padding, dilation, groups))
        if self.special:
            self.smooth[y] = False
        elif self.chance(0.4):
            asked = self.one([x, kernel])
            (slope,) = gradients(reduce_sum(y * self.tame(self.like(y))), [asked])
            return slope * (1.0 / math.sqrt(max(y.type.size // asked.type.size, 1) * filters))
        y = y * (1.0 / math.sqrt(math.prod(shape[:-1])))
        if self.chance(0.5):
            y = y + self.leaf((filters,), self.float)
        return self.one([tanh, relu, lambda y: y])(y)

    def pool(self) -> Node:
        x = self.picture()
        size = self.each(1, 5, x)
        strides = size if self.chance(0.5) else self.each(1, 4, x)
        y = surrounded(x, self.padding(x), self.one([0.0, -1e6]))
        if any(k > n for k, n in zip(size, y.shape[1:-1], strict=True)):
            return reduce_max(x, tuple(range(1, x.rank - 1)))
        return (max_pool if self.chance(0.6) else average_pool)(y, size, strides)

    def move(self) -> Node:
        dtype = self.one([self.float, self.float, self.float, "int32", "uint8"])
        x = self.pick(dtype=dtype)
        kind = int(self.r.integers(8))
        if kind == 7 and x.rank and x.dtype == self.float:
            axis = int(self.r.integers(x.rank))
            index = cast(self.pick(dtype="int32"), "int32")
            if self.chance(0.9):  # else most rows are NaN
                index = clip(index, 0, max(x.shape[axis] - 1, 0))
            if x.type.size // max(x.shape[axis], 1) * index.type.size <= LARGEST and x.rank + index.rank <= 6:
                return take(x, index, axis)
        if kind == 0 and x.type.size:
            return reshape(x, self.factored(x.type.size))
        if kind == 1:
            return transpose(x, tuple(int(a) for a in self.r.permutation(x.rank)))
        if kind == 2 and x.rank:
            boxes = []
            for n in x.shape:
                start = int(self.r.integers(0, max(n, 1)))
                stop = int(self.r.integers(min(start + 1, n), n + 1))
                boxes.append(slice(start, stop, int(self.r.integers(1, 4)) if self.chance(0.3) else 1))
            return x[tuple(boxes)]
        if kind == 3:
            low, high, inner = (tuple(int(k) for k in self.r.choice([0, 0, 0, 1, 2], x.rank)) for _ in range(3))
            return pad(x, low, high, inner if self.chance(0.3) else None)
        if kind == 4 and x.rank:
            axis = int(self.r.integers(x.rank))
            others = [n for n in self.nodes if n.dtype == x.dtype and n.rank == x.rank]
            others = [n for n in others if n.shape[:axis] + n.shape[axis + 1 :] == x.shape[:axis] + x.shape[axis + 1 :]]
            return concatenate((x, *(self.one(others) for _ in range(int(self.r.integers(1, 3))))), axis)
        if kind == 5:
            shape = list(x.shape)
            for _ in range(int(self.r.integers(1, 3))):
                shape.insert(int(self.r.integers(len(shape) + 1)), self.one(self.sizes))
            if math.prod(shape) <= LARGEST and len(shape) <= 5:
                axes, at = [], 0
                for a, n in enumerate(shape):
                    if at < x.rank and n == x.shape[at]:
                        axes.append(a)
                        at += 1
                return broadcast(x, tuple(shape), tuple(axes))
        if x.rank:
            axis = int(self.r.integers(x.rank))
            return cast(
                iota(x.shape, axis, self.one(["int32", "int64", "float32"])), self.one(["int32", self.float])
            ) * self.one([1, 2])
        return reshape(x, (1,))

    def factored(self, size: int) -> tuple[int, ...]:
        shape = []
        while size > 1 and len(shape) < 3:
            divisors = [d for d in range(1, size + 1) if size % d == 0]
            shape.append(self.one(divisors))
            size //= shape[-1]
        return (*shape, size)

    def random(self) -> Node:
        seed = next((n for n in self.states if label(n) == "seed"), None)
        step = next((n for n in self.states if label(n) == "step"), None)
        if seed is None or step is None:
            seed, step = self.keep(state_node("seed", (), "uint32")), self.keep(state_node("step", (), "uint32"))
            self.states += [seed, step]
            self.exact_states |= {seed, step}
        shape, stream = self.shape(), int(self.r.integers(2**32))
        if self.chance(0.5):
            return random_bits(shape, stream, seed, step)
        x = self.pick()
        mask = random_uniform(x.shape, stream, seed, step, self.float) < 0.7
        return select(mask, x * (1 / 0.7), 0.0)

    def grow(self, count: int) -> None:
        kinds = {
            self.unary: 4, self.binary: 5, self.chain: 2, self.integer: 1, self.compare: 1, self.logic: 1,
            self.choose: 1, self.convert: 1, self.step_function: 0.5, self.reduce: 4, self.norm: 1, self.arg: 0.7,
            self.product: 4, self.dense: 2, self.move: 4, self.random: 0.7, self.convolution: 2, self.pool: 1,
        }  # fmt: skip
        weights = np.array(list(kinds.values())) / sum(kinds.values())
        made = 0
        while made < count:
            node = list(kinds)[int(self.r.choice(len(kinds), p=weights))]()
            if node.type.size <= LARGEST:
                self.keep(node)
                made += 1

    # results

    def update_for(self, state: Node, updates: dict[str, Node]) -> Node | None:
        """One of the things that can go wrong when state is overwritten in place."""
        exact = state in self.exact_states
        able = [n for n in self.nodes if n.type == state.type and (self.exact[n] or not exact)]
        if label(state) == "step":
            return add(state, 1)
        if state.dtype == "uint32" and label(state) == "seed":
            return None
        kind = int(self.r.integers(10))
        twins = [n for n in self.states if n.type == state.type and n is not state]
        twins = [n for n in twins if n in self.exact_states or not exact]
        if kind == 0 and twins:  # swapped, or moved round in a ring
            other = self.one(twins)
            if other.op.label not in ("seed", "step"):
                if (state in self.exact_states) == (other in self.exact_states):
                    updates[other.op.label] = state
                return other
        if kind == 1 and len(set(state.shape)) < state.rank:  # a view of itself with axes exchanged
            same = [(a, b) for a in range(state.rank) for b in range(a) if state.shape[a] == state.shape[b]]
            a, b = self.one(same)
            order = list(range(state.rank))
            order[a], order[b] = b, a
            return transpose(state, tuple(order))
        if kind == 2 and state.rank and state.shape[0] > 1:  # rolled
            return concatenate((state[1:], state[:1]), 0)
        if kind == 3 and state.rank and state.type.size:  # backwards in memory by another shape
            return reshape(transpose(state), state.shape)
        if kind == 4:
            return filled(state.shape, 1, state.dtype) if state.dtype != "bool" else None
        if kind == 5 and updates:  # the node that updates another state, too
            shared = [n for n in updates.values() if n.type == state.type and (self.exact[n] or not exact)]
            if shared:
                return self.one(shared)
        if state.type.is_float and not exact:
            if kind < 8:
                move = self.like(state)
                return 0.9 * state + 0.1 * tanh(move) if kind < 7 else tanh(state - move)
            return tanh(self.one(able)) if able else None
        if state.dtype in ("int32", "int64", "uint32"):
            return add(state, self.one(able)) if able else add(state, 1)
        return self.one(able) if able else None

    def gradient_updates(self, updates: dict[str, Node]) -> None:
        """Train some of the states on a smooth part of the graph."""
        losses = [n for n in self.nodes if n.type.is_float and self.smooth[n] and not self.exact[n] and n.type.size]
        losses = [n for n in losses if n.dtype == self.float]
        if not losses:
            return
        loss = reduce_mean(square(self.one(losses[-6:])))
        reached = set(Graph({"loss": loss}).nodes())
        trained = [s for s in self.states if s in reached and s.dtype == self.float and s not in self.exact_states][:4]
        for state, g in zip(trained, gradients(loss, trained), strict=True):
            updates[label(state)] = self.keep(state - 0.1 * tanh(g))

    def program(self) -> Program:
        for _ in range(int(self.r.integers(1, 4))):
            self.leaf(self.shape(), self.float)
        if self.chance(0.6):
            self.keep(input_node("batch", (self.batch, *self.sizes[1:2]), self.float))
        if self.chance(0.5):
            dtype = self.one(["uint8", "int32", "uint8", "float32"])
            x = self.keep(
                input_node(
                    "x", (self.batch, *(self.one(self.sizes[:3]) for _ in range(int(self.r.integers(0, 3))))), dtype
                )
            )
            self.keep(cast(x, self.float) * (1 / 255))
        self.grow(int(self.r.choice([2, 5, 10, 20, 35])))
        updates: dict[str, Node] = {}
        if self.chance(0.35):
            self.gradient_updates(updates)
        for state in list(self.states):
            if label(state) not in updates and self.chance(0.6):
                new = self.update_for(state, updates)
                if new is not None:
                    updates[label(state)] = self.keep(new)
        if self.chance(0.1):  # a state that nothing reads
            new = self.pick()
            updates["unread"] = tanh(new)
        chosen = [self.one(self.nodes) for _ in range(int(self.r.integers(1, 5)))] + self.nodes[-2:]
        if self.chance(0.3) and self.states:
            chosen.append(self.one(self.states))
        if self.chance(0.2):
            chosen.append(filled(self.shape(), 1.5, self.float))
        if self.chance(0.2):
            chosen.append(chosen[0])  # two outputs of one node
        if self.chance(0.2):
            chosen.append(transpose(self.pick()))
        graph = Graph({f"y{i}": n for i, n in enumerate(chosen)}, updates)
        verify(graph)
        return self.with_arrays(graph)

    def with_arrays(self, graph: Graph) -> Program:
        inputs, states = leaf_types(graph)
        gather = self.chance(0.6)
        rows = self.batch + int(self.r.integers(0, 20))
        steps = int(self.r.choice([1, 2, 3, 5]))
        data = {
            name: self.array(kind.with_shape((rows, *kind.shape[1:])) if gather else kind)
            for name, kind in inputs.items()
        }
        index = self.r.integers(0, rows, (steps, self.batch)) if gather else None
        return Program(self.seed, graph, {name: self.array(kind) for name, kind in states.items()}, data, index)

    def array(self, kind: TensorType) -> np.ndarray:
        if kind.is_float:
            x = np.asarray(self.r.standard_normal(kind.shape))
            if self.special and x.size:
                odd = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0])[self.r.integers(0, 5, kind.shape)]
                x = np.where(self.r.random(kind.shape) < 0.02, odd, x)
            return x.astype(kind.dtype)
        high = {"bool": 2, "uint8": 256, "int32": 50, "int64": 50, "uint32": 2**32}[kind.dtype]
        return np.asarray(self.r.integers(0, high, kind.shape)).astype(kind.dtype)


def square(x: Node) -> Node:
    return multiply(x, x)


def make(seed: int) -> Program:
    return Maker(seed).program()


# --- running and comparing ----------------------------------------------------------------------------------------

Results = dict[str, np.ndarray]


def run(executor, program: Program, threads: int = 1) -> Results:
    """All outputs and the final state."""
    steps = () if program.index is None else (len(program.index),)
    outputs = {n: np.full((*steps, *y.shape), 77).astype(y.dtype) for n, y in program.graph.outputs.items()}
    state = {}
    for name, array in program.state.items():
        state[name] = empty(TensorType.of(array))
        state[name][...] = array
    compiled = executor.compile(program.graph, gather=program.index is not None)
    compiled.run(state, program.data, program.index, outputs, threads)
    return outputs | {f"state {name}": np.array(array) for name, array in state.items()}


def noisy(program: Program, r: np.random.Generator, ulps: float = 4) -> Results:
    """The numpy executor with the last places of every rounded result at random: Monte Carlo arithmetic.

    What is summed is blurred as well, because terms that cancel leave the errors of the terms.
    Source: Parker (1997), "Monte Carlo arithmetic", UCLA CSD-970002.
    """
    nodes, exact = program.graph.nodes(), exactness(program.graph)
    state = {name: array.copy() for name, array in program.state.items()}
    steps = [None] if program.index is None else list(program.index)
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in program.graph.outputs}

    def blur(x: np.ndarray, size: float = ulps) -> np.ndarray:
        if x.dtype.kind != "f":
            return x
        return (x * (1 + size * np.finfo(x.dtype).eps * r.uniform(-1, 1, x.shape))).astype(x.dtype)

    for rows in steps:
        values: dict[Node, np.ndarray] = {}
        for node in nodes:
            if isinstance(node.op, Input):
                values[node] = program.data[node.op.label] if rows is None else program.data[node.op.label][rows]
            elif isinstance(node.op, State):
                values[node] = state[node.op.label]
            else:
                given = [values[x] for x in node.inputs]
                if isinstance(node.op, (Contraction, *CONVOLUTIONS, ReduceSum, Softmax, LogSumExp, MomentAbout)):
                    given = [blur(x) for x in given]
                value = np.asarray(node.op.reference(*given))
                values[node] = value if exact[node] or node.op.name in EXACT else blur(value)
        for name, node in program.graph.outputs.items():
            outputs[name].append(values[node].copy())
        for name, value in {name: values[node].copy() for name, node in program.graph.updates.items()}.items():
            state[name] = value
    stacked = {name: several[0] if program.index is None else np.stack(several) for name, several in outputs.items()}
    return stacked | {f"state {name}": array for name, array in state.items()}


def exactness(graph: Graph) -> dict[Node, bool]:
    """Which nodes have the same bits on every executor; a state only if its updates do, step after step."""
    rounded: set[str] = set()
    while True:
        exact: dict[Node, bool] = {}
        for node in graph.nodes():
            able = node.op.name in EXACT or node.dtype not in FLOATS
            exact[node] = able and all(exact[x] for x in node.inputs)
            if isinstance(node.op, State):
                exact[node] = node.op.label not in rounded
        more = {name for name, node in graph.updates.items() if not exact[node]} - rounded
        if not more:
            return exact
        rounded |= more


def differences(program: Program, want: Results, got: Results) -> list[str]:
    """What in ``got`` is further from ``want`` than rounding explains."""
    found = []
    r = np.random.default_rng(program.seed)
    with np.errstate(all="ignore"):
        samples = [noisy(program, r) for _ in range(3)]
    for name, right in want.items():
        left = got[name]
        if left.shape != right.shape or left.dtype != right.dtype:
            found.append(f"{name}: {left.dtype}{left.shape}, not {right.dtype}{right.shape}")
            continue
        same = left == right
        if right.dtype.kind == "f":
            same |= np.isnan(left) & np.isnan(right)
            finite = right[np.isfinite(right)]
            unit = float(np.finfo(right.dtype).eps)
            with np.errstate(all="ignore"):
                away = [np.abs(sample[name] - right) for sample in samples]
                allowed = 8 * max((float(a[np.isfinite(a)].max(initial=0.0)) for a in away), default=0.0)
                allowed += 16 * unit * float(np.abs(finite).max(initial=0.0))
                same |= np.abs(left - right) <= allowed
        if not same.all():
            at = tuple(int(i) for i in np.argwhere(~same)[0])
            limit = f", allowed {allowed:.3g}" if right.dtype.kind == "f" else ""
            found.append(f"{name}{list(at)}: {left[at]!r}, numpy {right[at]!r} ({(~same).sum()} of {same.size}{limit})")
    return found


def fault(executor, program: Program, threads: tuple[int, ...] = (1,)) -> str:
    """What is wrong with the executor's results; empty if nothing. More ``threads`` must give the same bits."""
    if isinstance(executor, XlaExecutor) and has_missing_in_groups(program):
        return ""
    want = run(NumpyExecutor(), program)
    try:
        results = [run(executor, program, n) for n in threads]
    except Exception:
        return traceback.format_exc()
    found = differences(program, want, results[0])
    for n, other in zip(threads[1:], results[1:], strict=True):
        changed = [name for name in want if results[0][name].tobytes() != other[name].tobytes()]
        found += [f"{name}: {n} threads give other bits than {threads[0]}" for name in changed]
    return "\n".join(found)


def has_missing_in_groups(program: Program) -> bool:
    """Whether NaN or infinities may come into a convolution with groups.

    XLA's code for CPUs multiplies each group's channels by the others' weights, too, as zeros: what is NaN in one group
    then is NaN in all.
    """
    given = (*program.state.values(), *program.data.values())
    grouped = any(isinstance(n.op, CONVOLUTIONS) and n.op.groups > 1 for n in program.graph.nodes())
    return grouped and not all(np.isfinite(x).all() for x in given)


def shrink(executor, program: Program, threads: tuple[int, ...] = (1,)) -> Program:
    """A smaller program at which the executor fails too: without outputs, updates and steps that do not matter."""
    candidate: Program | None = program
    while candidate is not None:
        program, candidate = candidate, next((p for p in smaller(program) if fault(executor, p, threads)), None)
    return program


def smaller(program: Program):
    """The same with one thing less."""
    outputs, updates = dict(program.graph.outputs), dict(program.graph.updates)
    if program.index is not None and len(program.index) > 1:
        yield replace(program, index=program.index[:1])
        yield replace(program, index=program.index[:-1])
    for name in outputs:
        yield narrowed(program, {k: v for k, v in outputs.items() if k != name}, updates)
    for name in updates:
        yield narrowed(program, outputs, {k: v for k, v in updates.items() if k != name})
    if len(outputs) + len(updates) == 1:  # something earlier may be wrong already
        for node in program.graph.nodes()[:-1]:
            if node.inputs:
                yield narrowed(program, {"y": node}, {})


def narrowed(program: Program, outputs: dict[str, Node], updates: dict[str, Node]) -> Program:
    graph = Graph(outputs, updates)
    inputs, states = leaf_types(graph)
    return replace(
        program,
        graph=graph,
        state={name: program.state[name] for name in states},
        data={name: program.data[name] for name in inputs},
    )


def report(executor, program: Program, threads: tuple[int, ...] = (1,)) -> str:
    small = shrink(executor, program, threads)
    steps = "no index" if small.index is None else f"{len(small.index)} steps"
    return (
        f"random program {program.seed}, threads {threads}, shrunk ({steps}):\n{to_text(small.graph)}"
        f"{fault(executor, small, threads)}\n"
        f"again: python -m tests.executors.random_programs --seed {program.seed} --count 1"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare an executor with the numpy one on random programs.")
    parser.add_argument("--seed", type=int, default=0, help="the first program's seed")
    parser.add_argument("--count", type=int, default=100, help="how many programs")
    parser.add_argument("--executor", default="native", help="numpy, native, checked, native-<host> or xla")
    parser.add_argument("--threads", type=int, default=2, help="compare the bits of 1 and this many threads; 1 for not")
    parser.add_argument("--show", action="store_true", help="print each program's seed before it runs, to find a crash")
    given = parser.parse_args()
    from tests.conftest import EXECUTORS  # here, so that making programs needs no pytest

    several = given.threads > 1 and given.executor != "xla"  # which decides itself, and would compile for each
    executor, threads = EXECUTORS[given.executor], (1, given.threads) if several else (1,)
    start, wrong = time.monotonic(), 0
    for seed in range(given.seed, given.seed + given.count):
        if given.show:
            print(seed, flush=True)
        program = make(seed)
        if fault(executor, program, threads):
            wrong += 1
            print(report(executor, program, threads), end="\n\n", flush=True)
    print(f"{given.count} programs, {wrong} wrong, {time.monotonic() - start:.1f} seconds")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
