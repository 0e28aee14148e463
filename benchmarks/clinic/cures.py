"""Treats the sick cases of a clinic and sets the results beside their healthy twins, on test rows that nobody has seen.

python -m benchmarks.clinic.cures                           # --every 4: a sample; or FOLDER
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import thalweg
from benchmarks.clinic.cabinet import changed, folder, own
from benchmarks.clinic.networks import Case, compiled
from benchmarks.clinic.training import Data, arguments, score, train
from benchmarks.table import markdown
from thalweg.diagnosis import treat
from thalweg.errors import ThalwegError

NEAR = 0.03  # of a twin's score: as good
OF_THE_DATA = {
    "n",
    "n_train",
    "label_noise",
    "leak",
}  # that no program can cure: rows there are not, labels nobody knows


class Result(NamedTuple):
    """Scores on test rows: of the sick training, as treated, and of the healthy twin."""

    case: Case
    sick: float
    treated: float
    twin: float
    applied: tuple[str, ...]
    error: str
    seconds: float

    @property
    def curable(self) -> bool:
        """Whether the cause lies in the program or in numbers that can be scaled, not in rows that are not there."""
        return not any(OF_THE_DATA & {*change.get("data", {})} for change in self.case["cures"].values())

    @property
    def cured(self) -> bool:
        """As good as the twin."""
        return self.treated >= self.twin - NEAR

    @property
    def worse(self) -> bool:
        """Than it came."""
        return self.treated < self.sick - NEAR


def main() -> None:
    """Train, treat, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clinic.cures", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--cases", nargs="+", metavar="NAME")
    given = parser.parse_args()
    clinic = folder(given.folder) if given.folder else own()
    sick = [case for case in clinic.cases if case["truth"] and case["cures"]]
    sick = [case for case in sick if case["name"] in (given.cases or [case["name"]])][:: given.every]
    results = [result(case, clinic.load(case), clinic.load(healthy(case))) for case in sick]
    rows = [(r.case["name"], *map(number, r[1:4]), "; ".join(r.applied), r.error, f"{r.seconds:.0f}") for r in results]
    print(markdown(("case", "sick", "treated", "twin", "applied", "stopped by", "s"), rows))
    curable = [r for r in results if r.curable]
    print(f"\n{sum(r.cured for r in curable)} of {len(curable)} curable ones as good as their twins")
    print(
        f"{sum(r.cured for r in results)} of all {len(results)}; {sum(r.worse for r in results)} worse than they came"
    )


def healthy(case: Case) -> Case:
    """With all of its cures."""
    return changed(case, *case["cures"].values())


def result(case: Case, data: Data, twin_data: Data, seed: int = 0) -> Result:
    """Train the sick one, treat it, train its twin."""
    sick = train(case, data, seed).scores.get("test", math.nan)
    twin = train(healthy(case), twin_data, seed).scores["test"]
    began, treated, error = time.perf_counter(), sick, ""
    applied: tuple[str, ...] = ()
    thalweg.utils.set_random_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model = compiled(case, data["x_train"].shape[1:])
            treatment = treat(model, **arguments(case, data), task=case["task"], seed=seed, verbose=0)
            applied = treatment.applied
            treated = score(treatment.model, case, data["x_test"], data["y_test"], data["n_classes"])
        except ThalwegError as stopped:
            error = stopped.problem
    return Result(case, finite(sick), finite(treated), twin, applied, error, time.perf_counter() - began)


def finite(value: float) -> float:
    """What is no number is worth as little as any."""
    return value if math.isfinite(value) else -1e9


def number(value: float) -> str:
    """A score, or that it is hopeless."""
    return f"{value:.3f}" if value > -99 else "none"


if __name__ == "__main__":
    main()
