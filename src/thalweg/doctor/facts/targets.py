"""What the targets are: classes in which shares, or numbers of which size; and so what kind of task it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import losses
from thalweg.data.source import Arrays
from thalweg.doctor.facts import rows
from thalweg.doctor.record import Targets, Task
from thalweg.training.goals import Goal, Goals

NUMBERS = 4_000_000
"""That are looked at."""

SQUARED = (
    *(losses.MeanSquaredError, losses.MeanAbsoluteError, losses.Huber, losses.LogCosh),
    *(losses.MeanAbsolutePercentageError, losses.MeanSquaredLogarithmicError),
)
"""Losses that measure how far a number is from another one."""

MANY = 32
"""Numbers of a target: beyond, they are a picture or the like, and no few quantities to predict."""


def targets_of(arrays: Arrays, goals: Goals | None) -> Targets | None:
    """Of the targets of the only output that is trained; None if there is none, or are several.

    Arguments:
        arrays: with the targets as the loss gets them.
    """
    goal = only_goal(goals)
    y = None if goal is None else rows.of_kind(arrays, rows.TARGET).get(goal.label)
    return None if y is None else looked_at(y, sparse=bool(goal and goal.kind.sparse))


def only_goal(goals: Goals | None) -> Goal | None:
    """The only output that is trained."""
    trained = [] if goals is None else goals.trained
    return trained[0] if len(trained) == 1 else None


def looked_at(y: np.ndarray, sparse: bool = False) -> Targets:
    """Of targets in an array.

    Arguments:
        sparse: whether they are class numbers for sure; whole numbers alone may also count something.
    """
    part = y[rows.spread(len(y), max(NUMBERS // rows.size(y), 16))]
    matrix = part.reshape(len(part), -1)
    good = np.isfinite(matrix).all(axis=1) if matrix.dtype.kind == "f" else np.ones(len(matrix), bool)
    values = matrix if good.all() else matrix[good]
    if not values.size:
        return Targets(non_finite=1.0)
    one_hot = not sparse and is_one_hot(values)
    with np.errstate(all="ignore"):
        mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    return Targets(
        non_finite=1.0 - float(good.mean()),
        shares=shares(values, sparse, one_hot),
        mean=mean,
        deviation=deviation,
        least=float(values.min()),
        most=float(values.max()),
        one_hot=one_hot,
        answers=y.ndim == 2 and values.shape[1] > 1 and not one_hot and _are_answers(values),
    )


def is_one_hot(y: np.ndarray) -> bool:
    """Whether each row has several numbers, one of which is 1 and the others 0."""
    return y.ndim == 2 and y.shape[1] > 1 and _are_answers(y) and bool((y.sum(axis=1) == 1).all())


def _are_answers(y: np.ndarray) -> bool:
    """Whether all are 0 or 1."""
    return bool(((y == 0) | (y == 1)).all())


def shares(y: np.ndarray, sparse: bool, one_hot: bool) -> tuple[float, ...]:
    """Of the classes; empty for numbers.

    Shapes: y (rows, numbers of a target).
    """
    if one_hot:
        return tuple(y.mean(axis=0, dtype=np.float64).tolist())
    if sparse:
        known = y.ravel()[y.ravel() >= 0].astype(np.int64)  # below 0 are those that the loss leaves out
        if not known.size or known.max() > 100_000:
            return ()
        return tuple((np.bincount(known) / known.size).tolist())
    if y.shape[1] == 1 and _are_answers(y):
        ones = float(y.mean(dtype=np.float64))
        return (1.0 - ones, ones) if 0 < ones < 1 else ()
    if y.shape[1] == 1 and (np.abs(y) == 1).all():
        ones = float((y == 1).mean())
        return (1.0 - ones, ones) if 0 < ones < 1 else ()
    return ()


def task_of(goals: Goals | None, targets: Targets | None, arrays: Arrays | None = None) -> Task | None:
    """What is to be learned, as loss, head and targets speak for it; None where they do not.

    Not said of several outputs, of targets with places (a class for each pixel), of many yes-or-no questions at once,
    of pictures as targets, and where the targets are the inputs.

    Arguments:
        arrays: to tell whether targets are inputs.
    """
    goal = only_goal(goals)
    if goal is None or targets is None or goal.output.rank > 2 or _gives_back(goal, arrays):
        return None
    units = 1 if goal.output.rank < 2 else goal.output.shape[-1]
    return _task(goal.loss, units, targets)


def _task(loss: Any, units: int, targets: Targets) -> Task | None:
    classes = len(targets.shares)
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        return "multiclass" if units > 1 and classes else None
    if units > 1 and targets.one_hot:
        return "multiclass"
    if units == 1 and classes == 2:
        return "binary"
    squared = isinstance(loss, (*SQUARED, losses.Poisson)) and units <= MANY
    return "regression" if squared and not classes and targets.deviation > 0 else None


def _gives_back(goal: Goal, arrays: Arrays | None) -> bool:
    """Whether the targets are an input, or parts of one."""
    if arrays is None or goal.label not in arrays:
        return False
    y = arrays[goal.label]
    for x in rows.of_kind(arrays, rows.INPUT).values():
        if len(x) and len(y) and x[0].size == y[0].size > 1:
            return bool(np.array_equal(x[:8].reshape(-1), y[:8].reshape(-1)))
    return False
