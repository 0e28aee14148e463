"""How fast a CSV becomes numbers, beside DuckDB that only reads it, and how fast predictions pass from CSV to CSV.

The last lines are whole commands, with the start of Python and nothing in the cache of compiled programs:
``thalweg train`` to where its first step begins, ``thalweg predict`` and ``evaluate`` with a network of four members.

``python -m benchmarks.table_reading [--rows 1000000]``; of 30 columns 20 are decimal numbers, 6 whole ones, 4 text.
Each figure is of a process of its own, with all imports but NumPy's; the peak is that of the whole process.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import nuisances
from benchmarks.resident import MAXRSS_BYTES, peak_bytes

if TYPE_CHECKING:  # what is measured imports it
    from thalweg.data.tables.encodings import Encoding
    from thalweg.data.tables.table import Table

FLOAT_BYTES = 4


def made(path: Path, rows: int) -> None:
    """Write the table, and beside it one with nuisances."""
    from thalweg.data.tables.writing import write_table

    random = np.random.default_rng(0)
    words = np.array([f"town {number}" for number in range(50)], object)
    columns: dict[str, np.ndarray] = {f"x{place}": np.round(random.normal(0, 100, rows), 4) for place in range(20)}
    columns |= {f"k{place}": random.integers(0, 10 ** (place + 1), rows) for place in range(6)}
    columns |= {f"c{place}": words[random.integers(0, 50, rows)] for place in range(4)}
    write_table(path, columns)
    with open(path.with_name("nuisances.csv"), "wb") as file:
        file.writelines(nuisances.lines(nuisances.columns(rows)))


def duckdb_alone(path: Path) -> None:
    """DuckDB reads the file into a table in memory, on as many threads as there are cores."""
    import duckdb

    duckdb.connect().execute("create table data as select * from read_csv(?)", [str(path)])


def opened(path: Path) -> None:
    """The table is opened: all of it is read, and its types are certain."""
    from thalweg.data.tables.opening import open_table

    len(open_table(path))


def encoded(path: Path) -> None:
    """Opened, facts about each column found, all of it as float32 numbers and int32 codes."""
    from thalweg.data.tables.opening import open_table

    table = open_table(path)
    table.encoded(_encodings(table))


def predicted(path: Path) -> None:
    """Read a piece at a time with known types, summed up instead of predicted, written as one column."""
    from thalweg.data.tables.opening import open_table
    from thalweg.data.tables.writing import TableWriter

    types = _types()
    table = open_table(path, types=types)
    with TableWriter(path.with_suffix(".out.csv")) as writer:
        for piece in table.chunks(_known_encodings()):
            writer.write({"prediction": piece["numbers"].sum(axis=1)})


def with_nuisances(path: Path) -> None:
    """A file with every nuisance at once, which is written anew before it is read."""
    from thalweg.data.tables.opening import open_table

    table = open_table(path.with_name("nuisances.csv"))
    assert table.types == nuisances.TYPES, "each column is what it was"


def _encodings(table: Table) -> list[Encoding]:
    from thalweg.data.tables.encodings import Codes, Number

    facts = table.all_facts()
    return [
        Codes(name, tuple(value for value, _ in facts[name].frequent))
        if kind == "text"
        else Number(name, facts[name].quantiles[0.5])
        for name, kind in table.types.items()
    ]


def _types() -> dict[str, str]:
    letters = {"x": (20, "number"), "k": (6, "integer"), "c": (4, "text")}
    return {f"{letter}{place}": kind for letter, (count, kind) in letters.items() for place in range(count)}


def _known_encodings() -> list[Encoding]:
    from thalweg.data.tables.encodings import Codes, Number

    towns = tuple(f"town {number}" for number in range(50))
    return [Codes(name, towns) if kind == "text" else Number(name, 0.5) for name, kind in _types().items()]


def first_step(path: Path) -> list[str]:
    """``thalweg train``, from the command to where the first step would run."""
    return ["benchmarks.first_table_step", str(path), "x0"]


def predict(path: Path) -> list[str]:
    """``thalweg predict`` from CSV to CSV."""
    return ["thalweg.cli", "predict", str(_model(path)), str(path), "-o", str(path.with_suffix(".out.csv"))]


def evaluate(path: Path) -> list[str]:
    """``thalweg evaluate``, with importance and dependence of columns."""
    return ["thalweg.cli", "evaluate", str(_model(path)), str(path), "--quiet"]


def _model(path: Path) -> Path:
    """A model of four networks for such a table, trained on a few of its rows for an epoch."""
    model, few = path.with_suffix(".thalweg"), path.with_name("few.csv")
    if not model.exists():
        with open(path, encoding="utf-8") as file:
            few.write_text("".join(itertools.islice(file, 20_000)), encoding="utf-8")
        train = [sys.executable, "-m", "thalweg.cli", "train", str(few), "--target", "x0", "--epochs", "1", "--quiet"]
        train.append("--no-run")
        subprocess.run([*train, "-o", str(model)], check=True, capture_output=True)
    return model


COMMANDS: dict[str, Callable[[Path], list[str]]] = {job.__name__: job for job in (first_step, predict, evaluate)}

JOBS: dict[str, Callable[[Path], None]] = {
    job.__name__: job for job in (duckdb_alone, opened, encoded, predicted, with_nuisances)
}


def measured(name: str, path: Path, tries: int) -> tuple[float, float, float]:
    """Least seconds, of the processor too, and most bytes, of several processes."""
    command = [sys.executable, "-m", "benchmarks.table_reading", "--job", name, str(path)]
    outputs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(tries)]
    wall, processor, peak = zip(*(map(float, output.split()) for output in outputs), strict=True)
    return min(wall), min(processor), max(peak)


def commanded(name: str, path: Path, tries: int) -> tuple[float, float, float]:
    """Least seconds, of the processor too, and most bytes, of a whole command."""
    command = [sys.executable, "-m", *COMMANDS[name](path)]
    found = []
    for _ in range(tries):
        with tempfile.TemporaryDirectory() as cache:
            start = perf_counter()
            with subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "THALWEG_CACHE_DIR": cache, "THALWEG_RUNS": f"{cache}/runs"},
            ) as process:
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, f"{name} ends with {process.returncode}"
            found.append((perf_counter() - start, used.ru_utime + used.ru_stime, float(used.ru_maxrss * MAXRSS_BYTES)))
    wall, processor, peak = zip(*found, strict=True)
    return min(wall), min(processor), max(peak)


def run(name: str, path: Path) -> None:
    """One job in this process; prints what it took."""
    start, start_processor = perf_counter(), process_time()
    JOBS[name](path)
    print(perf_counter() - start, process_time() - start_processor, peak_bytes())


def main() -> None:
    """Print the table of all jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the files here, and take them from here")
    parser.add_argument("--only", nargs="+", choices=[*JOBS, *COMMANDS])
    parser.add_argument("--job", nargs=2, metavar=("NAME", "FILE"))
    parser.add_argument("--make", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.make:
        made(options.make, options.rows)
        return
    if options.job:
        run(options.job[0], Path(options.job[1]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(options.folder or temporary) / f"table_{options.rows}.csv"
        if not path.exists():
            make = [sys.executable, "-m", "benchmarks.table_reading", "--rows", str(options.rows), "--make", str(path)]
            subprocess.run(make, check=True)  # by itself: how large a process was is handed on to those it starts
        print(f"{options.rows:,} rows x {len(_types())} columns, {path.stat().st_size / 1e6:.0f} MB of CSV")
        print(f"{'':16}{'seconds':>9}{'of CPU':>9}{'to DuckDB':>11}{'rows/s':>12}{'peak MB':>9}")
        alone = None
        for name in options.only or [*JOBS, *COMMANDS]:
            wall, processor, peak = (commanded if name in COMMANDS else measured)(name, path, options.tries)
            alone = alone or wall
            rate = options.rows / wall
            print(f"{name:16}{wall:9.2f}{processor:9.2f}{wall / alone:11.2f}{rate:12,.0f}{peak / 1e6:9.0f}", flush=True)
        limit = 1.5 * options.rows * len(_types()) * FLOAT_BYTES + 300e6
        print(f"bars: first_step at most 1.5 times DuckDB and {limit / 1e6:.0f} MB; predict at least 200,000 rows/s")


if __name__ == "__main__":
    main()
