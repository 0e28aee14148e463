"""What is known of a table's columns: how each is used, and what was learned of it from the training rows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any

from thalweg.checks import Finite, In, NotEmpty, OneOf, WholeNumber, check_fields
from thalweg.data.tables.encodings import UNSEEN, Codes, Encoding, Moment, Number
from thalweg.data.tables.table import TYPES
from thalweg.fields import dataclass
from thalweg.model.description import entry
from thalweg.table import Table, Tabular

__all__ = ["CLASSES", "Column", "KINDS", "Schema", "TASKS"]

KINDS = ("number", "category", "boolean", "date", "left out")
CLASSES = ("binary", "multiclass")
"""The tasks whose answers are probabilities of classes."""
TASKS = ("regression", *CLASSES, "multitarget")
GROUPS = ("numbers", "moments", "codes")
"""The inputs of a network for tables, in their order."""
SHOWN_COLUMNS = 40
SHOWN_CATEGORIES = 4
SHARED = 4
"""So many columns at least that are left out for one reason share a line."""
NAME_WIDTH = 24

Value = str | int | float | bool


@dataclass(frozen=True)
class Column:
    """A column, and what is done with it.

    Arguments:
        kind: what it is used as.
        type: what it is in the table, as ``Table.types`` says. Of a number or a date it may be text, of which some is
            neither.
        reason: in words: why so, where that is not plain; of a column that is left out, why.
        missing: the share of the training rows in which it has no value.
        distinct: how many different values it has.
        center, scale: of numbers the median, and the distance between the quartiles (where that is 0, half of the
            whole range; 1 for a constant). Of dates the same in days, from ``origin``.
        low, high: the extremes. Of dates in days from ``origin``.
        quantiles: share -> value of numbers.
        offset: what is taken from a number while it is in double precision, as ``Number`` says.
        origin: microseconds since the beginning of 1970 from which the days of dates are counted: the beginning of the
            year in the middle.
        cycles: in which a date stands somewhere, see ``layers.DateCycles``.
        categories: that have a place of their own, in order of frequency.
    """

    name: str
    kind: Annotated[str, OneOf(*KINDS)]
    type: Annotated[str, OneOf(*TYPES)] = "number"
    reason: str = ""
    missing: Annotated[float, In("[0, 1]")] = 0.0
    distinct: WholeNumber = 0
    center: Finite = 0.0
    scale: Annotated[float, In("(0, inf)")] = 1.0
    low: Finite = 0.0
    high: Finite = 0.0
    quantiles: tuple[tuple[float, Finite], ...] = ()
    offset: Finite = 0.0
    origin: int = 0
    cycles: tuple[str, ...] = ()
    categories: tuple[Value, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, f"column {self.name!r}")

    @property
    def encoding(self) -> Encoding:
        """How its values become numbers."""
        if self.kind == "number":
            return Number(self.name, self.offset, lenient=self.type == "text")
        if self.kind == "date":
            return Moment(self.name, lenient=self.type == "text")
        return Codes(self.name, self.categories)

    @property
    def places(self) -> int:
        """Of categories: how many codes there are, for what is missing and what was never seen too."""
        return len(self.categories) + UNSEEN + 1

    @property
    def in_words(self) -> str:
        """What is in it, for people."""
        if self.kind == "number":
            return f"{_number(self.low)} to {_number(self.high)}, median {_number(self.center)}"
        if self.kind == "date":
            first, last = (_date(self.origin, days) for days in (self.low, self.high))
            return f"{first} to {last}; time{''.join(f', {cycle}' for cycle in self.cycles)}"
        shown = ", ".join(str(c)[:NAME_WIDTH] for c in self.categories[:SHOWN_CATEGORIES])
        more = len(self.categories) - SHOWN_CATEGORIES
        return shown + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Schema(Tabular):
    """How the columns of a table are used to tell one or more of them.

    Arguments:
        columns: all but the targets, in the order of the table.
        targets: the names of the columns that are to be told.
        task: "regression", "binary" or "multiclass" (of classes), "multitarget" (several numbers).
        classes: what a target of classes can be, in their order.
        centers, scales, lows, highs: of each target that is a number the mean, the standard deviation and the extremes
            in the training rows.
        rows: how many rows all of this was learned from.
    """

    columns: tuple[Column, ...]
    targets: Annotated[tuple[str, ...], NotEmpty()]
    task: Annotated[str, OneOf(*TASKS)]
    classes: tuple[Value, ...] = ()
    centers: tuple[Finite, ...] = ()
    scales: tuple[Annotated[float, In("(0, inf)")], ...] = ()
    lows: tuple[Finite, ...] = ()
    highs: tuple[Finite, ...] = ()
    rows: WholeNumber = 0

    def __post_init__(self) -> None:
        check_fields(self, "schema")

    def __getitem__(self, name: str) -> Column:
        """The column of this name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that are not left out."""
        return tuple(column for column in self.columns if column.kind != "left out")

    @cached_property
    def groups(self) -> dict[str, tuple[Column, ...]]:
        """Input of the network -> its columns, in their order: "numbers", "moments" and "codes", as far as there are.

        Neighbours are those to which the same is done: numbers with gaps, dates with the same cycles, codes of equally
        many places. Thousands of columns then become a few operations.
        """
        grouped: dict[str, list[Column]] = {group: [] for group in GROUPS}
        for column in self.used:
            grouped[column.encoding.group].append(column)
        grouped["numbers"].sort(key=lambda column: not column.missing)
        grouped["moments"].sort(key=lambda column: (column.cycles, not column.missing))
        grouped["codes"].sort(key=lambda column: column.places)
        return {group: tuple(columns) for group, columns in grouped.items() if columns}

    def encodings(self) -> tuple[Encoding, ...]:
        """How the columns become the arrays that the network takes, in the order of its inputs."""
        return tuple(column.encoding for columns in self.groups.values() for column in columns)

    @cached_property
    def places(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """Column -> which places of which inputs it fills."""
        return {c.name: ((group, place),) for group, columns in self.groups.items() for place, c in enumerate(columns)}

    @property
    def types(self) -> dict[str, str]:
        """The type of each column that is used, for reading it again as in training."""
        return {column.name: column.type for column in self.used}

    @property
    def is_of_classes(self) -> bool:
        """Whether the answers are probabilities of classes."""
        return self.task in CLASSES

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a row."""
        return len(self.classes) if self.is_of_classes else len(self.targets)

    def table(self) -> Table:
        """What is printed before training."""
        kinds = [f"{count} {kind}" for kind, count in self._counts()]
        title = f"{self.in_words}\n{len(self.columns):,} columns: {', '.join(kinds)}"
        lines = self._lines()
        rows = [
            (_cut(name), c.kind, f"{c.missing:.1%}" if c.missing else "", _described(c))
            for name, c, _ in lines[:SHOWN_COLUMNS]
        ]
        if len(lines) > SHOWN_COLUMNS:
            rows.append((f"... {sum(count for _, _, count in lines[SHOWN_COLUMNS:]):,} more", "", "", ""))
        return Table(title, ("column", "used as", "missing", "values"), rows, left=4)

    def _lines(self) -> list[tuple[str, Column, int]]:
        """What is shown: a name, the column whose line it is, and how many columns it is about. Many that are left out
        for one reason, as the borders of images are, share a line.
        """
        reasons = Counter(c.reason for c in self.columns if c.kind == "left out")
        lines, said = [], set()
        for column in self.columns:
            count = reasons[column.reason] if column.kind == "left out" else 1
            if count < SHARED:
                lines.append((column.name, column, 1))
            elif column.reason not in said:
                said.add(column.reason)
                lines.append((f"{column.name[: NAME_WIDTH - 12]} and {count - 1:,} more", column, count))
        return lines

    @property
    def in_words(self) -> str:
        """What is to be told, for people."""
        names = ", ".join(self.targets)
        if not self.is_of_classes:
            return f"target {names}: {'regression' if self.task == 'regression' else f'{len(self.targets)} numbers'}"
        shown = ", ".join(str(c) for c in self.classes[:10]) + (" ..." if len(self.classes) > 10 else "")
        return f"target {names}: {len(self.classes)} classes ({shown})"

    def _counts(self) -> Iterator[tuple[str, int]]:
        for kind in KINDS:
            count = sum(column.kind == kind for column in self.columns)
            if count:
                yield kind, count

    def to_dict(self) -> dict[str, Any]:
        """The whole in JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Schema:
        """The inverse of ``to_dict``. Raises ArgumentError that names what does not fit."""
        columns = given.get("columns") if isinstance(given, Mapping) else None
        if isinstance(columns, list | tuple):
            made = tuple(entry(Column, one, f"column {number} of the schema") for number, one in enumerate(columns))
            given = {**given, "columns": made}
        return entry(cls, given, "the schema")


def _described(column: Column) -> str:
    if column.kind == "left out":
        return column.reason
    return column.in_words + (f" ({column.reason})" if column.reason else "")


def _cut(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 3]}..."


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e4 and abs(value) < 1e15 else f"{value:.4g}"


def _date(origin: int, days: float) -> str:
    import numpy as np

    return str(np.datetime64(origin + round(days * 86_400_000_000), "us").astype("datetime64[D]"))
