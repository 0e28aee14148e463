"""Runs peers in fresh processes, interleaved, and watches for foreign load while it does."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Literal, NamedTuple

from benchmarks.datasets import export
from benchmarks.disturbance import busy_seconds, foreign_seconds, is_disturbed, own_seconds
from benchmarks.peers import Peer
from benchmarks.workloads import Workload

RETRIES = 3
TIMEOUT_SECONDS = 1800
ROOT = Path(__file__).parent.parent

CacheState = Literal["cold", "warm"]
CACHE_VARIABLES = ("THALWEG_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")
CACHE_ENVIRONMENT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


class Job(NamedTuple):
    """What to run; the unit that rounds repeat."""

    workload: Workload
    peer: Peer
    cache: CacheState = "cold"
    epochs: int | None = None
    seed: int = 0
    threads: int = os.cpu_count() or 1


class Run(NamedTuple):
    """One run of a job: what the peer printed, and what was seen from outside."""

    job: Job
    result: dict[str, Any]
    wall_seconds: float
    foreign_seconds: float | None  # CPU time of all other processes meanwhile; None where it cannot be told
    disturbed: bool

    @property
    def epoch_seconds(self) -> float:
        """Median of the epochs after the first; of the only one if there is no other."""
        seconds = self.result["epoch_seconds"]
        return float(statistics.median(seconds[1:] or seconds))

    @property
    def steps_by_threads(self) -> dict[int, int]:
        """How many steps a peer that chooses ran on each number of threads; empty for others."""
        return {int(threads): steps for threads, steps in self.result.get("steps_by_threads", {}).items()}

    def as_json(self) -> dict[str, Any]:
        """All raw figures."""
        outside = {"wall_seconds": self.wall_seconds, "foreign_seconds": self.foreign_seconds}
        return {**self.result, "cache": self.job.cache, **outside, "disturbed": self.disturbed}


class PeerError(RuntimeError):
    """A peer's process failed; the text is the end of what it wrote to stderr."""


class Workspace:
    """A temporary folder with the prepared data and the peers' caches, for one benchmark run."""

    def __enter__(self) -> "Workspace":
        self.folder = Path(tempfile.mkdtemp(prefix="thalweg-benchmark-"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def data(self, workload: Workload) -> Path:
        """The folder of arrays, with this workload's in it."""
        folder = self.folder / "data"
        folder.mkdir(exist_ok=True)
        export(workload.source, folder)
        return folder

    def cache(self, job: Job) -> Path:
        """An empty folder for a cold run; for warm ones a folder that the job keeps."""
        if job.cache == "cold":
            return Path(tempfile.mkdtemp(prefix="cold-", dir=self.folder))
        folder = self.folder / f"warm-{job.workload.name}-{job.peer.name}-{job.threads}"
        folder.mkdir(exist_ok=True)
        return folder


def run_rounds(workspace: Workspace, jobs: Sequence[Job], rounds: int, retries: int = RETRIES) -> list[Run]:
    """Every job once per round, in turn and in alternating order; a job that fails is reported and left out."""
    left = list(fill_caches(workspace, jobs))
    runs: list[Run] = []
    for round_number in range(rounds):
        for job in list(left if round_number % 2 == 0 else reversed(left)):
            try:
                runs.append(run_undisturbed(workspace, job, retries))
                log(f"round {round_number + 1}/{rounds}", describe(runs[-1]))
            except PeerError as error:
                left.remove(job)
                log(f"{job.workload.name} {job.peer.name} failed and is left out:\n{error}")
    return runs


def fill_caches(workspace: Workspace, jobs: Iterable[Job]) -> Iterable[Job]:
    """Run each warm job once, unrecorded, so that its cache is filled; the jobs that work."""
    for job in jobs:
        try:
            if job.cache == "warm":
                run_once(workspace, job)
            yield job
        except PeerError as error:
            log(f"{job.workload.name} {job.peer.name} failed and is left out:\n{error}")


def run_undisturbed(workspace: Workspace, job: Job, retries: int = RETRIES) -> Run:
    """The first run that nothing disturbed; after ``retries`` repetitions the least disturbed, marked as such."""
    attempts: list[Run] = []
    for _ in range(retries + 1):
        attempts.append(run_once(workspace, job))
        if not attempts[-1].disturbed:
            return attempts[-1]
        log("disturbed", describe(attempts[-1]))
    return min(attempts, key=lambda run: (run.foreign_seconds or 0.0) / run.wall_seconds)


def run_once(workspace: Workspace, job: Job) -> Run:
    """One fresh process."""
    data = workspace.data(job.workload)
    cache = workspace.cache(job)
    busy, own, start = busy_seconds(), own_seconds(), perf_counter()
    completed = subprocess.run(
        command(job, data), cwd=ROOT, env=environment(cache), capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    wall = perf_counter() - start
    foreign = foreign_seconds(busy, busy_seconds(), own_seconds() - own)
    if job.cache == "cold":
        shutil.rmtree(cache, ignore_errors=True)
    if completed.returncode != 0:
        raise PeerError(completed.stderr[-2000:])
    result = json.loads(completed.stdout.splitlines()[-1])
    return Run(job, result, wall, foreign, is_disturbed(foreign, wall))


def command(job: Job, data: Path) -> list[str]:
    """The command line of the job's process."""
    return [
        *(sys.executable, "-m", "benchmarks.peers", job.peer.name, job.workload.name),
        *("--epochs", str(job.epochs or job.workload.epochs)),
        *("--seed", str(job.seed), "--threads", str(job.threads), "--data", str(data)),
    ]


def environment(cache: Path) -> dict[str, str]:
    """This process's environment, with every cache of compiled code inside ``cache``."""
    return {**os.environ, **CACHE_ENVIRONMENT, **{name: str(cache / name.lower()) for name in CACHE_VARIABLES}}


def describe(run: Run) -> str:
    """One line of progress."""
    foreign = "?" if run.foreign_seconds is None else f"{run.foreign_seconds:.2f}"
    threads = ", ".join(f"{steps} on {threads}" for threads, steps in sorted(run.steps_by_threads.items()))
    return (
        f"{run.job.workload.name} {run.job.peer.name} ({run.job.cache}): {run.epoch_seconds:.4f} s/epoch, "
        f"{run.wall_seconds:.2f} s in all, accuracy {run.result['accuracy']:.4f}, foreign CPU {foreign} s"
        + (f", steps by threads: {threads}" if threads else "")
    )


def log(*parts: str) -> None:
    """A line on stderr."""
    print(*parts, file=sys.stderr, flush=True)
