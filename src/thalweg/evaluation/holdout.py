"""Which rows of a table are kept to judge by, and whether any of them was seen in training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, checked
from thalweg.data import splits
from thalweg.data.tables.frames import labels
from thalweg.data.tables.opening import opened
from thalweg.data.tables.table import Table
from thalweg.errors import ArgumentError, DataError
from thalweg.evaluation.split import SplitSeed
from thalweg.fields import dataclass

TENTHS = 10
"""Into so many bins of equal count a target of numbers is cut, each of which both parts get their share of."""

MARKED_BITS = 22
"""Of a row's hash: equal ones are looked for among those rows only that have these in common with some other."""

MOST_CLASSES = 0.1
"""Whole numbers are classes if there are at most so many different ones for each row."""


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
        table: a Table, or what ``open_table`` opens.
        target: a column, or several.
        share: of the rows that have a target.
        group: a column; rows of one group stay together.
        time: a column; the rows to judge by are the latest.
        stratify: False: at random.
        seed: the same seed gives the same rows.

    Raises: NameNotFoundError for a column that is not there; ArgumentError for group and time together; DataError if a
        part would be empty, or a group or time is missing.
    """
    table = opened(table)
    targets = (target,) if isinstance(target, str) else tuple(target)
    for name in (*targets, *filter(None, (group, time))):
        table.require(name)
    if group is not None and time is not None:
        raise ArgumentError(
            "group and time are given both",
            expected="one way to hold rows out",
            got=f"group={group!r}, time={time!r}",
            fix="leave out one of them",
        )
    with ThreadPoolExecutor(1, "thalweg-hashes") as pool:  # meanwhile the rows are dealt out, on another core
        hashing = pool.submit(table.hashes)
        held = _dealt(table, targets, share, group, time, stratify, seed)
    hashes = hashing.result()
    twins = _among(hashes[held.test_rows], hashes[held.train_rows])
    return replace(held, duplicates=held.test_rows[twins])


def _dealt(
    table: Table,
    targets: tuple[str, ...],
    share: float,
    group: str | None,
    time: str | None,
    stratify: bool,
    seed: int,
) -> HeldOut:
    """See ``hold_out``; without a look for duplicates."""
    known = np.flatnonzero(~np.any([_missing_in(table, name) for name in targets], axis=0))
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
        how = f"the latest by {time!r}"
        if len(parts[1]):
            first = known[parts[1][moments[parts[1]].argmin()]]
            how += f", from {_written(table.values(time, [first])[0])} on"
    else:
        classes, by = _bins(table, targets[0], known) if stratify and len(targets) == 1 else (None, "")
        parts = splits.parts(len(known), sizes, classes=classes, seed=seed)
        how = f"{by} {targets[0]!r}, seed {seed}" if classes is not None else f"at random, seed {seed}"
        if by == "stratified by":
            assert classes is not None, "that is how"
            parts, said = _trainable(parts, classes, lambda row: table.values(targets[0], known[[row]])[0])
            notes += said
    train, test = (known[part] for part in parts)
    if not len(train) or not len(test):
        raise DataError(
            "a part of the split is empty",
            expected="at least 1 row in each",
            got=f"{len(train)} rows to train on, {len(test)} to judge by",
            fix="use more rows: of a class with a single row nothing can be held out"
            if group is None and time is None
            else "use another share; rows of one time or group stay together",
        )
    return HeldOut(train, test, how, seed, test[:0], tuple(notes))


def _written(moment: Any) -> str:
    """A number, or a date without the hours where they are 0."""
    text = str(moment.astype("M8[s]")) if isinstance(moment, np.datetime64) else str(moment)
    return text.removesuffix("T00:00:00").replace("T", " ")


def held_count(rows: int, share: float) -> int:
    """At least one, and one less than all at most."""
    return int(np.clip(round(rows * share), 1, rows - 1))


def duplicates(train: Any, test: Any) -> np.ndarray:
    """The rows of the second table that are equal to one of the first, by the columns that both have.

    Shapes: -> (duplicates,) numbers of rows, rising.
    """
    train, test = opened(train), opened(test)
    shared = [name for name in train.columns if name in test.types]
    if not shared:
        return np.empty(0, np.int64)
    return np.flatnonzero(_among(test.hashes(shared), train.hashes(shared)))


def _among(hashes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of these are among others. Shapes: (n,), (m,) uint64 -> (n,) bool.

    Few of the others share their first bits with any of these: only those are compared, and nothing large is sorted.
    """
    shift = np.uint64(64 - MARKED_BITS)
    marked = np.zeros(1 << MARKED_BITS, bool)
    marked[hashes >> shift] = True
    found: np.ndarray = np.isin(hashes, others[marked[others >> shift]])
    return found


