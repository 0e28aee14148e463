"""What the doctor costs a training, and what he says of those that work.

``python -m benchmarks.diagnosis [--workload mnist_mlp resnet20] [--epochs 3]``: each workload is trained on its data
with ``fit(diagnose=True)``; with ``--validation`` its test rows are looked at, too. *Watching* is what happens while
training runs, *judging* what happens when it is over; both are timed where they happen, so that what else the machine
does falls on them and on the training alike. A finding in the last column is a false alarm, unless a person agrees
with it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import thalweg
from benchmarks.arrays import load_arrays
from benchmarks.datasets import export
from benchmarks.machine import describe_machine
from benchmarks.peers.keras_like import compiled_model
from benchmarks.workloads import WORKLOADS, Workload
from thalweg.doctor.doctor import Doctor
from thalweg.doctor.watch import Watch

JOBS = [name for name, job in WORKLOADS.items() if job.what == "train" and len(job.networks) == 1]
HOOKS = ("on_train_begin", "hear", "keep", "due_in")


class Found(NamedTuple):
    """Seconds, but for the last."""

    fit: float
    watching: float
    judging: float
    codes: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the training without a doctor."""
        return (self.watching + self.judging) / (self.fit - self.watching - self.judging)


def cost(workload: Workload, epochs: int, validation: bool = False) -> Found:
    """Of one training, compiled before.

    Arguments:
        validation: whether the test rows are validated on after every epoch, and then looked at.
    """
    with tempfile.TemporaryDirectory() as folder:
        export(workload.source, Path(folder))
        arrays = load_arrays(Path(folder) / workload.source.name)
    thalweg.utils.set_random_seed(0)
    model = compiled_model(thalweg, workload)
    held_out = (arrays.x_test, arrays.y_test) if validation else None
    rows = workload.batch_size
    model.fit(arrays.x_train[:rows], arrays.y_train[:rows], batch_size=rows, verbose=0, diagnose=False)
    spent = {"watching": 0.0, "judging": 0.0}
    kept = [(Watch, hook, "watching") for hook in HOOKS] + [(Doctor, "conclude", "judging")]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in kept]
    for (owner, name, original), (_, _, kind) in zip(originals, kept, strict=True):
        setattr(owner, name, _timed(original, spent, kind))
    try:
        began = perf_counter()
        history = model.fit(
            arrays.x_train, arrays.y_train, batch_size=rows, epochs=epochs, validation_data=held_out, verbose=0
        )
        seconds = perf_counter() - began
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
    return Found(seconds, spent["watching"], spent["judging"], history.diagnosis.codes)


def _timed(function: Callable[..., Any], spent: dict[str, float], kind: str) -> Callable[..., Any]:
    def timed(*arguments: Any, **options: Any) -> Any:
        began = perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            spent[kind] += perf_counter() - began

    return timed


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", nargs="+", choices=JOBS, default=JOBS, metavar="NAME")
    parser.add_argument("--epochs", type=int, help="those of the workload unless given")
    parser.add_argument("--validation", action="store_true", help="on the test rows")
    given = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in describe_machine().items()), end="\n\n")
    print("| workload | fit, s | watching, ms | judging, ms | of the training | findings |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name in given.workload:
        workload = WORKLOADS[name]
        found = cost(workload, given.epochs or workload.epochs, given.validation)
        figures = f"{found.fit:.2f} | {1e3 * found.watching:.1f} | {1e3 * found.judging:.0f} | {found.share:.1%}"
        print(f"| {name} | {figures} | {', '.join(found.codes)} |", flush=True)


if __name__ == "__main__":
    main()
