"""What is in a column, found out by the database in one pass over several columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from thalweg.fields import dataclass

__all__ = ["QUANTILES", "Facts", "counts", "find"]

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
FREQUENT = {"text": 1000, "integer": 1000, "boolean": 2, "number": 20, "date": 20}
"""Type -> so many of the most frequent values are kept."""
AT_ONCE = 50
"""Columns in one query: what it holds at a time is in proportion to that."""


@dataclass(frozen=True)
class Facts:
    """What is in one column.

    Arguments:
        type: as in ``Table.types``.
        missing: how many of the rows have no value, or an infinite one.
        infinite: how many of them are infinite.
        distinct: how many different values there are, missing ones not counted.
        minimum, maximum: None where all are missing.
        mean, deviation: of numbers; None for others.
        quantiles: share -> value, of numbers and dates; empty for others.
        frequent: the most frequent values and how often each is there.
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
    deviation: float | None
    quantiles: Mapping[float, Any]
    frequent: tuple[tuple[Any, int], ...]


class Asked(Protocol):
    """What is asked of a table."""

    columns: tuple[str, ...]
    types: dict[str, str]

    def __len__(self) -> int: ...

    def query(self, what: Sequence[str], names: Sequence[str], rest: str = "") -> list[tuple[Any, ...]]: ...


def find(table: Asked, names: Sequence[str]) -> dict[str, Facts]:
    """Name -> facts."""
    found = {}
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        asked = [list(_questions(f"{{{place}}}", table.types[name])) for place, name in enumerate(some)]
        (row,) = table.query([one for questions in asked for one in questions], some)
        answers = iter(row)
        for name, questions in zip(some, asked, strict=True):
            found[name] = _facts(table, name, [next(answers) for _ in questions])
    return found


def _questions(column: str, kind: str) -> Iterator[str]:
    yield f"count({column})"
    shares = ", ".join(map(str, QUANTILES))
    if kind in ("number", "integer"):
        finite = column if kind == "integer" else f"(case when isfinite({column}) then {column} end)"
        yield from (f"{what}({finite})" for what in ("count", "min", "max"))
        yield f"count(distinct {finite})"
        yield f"quantile_cont({finite}::double, [{shares}])"
        yield f"avg({finite})"
        yield f"stddev_pop({finite})"
    else:
        yield from (f"{what}({column})" for what in ("count", "min", "max"))
        yield f"count(distinct {column})"
        if kind == "date":
            yield f"quantile_disc({column}, [{shares}])"


def _facts(table: Asked, name: str, answers: list[Any]) -> Facts:
    present, finite, minimum, maximum, distinct, *others = answers
    quantiles, mean, deviation = (*others, None, None, None)[:3]
    kind = table.types[name]
    return Facts(
        name,
        kind,
        len(table),
        len(table) - finite,
        present - finite,
        distinct,
        minimum,
        maximum,
        mean,
        deviation,
        dict(zip(QUANTILES, quantiles or (), strict=False)),
        counts(table, name, FREQUENT[kind]),
    )


def counts(table: Asked, name: str, limit: int | None) -> tuple[tuple[Any, int], ...]:
    """Each value that is there and how often, the most frequent first; equally frequent ones by their order."""
    rest = "where {0} is not null group by {0} order by count(*) desc, {0}"
    if limit is not None:
        rest += f" limit {limit}"
    return tuple((value, count) for value, count in table.query(["{0}", "count(*)"], [name], rest))
