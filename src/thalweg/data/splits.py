"""Which rows are trained on and which are held out: parts and folds, stratified, grouped, by time; always seeded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from thalweg.data.tables.frames import labels
from thalweg.errors import ArgumentError, DataError, ShapeError

Index = np.ndarray
Entropy = int | tuple[int, ...]


def class_numbers(y: Any) -> np.ndarray | None:
    """Targets as numbers 0, 1, 2 ... of their classes; None if they are no classes.

    Shapes: y (n,) or (n, 1): whole numbers, truth values or text; or (n, classes): one-hot -> (n,).
    """
    array = labels(y, "y")
    if array.ndim == 2 and array.shape[1] > 1:
        one_hot = array.dtype.kind in "biuf" and np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all()
        return np.asarray(array.argmax(1)) if one_hot else None
    if array.ndim not in (1, 2) or array.dtype.kind not in "biufU":
        return None
    flat = array.reshape(-1)
    if flat.dtype.kind == "f" and not np.array_equal(flat, np.rint(flat)):
        return None
    return np.asarray(np.unique(flat, return_inverse=True)[1]).reshape(-1)


def parts(
    rows: int,
    sizes: Sequence[int],
    *,
    classes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    time: np.ndarray | None = None,
    seed: Entropy,
) -> list[Index]:
    """The rows cut into parts of these sizes, each part in rising order.

    Arguments:
        sizes: add up to ``rows``.
        classes: every part gets its share of each class, to within one row.
        groups: rows of one group stay together; the sizes are met as nearly as that allows.
        time: later parts are later; rows of one time stay together, which moves the border a little.
    """
    random = np.random.default_rng(seed)
    if groups is not None:
        return _grouped(_whole(rows, None), groups, np.array(sizes, float), random)
    if time is not None:
        order = np.argsort(time, kind="stable")
        moments = time[order]
        ends = [_nearest_change(moments, int(end)) for end in np.cumsum(sizes)[:-1]]
        return [np.sort(part) for part in np.split(order, ends)]
    # Every class spread evenly over [0, 1): each stretch of that has the same share of every class.
    place = np.empty(rows)
    for members in _members(_whole(rows, classes)):
        shuffled = random.permutation(members)
        place[shuffled] = (np.arange(len(members)) + random.random()) / len(members)
    numbers = stretches(place, np.cumsum(sizes)[:-1].tolist())
    return [np.flatnonzero(numbers == part) for part in range(len(sizes))]


def with_every_class(train: Index, rest: Index, classes: np.ndarray) -> tuple[Index, Index]:
    """Two parts, with all rows of a class that only the second has moved to the first, which is in rising order."""
    alone = ~np.isin(classes[rest], classes[train])
    return np.sort(np.concatenate([train, rest[alone]])), rest[~alone]


def folds(
    rows: int, count: int, *, classes: np.ndarray | None = None, groups: np.ndarray | None = None, seed: Entropy
) -> list[Index]:
    """The rows dealt out to ``count`` folds of equal size, to within one row; each fold in rising order.

    Arguments:
        classes: every fold gets its share of each class, to within one row.
        groups: rows of one group are in one fold; then sizes and shares are as equal as that allows.
    """
    random = np.random.default_rng(seed)
    if groups is not None:
        return _grouped(_whole(rows, classes), groups, np.full(count, rows / count), random)
    order = np.concatenate([random.permutation(members) for members in _members(_whole(rows, classes))])
    fold = np.empty(rows, np.int64)
    fold[order] = np.arange(rows) % count  # dealt on through the classes, so that sizes stay equal too
    return [np.flatnonzero(fold == number) for number in range(count)]


def expanding_windows(time: np.ndarray, count: int) -> list[tuple[Index, Index]]:
    """(rows to train on, rows held out) of ``count`` folds, each trained on all that came before what it holds out.

    The rows in the order of time are cut into ``count + 1`` stretches of equal size; what is left over goes to the
    first. Fold i holds out stretch i + 1 and trains on those before it. Rows of one time stay together, which moves a
    border to the nearest place where the time changes. With all times different these are the folds of scikit-learn's
    ``TimeSeriesSplit(count)``.

    Raises: DataError if a stretch would be empty, because too few rows, or too many of one time, are there.
    """
    order = np.argsort(time, kind="stable")
    moments, rows = time[order], len(time)
    size = rows // (count + 1)
    borders = [_nearest_change(moments, rows - left * size) if size else 0 for left in range(count, -1, -1)]
    if min(np.diff([0, *borders])) < 1:
        raise DataError(
            "a fold by time would be empty",
            expected=f"times for {count} folds to hold out and rows before the first; rows of one time stay together",
            got=f"{rows} rows of {len(np.unique(time))} different times",
            fix="pass fewer folds, or finer times",
        )
    return [(np.sort(order[:begin]), np.sort(order[begin:end])) for begin, end in pairwise(borders)]


def _nearest_change(moments: np.ndarray, end: int) -> int:
    """The place nearest to ``end`` where the sorted moments change."""
    if end == len(moments):
        return end
    first, last = (int(np.searchsorted(moments, moments[end], side)) for side in ("left", "right"))
    return first if end - first <= last - end else last


def _grouped(classes: np.ndarray, groups: np.ndarray, sizes: np.ndarray, random: np.random.Generator) -> list[Index]:
    """Whole groups, the largest first, each to the part that lacks most of what it has."""
    group = np.unique(groups, return_inverse=True)[1].reshape(-1)
    counts = np.zeros((group.max() + 1, classes.max() + 1))
    np.add.at(counts, (group, classes), 1)
    if len(counts) < len(sizes):
        raise DataError(
            "there are fewer groups than parts",
            expected=f"at least {len(sizes)} groups, because each stays whole",
            got=f"{len(counts)}",
            fix="ask for fewer parts, or use finer groups",
        )
    total = counts.sum(0)
    wanted = np.outer(sizes / sizes.sum(), total)
    order = random.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(1), kind="stable")]
    part = np.empty(len(counts), np.int64)
    part[order] = _dealt(counts[order], wanted)
    return [np.flatnonzero(part[group] == number) for number in range(len(sizes))]


def _dealt(counts: np.ndarray, wanted: np.ndarray) -> list[int]:
    """The part that each group in turn goes to. Shapes: counts (groups, classes), wanted (parts, classes)."""
    least = np.maximum(wanted, 1e-9)
    if counts.shape[1] == 1:  # the same in plain floats: there may be a million groups
        lacking, divisors = wanted[:, 0].tolist(), least[:, 0].tolist()
        held, chosen = [0.0] * len(lacking), []
        for count in counts[:, 0].tolist():
            lacks = [(w - h) / d * count for w, h, d in zip(lacking, held, divisors, strict=True)]
            chosen.append(lacks.index(max(lacks)))
            held[chosen[-1]] += count
        return chosen
    taken = np.zeros_like(wanted)
    parts = []
    for own in counts:
        parts.append(int(np.argmax(((wanted - taken) / least * own).sum(1))))
        taken[parts[-1]] += own
    return parts


def stretches(values: np.ndarray, ends: Sequence[int]) -> np.ndarray:
    """In which stretch each value is, when they are put in order, equal ones as they stand, and cut at these ends.

    Nothing is sorted, so that of a million values each takes as long as of a thousand.

    Shapes: (n,) -> (n,) from 0 to as many as there are ends.
    """
    numbers = np.zeros(len(values), np.int64)
    inside = [end for end in ends if end < len(values)]
    for end, border in zip(inside, np.partition(values, inside)[inside] if inside else (), strict=True):
        beyond = values >= border
        equal = np.flatnonzero(values == border)
        beyond[equal[: end - (len(values) - np.count_nonzero(beyond))]] = False
        numbers += beyond
    return numbers


def _whole(rows: int, classes: np.ndarray | None) -> np.ndarray:
    """The classes, or one for all."""
    return np.zeros(rows, np.int64) if classes is None else classes


def _members(classes: np.ndarray) -> list[np.ndarray]:
    """The rows of each class, rising."""
    if len(classes) and classes.min() >= 0 and classes.max() <= np.iinfo(np.uint16).max:
        classes = classes.astype(np.uint16)  # which are sorted by their digits, and quickly
    order = np.argsort(classes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(classes[order])) + 1) if len(order) else []


def per_row(values: Any, rows: int, name: str) -> np.ndarray | None:
    """One value for each row, or None. Raises ShapeError."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (rows,):
        raise ShapeError(
            f"argument {name!r} does not fit the data",
            expected=f"({rows},), one value for each row",
            got=str(array.shape),
            fix=f"pass one {name} value for each row",
        )
    return array


