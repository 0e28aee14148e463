"""The rows that a treatment trains on and judges by, and what prescriptions may know of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np

from thalweg.data import splits
from thalweg.diagnosis.treatment.start import sample_of
from thalweg.errors import ArgumentError
from thalweg.evaluation.split import common_rows, take
from thalweg.fields import dataclass

Task = Literal["binary", "multiclass", "regression"]

HELD_OUT = 0.2
"""The share of the rows that is held out where nobody says which."""

FEWEST = 5
"""Rows that can be judged by: where a fifth is fewer, nothing is held out, and it counts what is learnt."""

RARE = 0.4
"""A class with less than this share of its fair one is rare: then all classes count alike in the score."""

RARE_OF_TWO = 0.3
"""The share below which the smaller one of two classes is rare."""

SMALLEST = 1e-12
"""A deviation below it is none."""


@dataclass(frozen=True, eq=False)
class Material:
    """Training rows, and rows to judge by.

    Attributes:
        task: what the targets are.
        x, y, sample_weight: of training.
        x_val, y_val: to judge by.
        told: where those come from, in words.
        equal: whether all classes count alike however many rows they have.
    """

    def of_equal_classes(self) -> Material:
        """The same, judged by the mean recall of the classes."""
        return dataclasses.replace(self, equal=True)

    @property
    def named(self) -> str:
        """What the score is."""
        if self.task == "regression":
            return "R2"
        return "mean recall of the classes" if self.balanced else "accuracy"

    task: Task
    x: Any
    y: Any
    sample_weight: Any
    x_val: Any
    y_val: Any
    told: str
    equal: bool = False

    @cached_property
    def sample(self) -> Any:
        """Inputs that a model can be built by: none of them is missing."""
        return sample_of(self.x)

    @cached_property
    def rows(self) -> int:
        """How many rows there are to train on."""
        return common_rows((self.x,))

    @cached_property
    def columns(self) -> np.ndarray | None:
        """The inputs as one array of floats; None of several inputs, or of what are no numbers."""
        if isinstance(self.x, Mapping | tuple | list):
            return None
        array = np.asarray(self.x)
        return array.astype(np.float64, copy=False) if array.dtype.kind in "biuf" and array.ndim > 1 else None

    @cached_property
    def finite(self) -> np.ndarray:
        """The inputs with NaN in place of infinities."""
        assert self.columns is not None, "who asks has looked"
        return np.where(np.isfinite(self.columns), self.columns, np.nan)

    @cached_property
    def complete(self) -> bool:
        """Whether all inputs are numbers, those to judge by too, as far as is known."""
        return self.columns is None or bool(np.isfinite(self.columns).all() and np.isfinite(self.x_val).all())

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and variance of each column (the last axis), over what is finite."""
        axes = tuple(range(self.finite.ndim - 1))
        mean, variance = np.nanmean(self.finite, axis=axes), np.nanvar(self.finite, axis=axes)
        return np.nan_to_num(mean).tolist(), np.nan_to_num(variance).tolist()

    def medians(self) -> list[float]:
        """Of each column (the last axis), over what is finite."""
        axes = tuple(range(self.finite.ndim - 1))
        found: list[float] = np.nan_to_num(np.nanmedian(self.finite, axis=axes)).tolist()
        return found

    @cached_property
    def numbers(self) -> np.ndarray:
        """The targets as numbers."""
        return np.asarray(self.y, np.float64)

    @property
    def target_mean(self) -> float:
        """Over those that are numbers."""
        return float(np.nanmean(np.where(np.isfinite(self.numbers), self.numbers, np.nan)))

    @property
    def target_deviation(self) -> float:
        """Over those that are numbers."""
        return float(np.nanstd(np.where(np.isfinite(self.numbers), self.numbers, np.nan)))

    @cached_property
    def answers(self) -> bool:
        """Whether the targets are rows of 0 and 1."""
        return self.numbers.ndim == 2 and self.numbers.shape[1] > 1 and bool(np.isin(self.numbers, (0, 1)).all())

    @cached_property
    def one_hot(self) -> bool:
        """Whether the classes are rows of a one and zeros."""
        return self.task != "regression" and self.numbers.ndim == 2 and self.numbers.shape[1] > 1

    @cached_property
    def classes(self) -> int:
        """How many there are; 0 of numbers."""
        if self.task == "regression":
            return 0
        if self.one_hot:
            return int(self.numbers.shape[1])
        return max(int(labels_of(y).max()) for y in (self.y, self.y_val)) + 1

    @cached_property
    def labels(self) -> np.ndarray:
        """Class numbers of the rows to judge by."""
        return labels_of(self.y_val)

    @cached_property
    def balanced(self) -> bool:
        """Whether a class is rare, so that all have to count alike."""
        if self.task == "regression" or self.equal:
            return self.equal
        counts = np.bincount(labels_of(self.y), minlength=self.classes)
        share = counts[counts > 0].min() / counts.sum()
        return bool(share < (RARE_OF_TWO if self.classes == 2 else RARE / max(self.classes, 1)))

    def kept(self, rows: np.ndarray | None) -> tuple[Any, Any, Any]:
        """Inputs, targets and weights of these training rows; of all for None."""
        if rows is None:
            return self.x, self.y, self.sample_weight
        weight = None if self.sample_weight is None else take(self.sample_weight, rows)
        return take(self.x, rows), take(self.y, rows), weight


