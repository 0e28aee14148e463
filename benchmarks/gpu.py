"""thalweg on a GPU beside hand-written JAX, Keras on JAX and PyTorch: ``python -m benchmarks.gpu``.

It takes five minutes at most. The peers' processes share the GPU and stand still but for the one whose turn it is
(``benchmarks.pieces``). All of them multiply in float32, none in TF32, and keep the data on the device but for Keras,
whose ``fit`` brings every batch.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.runner import log
from benchmarks.table import markdown
from benchmarks.workloads import ON_GPU, Workload
from benchmarks.xla import described, measured

THALWEG = "thalweg_xla"
AIMS = {"jax_scan": 0.95, "keras_jax": 1.2, "torch_memory": 1.2, "torch_compiled": None}
"""The peers, and how many times as fast thalweg is to be."""

SETTINGS = {
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # the memory is for all of them
    "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    "BENCHMARKS_DEVICE": "cuda",
}
"""Of the environment, for every peer."""

SECONDS = 240
"""After so many no other network is begun: the last one is done in a minute."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workload", nargs="+", choices=ON_GPU, default=list(ON_GPU), metavar="NAME")
    parser.add_argument("--peers", nargs="+", choices=AIMS, default=list(AIMS), metavar="NAME")
    given = parser.parse_args()
    name = gpu()
    os.environ.update(SETTINGS)
    peers = [peer for peer in (THALWEG, *given.peers) if not PEERS[peer].missing]
    end = perf_counter() + SECONDS
    lines: list[Sequence[str]] = []
    for workload in map(ON_GPU.__getitem__, given.workload):
        if perf_counter() > end:
            log(f"{workload.name} is left for another run: --workload {workload.name}")
            continue
        able = [peer for peer in peers if PEERS[peer].supports(workload)]
        lines += rows(workload, measured(workload, able, os.cpu_count() or 1))
    print(f"gpu {name}, {described()}\n")
    print(markdown(("network", "peer", "ms a step", "peer / thalweg", "aimed at", "disturbed"), lines))


def gpu() -> str:
    """What it is called. Ends the program where JAX sees none."""
    from thalweg.errors import ThalwegError
    from thalweg.executors.xla.devices import devices

    try:
        return str(devices("gpu")[0].device_kind)
    except ThalwegError as error:
        raise SystemExit(f"No GPU here, so nothing is measured.\n{error}") from None


def rows(workload: Workload, figures: Mapping[str, Mapping[str, Any]]) -> list[Sequence[str]]:
    """The lines of a network: a peer each."""
    lines: list[Sequence[str]] = []
    for peer, figure in figures.items():
        ratio, aim = figure["seconds"] / figures[THALWEG]["seconds"], AIMS.get(peer)
        short = "" if aim is None or ratio >= aim else " (short of it)"
        lines.append(
            (
                f"{workload.name}, batch {workload.batch_size}",
                PEERS[peer].title,
                f"{1e3 * figure['seconds']:.3g}",
                f"{ratio:.2f}",
                "" if aim is None else f"{aim:.2f}{short}",
                f"{figure['disturbed']} of {figure['pieces']}",
            )
        )
    return lines


if __name__ == "__main__":
    main()
