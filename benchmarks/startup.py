"""What thalweg costs before it trains: ``python -m benchmarks.startup``.

Its import, the modules that the import loads, MNIST and the check that its images are finite, and the time from ``fit``
to the first step with an empty and a filled cache. Each figure is the median of fresh processes.
"""

import argparse
import json
import statistics
import subprocess
import sys

from benchmarks.peers import PEERS, THALWEG
from benchmarks.runner import ROOT, Job, Workspace, environment
from benchmarks.table import markdown
from benchmarks.workloads import WORKLOADS

IMPORT = """
import json, sys, time
before = set(sys.modules)
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""
CALL = """
import time
import numpy as np
from thalweg.data.arrays import require_finite
from thalweg.datasets import mnist
images = np.ones((60_000, 784), np.float32)
start = time.perf_counter()
{call}
print(time.perf_counter() - start)
"""
IMPORT_TARGET, COLD_TARGET, WARM_TARGET = 0.15, 0.2, 0.1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--workload", choices=WORKLOADS, default="mnist_mlp")
    given = parser.parse_args()
    seconds, modules = import_cost("thalweg", given.repeats)
    numpy_seconds, _ = import_cost("numpy", given.repeats)
    with Workspace() as workspace:
        cold, warm = (
            first_step(workspace, Job(WORKLOADS[given.workload], PEERS[THALWEG], cache), given.repeats)
            for cache in ("cold", "warm")
        )
    loading = call_cost("mnist.load_data()", given.repeats)
    checking = call_cost("require_finite(images, 'x')", given.repeats)
    rows = [
        ("import thalweg", f"{seconds:.3f}", f"{IMPORT_TARGET}"),
        ("import numpy (part of it)", f"{numpy_seconds:.3f}", "-"),
        ("load MNIST", f"{loading:.3f}", "-"),
        ("check that 60,000 images as float32 are finite", f"{checking:.3f}", "-"),
        (f"fit to first step of {given.workload}, empty cache", f"{cold:.3f}", f"{COLD_TARGET}"),
        ("the same, filled cache", f"{warm:.3f}", f"{WARM_TARGET}"),
    ]
    print(markdown(("what", "seconds", "at most"), rows))
    print(f"\nimport thalweg loads {len(modules)} modules, of the packages: {', '.join(third_party(modules))}")


def import_cost(module: str, repeats: int) -> tuple[float, list[str]]:
    """Median seconds of the import in a fresh interpreter, and the modules it loads."""
    answers = [json.loads(output([sys.executable, "-c", IMPORT.format(module=module)])) for _ in range(repeats)]
    return statistics.median(seconds for seconds, _ in answers), answers[0][1]


def call_cost(call: str, repeats: int) -> float:
    """Median seconds of a call in a fresh interpreter."""
    return statistics.median(float(output([sys.executable, "-c", CALL.format(call=call)])) for _ in range(repeats))


def third_party(modules: list[str]) -> list[str]:
    """The top-level packages among them that are not Python's own."""
    packages = {name.partition(".")[0] for name in modules}
    return sorted(name for name in packages - sys.stdlib_module_names if not name.startswith("_"))


def first_step(workspace: Workspace, job: Job, repeats: int) -> float:
    """Median seconds from fit to the first step; a warm cache is filled by a run that does not count."""
    command = [sys.executable, "-m", "benchmarks.first_step", job.workload.name, str(workspace.data(job.workload))]
    if job.cache == "warm":
        output(command, environment(workspace.cache(job)))
    return statistics.median(float(output(command, environment(workspace.cache(job)))) for _ in range(repeats))


def output(command: list[str], variables: dict[str, str] | None = None) -> str:
    """What a process prints; its errors go to ours."""
    return subprocess.run(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
