"""Trains the workloads with thalweg and every installed peer, and writes the table.

python -m benchmarks --workload mnist_mlp --rounds 3 --output results
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.limit import Limit, describe, measure
from benchmarks.machine import describe_machine
from benchmarks.peers import PEERS, Peer
from benchmarks.runner import RETRIES, Job, Run, Workspace, log, run_rounds
from benchmarks.table import report, summarize
from benchmarks.workloads import WORKLOADS, Workload


def main() -> None:
    """Measure the limit, run the rounds, print and write the results."""
    given = parse()
    peers, missing = split_installed([PEERS[name] for name in given.peers])
    for line in missing:
        log(line)
    log("measuring the limit of the machine")
    limit = measure(given.threads)
    with Workspace() as workspace:
        jobs = all_jobs([WORKLOADS[name] for name in given.workload], peers, given)
        runs = run_rounds(workspace, jobs, given.rounds, given.retries)
    machine = describe_machine()
    text = document(machine, limit, runs, missing, given)
    print(text)
    if given.output:
        given.output.with_suffix(".md").write_text(text + "\n")
        given.output.with_suffix(".json").write_text(json.dumps(raw(machine, limit, runs, missing), indent=1) + "\n")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of each workload's own number")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--retries", type=int, default=RETRIES, help="repetitions of a disturbed run")
    parser.add_argument("--output", type=Path, help="writes OUTPUT.md and OUTPUT.json")
    parser.epilog = f"workloads: {', '.join(WORKLOADS)}; peers: {', '.join(PEERS)}"
    return parser.parse_args()


def split_installed(peers: Sequence[Peer]) -> tuple[list[Peer], list[str]]:
    """The peers that can run, and a line for each that cannot."""
    missing = [f"{peer.title} is left out: {', '.join(peer.missing)} not installed" for peer in peers if peer.missing]
    return [peer for peer in peers if not peer.missing], missing


def all_jobs(workloads: Sequence[Workload], peers: Sequence[Peer], given: argparse.Namespace) -> list[Job]:
    """Every workload with every peer that supports it; where the whole process counts, with a warm cache as well."""
    return [
        Job(workload, peer, cache, given.epochs, threads=given.threads)
        for workload in workloads
        for peer in peers
        if peer.supports(workload)
        for cache in (("cold", "warm") if workload.whole_process and peer.caches else ("cold",))
    ]


def document(
    machine: dict[str, str], limit: Limit, runs: Sequence[Run], missing: Sequence[str], given: argparse.Namespace
) -> str:
    """The Markdown text."""
    about = ", ".join(f"{name} {value}" for name, value in machine.items())
    how = (
        f"Medians of {given.rounds} interleaved rounds, each run in a fresh process, {given.threads} threads; "
        "s/epoch without each run's first epoch, which is given with set-up and compiling."
    )
    parts = [about, describe(limit), how, "\n".join(f"- {line}" for line in missing), report(summarize(runs), limit)]
    return "\n\n".join(part for part in parts if part)


def raw(machine: dict[str, str], limit: Limit, runs: Sequence[Run], missing: Sequence[str]) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        "machine": machine,
        "limit": limit.as_json(),
        "left_out": list(missing),
        "runs": [run.as_json() for run in runs],
    }


if __name__ == "__main__":
    main()
