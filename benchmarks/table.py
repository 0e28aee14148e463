"""Runs to figures, figures to Markdown."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.limit import Limit
from benchmarks.peers import PEERS, THALWEG, Peer
from benchmarks.runner import CacheState, Run
from benchmarks.workloads import WORKLOADS, Workload


class Figures(NamedTuple):
    """Medians over the rounds of one workload, peer and state of the cache."""

    workload: Workload
    peer: Peer
    cache: CacheState
    epoch_seconds: float
    first_epoch_seconds: float  # set-up and compiling included: from the arrays to the end of the first epoch
    import_seconds: float
    wall_seconds: float
    peak_bytes: float
    accuracy: float
    steps_by_threads: dict[int, int]  # of all these runs together; empty for peers that do not choose
    disturbed_runs: int
    runs: int

    @property
    def main_seconds(self) -> float:
        """The figure that the workload is about."""
        return self.wall_seconds if self.workload.whole_process else self.epoch_seconds


def summarize(runs: Sequence[Run]) -> list[Figures]:
    """The runs of each workload, peer and cache state, as medians, in the order of the tables."""
    keys = dict.fromkeys((run.job.workload.name, run.job.peer.name, run.job.cache) for run in runs)
    groups = [[run for run in runs if (run.job.workload.name, run.job.peer.name, run.job.cache) == key] for key in keys]
    order = list(WORKLOADS), list(PEERS)
    return sorted(
        map(medians, groups), key=lambda f: (order[0].index(f.workload.name), order[1].index(f.peer.name), f.cache)
    )


def medians(runs: Sequence[Run]) -> Figures:
    """The medians of runs of the same job: of the undisturbed ones, if there are any."""
    job = runs[0].job
    counted = [run for run in runs if not run.disturbed] or runs

    def median(value: Callable[[Run], float]) -> float:
        return statistics.median(map(value, counted))

    return Figures(
        workload=job.workload,
        peer=job.peer,
        cache=job.cache,
        epoch_seconds=median(lambda run: run.epoch_seconds),
        first_epoch_seconds=median(lambda run: run.result["setup_seconds"] + run.result["first_epoch_seconds"]),
        import_seconds=median(lambda run: run.result["import_seconds"]),
        wall_seconds=median(lambda run: run.wall_seconds),
        peak_bytes=median(lambda run: run.result["peak_bytes"]),
        accuracy=median(lambda run: run.result["accuracy"]),
        steps_by_threads=sum((Counter(run.steps_by_threads) for run in counted), Counter()),
        disturbed_runs=sum(run.disturbed for run in runs),
        runs=len(runs),
    )


def report(figures: Sequence[Figures], limit: Limit) -> str:
    """A section for each workload."""
    workloads = dict.fromkeys(entry.workload.name for entry in figures)
    return "\n\n".join(
        section([entry for entry in figures if entry.workload.name == name], limit) for name in workloads
    )


def section(figures: Sequence[Figures], limit: Limit) -> str:
    """Heading, limit, table and notes of one workload."""
    workload = figures[0].workload
    build = process_table if workload.whole_process else epoch_table
    notes = [
        f"{entry.disturbed_runs} of {entry.runs} runs of {label(entry)} were disturbed by other processes"
        + (" and left out." if entry.disturbed_runs < entry.runs else "; the figures stand for little.")
        for entry in figures
        if entry.disturbed_runs
    ]
    parts = [heading(workload), limit_line(workload, limit), build(figures, limit), *notes]
    return "\n\n".join(part for part in parts if part)


def heading(workload: Workload) -> str:
    """Name and shape: runs of equal layers are shortened to 20x64."""
    if workload.what != "train":
        return f"### {workload.name}: {workload.what}, {network(workload)}, {workload.source.train_rows:,} rows"
    networks = f"{len(workload.networks)} networks " if workload.settings else ""
    return (
        f"### {workload.name}: {networks}{network(workload)}, batch {workload.batch_size}, "
        f"{' / '.join(workload.rules)}, {workload.source.train_rows:,} rows"
    )


def network(workload: Workload) -> str:
    """Sizes and additions of a row of dense layers; the words for any other."""
    return workload.about or sizes(workload) + additions(workload)


def additions(workload: Workload) -> str:
    """What the hidden layers have beside product, bias and activation."""
    names = {
        "batch normalisation": any(layer.normalized for layer in workload.dense_layers),
        "dropout": any(layer.dropout for layer in workload.dense_layers),
    }
    there = [name for name, is_there in names.items() if is_there]
    return " with " + " and ".join(there) if there else ""


def sizes(workload: Workload) -> str:
    """784-512-10; a run of three or more equal layers as 20x64."""
    parts: list[tuple[int, int]] = []
    for size in workload.sizes:
        if len(parts) > 1 and parts[-1][0] == size:
            parts[-1] = (size, parts[-1][1] + 1)
        else:
            parts.append((size, 1))
    return "-".join("-".join(count * [str(size)]) if count < 3 else f"{count}x{size}" for size, count in parts)


def limit_line(workload: Workload, limit: Limit) -> str:
    """What the machine allows for one epoch."""
    state = f", {number(limit.state_seconds(workload))} s to read and write parameters and slots in each step"
    return (
        f"Limit per epoch: {workload.epoch_flops / 1e9:.4g} GFLOP = {number(limit.epoch_seconds(workload))} s "
        f"at the FMA peak; beside it {number(limit.data_seconds(workload))} s to read the data once from memory"
        + (state if workload.what == "train" else "")
        + "."
    )


def epoch_table(figures: Sequence[Figures], limit: Limit) -> str:
    """Seconds per steady epoch, and the rest."""
    header = (
        "peer",
        "s/epoch",
        "peer / thalweg",
        "first epoch s",
        "import s",
        "peak MB",
        "accuracy",
        "share of FLOP limit",
        "threads",
    )
    rows = [
        (
            label(entry),
            number(entry.epoch_seconds),
            ratio(entry, figures),
            number(entry.first_epoch_seconds),
            number(entry.import_seconds),
            f"{entry.peak_bytes / 1e6:.0f}",
            f"{entry.accuracy:.4f}",
            f"{100 * limit.epoch_seconds(entry.workload) / entry.epoch_seconds:.0f} %",
            threads_taken(entry.steps_by_threads),
        )
        for entry in figures
    ]
    return markdown(header, rows)


def threads_taken(steps: Mapping[int, int]) -> str:
    """Which numbers of threads were chosen for which share of the steps: "2: 99.4 %, 1: 0.6 %"."""
    most_first = sorted(steps.items(), key=lambda item: -item[1])
    return ", ".join(f"{threads}: {100 * count / sum(steps.values()):.1f} %" for threads, count in most_first) or "-"


def process_table(figures: Sequence[Figures], limit: Limit) -> str:
    """Seconds of the whole process, with cold and warm caches of compiled code."""
    header = ("peer", "cache", "process s", "peer / thalweg", "import s", "peak MB", "accuracy")
    rows = [
        (
            label(entry),
            entry.cache if entry.peer.caches else "none",
            number(entry.wall_seconds),
            ratio(entry, figures),
            number(entry.import_seconds),
            f"{entry.peak_bytes / 1e6:.0f}",
            f"{entry.accuracy:.4f}",
        )
        for entry in figures
    ]
    return markdown(header, rows)


def label(entry: Figures) -> str:
    """The peer's title."""
    return entry.peer.title


def ratio(entry: Figures, figures: Sequence[Figures]) -> str:
    """How many times thalweg's seconds; cold beside cold, warm beside warm.

    A peer without a cache is compared with both, "cold / warm": it does the same in both cases.
    """
    thalweg = {other.cache: other.main_seconds for other in figures if other.peer.name == THALWEG}
    states = [entry.cache] if entry.peer.caches else ["cold", "warm"]
    ratios = [f"{entry.main_seconds / thalweg[state]:.2f}" for state in states if state in thalweg]
    return " / ".join(ratios) or "-"


def number(value: float) -> str:
    """Three significant digits; a power of ten only below a ten-thousandth."""
    if abs(value) < 1e-4:
        return f"{value:.3g}"
    return f"{value:#.3g}".rstrip(".") if abs(value) < 999.5 else f"{value:.0f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; numbers to the right."""
    rule = ["---", *("---:" for _ in header[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))
