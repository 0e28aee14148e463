"""What is in a column, found out by the database in one pass over several columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from thalweg import cores
from thalweg.data.tables.words import Words
from thalweg.fields import dataclass

__all__ = ["QUANTILES", "Facts", "counts", "find"]

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
FREQUENT = {"text": 1000, "integer": 1000, "boolean": 2, "number": 20, "date": 20}
"""Type -> so many of the most frequent values are kept."""
COUNTED = {"integer": 20_000, "boolean": 2, "number": 1000, "date": 1000}
"""Type -> up to so many different values each of them is counted."""
AT_ONCE = 8
"""Columns in one query: what it holds at a time is in proportion to that."""
SAMPLE_ROWS = 50_000
"""Quantiles are those of about so many rows, evenly spaced: a share then is right to a third of a percent or better."""
FEW_ROWS = 20_000
"""NumPy counts the values of so many rows before the database has understood the question."""
NEARLY_ALL = 0.8
"""From this share of different values on it is asked whether all differ, as in a column of names for rows."""


@dataclass(frozen=True)
class Facts:
    """What is in one column.

    Arguments:
        type: as in ``Table.types``.
        missing: how many of the rows have no value, or an infinite one.
        infinite: how many of them are infinite.
        distinct: how many different values there are, without missing ones. More than ``COUNTED`` it is
            right to some percent, and as many as there are values only if really all differ.
        minimum, maximum: None where all are missing.
        mean: of numbers; None for others.
        quantiles: share -> value, of numbers and dates; empty for others.
        frequent: the most frequent values and how often each is there; none if ``distinct`` is above ``COUNTED``.
    """

    name: str
    type: str
    rows: int
    missing: int
    infinite: int
    distinct: int
    minimum: Any
    maximum: Any
    mean: float | None
    quantiles: Mapping[float, Any]
    frequent: tuple[tuple[Any, int], ...]


class Asked(Protocol):
    """What is asked of a table."""

    columns: tuple[str, ...]
    types: dict[str, str]

    def __len__(self) -> int: ...

    def words(self, name: str) -> Words:
        """A column of text."""

    def values(self, name: str) -> np.ndarray:
        """The raw values of a column."""

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "", every: int = 1) -> list[tuple[Any, ...]]:
        """Answers of the database, as ``Table.query`` describes them."""


def find(table: Asked, names: Sequence[str]) -> dict[str, Facts]:
    """Name -> facts."""
    every = max(1, len(table) // SAMPLE_ROWS)
    found = {name: _of_text(name, table.words(name)) for name in names if table.types[name] == "text"}
    others = [name for name in names if name not in found]
    several = [others[start : start + AT_ONCE] for start in range(0, len(others), AT_ONCE)]
    # A question leaves one core idle while its columns are handed over and while its answer is put together.
    with ThreadPoolExecutor(min(int(cores.wanted(None)), 2), "thalweg-facts") as pool:
        for facts in pool.map(lambda some: _of_others(table, some, every), several):
            found |= facts
    return found


def _of_others(table: Asked, names: Sequence[str], every: int) -> dict[str, Facts]:
    """Of columns that are no text."""
    counted = _asked(table, names, _counts)
    present = {name: answers[0] for name, answers in counted.items()}
    infinite = [name for name in names if table.types[name] == "number" and not _is_finite(counted[name])]
    counted |= _asked(table, infinite, _finite_counts)
    quantiles = _asked(table, names, _quantiles, every)
    return {name: _facts(table, name, present[name], counted[name], quantiles[name]) for name in names}


def _of_text(name: str, words: Words) -> Facts:
    counted = words.counts()
    present = sum(count for _, count in counted)
    texts = [word for word, _ in counted]
    return Facts(
        name,
        "text",
        len(words),
        len(words) - present,
        0,
        len(counted),
        min(texts, default=None),
        max(texts, default=None),
        None,
        {},
        tuple(counted[: FREQUENT["text"]]),
    )


def _asked(
    table: Asked, names: Sequence[str], questions: Callable[[str, str], Iterator[str]], every: int = 1
) -> dict[str, list[Any]]:
    """Name -> the answers to the questions about its column, all columns at once."""
    asked = {name: list(questions(f"{{{place}}}", table.types[name])) for place, name in enumerate(names)}
    several = [one for each in asked.values() for one in each]
    answers = iter(table.query(several, names, every=every)[0] if several else ())
    return {name: [next(answers) for _ in each] for name, each in asked.items()}


def _counts(column: str, kind: str) -> Iterator[str]:
    yield from (f"{what}({column})" for what in ("count", "min", "max", "approx_count_distinct"))
    if kind in ("number", "integer"):
        yield f"avg({column})"


def _finite_counts(column: str, _: str) -> Iterator[str]:
    finite = f"(case when isfinite({column}) then {column} end)"
    yield from (f"{what}({finite})" for what in ("count", "min", "max", "approx_count_distinct", "avg"))


def _quantiles(column: str, kind: str) -> Iterator[str]:
    shares = ", ".join(map(str, QUANTILES))
    if kind in ("number", "integer"):
        finite = f"case when isfinite({column}::double) then {column}::double end"
        yield f"quantile_cont({finite}, [{shares}])"
    elif kind == "date":
        yield f"quantile_disc({column}, [{shares}])"


def _is_finite(counted: list[Any]) -> bool:
    return all(extreme is None or math.isfinite(extreme) for extreme in counted[1:3])


def _facts(table: Asked, name: str, present: int, counted: list[Any], quantiles: list[Any]) -> Facts:
    finite, minimum, maximum, distinct, *mean = counted
    kind = table.types[name]
    frequent: tuple[tuple[Any, int], ...] = ()
    # The estimate is off by a few percent.
    if distinct <= 1.2 * COUNTED[kind]:
        frequent, distinct = _frequent(table, name, FREQUENT[kind])
    elif distinct >= NEARLY_ALL * finite and kind != "number":
        distinct = table.query(["count(distinct {0})"], [name])[0][0]
    return Facts(
        name,
        kind,
        len(table),
        len(table) - finite,
        present - finite,
        min(distinct, finite),
        minimum,
        maximum,
        mean[0] if mean else None,
        dict(zip(QUANTILES, (quantiles and quantiles[0]) or (), strict=False)),
        frequent,
    )


def _frequent(table: Asked, name: str, limit: int | None) -> tuple[tuple[tuple[Any, int], ...], int]:
    """The most frequent values with their counts, equally frequent ones by their order, and how many there are."""
    if len(table) <= FEW_ROWS and (values := table.values(name)).dtype.kind != "O":
        counted = _counted(values)
        return tuple(counted[:limit]), len(counted)
    present = "isfinite({0})" if table.types[name] == "number" else "{0} is not null"
    rest = f"where {present} group by {{0}} order by count(*) desc, {{0}}"
    if limit is not None:
        rest += f" limit {limit}"
    rows = table.query(["{0}", "count(*)", "count(*) over ()"], [name], rest)
    return tuple((value, count) for value, count, _ in rows), rows[0][2] if rows else 0


def _counted(values: np.ndarray) -> list[tuple[Any, int]]:
    """What ``_frequent`` gives, of all values of a column."""
    if values.dtype.kind in "fM":
        values = values[np.isfinite(values)]
    found, often = np.unique(values, return_counts=True)
    order = np.argsort(-often, kind="stable")
    return list(zip(found[order].tolist(), often[order].tolist(), strict=True))


def counts(table: Asked, name: str, limit: int | None) -> tuple[tuple[Any, int], ...]:
    """Each value that is there and how often, the most frequent first; equally frequent ones by their order."""
    if table.types[name] == "text":
        return tuple(table.words(name).counts()[:limit])
    return _frequent(table, name, limit)[0]
