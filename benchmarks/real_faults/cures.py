"""Treats the programs and sets the results beside the repaired ones, on rows that none of them has been trained on.

python -m benchmarks.real_faults.cures                      # --posts 48385830 ... for some
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import thalweg
from benchmarks.clinic.cures import NEAR, finite, number
from benchmarks.real_faults.programs import FAULTS, Fault, Given
from benchmarks.real_faults.repairs import REPAIRS
from benchmarks.table import markdown
from thalweg.diagnosis import treat
from thalweg.errors import ThalwegError

FEW = 300
"""Rows, of which none is held out: who has so few asks whether they are learnt."""


@dataclass(frozen=True)
class Cure:
    """Scores of a program as it came, as treated, and as repaired by people.

    Attributes:
        applied: what treating changed, in words.
        error: what kept it from being treated.
    """

    fault: Fault
    sick: float
    treated: float
    repaired: float
    applied: tuple[str, ...]
    error: str
    seconds: float

    @property
    def cured(self) -> bool:
        """As good as the repaired program, and no worse than it came."""
        return self.treated >= self.repaired - NEAR and not self.worse

    @property
    def curable(self) -> bool:
        """Whether the repair makes it better."""
        return self.repaired > self.sick + NEAR

    @property
    def worse(self) -> bool:
        """Than it came."""
        return self.treated < self.sick - NEAR


def main() -> None:
    """Treat, print a line for each, and the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_faults.cures", description=__doc__)
    parser.add_argument("--posts", nargs="+", metavar="POST")
    given = parser.parse_args()
    chosen = [fault for fault in FAULTS if fault.kinds and fault.post in (given.posts or [fault.post])]
    cures = [cure(fault) for fault in chosen]
    names = ("row", "post", "sick", "treated", "repaired", "cured", "applied", "stopped by", "s")
    print(markdown(names, list(map(row, cures))))
    print(f"\n{sum(c.cured for c in cures)} of {len(cures)} cured; {sum(c.worse for c in cures)} worse than they came")
    gained = [c.cured for c in cures if c.curable]
    print(f"{sum(gained)} of the {len(gained)} that their repair makes better")


def row(cure: Cure) -> tuple[str, ...]:
    """Of the table."""
    scores = map(number, (cure.sick, cure.treated, cure.repaired))
    cured = "yes" if cure.cured else "no"
    said = "; ".join(cure.applied)
    return (str(cure.fault.number), cure.fault.post, *scores, cured, said, cure.error, f"{cure.seconds:.0f}")


def cure(fault: Fault, seed: int = 0) -> Cure:
    """Run the program, treat it, and run the repaired one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.perf_counter()
        _, whole = fault.program()
        _, repaired = REPAIRS[fault.number](whole)
        places, judged = parts(whole)
        rows, meant = whole["x"][judged], np.asarray(repaired["y"])[judged]

        def trained(made: Callable[[], tuple[thalweg.Model, Given]]) -> float:
            thalweg.utils.set_random_seed(seed)
            try:
                model, given = made()
                model.fit(**only(given, places), seed=seed, verbose=0, diagnose=False)
                return score(model, rows, meant)
            except ThalwegError:
                return finite(np.nan)

        sick, healthy = trained(fault.program), trained(lambda: REPAIRS[fault.number](whole))
        thalweg.utils.set_random_seed(seed)
        applied: tuple[str, ...] = ()
        error, treated = "", sick
        try:
            model, given = fault.program()
            treatment = treat(model, **only(given, places), seed=seed, verbose=0)
            applied, treated = treatment.applied, score(treatment.model, rows, meant)
        except ThalwegError as stopped:
            error = stopped.problem
    return Cure(fault, sick, treated, healthy, applied, error, time.perf_counter() - began)


def parts(given: Given) -> tuple[Any, Any]:
    """The places of the rows to train on, and of those to judge by: every fifth; of few rows all are both."""
    rows = np.arange(len(given["x"]))
    return (rows, rows) if len(rows) < FEW else (rows[rows % 5 > 0], rows[rows % 5 == 0])


def only(given: Given, places: Any) -> Given:
    """What is given to ``fit``, of these training rows."""
    return given | {"x": given["x"][places], "y": given["y"][places]}


def score(model: thalweg.Model, x: Any, y: Any) -> float:
    """The share of right classes, or of right answers to several questions, or R2, whatever it is that is predicted."""
    predicted = np.asarray(model.predict(x, verbose=0), np.float64).reshape(len(x), -1)
    wanted = np.asarray(y, np.float64).reshape(len(x), -1)
    if not np.isfinite(predicted).all():
        return finite(np.nan)
    if (wanted.sum(1) == 1).all() and wanted.shape[1] > 1 and wanted.max() == 1:
        wanted = wanted.argmax(1)[:, None]  # one-hot
    several = wanted.shape[1] == 1 and predicted.shape[1] > 1
    if several or np.asarray(y).dtype.kind in "iu":
        chosen = predicted.argmax(1) if several else np.rint(predicted[:, 0])
        return float((chosen == wanted[:, 0]).mean())
    if np.isin(wanted, (0, 1)).all():
        return float(((predicted > 0.5) == wanted).mean())
    return 1 - float(((predicted - wanted) ** 2).mean() / ((wanted - wanted.mean(0)) ** 2).mean())


if __name__ == "__main__":
    main()
