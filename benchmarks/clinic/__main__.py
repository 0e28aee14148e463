"""Trains the cases of a clinic one after the other and shows what the doctor named.

python -m benchmarks.clinic                                 # the cases of this package
python -m benchmarks.clinic FOLDER                          # a folder with clinic_core.py and clinic_public.py
python -m benchmarks.clinic FOLDER --cases iris_plain --seeds 0 1 2 --findings
python -m benchmarks.clinic FOLDER --labels dying_relu      # the cases whose truth has this label, and healthy ones
python -m benchmarks.clinic FOLDER --twins --ladders        # cured cases, and one knob from harmless to harmful
python -m benchmarks.clinic FOLDER --output FILE            # keep what the doctor judged by ...
python -m benchmarks.clinic FOLDER --judge FILE             # ... to ask it again later, without training
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.clinic import scores
from benchmarks.clinic.cabinet import Clinic, changed, folder, own, rungs, twins
from benchmarks.clinic.networks import Case
from benchmarks.clinic.training import Outcome, again, train


def main() -> None:
    """Train what is asked for, then print the tables."""
    given = parse()
    clinic = opened(given.folder)
    cases, steps = chosen(clinic, given)
    jobs = [(case, seed) for case in (*cases, *steps) for seed in given.seeds]
    began = time.perf_counter()
    kept = {} if given.judge is None else read(given.judge)
    jobs = [(case, seed) for case, seed in jobs if given.judge is None or (case["name"], seed) in kept]
    outcomes = []
    for outcome in results(given.folder, jobs, given.workers, kept):
        outcomes.append(outcome)
        print(f"\r{len(outcomes)}/{len(jobs)} {outcome.case:40.40}", end="", file=sys.stderr, flush=True)
        if given.output:
            with given.output.open("a") as file:
                file.write(json.dumps(outcome.to_dict()) + "\n")
    print(file=sys.stderr)
    pairs = [(case, outcome) for (case, _), outcome in zip(jobs, outcomes, strict=True)]
    rungs = {case["name"] for case in steps}
    show([p for p in pairs if p[0]["name"] not in rungs], [p for p in pairs if p[0]["name"] in rungs], given.findings)
    print(f"\n{time.perf_counter() - began:.0f} s")


def parse() -> argparse.Namespace:
    """The options."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clinic", description=__doc__, formatter_class=form)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--cases", nargs="+", metavar="NAME", help="only these; NAME~cured and NAME#2 are meant too")
    parser.add_argument("--labels", nargs="+", metavar="LABEL", help="only cases with one of these labels")
    parser.add_argument("--every", type=int, default=1, help="every so manieth case only")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--draw", type=int, help="the seed of the data, for other rows of the same kinds")
    parser.add_argument("--twins", action="store_true", help="the cured cases too: they are healthy")
    parser.add_argument("--ladders", action="store_true", help="the ladders too")
    parser.add_argument("--findings", action="store_true", help="each finding in words")
    parser.add_argument("--workers", type=int, default=1, help="processes at a time")
    parser.add_argument("--output", type=Path, help="append each outcome to this file, as a line of JSON")
    parser.add_argument("--judge", type=Path, help="judge what is in such a file, in place of training")
    return parser.parse_args()


def chosen(clinic: Clinic, given: argparse.Namespace) -> tuple[list[Case], list[Case]]:
    """The cases, and the rungs of ladders, that are asked for."""
    cases = [*clinic.cases, *(twins(clinic.cases) if given.twins or given.cases else ())]
    steps = (
        [r for ladder in clinic.ladders for r in rungs(ladder, clinic.rungs)] if given.ladders or given.cases else []
    )
    if given.cases:
        names = set(given.cases)
        cases = [case for case in cases if case["name"] in names]
        steps = [case for case in steps if case["name"] in names or case["name"].split("#")[0] in names]
    if given.labels:
        cases = [case for case in cases if {*given.labels} & {*case["truth"]}]
        steps = [case for case in steps if {*given.labels} & {*case["truth"], *case["accept"]}]
    if given.draw is not None:
        cases, steps = ([changed(case, {"data": {"seed": given.draw}}) for case in some] for some in (cases, steps))
    return cases[:: given.every], steps[:: given.every]


Kept = Mapping[tuple[str, int], Outcome]


def read(file: Path) -> Kept:
    """The outcomes in a file by case and seed; the last where there are several."""
    outcomes = [Outcome(**json.loads(line)) for line in file.read_text().splitlines()]
    return {(outcome.case, outcome.seed): outcome for outcome in outcomes}


def opened(place: Path | None) -> Clinic:
    """The clinic in a folder, or this package's own."""
    return own() if place is None else folder(place)


def results(place: Path | None, jobs: Sequence[tuple[Case, int]], workers: int, kept: Kept) -> Iterator[Outcome]:
    """The outcomes in the order of the jobs."""
    if kept:
        yield from (again(kept[case["name"], seed]) for case, seed in jobs)
        return
    if workers == 1:
        yield from (one(place, case, seed) for case, seed in jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(one, [place] * len(jobs), *zip(*jobs, strict=True))


def one(place: Path | None, case: Case, seed: int) -> Outcome:
    """Load the data and train."""
    return train(case, opened(place).load(case), seed)


def show(pairs: list[scores.Pair], steps: list[scores.Pair], findings: bool) -> None:
    """The tables."""
    if findings:
        for case, outcome in (*pairs, *steps):
            print(f"{case['name']} seed {outcome.seed}, suspected {outcome.suspected}")
            print("".join(f"    {text}\n" for text in outcome.findings), end="")
    print(scores.case_table([*pairs, *steps]), end="\n\n")
    if pairs:
        print(scores.label_table(pairs), scores.summary(pairs), sep="\n\n")
    if steps:
        print(scores.ladder_summary(steps))


if __name__ == "__main__":
    main()
