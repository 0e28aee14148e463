"""Convolutions and pooling of random shapes: values and gradients, native in float32 against PyTorch in float64.

``python -m tests.executors.random_convolutions --seed S --count N`` is a loop over seeds that prints what differs; the
tests run a few dozen. Without PyTorch the numpy executor in float64 takes its place.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg import layers, ops
from thalweg.backprop import gradients
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.layers.tracing import tracing
from thalweg.state.layout import empty
from thalweg.state.names import parameter_state

PRIMES_AND_VECTORS = (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 23, 31, 32, 33, 37, 48, 53, 61, 64, 67, 70)
MOST_WORK = 3_000_000
"""Products of a case, so that the numpy executor keeps up."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A layer, its input, its weights, and what the gradient of its result is."""

    kind: str
    batch: int
    places: tuple[int, ...]
    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: str
    channels: int
    filters: int
    groups: int
    seed: int

    @property
    def rank(self) -> int:
        return len(self.places)

    @property
    def spans(self) -> tuple[int, ...]:
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilation, strict=True))

    def around(self) -> list[tuple[int, int]]:
        """Places before and after: TensorFlow's rule, written down here once more."""
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        if self.padding == "causal":
            return [(span - 1, 0) for span in self.spans]
        ends = []
        for n, s, span in zip(self.places, self.strides, self.spans, strict=True):
            total = max(span - s if n % s == 0 else span - n % s, 0)
            ends.append((total // 2, total - total // 2))
        return ends

    def fits(self) -> bool:
        return all(n + sum(ends) >= span for n, ends, span in zip(self.places, self.around(), self.spans, strict=True))

    def windows(self) -> tuple[int, ...]:
        if self.kind == "transposed":
            parts = zip(self.places, self.strides, self.spans, strict=True)
            return tuple((n - 1) * s + max(span, s) for n, s, span in parts)
        padded = zip(self.places, self.around(), self.spans, self.strides, strict=True)
        return tuple((n + sum(ends) - span) // s + 1 for n, ends, span, s in padded)

    def layer(self, dtype: str) -> layers.Layer:
        if self.kind in ("max", "average"):
            name = f"{self.kind.title()}Pooling{self.rank}D"
            return getattr(layers, name)(self.size, self.strides, self.padding, "channels_last", dtype=dtype)
        # That the channels are last is said, because some of these shapes look as if they came first.
        options: dict[str, Any] = {"dilation_rate": self.dilation, "dtype": dtype, "data_format": "channels_last"}
        if self.kind == "transposed":
            make = getattr(layers, f"Conv{self.rank}DTranspose")
        else:
            make = getattr(layers, f"Conv{self.rank}D")
            options["groups"] = self.groups
        return make(self.filters, self.size, self.strides, self.padding, **options)

    def arrays(self) -> Arrays:
        """x, the gradient by the result, and the weights."""
        r = np.random.default_rng((self.seed, 1))
        shapes = {"x": (self.batch, *self.places, self.channels)}
        if self.kind == "transposed":
            shapes |= {"kernel": (*self.size, self.filters, self.channels), "bias": (self.filters,)}
        elif self.kind == "convolution":
            shapes |= {"kernel": (*self.size, self.channels // self.groups, self.filters), "bias": (self.filters,)}
        shapes["g"] = (self.batch, *self.windows(), self.filters)
        return {name: r.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}

    def terms(self) -> dict[str, int]:
        """How many products each number of a result is the sum of, at most."""
        taps = math.prod(self.size)
        of_batch = self.batch * max(math.prod(self.windows()), math.prod(self.places))
        pools = self.kind in ("max", "average")
        inner, outer = (1, 1) if pools else (self.channels // self.groups, self.filters // self.groups)
        return {"y": taps * inner + 1, "x": taps * outer, "kernel": of_batch, "bias": of_batch}


def make(seed: int) -> Case:
    """Any case; a few have windows larger than the image (``not fits()``)."""
    r = np.random.default_rng(seed)
    kind = str(r.choice(["convolution", "transposed", "max", "average"], p=[0.7, 0.1, 0.1, 0.1]))
    while True:
        rank = int(r.choice([1, 2, 3], p=[0.25, 0.6, 0.15]))
        batch = int(r.choice([1, 1, 2, 3, 5]))
        places = tuple(int(n) for n in r.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 17, 20], rank))
        size = tuple(int(min(r.integers(1, 8, 2))) for _ in range(rank))
        strides = tuple(int(n) for n in r.choice([1, 1, 2, 3], rank))
        dilation = tuple(int(n) for n in r.choice([1, 1, 2, 3], rank))
        padding = str(r.choice(["valid", "same", *["causal"] * (rank == 1 and kind == "convolution")]))
        channels, filters = (int(n) for n in r.choice(PRIMES_AND_VECTORS, 2))
        groups = 1
        if kind == "convolution" and r.random() < 0.35:
            divisors = [g for g in range(1, channels + 1) if channels % g == 0]
            groups = int(r.choice(divisors))
            filters = groups * int(r.integers(1, max(70 // groups, 1) + 1))
        if kind in ("max", "average"):
            filters, dilation = channels, (1,) * rank
        if kind == "transposed":
            padding = "valid"
        case = Case(kind, batch, places, size, strides, dilation, padding, channels, filters, groups, seed)
        if kind != "transposed" and not case.fits():
            if r.random() < 0.6:
                return case
            continue
        summed = 1 if kind in ("max", "average") else channels // groups
        positions = max(math.prod(case.windows()), math.prod(places))
        if batch * positions * filters * summed * math.prod(size) <= MOST_WORK:
            return case


def compiled(case: Case, executor, dtype: str = "float32", threads: tuple[int, ...] = (1,)) -> list[Arrays]:
    """y and the gradients, by an executor, once for each number of threads."""
    arrays = {name: array.astype(dtype) for name, array in case.arrays().items()}
    layer = case.layer(dtype)
    x, g = (ops.input_node(name, arrays[name].shape, dtype) for name in ("x", "g"))
    layer.infer(x.type)
    parameters = layer.named_parameters()
    with tracing(parameters) as trace:
        y = layer(x)
        nodes = {"x": x, **{name: trace.node(parameter) for name, parameter in parameters.items()}}
        slopes = gradients(ops.reduce_sum(y * g), list(nodes.values()))
    outputs = {"y": y, **dict(zip(nodes, slopes, strict=True))}
    program = executor.compile(Graph(outputs, {}), gather=False)
    results = []
    for count in threads:
        results.append({name: np.full(node.shape, 77, dtype) for name, node in outputs.items()})
        state = {parameter_state(name): _stored(arrays[name]) for name in parameters}
        program.run(state, {"x": arrays["x"], "g": arrays["g"]}, None, results[-1], count)
    return results


def _stored(array: np.ndarray) -> np.ndarray:
    """The same numbers where a state has them."""
    state = empty(TensorType(array.shape, str(array.dtype)))
    state[...] = array
    return state


def pytorch(case: Case, *, absolute: bool = False) -> Arrays:
    """The same by PyTorch in float64; ``absolute``: of the numbers' sizes, which the rounding goes by."""
    import torch

    torch.set_num_threads(1)  # two take longer for so little
    functions = torch.nn.functional
    change = np.abs if absolute else np.asarray
    given = {name: torch.tensor(change(array).astype(np.float64)) for name, array in case.arrays().items()}
    g = given.pop("g")
    for tensor in given.values():
        tensor.requires_grad_()
    around = [n for ends in reversed(case.around()) for n in ends]
    x = given["x"].movedim(-1, 1)
    if case.kind == "max":
        name = f"{'avg' if absolute else 'max'}_pool{case.rank}d"
        y = getattr(functions, name)(
            functions.pad(x, around, value=0.0 if absolute else -math.inf), case.size, case.strides
        )
        y = y * math.prod(case.size) if absolute else y  # the sums over windows: of what the gradients are added up
    elif case.kind == "average":
        pool = getattr(functions, f"avg_pool{case.rank}d")
        inside = pool(functions.pad(torch.ones_like(x), around), case.size, case.strides)
        y = pool(functions.pad(x, around), case.size, case.strides) / inside
    elif case.kind == "transposed":
        kernel = given["kernel"].movedim((-1, -2), (0, 1)).contiguous()
        full = getattr(functions, f"conv_transpose{case.rank}d")(x, kernel, None, case.strides, dilation=case.dilation)
        missing = [n - m for n, m in zip(case.windows(), full.shape[2:], strict=True)]
        y = functions.pad(full, [n for m in reversed(missing) for n in (0, m)]).movedim(1, -1) + given["bias"]
        y = y.movedim(-1, 1)
    else:
        kernel = given["kernel"].movedim((-1, -2), (0, 1)).contiguous()
        convolve = getattr(functions, f"conv{case.rank}d")
        y = convolve(functions.pad(x, around), kernel, given["bias"], case.strides, 0, case.dilation, case.groups)
    y = y.movedim(1, -1)
    y.backward(g)
    return {"y": y.detach().numpy(), **{name: tensor.grad.numpy() for name, tensor in given.items()}}


def definition(case: Case) -> Arrays:
    """By the numpy executor in float64."""
    return compiled(case, NumpyExecutor(), "float64")[0]


HAS_TORCH = importlib.util.find_spec("torch") is not None


def differences(case: Case, got: Arrays, want: Arrays, sizes: Arrays, dtype: str = "float32") -> list[str]:
    """What is further off than rounding can explain, as a line each.

    A sum of n products, each added to what there is, makes n errors of half a unit in the last place of at most the sum
    of the products' sizes. Their signs are as good as random, so that together they are sqrt(n) of these; six times
    that is allowed, because the largest of thousands of results is looked at.
    """
    found = []
    for name, right in want.items():
        allowed = 6 * math.sqrt(case.terms()[name]) * float(np.finfo(dtype).eps) / 2 * sizes[name] + 1e-30
        wrong = ~(np.abs(got[name] - right) <= allowed)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            found.append(f"{name}{list(at)}: {got[name][at]}, not {right[at]}; {wrong.sum()} of {wrong.size} differ")
    if case.kind == "max" and not np.array_equal(got["y"], want["y"]):
        found.append("y: not the very numbers of x")
    return found


def fault(executor, case: Case, threads: tuple[int, ...] = (1, 2)) -> str:
    """What is wrong with the executor's results; empty if nothing. More ``threads`` must give the same bits."""
    results = compiled(case, executor, threads=threads)
    want = pytorch(case) if HAS_TORCH else definition(case)
    # Without PyTorch the largest number stands for the sizes.
    sizes = pytorch(case, absolute=True) if HAS_TORCH else {n: np.abs(y).max(initial=0.0) * 8 for n, y in want.items()}
    found = differences(case, results[0], want, sizes)
    for other in results[1:]:
        found += [f"{name}: other bits" for name in want if other[name].tobytes() != results[0][name].tobytes()]
    return "\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare convolutions of random shapes with PyTorch's.")
    parser.add_argument("--seed", type=int, default=0, help="the first case's seed")
    parser.add_argument("--count", type=int, default=100, help="how many cases")
    parser.add_argument("--executor", default="native", help="numpy, native, checked, native-<host> or xla")
    given = parser.parse_args()
    from tests.conftest import EXECUTORS

    start, wrong, refused = time.monotonic(), 0, 0
    for seed in range(given.seed, given.seed + given.count):
        case = make(seed)
        if case.kind != "transposed" and not case.fits():
            refused += 1
            continue
        try:
            text = fault(EXECUTORS[given.executor], case)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
        if text:
            wrong += 1
            print(f"{case}\n{text}\n", flush=True)
    print(f"{given.count} cases, {refused} too small, {wrong} wrong, {time.monotonic() - start:.1f} seconds")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
