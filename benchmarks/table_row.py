"""One raw row through a model for tables: ``python -m benchmarks.table_row``.

As a mapping, and as frames of one row of the libraries that are there. Medians of single calls, because what a frame
leaves behind is collected now and then.
"""

import argparse
import importlib.util
import statistics
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

import thalweg
from benchmarks.table import markdown

TARGET_MICROSECONDS = 200
ROWS = 1500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table_row")
    parser.add_argument("--calls", type=int, default=2000)
    given = parser.parse_args()
    columns = table()
    model = thalweg.train_table(columns, "y", epochs=1, verbose=0)
    rows = []
    for name, row in forms(columns):
        times = sorted(seconds(model, row) for _ in range(given.calls))
        middle, slow = statistics.median(times), times[len(times) * 9 // 10]
        rows.append((name, f"{middle * 1e6:.0f}", f"{slow * 1e6:.0f}", str(TARGET_MICROSECONDS)))
    print(f"30 columns, {model.count_params():,} parameters\n")
    print(markdown(("one row as", "median, microseconds", "9 of 10 within", "at most"), rows))


def table() -> dict[str, Any]:
    """30 columns of every kind, and a target."""
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {f"n{i}": random.normal(size=ROWS) for i in range(18)}
    columns |= {f"c{i}": random.choice(["a", "b", "c", "d"], ROWS).astype(object) for i in range(8)}
    columns |= {f"b{i}": random.random(ROWS) < 0.5 for i in range(2)}
    start = np.datetime64("2020-01-01", "us")
    columns |= {f"d{i}": start + random.integers(0, 900, ROWS).astype("timedelta64[D]") for i in range(2)}
    return {**columns, "y": 3 * columns["n0"] + (columns["c0"] == "a")}


def forms(columns: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The same row in each of the forms."""
    row = {name: values[3] for name, values in columns.items()}
    yield "mapping", row
    if importlib.util.find_spec("pandas"):
        import pandas

        frame = pandas.DataFrame(columns)
        yield "pandas frame", frame.iloc[3:4]
        if importlib.util.find_spec("polars"):
            import polars

            yield "Polars frame", polars.from_pandas(frame).slice(3, 1)


def seconds(model: Any, row: Any) -> float:
    """Of one call."""
    began = perf_counter()
    model.predict(row, verbose=0)
    return perf_counter() - began


if __name__ == "__main__":
    main()
