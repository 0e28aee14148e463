"""What is to be told: which task the columns of the target make, its classes or its scale, and the targets of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.checks import OneOf
from thalweg.data.tables.encodings import MISSING, UNSEEN, Codes
from thalweg.data.tables.facts import Facts
from thalweg.data.tables.table import Rows, Table
from thalweg.errors import ArgumentError, DataError, did_you_mean, listed
from thalweg.evaluation.of_tables import with_target
from thalweg.fields import dataclass
from thalweg.tables.schema import CLASSES, TASKS, Value

__all__ = ["Targets", "find_targets"]

ASKED_FOR = (*TASKS, "classification")
"""The tasks that a user can ask for; "classification" is whichever of the two with classes fits."""
MOST_CLASSES = 20
"""So many whole numbers from 0 or 1 on, without a gap, are classes rather than amounts, unless somebody says so."""
NUMBERS = ("number", "integer", "boolean")
"""Types of columns that can be told as amounts."""
ROWS_A_CLASS = 5
"""If there are as many rows of each on the average."""
MOST_TEXTS = 1000
"""More names than that are no classes that could be learned."""


@dataclass(frozen=True)
class Targets:
    """The columns that are to be told, and what they are.

    Arguments:
        reason: why the task is what it is, for people.
        known: the rows in which no target is missing, as an index.
        rows: how many there are in all.
        pairs: those of several that have two values.
        single: classes of which there is one row.
    """

    names: tuple[str, ...]
    task: str
    classes: tuple[Value, ...]
    reason: str
    known: np.ndarray
    rows: int
    pairs: tuple[str, ...] = ()
    single: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of rows that do not count."""
        lost, said = self.rows - len(self.known), []
        if lost:
            said.append(f"left out, as their {' or '.join(self.names)} is missing: {lost:,} of {self.rows:,} rows")
        if self.pairs:
            said.append(
                f"of {listed(self.pairs)} there are two values each: of several targets they are taken as amounts, and "
                "what is told is about the share of the upper one"
            )
        if self.single:
            said.append(f"there is a single row to learn from of {listed(self.single)}")
        return tuple(said)

    def of(self, table: Table, rows: Rows | None = None) -> np.ndarray:
        """The targets of some rows: class numbers (rows,) int32, or (rows, targets) float64 in their own units.

        Raises: DataError for a class that was not there in training, or numbers that are missing or infinite.
        """
        return encoded_targets(table, self.names, self.classes, rows)


def encoded_targets(
    table: Table, names: Sequence[str], classes: Sequence[Value], rows: Rows | None = None
) -> np.ndarray:
    """See ``Targets.of``. Of a class that is missing the number is -1."""
    if not classes:
        return np.stack([_numbers(table, name, rows) for name in names], axis=1)
    (name,) = names
    codes = table.encoded((Codes(name, tuple(classes)),), rows)["codes"][:, 0]
    strange = np.flatnonzero(codes == UNSEEN)
    if len(strange):
        value = table.values(name, rows)[strange[0]]
        raise DataError(
            f"the target {name!r} has a class that was not there in training",
            expected=f"one of {listed(map(str, classes))}",
            got=f"{value!r} in row {strange[0]}" + (f", and {len(strange) - 1} more" if len(strange) > 1 else ""),
            fix="leave these rows out, or train again with them",
        )
    return np.where(codes == MISSING, -1, codes - UNSEEN - 1).astype(np.int32)


def _numbers(table: Table, name: str, rows: Rows | None) -> np.ndarray:
    values = table.values(name, rows)
    if values.dtype.kind not in "fiub":
        raise DataError(
            f"the target {name!r} is no number",
            expected="numbers, as in training",
            got=f"a column of type {table.types[name]}",
            fix="pass the column as numbers",
        )
    numbers = values.astype(np.float64)
    numbers[np.isinf(numbers)] = np.nan
    return numbers


def find_targets(table: Table, target: str | Sequence[str], task: str | None = None) -> Targets:
    """The task that these columns make, from what is in them.

    Arguments:
        task: "regression", "classification", "binary", "multiclass" or "multitarget", where that is to be said.

    Raises: NameNotFoundError for a column that is not there; DataError for a target that nothing can be learned of.
    """
    names = (target,) if isinstance(target, str) else tuple(target)
    if task is not None and task not in ASKED_FOR:
        raise ArgumentError(
            "train: argument 'task' does not fit its rule",
            expected=OneOf(*ASKED_FOR).describe("a string"),
            got=repr(task),
            fix=did_you_mean(str(task), ASKED_FOR),
        )
    if not names or len(set(names)) < len(names):
        raise ArgumentError(
            "train: argument 'target' does not fit its rule",
            expected="the name of a column, or several different ones",
            got=repr(target),
            fix="name the column that is to be told",
        )
    for name in names:
        table.require(name, "target")
    for name in names:
        _require_values(table, name)
    if len(names) > 1:
        return _several(table, names, task)
    (name,) = names
    kind, reason = _task_of(table, name) if task is None else (task, "as told")
    if kind == "regression" or kind == "multitarget":
        return _regression(table, names, "regression", reason)
    counts = _counts(table, name)
    classes = tuple(counts)
    if kind in CLASSES and (kind == "binary") != (len(classes) == 2):
        raise _unfit_task(kind, f"{len(classes)} classes in {name!r}")
    known = np.flatnonzero(table.encoded((Codes(name, classes),))["codes"][:, 0] != MISSING)
    single = tuple(str(value) for value, count in counts.items() if count == 1)
    task = "binary" if len(classes) == 2 else "multiclass"
    return Targets(names, task, classes, reason, known, len(table), single=single)


