"""Rows of the validation that stand among the training rows, and how much of that is natural."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from thalweg.data.source import Arrays
from thalweg.doctor.facts import rows
from thalweg.doctor.record import Repeats

LOOKED_FOR = 1000
"""Validation rows, and as many training rows to compare with."""

LOOKED_THROUGH = 1_000_000
"""Training rows, in memory."""

MAPPED = 10_000
"""Training rows in a file, each of which is a place to read from."""

WINDOW = 16
"""Numbers beside one another by which rows are told apart at first."""

CANDIDATES = 8_000_000
"""Numbers of rows that are the same in these."""

AREA, PAIRS = 2_000_000, 1_200_000
"""Where near rows are looked for: numbers of training rows, distances."""

DIRECTIONS = 24
"""Numbers that stand for a row: distances between these are those between the rows, give or take a fifth."""

DEVIATIONS = 3
"""Of luck, that a difference is more than."""

MUCH_NEARER = 1 / 3
"""A row is near another one if that is so many times as far as the other one's own neighbour."""


def repeats_of(training: Arrays, validation: Arrays) -> Repeats | None:
    """The share of validation rows with a training row that is the same, or nearly; and the same within training.

    A validation row is *near* a training row if it lies less than a third as far from it as that lies from the nearest
    other training row. Of rows drawn alike this happens to validation and to training rows equally often, however
    crowded the data are; to a copy with a little noise it happens nearly always. Distances are in standard deviations
    of the columns. Of large data only a part of the training rows is looked at, and shares are scaled accordingly.

    None without rows to compare.
    """
    train, held_out = (rows.of_kind(arrays, rows.INPUT) for arrays in (training, validation))
    alike = [label for label in train if label in held_out and train[label].shape[1:] == held_out[label].shape[1:]]
    if not alike or len(alike) < len(train) or rows.count(train) < 3:
        return None
    kept, looked_for = [train[label] for label in alike], [held_out[label] for label in alike]
    exact, exact_within = exact_shares(kept, looked_for)
    near, near_within = near_shares(kept, looked_for)
    compared, others = (min(len(x[0]), LOOKED_FOR) for x in (looked_for, kept))
    # Copies within the training rows come in pairs, so that these tell half as much.
    rows_of_luck = int(1 / (1 / compared + 2 / others))
    return Repeats(exact, max(near, exact), exact_within, max(near_within, exact_within), max(rows_of_luck, 1))


def exact_shares(train: list[np.ndarray], held_out: list[np.ndarray]) -> tuple[float, float]:
    """Of validation rows, and of training rows, the share that is among the (other) training rows."""
    mapped = any(isinstance(x, np.memmap) for x in train)
    every = _evenly(train, MAPPED if mapped else LOOKED_THROUGH)
    scale = len(train[0]) / len(every[0])
    asked = [_evenly(arrays, LOOKED_FOR) for arrays in (held_out, every)]
    source, window = _telling(every)
    known, keys = (
        np.concatenate([rows.keys([part[source].reshape(len(part[0]), -1)[:, window]]) for part in parts])
        for parts in (asked, [every])
    )
    alike = _among(keys, known)
    size = sum(rows.size(x) for x in every)
    alike = alike[rows.spread(len(alike), max(CANDIDATES // size, 1))]
    found, times = np.unique(rows.keys([x[alike] for x in every]), return_counts=True)
    shares = [_share_among(rows.keys(part), found[times > others]) for part, others in zip(asked, (0, 1), strict=True)]
    return min(1.0, shares[0] * scale), min(1.0, shares[1] * scale)


def _among(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The places of those keys that are among others. Their first 16 bits tell most that are not, in no time."""
    marked = np.zeros(1 << 16, bool)
    marked[known >> np.uint64(48)] = True
    doubtful = np.flatnonzero(marked[keys >> np.uint64(48)])
    return np.asarray(doubtful[np.isin(keys[doubtful], known)])


def _share_among(keys: np.ndarray, found: np.ndarray) -> float:
    if not len(found) or not len(keys):
        return 0.0
    return float((found[np.minimum(np.searchsorted(found, keys), len(found) - 1)] == keys).mean())


def _telling(arrays: list[np.ndarray]) -> tuple[int, slice]:
    """Which of the arrays, and which numbers of its rows, tell most rows apart."""
    best, choice = -1, (0, slice(0, WINDOW))
    for number, x in enumerate(arrays):
        few = x[rows.spread(len(x), 256)]
        few = few.reshape(len(few), -1)
        last = max(few.shape[1] - WINDOW, 0)
        for start in sorted(set(np.linspace(0, last, 16).astype(int).tolist())):
            different = len(np.unique(rows.keys([few[:, start : start + WINDOW]])))
            if different > best:
                best, choice = different, (number, slice(start, start + WINDOW))
    return choice


def near_shares(train: list[np.ndarray], held_out: list[np.ndarray]) -> tuple[float, float]:
    """Of validation rows, and of training rows, the share that is near another training row; the same one twice where
    the two differ by no more than luck.
    """
    size = sum(rows.size(x) for x in train)
    base = rows.matrix(_evenly(train, max(AREA // size, 200)))
    scale = len(train[0]) / len(base)
    queries = rows.matrix(_evenly(held_out, min(LOOKED_FOR, max(PAIRS // len(base), 50))))
    own = np.arange(len(base))[rows.spread(len(base), min(LOOKED_FOR, max(PAIRS // len(base), 50)))]
    projected = _projection(base)
    points = projected(base)
    near, within = _are_near(projected(queries), points, None), _are_near(points[own], points, own)
    share, natural = float(near.mean()), float(within.mean())
    luck = math.sqrt(share / len(near) + natural / len(within))
    if share - natural <= DEVIATIONS * luck:  # one row more or less is many where only a part is looked at
        share = natural
    return min(1.0, share * scale), min(1.0, natural * scale)


def _projection(base: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Columns that change, of one scale; where there are many, in random directions."""
    moving, center, scale = rows.scales(base[rows.spread(len(base), 500)])
    if len(moving) <= DIRECTIONS:
        return lambda x: (x[:, moving] - center) / scale
    directions = np.zeros((base.shape[1], DIRECTIONS), np.float32)
    directions[moving] = np.random.default_rng(0).standard_normal((len(moving), DIRECTIONS)) / scale[:, None]
    middle = center @ directions[moving]
    return lambda x: x @ directions - middle


def _are_near(queries: np.ndarray, points: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    """Whether each query's nearest point is much nearer to it than to any other point.

    Arguments:
        own: the numbers of the queries among the points, where they are some.
    """
    itself = [] if own is None else [own]
    nearest, distance = _nearest(queries, points, itself)
    _, around = _nearest(points[nearest], points, [nearest, *itself])
    return np.asarray(distance <= MUCH_NEARER**2 * around)


def _nearest(queries: np.ndarray, points: np.ndarray, without: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The number of the nearest point of each query, and its squared distance.

    Arguments:
        without: for each query the numbers of points that do not count.
    """
    table = queries @ (-2.0 * points.T)
    table += (points**2).sum(axis=1)
    lines = np.arange(len(queries))
    for left_out in without:
        table[lines, left_out] = np.inf
    nearest = table.argmin(axis=1)
    return nearest, ((queries - points[nearest]) ** 2).sum(axis=1)  # anew: the table is rounded where it is large


def _evenly(arrays: list[np.ndarray], wanted: int) -> list[np.ndarray]:
    """At most so many of their rows."""
    step = rows.spread(min(map(len, arrays)), wanted)
    return [x[: min(map(len, arrays))][step] for x in arrays]
