"""Random networks of every shape, trained by thalweg and its peers: ``python -m benchmarks.shapes --seed 0``.

Each row is one network (``benchmarks.random_networks``). Its peers train it in processes of their own that stand still
but for the one whose turn it is: a piece of training each, round by round, so that all see the same machine. Setting
up, compiling and the first pieces are not counted; a piece during which other programs used the CPU is repeated.

With ``--output`` rows are added to OUTPUT.json and those that are there already are not measured again, so that a run
may be made in parts; OUTPUT.md has the table of all.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.arrays import Arrays
from benchmarks.limit import measure
from benchmarks.machine import describe_machine
from benchmarks.peers import PEERS, THALWEG
from benchmarks.pieces import Trainer, figures_of, rounds
from benchmarks.random_networks import network
from benchmarks.runner import log
from benchmarks.shapes_table import report
from benchmarks.table import threads_taken
from benchmarks.workloads import Workload

DEFAULT_PEERS = (THALWEG, "jax_scan", "keras_jax", "torch_memory", "torch_channels_last")


def main() -> None:
    """Measure the rows that are not there yet; print and write the table."""
    given = parse()
    end = perf_counter() + given.seconds
    results = read(given)
    for row in given.rows:
        if any((old["seed"], old["row"]) == (given.seed, row) for old in results["rows"]):
            continue
        if perf_counter() > end:
            log(f"rows from {row} on are left for another run")
            break
        results["rows"].append(measure_row(given.seed, row, given))
        write(results, given.output)
    print(report(results))


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--rows", type=part, help="instead of the first COUNT, FIRST:END of them")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no row after so many")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=DEFAULT_PEERS, metavar="NAME")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, help="adds to OUTPUT.json, writes OUTPUT.md")
    given = parser.parse_args()
    given.rows = given.rows or range(given.count)
    return given


def part(text: str) -> range:
    """``3:7`` -> the rows 3 to 6."""
    first, end = map(int, text.split(":"))
    return range(first, end)


def read(given: argparse.Namespace) -> dict[str, Any]:
    """What earlier runs have measured; of the first, the machine and its limit."""
    if given.output and given.output.with_suffix(".json").exists():
        found: dict[str, Any] = json.loads(given.output.with_suffix(".json").read_text())
        return found
    log("measuring the limit of the machine")
    return {"machine": describe_machine(), "limit": measure(given.threads).as_json(), "rows": []}


def write(results: dict[str, Any], output: Path | None) -> None:
    """Both files."""
    if output:
        output.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
        output.with_suffix(".md").write_text(report(results) + "\n")


def measure_row(seed: int, row: int, given: argparse.Namespace) -> dict[str, Any]:
    """Every peer that can train this network."""
    workload = network(seed, row)
    log(f"row {row}: {workload.about}, batch {workload.batch_size}, {workload.optimizer.name}")
    peers = [PEERS[name] for name in given.peers if PEERS[name].supports(workload) and not PEERS[name].missing]
    folder = Path(tempfile.mkdtemp(prefix="thalweg-shapes-"))
    trainers: list[Trainer] = []
    try:
        write_data(workload, seed, folder / "data")
        trainers += [Trainer(peer, (str(seed), str(row)), given.threads, folder) for peer in peers]
        pieces, failed = rounds(trainers)
    finally:
        for trainer in trainers:
            trainer.stop()
        shutil.rmtree(folder, ignore_errors=True)
    steps = workload.steps_per_epoch
    figures = {name: figures_of(each, steps) for name, each in pieces.items()}
    for name, each in figures.items():
        threads = f", steps by threads: {threads_taken(each['threads'])}" if each["threads"] else ""
        pieces_of = f"{each['pieces']} pieces, {each['disturbed']} disturbed"
        log(f"  {name}: {1e3 * each['seconds']:.4g} ms a step, {pieces_of}{threads}")
    return {
        "seed": seed,
        "row": row,
        "network": workload.about,
        "batch": workload.batch_size,
        "optimizer": workload.optimizer.name,
        "flops": workload.epoch_flops / steps,
        "state_bytes": workload.state_bytes,
        "data_bytes": workload.epoch_data_bytes / steps,
        "steps": steps,
        "peers": figures,
        "failed": failed,
    }


def write_data(workload: Workload, seed: int, folder: Path) -> None:
    """Normal numbers and labels without meaning: what is computed does not depend on them."""
    random, source = np.random.default_rng(seed), workload.source
    x = random.standard_normal((source.train_rows, *source.shape), np.float32)
    y = random.integers(0, source.classes, source.train_rows).astype(np.int32)
    Arrays(x, y, x[: source.test_rows], y[: source.test_rows]).save(folder)


if __name__ == "__main__":
    main()
