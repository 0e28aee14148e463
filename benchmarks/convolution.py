"""Single convolutions: ``python -m benchmarks.convolution``.

Each way as a share of the FMA peak: the products that the definition asks for, over the best of several runs. Whole
networks of them are workloads of ``python -m benchmarks``.
"""

import argparse
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from benchmarks.limit import measure
from benchmarks.table import markdown

BATCH = 128


class Picture(NamedTuple):
    """One convolution: images of side x side x channels, filters of size x size."""

    side: int
    channels: int
    filters: int
    size: int = 3

    def __str__(self) -> str:
        return f"{self.channels} -> {self.filters}, {self.side} x {self.side}, {self.size} x {self.size}"


PICTURES = (Picture(26, 32, 64), Picture(28, 1, 32), Picture(32, 16, 16), Picture(8, 64, 64))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolution")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    peak = measure(given.threads).flops
    rows = [(str(picture), *shares(picture, given.threads, peak)) for picture in PICTURES]
    print(markdown(("convolution, batch 128", "forward", "by the input", "by the kernel"), rows))
    print(f"\nshares of {peak / 1e9:.0f} GFLOP/s, the FMA peak with {given.threads} threads")


def shares(picture: Picture, threads: int, peak: float) -> list[str]:
    """Forward, the gradient by the input, and that by the kernel."""
    from thalweg import ops
    from thalweg.executors.native.executor import NativeExecutor
    from thalweg.graph.node import Graph

    side, channels, filters, size = picture
    x = ops.input_node("x", (BATCH, side, side, channels))
    kernel = ops.input_node("kernel", (size, size, channels, filters))
    y = ops.convolve(x, kernel)
    slope = ops.input_node("slope", y.shape)
    random = np.random.default_rng(0)
    data = {n.op.label: random.standard_normal(n.shape, np.float32) for n in (x, kernel, slope)}  # type: ignore[attr-defined]
    flops = 2 * y.type.size * size * size * channels
    found = []
    for node in (y, *y.op.vjp(slope, (x, kernel), y)):
        assert node is not None, "both have gradients"
        graph = Graph({"result": node})
        program = NativeExecutor().compile(graph, gather=False)
        wanted = {name: data[name] for name in program.inputs}
        results = {"result": np.empty(node.shape, np.float32)}
        step = partial(program.run, {}, wanted, None, results, threads)
        seconds = [timed(step) for _ in range(15)]
        found.append(f"{flops / min(seconds) / peak:.0%}")
    return found


def timed(work: Callable[[], None]) -> float:
    """Seconds of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


if __name__ == "__main__":
    main()
