"""What each column of a table is used as: found out from what is in it, and overridden by who knows better."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.data.tables.encodings import as_moment, as_number
from thalweg.data.tables.facts import Facts
from thalweg.data.tables.missing import SPELLINGS
from thalweg.data.tables.opening import open_table, opened
from thalweg.data.tables.table import Table
from thalweg.errors import ArgumentError, DataError, listed
from thalweg.tables.schema import Column, Schema, Value
from thalweg.tables.targets import Targets, encoded_targets, find_targets

__all__ = ["understand"]

FEWEST_PRESENT = 0.01
"""The share of rows that must have a value; a column with less is left out."""
MOST_CATEGORIES = 1000
"""So many categories have a place of their own; rarer ones share that of what was never seen."""
FEW_CATEGORIES = 20
"""Up to so many each has its place, of more only those that several rows have."""
NEARLY_ALL = 0.9
"""A text that differs in so large a share of the rows names the row and says nothing of its kind."""
DENSE = 1.5
"""Whole numbers that are all different and lie so close count the rows, of which these may be a part."""
MOST_UNREADABLE = 0.5
"""The share of the values of a column that may be no numbers, where somebody says that it holds numbers."""
WORDS, LETTERS = 5, 60
"""Texts longer than that on the average are sentences."""
DAY = 86_400_000_000
"""Microseconds."""
CYCLES = (("year", 120), ("month", 45), ("week", 10))
"""Cycles of dates, and how many days a column must span for them to say anything."""

CODE = re.compile(r"(^|[_\W])(id|code|zip|zipcode|postcode|postal|plz|class|category|type|kind)s?$", re.IGNORECASE)
CODE_IN_CAMEL_CASE = re.compile(r"(Id|ID|Code|Zip|Class|Category|Type)$")
INDEX = re.compile(r"^(id|index|idx|rownames|row|row_?(number|id|index)|no|nr|unnamed: ?0|column0|x)$", re.IGNORECASE)
"""Names of columns whose whole numbers are no amounts."""


def understand(
    data: Any,
    target: str | Sequence[str],
    *,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    dates: Sequence[str] = (),
    ignore: Sequence[str] = (),
    task: str | None = None,
    rows: np.ndarray | None = None,
) -> Schema:
    """What each column is used as, and what the task is.

    Arguments:
        data: a table, or anything that ``open_table`` makes one of.
        target: the column that is to be told; several numbers for several targets.
        categorical, numeric, dates, ignore: columns that are to be used so, whatever they look like.
        task: see ``train``; found out from the target unless given.
        rows: those to learn from, as an index; all unless given.

    Raises: NameNotFoundError for a column that is not there; ArgumentError for one that is named twice; DataError for
        a target that nothing can be learned of, and where no column is left.
    """
    table = opened(data)
    return schema_for(table, find_targets(table, target, task), told(table, categorical, numeric, dates, ignore), rows)


def told(
    table: Table,
    categorical: Sequence[str] = (),
    numeric: Sequence[str] = (),
    dates: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> dict[str, str]:
    """Column -> the kind that somebody wants. Raises as ``understand``."""
    wanted: dict[str, str] = {}
    lists = {"categorical": categorical, "numeric": numeric, "dates": dates, "ignore": ignore}
    kinds = dict(zip(lists, ("category", "number", "date", "left out"), strict=True))
    for what, names in lists.items():
        several = (names,) if isinstance(names, str) else names
        for name in several:
            table.require(name, what)
        for name in several:
            if wanted.setdefault(name, kinds[what]) != kinds[what]:
                raise ArgumentError(
                    f"column {name!r} is to be used in two ways",
                    expected="each column in one of categorical, numeric, dates and ignore",
                    got=f"{name!r} as {wanted[name]} and as {kinds[what]}",
                    fix="take it out of one of the lists",
                )
    return wanted


def schema_for(table: Table, targets: Targets, wanted: dict[str, str], rows: np.ndarray | None = None) -> Schema:
    """See ``understand``."""
    own = targets.known if rows is None else rows
    part = table if len(own) == len(table) else table.take(own)
    facts = part.all_facts([name for name in table.columns if name not in targets.names])
    columns = tuple(_column(part, one, wanted.get(name)) for name, one in facts.items())
    numbers = _scales(part, targets)
    schema = Schema(columns, targets.names, targets.task, targets.classes, rows=len(part), **numbers)
    if not schema.used:
        raise DataError(
            "no column is left to learn from",
            expected="at least one column of numbers, categories or dates beside the target",
            got="; ".join(f"{c.name}: {c.reason}" for c in columns[:5]) or "the target alone",
            fix="name columns with categorical= or numeric=, or check how the table was read",
        )
    return schema


def _scales(part: Table, targets: Targets) -> dict[str, tuple[float, ...]]:
    """Mean, standard deviation and extremes of targets that are numbers."""
    if targets.classes:
        return {}
    values = encoded_targets(part, targets.names, ())
    deviations = values.std(0)
    found = {"centers": values.mean(0), "scales": np.where(deviations > 0, deviations, 1.0)}
    found |= {"lows": values.min(0), "highs": values.max(0)}
    return {name: tuple(numbers.tolist()) for name, numbers in found.items()}


def _column(part: Table, facts: Facts, wanted: str | None) -> Column:
    """One column, of the training rows."""
    kind, reason = _kind(facts) if wanted is None else (wanted, "as told")
    read_as = facts.type
    if kind in ("number", "date") and facts.type == "text" and facts.distinct:
        part, lost = _read_anew(part, facts, kind)
        facts, reason = part.facts(facts.name), f"as told; {lost}" if lost else reason
    if kind != "left out" and facts.distinct == 0:
        kind, reason = "left out", "no value in any row"
    share = facts.missing / max(facts.rows, 1)
    column = Column(facts.name, kind, read_as, reason, missing=share, distinct=facts.distinct)
    if kind == "number":
        return _number(part, facts, column)
    if kind == "date":
        return _date(part, facts, column)
    return column if kind == "left out" else replace(column, categories=_categories(part, facts))


def _kind(facts: Facts) -> tuple[str, str]:
    """What a column is, and why, where that is not plain."""
    present = facts.rows - facts.missing
    if facts.distinct == 0:
        return "left out", "no value in any row"
    if facts.distinct == 1 and not facts.missing:
        return "left out", f"always {facts.minimum!s:.30}"
    if present < FEWEST_PRESENT * facts.rows:
        return "left out", f"a value in only {present:,} rows"
    if facts.type in ("boolean", "date"):
        return facts.type, ""
    if facts.type == "text":
        return _kind_of_text(facts, present)
    if facts.type == "integer":
        return _kind_of_integer(facts, present)
    return "number", ""


def _kind_of_text(facts: Facts, present: int) -> tuple[str, str]:
    if facts.distinct == present:
        return "left out", "text that differs in every row"
    texts = [str(value) for value, _ in facts.frequent] or [facts.minimum, facts.maximum]
    words = sum(len(text.split()) for text in texts) / len(texts)
    letters = sum(map(len, texts)) / len(texts)
    if facts.distinct > max(FEW_CATEGORIES, 0.2 * present) and (words > WORDS or letters > LETTERS):
        return "left out", f"free text of {words:.0f} words"
    if facts.distinct > max(FEW_CATEGORIES, NEARLY_ALL * present):
        return "left out", f"text that differs in {facts.distinct / present:.0%} of the rows"
    return "category", ""


def _kind_of_integer(facts: Facts, present: int) -> tuple[str, str]:
    differs = facts.distinct == present and present > 2
    counts_up = differs and facts.maximum - facts.minimum < DENSE * present
    if INDEX.match(facts.name) and differs:
        return "left out", "numbers the rows"
    if counts_up and present > FEW_CATEGORIES:
        return "left out", "counts the rows"
    if CODE.search(facts.name) or CODE_IN_CAMEL_CASE.search(facts.name):
        if facts.distinct > max(FEW_CATEGORIES, NEARLY_ALL * present):
            return "left out", "an identifier: differs in nearly every row"
        if facts.distinct <= max(FEW_CATEGORIES, present // 10):
            return "category", "codes, by the name"
    return "number", ""


def _number(part: Table, facts: Facts, column: Column) -> Column:
    if facts.type not in ("number", "integer", "boolean"):
        raise _unreadable(facts, "number")
    if facts.type == "boolean":
        return replace(column, low=0.0, high=1.0)
    quantiles = {share: float(value) for share, value in facts.quantiles.items()}
    low, high = float(facts.minimum), float(facts.maximum)
    center = quantiles[0.5]
    # What is left of a number far from 0 when it is cut to single precision is too little to tell rows apart.
    offset = center if max(abs(low), abs(high)) > 1e5 * _spread(quantiles, low, high) else 0.0
    return replace(
        column,
        center=center,
        scale=_spread(quantiles, low, high),
        low=low,
        high=high,
        quantiles=tuple(quantiles.items()),
        offset=offset,
    )


def _spread(quantiles: dict[float, float], low: float, high: float) -> float:
    """What counts as one step: the quartiles' distance, or half of the range, or 1."""
    quartiles = quantiles[0.75] - quantiles[0.25]
    return quartiles or (high - low) / 2 or 1.0


