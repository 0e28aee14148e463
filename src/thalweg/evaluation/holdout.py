"""Which rows of a table are kept to judge by, and whether any of them was seen in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Protocol

import numpy as np

from thalweg.checks import In, checked
from thalweg.data import splits
from thalweg.data.tables import labels
from thalweg.errors import ArgumentError, DataError, NameNotFoundError, did_you_mean
from thalweg.evaluation.split import SplitSeed
from thalweg.fields import dataclass

TENTHS = 10
"""Into so many bins of equal count a target of numbers is cut, each of which both parts get their share of."""

MOST_CLASSES = 0.1
"""Whole numbers are classes if there are at most so many different ones for each row."""


MISSING = 1
"""The bits of what is not there; no number has them that anybody writes into a table (5e-324)."""


class Rows(Protocol):
    """A table, as far as it takes to cut it."""

    @property
    def columns(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def values(self, name: str) -> np.ndarray: ...


@dataclass(frozen=True)
class HeldOut:
    """Rows to train on and rows to judge by.

    Attributes:
        train_rows, test_rows: rising numbers of rows; those without a target are in neither.
        how: in words.
        seed: that gives the same parts again.
        duplicates: rows to judge by that are equal to one that is trained on.
        notes: what else there is to say.
    """

    train_rows: np.ndarray
    test_rows: np.ndarray
    how: str
    seed: int
    duplicates: np.ndarray
    notes: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """What is printed before training."""
        trained, held = len(self.train_rows), len(self.test_rows)
        first = f"Held out to judge by: {held} of {trained + held} rows, {self.how}."
        return [first, *self.notes, *duplicate_sentences(len(self.duplicates), held)]


@dataclass(frozen=True)
class _Mapping:
    """A mapping of arrays as a table."""

    arrays: Mapping[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.arrays)

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def values(self, name: str) -> np.ndarray:
        return np.asarray(self.arrays[name])


def as_rows(table: Any) -> Rows:
    """A table as it is; a mapping of arrays as one."""
    return _Mapping(table) if isinstance(table, Mapping) else table


@checked
def hold_out(
    table: Any,
    target: str | Sequence[str],
    *,
    share: Annotated[float, In("(0, 1)")] = 0.2,
    group: str | None = None,
    time: str | None = None,
    stratify: bool = True,
    seed: SplitSeed = 0,
) -> HeldOut:
    """Choose the rows to judge by: of each class and each tenth of a target of numbers the same share.

    Arguments:
        table: a Table or a mapping of arrays.
        target: a column, or several.
        share: of the rows that have a target.
        group: a column; rows of one group stay together.
        time: a column; the rows to judge by are the latest.
        stratify: False: at random.
        seed: the same seed gives the same rows.

    Raises: NameNotFoundError for a column that is not there; ArgumentError for group and time together; DataError if a
        part would be empty, or a group or time is missing.
    """
    table = as_rows(table)
    targets = (target,) if isinstance(target, str) else tuple(target)
    for name in (*targets, *filter(None, (group, time))):
        if name not in table.columns:
            raise NameNotFoundError(
                "there is no such column",
                expected=f"one of the {len(table.columns)} columns",
                got=repr(name),
                fix=did_you_mean(name, table.columns),
            )
    if group is not None and time is not None:
        raise ArgumentError(
            "group and time are given both",
            expected="one way to hold rows out",
            got=f"group={group!r}, time={time!r}",
            fix="leave out one of them",
        )
    values = [table.values(name) for name in targets]
    known = np.flatnonzero(~np.any([missing(array) for array in values], axis=0))
    notes = []
    if len(known) < len(table):
        notes.append(f"{len(table) - len(known)} rows have no target and are left out.")
    if len(known) < 2:
        raise DataError(
            "there are too few rows with a target to hold some out",
            expected="at least 2",
            got=f"{len(known)} of {len(table)}",
            fix="check the target's column, or use more rows",
        )
    sizes = [len(known) - held_count(len(known), share), held_count(len(known), share)]
    if group is not None:
        parts = splits.parts(len(known), sizes, groups=_present(table, group, known, "group"), seed=seed)
        how = f"whole groups of {group!r}, seed {seed}"
    elif time is not None:
        moments = _present(table, time, known, "time")
        parts = splits.parts(len(known), sizes, time=moments, seed=seed)
        how = f"the latest by {time!r}" + (f", from {moments[parts[1]].min()} on" if len(parts[1]) else "")
    else:
        classes, by = _bins(values[0][known]) if stratify and len(targets) == 1 else (None, "")
        parts = splits.parts(len(known), sizes, classes=classes, seed=seed)
        how = f"{by} {targets[0]!r}, seed {seed}" if classes is not None else f"at random, seed {seed}"
        if by == "stratified by":
            assert classes is not None, "that is how"
            parts, said = _trainable(parts, classes, values[0][known])
            notes += said
    train, test = (known[part] for part in parts)
    if not len(train) or not len(test):
        raise DataError(
            "a part of the split is empty",
            expected="at least 1 row in each",
            got=f"{len(train)} rows to train on, {len(test)} to judge by",
            fix="use another share; rows of one time or group stay together",
        )
    both = fingerprints(table)
    return HeldOut(train, test, how, seed, test[np.isin(both[test], both[train])], tuple(notes))


def held_count(rows: int, share: float) -> int:
    """At least one, and one less than all at most."""
    return int(np.clip(round(rows * share), 1, rows - 1))


def duplicates(train: Any, test: Any) -> np.ndarray:
    """The rows of the second table that are equal to one of the first, by the columns that both have.

    Shapes: -> (duplicates,) numbers of rows, rising.
    """
    train, test = as_rows(train), as_rows(test)
    shared = [name for name in train.columns if name in set(test.columns)]
    if not shared:
        return np.empty(0, np.int64)
    return np.flatnonzero(np.isin(fingerprints(test, shared), fingerprints(train, shared)))


def duplicate_sentences(count: int, held: int) -> Iterator[str]:
    """What is said of duplicates; nothing if there are none."""
    if count:
        yield (
            f"{count} of the {held} rows held out ({count / held:.1%}) are equal to a row that is trained on: the "
            "scores flatter. Remove duplicates, or hold out whole groups of rows."
        )


def fingerprints(table: Any, names: Sequence[str] | None = None) -> np.ndarray:
    """64 bits for each row, the same for equal rows. Shapes: -> (rows,) uint64.

    Two different rows of n are taken for equal with a probability of about n^2 / 2^65.
    """
    table = as_rows(table)
    total = np.zeros(len(table), np.uint64)
    for name in table.columns if names is None else names:
        # What is added for a column depends on its name, so that the order of the columns does not matter.
        total += _mixed(_bits(table.values(name)) ^ _bits(np.array([name], object))[0])
    return total


def _bits(values: np.ndarray) -> np.ndarray:
    """64 bits for each value, equal for equal values: 1 and 1.0, and everything that is missing."""
    if values.dtype.kind in "fiub":
        number = values.astype(np.float64)
        found: np.ndarray = np.where(number == 0, 0.0, number).view(np.uint64)  # -0.0 is 0.0
        found[np.isnan(number)] = MISSING
        return found
    if values.dtype.kind in "mM":
        moments: np.ndarray = values.astype(f"{values.dtype.kind}8[us]").view(np.uint64)
        moments[np.isnat(values)] = MISSING
        return moments
    import hashlib  # only for text

    def digest(value: Any) -> int:
        if value is None or value != value:
            return MISSING
        return int.from_bytes(hashlib.blake2b(str(value).encode("utf-8", "surrogatepass"), digest_size=8).digest())

    known = {value: digest(value) for value in set(values.tolist())}
    return np.array([known[value] for value in values.tolist()], np.uint64)


def _mixed(x: np.ndarray) -> np.ndarray:
    """Steele, Lea & Flood (2014), OOPSLA, the finalizer of SplitMix64: every bit depends on all."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits: np.ndarray = x ^ (x >> np.uint64(31))
    return bits