def duplicate_sentences(count: int, held: int) -> Iterator[str]:
    """What is said of duplicates; nothing if there are none."""
    if count:
        yield (
            f"{count} of the {held} rows held out ({count / held:.1%}) are equal to a row that is trained on: the "
            "scores flatter. Remove duplicates, or hold out whole groups of rows."
        )


def missing(values: np.ndarray) -> np.ndarray:
    """Where there is no value. Shapes: (n,) -> (n,) bool."""
    if values.dtype.kind in "fmM":
        gone: np.ndarray = np.isnan(values) if values.dtype.kind == "f" else np.isnat(values)
        return gone
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values.tolist()], bool)
    return np.zeros(len(values), bool)


def _present(table: Table, name: str, known: np.ndarray, what: str) -> np.ndarray:
    """The values of a column that may not be missing, or numbers in the order of its words. Raises DataError."""
    gone = np.flatnonzero(_missing_in(table, name)[known])
    if len(gone):
        raise DataError(
            f"a {what} is missing",
            expected=f"a value of {name!r} in each row that has a target",
            got=f"none in row {known[gone[0]]}; {len(gone)} such in all",
            fix="leave these rows out, or give them a value of their own",
        )
    return table.words(name).ranks()[known] if table.types[name] == "text" else as_text(table.values(name, known))


def _missing_in(table: Table, name: str) -> np.ndarray:
    """Where a column has no value. Shapes: -> (rows,) bool."""
    return table.words(name).codes < 0 if table.types[name] == "text" else missing(table.values(name))


def as_text(values: np.ndarray) -> np.ndarray:
    """Objects as text, so that they can be told apart and put in order; other values as they are."""
    text: np.ndarray = values.astype(np.str_) if values.dtype.kind == "O" else values
    return text


def _bins(table: Table, name: str, known: np.ndarray) -> tuple[np.ndarray, str]:
    """Numbers of classes, or of tenths of the values, in the order of these, and what that is called."""
    if table.types[name] == "text":
        return table.words(name).ranks()[known], "stratified by"
    flat = labels(table.values(name, known), "target")
    if flat.dtype.kind == "M":
        flat = flat.astype(np.int64)
    if flat.dtype.kind in "iub" or np.array_equal(flat, np.rint(flat)):
        ordered = np.sort(flat)
        distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])]
        if len(distinct) <= max(2, MOST_CLASSES * len(flat)):
            return np.searchsorted(distinct, flat), "stratified by"
    bins = int(np.clip(len(flat) // TENTHS, 1, TENTHS))
    ends = [-(-number * len(flat) // bins) for number in range(1, bins)]
    return splits.stretches(flat, ends), "evenly over the values of"


def _trainable(
    parts: list[np.ndarray], classes: np.ndarray, called: Callable[[int], Any]
) -> tuple[list[np.ndarray], list[str]]:
    """Classes that would only be judged by are trained on instead: there are too few rows of them.

    Arguments:
        called: the class of a row.
    """
    train, test = parts
    only = np.setdiff1d(classes[test], classes[train])
    if not len(only):
        return parts, []
    names = [str(called(int(np.argmax(classes == number)))) for number in only[:5].tolist()]
    note = f"{len(only)} classes have too few rows to be judged by and are only trained on: {', '.join(names)}" + (
        " ..." if len(only) > 5 else ""
    )
    return list(splits.with_every_class(train, test, classes)), [note + "."]