def _date(part: Table, facts: Facts, column: Column) -> Column:
    if facts.type != "date":
        raise _unreadable(facts, "date")
    values = part.values(facts.name)
    moments = values[~np.isnat(values)].astype(np.int64)
    middle = np.array(int(moments.min()) // 2 + int(moments.max()) // 2, "datetime64[us]")
    origin = int(middle.astype("datetime64[Y]").astype("datetime64[us]").astype(np.int64))  # in other rows mostly equal
    days = (moments - origin) / DAY
    quantiles = {share: float(np.quantile(days, share)) for share in (0.25, 0.5, 0.75)}
    low, high = float(days.min()), float(days.max())
    cycles = [cycle for cycle, span in CYCLES if high - low >= span]
    if (moments % DAY).any():
        cycles.append("day")
    return replace(
        column,
        center=quantiles[0.5],
        scale=_spread(quantiles, low, high),
        low=low,
        high=high,
        quantiles=tuple(quantiles.items()),
        origin=origin,
        cycles=tuple(cycles),
    )


def _categories(part: Table, facts: Facts) -> tuple[Value, ...]:
    """Those that have a place of their own, the most frequent first."""
    if facts.type == "boolean":
        return (False, True)
    if facts.type == "date":
        raise DataError(
            f"column {facts.name!r} holds dates, and is to be used as categories",
            expected="text, numbers or truth values",
            got=f"dates from {facts.minimum} to {facts.maximum}",
            fix="leave it out of categorical=",
        )
    known = len(facts.frequent) >= min(facts.distinct, MOST_CATEGORIES)
    counts = facts.frequent[:MOST_CATEGORIES] if known else part.counts(facts.name, MOST_CATEGORIES)
    if facts.distinct > FEW_CATEGORIES:
        counts = tuple((value, count) for value, count in counts if count > 1) or counts
    return tuple(value.item() if isinstance(value, np.generic) else value for value, _ in counts)


def _read_anew(part: Table, facts: Facts, kind: str) -> tuple[Table, str]:
    """A column of text as the numbers or dates that somebody says it holds, and a word on those values that are none,
    which count as missing. Raises DataError if that is most of them.
    """
    words = part.words(facts.name)
    read = as_number if kind == "number" else as_moment
    values = [None if word in SPELLINGS else read(word) for word in words.words]
    lost = np.array([value is None and word not in SPELLINGS for value, word in zip(values, words.words, strict=True)])
    count = int(np.count_nonzero(words.spread(lost, False)))
    if count > MOST_UNREADABLE * (facts.rows - facts.missing):
        raise _unreadable(facts, kind, count)
    gap, dtype = (np.nan, np.float64) if kind == "number" else ("NaT", "datetime64[us]")
    found = np.array([gap if value is None else value for value in values], dtype)
    whole = open_table({facts.name: words.spread(found, np.array(gap, dtype))})
    example = words.words[lost.argmax()]
    return whole, f"{count:,} values are none and count as missing, for example {example!r:.30}" if count else ""


def _unreadable(facts: Facts, kind: str, count: int | None = None) -> DataError:
    """Arguments: how many values are none; all of a column of another type."""
    examples = listed(str(value) for value, _ in facts.frequent[:3])
    some = f"{count:,} of {facts.rows - facts.missing:,} values that are none in " if count is not None else ""
    return DataError(
        f"column {facts.name!r} cannot be used as a {kind}",
        expected="numbers, as 12 or 3.5" if kind == "number" else "dates, as 2026-11-28 or 2026-11-28 20:00",
        got=f"{some}a column of type {facts.type}, for example {examples}",
        fix="mend the values, or leave the column to be used as what it looks like",
    )