def missing(values: np.ndarray) -> np.ndarray:
    """Where there is no value. Shapes: (n,) -> (n,) bool."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values.tolist()], bool)
    return np.zeros(len(values), bool)


def _present(table: Rows, name: str, known: np.ndarray, what: str) -> np.ndarray:
    """The values of a column that may not be missing. Raises DataError."""
    values = table.values(name)[known]
    gone = np.flatnonzero(missing(values))
    if len(gone):
        raise DataError(
            f"a {what} is missing",
            expected=f"a value of {name!r} in each row that has a target",
            got=f"none in row {known[gone[0]]}; {len(gone)} such in all",
            fix="leave these rows out, or give them a value of their own",
        )
    return values.astype(np.str_) if values.dtype.kind == "O" else values


def _bins(target: np.ndarray) -> tuple[np.ndarray, str]:
    """Numbers of classes, or of tenths of the values, and what that is called."""
    flat = labels(target, "target")
    distinct, numbers = np.unique(flat, return_inverse=True)
    whole = flat.dtype.kind in "iubU" or np.array_equal(flat, np.rint(flat))
    if flat.dtype.kind == "U" or (whole and len(distinct) <= max(2, MOST_CLASSES * len(flat))):
        return np.asarray(numbers).reshape(-1), "stratified by"
    ranks = np.argsort(np.argsort(flat, kind="stable"), kind="stable")
    bins = int(np.clip(len(flat) // TENTHS, 1, TENTHS))
    return ranks * bins // len(flat), "evenly over the values of"


def _trainable(parts: list[np.ndarray], classes: np.ndarray, target: np.ndarray) -> tuple[list[np.ndarray], list[str]]:
    """Classes that would only be judged by are trained on instead: there are too few rows of them."""
    train, test = parts
    only = np.setdiff1d(classes[test], classes[train])
    if not len(only):
        return parts, []
    moved = np.isin(classes[test], only)
    names = [str(target[classes == number][0]) for number in only[:5].tolist()]
    note = f"{len(only)} classes have too few rows to be judged by and are only trained on: {', '.join(names)}" + (
        " ..." if len(only) > 5 else ""
    )
    return [np.sort(np.concatenate([train, test[moved]])), test[~moved]], [note + "."]