def _several(table: Table, names: tuple[str, ...], task: str | None) -> Targets:
    classes = [name for name in names if table.types[name] not in NUMBERS]
    if classes or task not in (None, "multitarget", "regression"):
        one, *others = classes or names
        others += [name for name in names if name not in (one, *others)]
        raise DataError(
            "several targets are told by one model only if all of them are amounts",
            expected="columns of numbers, or a single target",
            got="; ".join(f"{name!r}: {table.types[name]}" for name in names) + (f"; task={task!r}" if task else ""),
            fix=f"train a model for each, the others left out: target {one!r}, ignore {listed(others)}",
        )
    return _regression(table, names, "multitarget", "several targets")


def _regression(table: Table, names: tuple[str, ...], task: str, reason: str) -> Targets:
    for name in names:
        if table.types[name] not in NUMBERS:
            raise DataError(
                f"the target {name!r} is no number",
                expected="numbers, for regression",
                got=f"a column of type {table.types[name]}, for example {facts_of(table, name).minimum!r:.60}",
                fix="choose task='classification', or leave the task out",
            )
    values = encoded_targets(table, names, ())
    known = with_target(values)
    if not len(known):
        raise _nothing(f"no row has all of the targets {listed(names)}", f"{len(values)} rows, none of them complete")
    constant = [
        n for n, low, high in zip(names, values[known].min(0), values[known].max(0), strict=True) if low == high
    ]
    if constant:
        raise _nothing(f"the target {constant[0]!r} is the same everywhere", f"{values[known[0]][0]:g} in all rows")
    pairs = tuple(n for n, column in zip(names, values[known].T, strict=True) if len(np.unique(column)) == 2)
    return Targets(names, task, (), reason, known, len(table), pairs if len(names) > 1 else ())


def _require_values(table: Table, name: str) -> None:
    facts = facts_of(table, name)
    if facts.distinct == 0:
        raise _nothing(f"the target {name!r} is missing everywhere", f"{facts.rows:,} rows, none with a value")
    if facts.distinct == 1:
        raise _nothing(f"the target {name!r} is the same everywhere", f"{facts.minimum!r} in all rows that have one")
    if facts.type == "date":
        raise DataError(
            f"the target {name!r} is a date",
            expected="numbers or classes",
            got=f"dates from {facts.minimum} to {facts.maximum}",
            fix="make a column of how many days it is after another date, and tell that",
        )


def _task_of(table: Table, name: str) -> tuple[str, str]:
    facts = facts_of(table, name)
    if facts.type == "boolean":
        return "binary", "true or false"
    if facts.type == "text":
        return "classification", "text"
    if facts.distinct == 2:
        return "binary", "two values"
    values = [value for value, _ in facts.frequent]
    low, high = facts.minimum, facts.maximum
    whole = 0 < facts.distinct <= len(values) and all(float(value).is_integer() for value in values)
    present = facts.rows - facts.missing
    in_a_row = whole and low in (0, 1) and high - low + 1 == facts.distinct
    if in_a_row and facts.distinct <= MOST_CLASSES and present >= ROWS_A_CLASS * facts.distinct:
        return "multiclass", f"the whole numbers from {low:g} to {high:g}; task='regression' takes them as amounts"
    return "regression", "numbers"


def _counts(table: Table, name: str) -> dict[Value, int]:
    """The classes in their order, and how many rows are of each. Raises DataError if they are no classes."""
    facts = facts_of(table, name)
    present = facts.rows - facts.missing
    if facts.distinct > max(2, present // 2) or facts.distinct > MOST_TEXTS:
        raise DataError(
            f"the target {name!r} has too many classes to learn",
            expected=f"classes that several rows have, at most {MOST_TEXTS}",
            got=f"{facts.distinct:,} different values in {present:,} rows, for example {facts.minimum!r:.60}",
            fix="choose another target, or task='regression' if these are numbers",
        )
    counts = facts.frequent if len(facts.frequent) == facts.distinct else table.counts(name)
    return dict(sorted((_plain(value), count) for value, count in counts))


def _plain(value: Any) -> Value:
    """As JSON knows it."""
    plain: Value = value.item() if isinstance(value, np.generic) else value
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _nothing(problem: str, got: str) -> DataError:
    return DataError(
        problem,
        expected="a target with at least two different values",
        got=got,
        fix="choose another target, or check how the table was made",
    )


def _unfit_task(task: str, got: str) -> DataError:
    return DataError(
        f"the target does not fit the task {task!r}",
        expected="two classes for 'binary', more for 'multiclass', numbers for several targets",
        got=got,
        fix="leave task out: it is found out from the target",
    )


def facts_of(table: Table, name: str) -> Facts:
    """What is in one column; those of the others are not asked for."""
    return table.all_facts([name])[name]