def moments(time: Any, rows: int) -> np.ndarray | None:
    """One time for each row, or None. Raises ShapeError; DataError where one is missing."""
    array = per_row(time, rows, "time")
    if array is None or array.dtype.kind not in "fmM":
        return array
    missing = np.flatnonzero(np.isnat(array) if array.dtype.kind in "mM" else np.isnan(array))
    if len(missing):
        raise DataError(
            "a time is missing",
            expected="a time for each row",
            got=f"{array[missing[0]]} in row {missing[0]}; {len(missing)} such in all",
            fix="leave these rows out",
        )
    return array


def part_sizes(rows: int, shares: dict[str, float | int]) -> list[int]:
    """How many rows the first part and the named ones after it get. Raises ArgumentError or DataError.

    Arguments:
        shares: name of the argument -> a share in (0, 1), or a number of rows.
    """
    sizes = []
    for name, share in shares.items():
        is_share = isinstance(share, float | np.floating) and 0 <= share < 1
        is_count = isinstance(share, int | np.integer) and not isinstance(share, bool) and share >= 0
        if not is_share and not is_count:
            raise ArgumentError(
                f"argument {name!r} does not fit its rule",
                expected="a share in [0, 1), or a number of rows",
                got=repr(share),
                fix=f"pass for example {name}=0.2",
            )
        sizes.append(round(float(share) * rows) if is_share else int(share))
    first = rows - sum(sizes)
    empty = [name for name, size, share in zip(shares, sizes, shares.values(), strict=True) if share and not size]
    if first < 1 or empty:
        raise DataError(
            "a part of the split would be empty",
            expected="at least 1 row in each",
            got=f"{first} rows to train on" if first < 1 else f"{empty[0]}={shares[empty[0]]} of {rows} rows",
            fix="use other sizes, or more data",
        )
    return [first, *sizes]