def labels_of(y: Any) -> np.ndarray:
    """Class numbers: of one-hot rows the place of the one, of -1 and 1 (as hinge losses have them) 0 and 1."""
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] > 1:
        return np.asarray(array.argmax(1))
    flat = np.nan_to_num(array.reshape(-1).astype(np.float64))
    return np.where(flat < 0, 0, np.rint(flat)).astype(np.int64)


def material(x: Any, y: Any, task: Task, fit: dict[str, Any], seed: int) -> Material:
    """The rows as ``fit`` would take them; what it says of validation is taken out of its arguments.

    Raises: ArgumentError for ``validation_data`` that is no pair of arrays.
    """
    weight = fit.pop("sample_weight", None)
    given, share = fit.pop("validation_data", None), fit.pop("validation_split", 0.0) or 0.0
    if given is not None:
        if not isinstance(given, tuple | list) or len(given) not in (2, 3):
            raise ArgumentError(
                "treat: validation_data is no pair of arrays",
                expected="(x_val, y_val)",
                got=f"{type(given).__name__}",
                fix="pass arrays; or nothing, and treat holds out a part of the rows",
            )
        return _known(Material(task, x, y, weight, given[0], given[1], "the validation rows"))
    rows = common_rows((x, y))
    if share:
        first = int(rows * (1 - share))
        train, rest, told = np.arange(first), np.arange(first, rows), f"the last {rows - first} rows"
    else:
        size = round(HELD_OUT * rows)
        if size < FEWEST:
            return _known(Material(task, x, y, weight, x, y, f"all {rows} rows, too few to hold some out"))
        classes = None if task == "regression" else labels_of(y)
        train, rest = splits.parts(rows, [rows - size, size], classes=classes, seed=seed)
        told = f"{len(rest)} rows held out"
    whole = Material(task, x, y, weight, take(x, rest), take(y, rest), told)
    own_x, own_y, own_weight = whole.kept(train)
    return _known(dataclasses.replace(whole, x=own_x, y=own_y, sample_weight=own_weight))


def _known(rows: Material) -> Material:
    """Without rows to judge by whose target is no number."""
    targets = np.asarray(rows.y_val)
    if targets.dtype.kind != "f" or np.isfinite(targets).all():
        return rows
    known = np.flatnonzero(np.isfinite(targets.reshape(len(targets), -1)).all(1))
    return dataclasses.replace(rows, x_val=take(rows.x_val, known), y_val=take(rows.y_val, known))


def task_of(y: Any, loss: str, activation: str, task: str | None) -> Task:
    """What the targets are, unless it is said: classes where the loss or the head is one for classes."""
    known: dict[str, Task] = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}
    if task is not None:
        if task not in known:
            raise ArgumentError(
                "treat: there is no such task",
                expected="'binary', 'multiclass' or 'regression'",
                got=repr(task),
                fix="leave task= out, or pass one of these",
            )
        return known[task]
    array = np.asarray(y)
    classes = splits.class_numbers(array)
    if classes is None or array.dtype.kind not in "biuf":
        return "regression"
    count = int(classes.max()) + 1 if array.ndim < 2 or array.shape[1] == 1 else array.shape[1]
    for_classes = "crossentropy" in loss or "hinge" in loss or activation in ("softmax", "sigmoid")
    whole = array.dtype.kind in "biu" and count <= max(20, len(array) // 50)
    if not for_classes and not (whole and array.ndim == 1) and array.ndim == 1:
        return "regression"
    return "binary" if count <= 2 else "multiclass"
