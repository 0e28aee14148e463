"""One CSV with every nuisance at once, and what is in it: ``python -m benchmarks.nuisances FILE --rows 1000000``."""

from __future__ import annotations

import argparse
import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MISSING = ("", "NA", "N/A", "n/a", "NaN", "null", "None", "?", "-", "#N/A")
"""Ten spellings."""
ENDS = (b"\n", b"\r\n", b"\r")
NAMES = ("amount", "share", "town", "amount_2", "column_5", "day")
"""What the columns are to be called: the fourth has the first one's name, the fifth has none."""
TYPES = {
    "amount": "number",
    "share": "number",
    "town": "text",
    "amount_2": "integer",
    "column_5": "text",
    "day": "date",
}
TOWNS = ("Köln", "Ulm; at the Danube", 'the "old"\ntown', "Bonn", "#1")
BLOCK = 10_000


def columns(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What is in the file: name -> values, NaN, NaT or None where one is missing."""
    random = np.random.default_rng(seed)
    gaps = {name: random.random(rows) < 0.1 for name in NAMES}
    amount = np.where(gaps["amount"], np.nan, np.round(random.normal(0, 1e5, rows), 2) + 0.0)
    amount[0] = 1234567.89
    share = np.where(gaps["share"], np.nan, np.round(random.random(rows), 4))
    share[0] = 0.5
    town = np.array(TOWNS, object)[random.integers(0, len(TOWNS), rows)]
    town[gaps["town"]] = None
    count = np.where(gaps["amount_2"], np.nan, random.integers(0, 10**6, rows).astype(float))
    code = np.array([f"{number:05d}" for number in random.integers(0, 10**5, rows)], object)
    code[gaps["column_5"]] = None
    code[0] = "00042"
    day = np.datetime64("2020-01-01") + random.integers(0, 1000, rows).astype("m8[D]")
    day[0] = np.datetime64("2020-12-31")
    day = np.where(gaps["day"] & (np.arange(rows) > 0), np.datetime64("NaT"), day).astype("datetime64[us]")
    return dict(zip(NAMES, (amount, share, town, count, code, day), strict=True))


def lines(values: dict[str, np.ndarray], seed: int = 0) -> Iterator[bytes]:
    """The file's lines with their ends."""
    random = np.random.default_rng(seed)
    rows = len(values["amount"])
    yield codecs.BOM_UTF8 + b'# made by hand; "with care\n'
    yield b"amount;share;town;amount;;day;\r\n"
    for start in range(0, rows, BLOCK):
        some = slice(start, start + BLOCK)
        days = np.datetime_as_string(values["day"][some], "D")
        missing = random.integers(0, len(MISSING), (len(days), len(NAMES)))
        kinds = random.integers(0, len(ENDS), len(days))
        block = zip(*(values[name][some] for name in NAMES[:5]), days, missing, kinds, strict=True)
        for number, (amount, share, town, count, code, day, gap, kind) in enumerate(block, start):
            year, month, date = day.split("-") if day != "NaT" else ("", "", "")
            cells = (
                "" if amount != amount else _thousands(f"{amount:,.2f}"),
                "" if share != share else f"{share:g}".replace(".", ","),
                "" if town is None else '"' + town.replace('"', '""') + '"',
                "" if count != count else str(int(count)),
                code or "",
                f"{date}.{month}.{year}" if year else "",
            )
            text = ";".join(cell or MISSING[at] for cell, at in zip(cells, gap, strict=True)) + ";"
            # Every other row in Latin-1, whose letters are no UTF-8.
            yield text.encode("latin-1" if number % 2 else "utf-8") + ENDS[kind]
            if number % 1000 == 500:
                yield b"# a word; in between; of others\n"


def _thousands(text: str) -> str:
    """``1,234.5`` as ``1.234,5``."""
    return text.replace(",", " ").replace(".", ",").replace(" ", ".")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with open(options.file, "wb") as file:
        file.writelines(lines(columns(options.rows, options.seed), options.seed))


if __name__ == "__main__":
    main()
