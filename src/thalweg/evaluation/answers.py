"""Targets beside what a model says of them, in one form for classes and one for numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg.checks import checked
from thalweg.data.arrays import as_array, require_finite
from thalweg.data.tables.frames import labels
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.fields import dataclass

LEAST_CHANCE = 1e-7
"""Probabilities are cut off here for the log loss, as in the losses: a certain mistake is bad, not infinitely so."""


@dataclass(frozen=True)
class Answers:
    """Targets and predictions of the same rows.

    Attributes:
        truth: (n,) numbers of classes; or (n, targets).
        said: (n, classes) probabilities; or (n, targets).
        classes: what the classes are called; empty for numbers.
        targets: what the targets are called.
    """

    truth: np.ndarray
    said: np.ndarray
    classes: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.truth)

    @property
    def answer(self) -> np.ndarray:
        """The most probable class of each row. Shapes: (n,)."""
        return np.asarray(self.said.argmax(1))

    def losses(self, said: np.ndarray | None = None) -> np.ndarray:
        """What each row costs: its log loss; of numbers the squared error, of several targets the mean of these, each
        divided by the variance of its target. Shapes: said as the predictions -> (n,).
        """
        given = self.said if said is None else as_predictions(said, self.classes)
        if self.classes:
            chance: np.ndarray = given[np.arange(self.rows), self.truth]
            return np.asarray(-np.log(np.maximum(chance, LEAST_CHANCE)))
        squares = (given - self.truth) ** 2
        if len(self.targets) == 1:
            return np.asarray(squares[:, 0])
        variance = self.truth.var(0)
        return np.asarray((squares / np.where(variance > 0, variance, 1)).mean(1))

    def score(self, loss: Any) -> Any:
        """A mean loss as people read it: for one target of numbers its root."""
        return loss if self.classes or len(self.targets) > 1 else np.sqrt(np.maximum(loss, 0))

    @property
    def score_name(self) -> str:
        """What ``score`` gives, in words."""
        if self.classes:
            return "log loss"
        return "RMSE" if len(self.targets) == 1 else "1 - R2"

    def take(self, rows: np.ndarray) -> Answers:
        """Some of the rows."""
        return Answers(self.truth[rows], self.said[rows], self.classes, self.targets)


def as_predictions(predictions: Any, classes: Sequence[str]) -> np.ndarray:
    """Predictions as float64 of two axes; one probability becomes those of both classes."""
    said = as_array(predictions, "predictions").astype(np.float64)
    said = said[:, None] if said.ndim == 1 else said
    return np.concatenate([1 - said, said], 1) if len(classes) == 2 and said.shape[1] == 1 else said


@checked
def answers(y: Any, predictions: Any, *, classes: Any = None, targets: Any = None) -> Answers:
    """Targets and predictions, checked against each other.

    Classes are meant if they are named, if the targets are text, or if the predictions are rows of probabilities (or
    one probability, and the targets 0 and 1); numbers otherwise.

    Arguments:
        classes: the label of each column of the predictions; ``()``: the targets are numbers.
        targets: names for what is predicted.

    Shapes: y (n,) or (n, 1): labels out of ``classes`` or their numbers; or (n, classes): one-hot; or (n, targets).
        predictions (n, classes), of two classes also (n,) or (n, 1); or (n, targets).
    Raises: ShapeError, DataError or ArgumentError.
    """
    truth = labels(y, "y")
    said = as_array(predictions, "predictions").astype(np.float64)
    said = said[:, None] if said.ndim == 1 else said
    if said.ndim != 2 or truth.ndim not in (1, 2) or len(said) != len(truth) or not len(said):
        raise ShapeError(
            "targets and predictions do not fit each other",
            expected="(rows, classes) or (rows, targets) of predictions, and a target for each row, at least 1",
            got=f"targets {truth.shape}, predictions {said.shape}",
            fix="pass the targets of just the rows that were predicted",
        )
    require_finite(said, "predictions")
    if classes is None:
        classes = _classes(truth, said)
    named = tuple(map(str, classes))
    if not named:
        return _numbers(truth, said, targets)
    both = as_predictions(said, named)
    if both.shape[1] != len(named):
        raise ArgumentError(
            "the classes do not fit the predictions",
            expected=f"{both.shape[1]} classes, one for each column of the predictions",
            got=f"{len(named)}",
            fix="pass classes in the order of the network's outputs",
        )
    _require_chances(both)
    return Answers(_numbered(truth, list(classes)), both, named, _names(targets, 1, "class"))


def _classes(truth: np.ndarray, said: np.ndarray) -> list[Any]:
    """The labels, in the order of the predictions; none for numbers."""
    is_chances = bool((said >= 0).all() and (said <= 1).all())
    wide = said.shape[1] > 1
    if wide and is_chances and np.allclose(said.sum(1), 1, atol=1e-3):
        present = np.unique(truth).tolist() if truth.ndim == 1 and truth.dtype.kind == "U" else None
        return present if present and len(present) == said.shape[1] else list(range(said.shape[1]))
    if truth.dtype.kind == "U":
        return list(np.unique(truth).tolist())
    if not wide and is_chances and np.isin(truth, (0, 1)).all():
        return [0, 1]
    return []


def _require_chances(said: np.ndarray) -> None:
    sums = said.sum(1)
    if (said < -1e-6).any() or not np.allclose(sums, 1, atol=1e-3):
        row = int(np.argmax(np.abs(sums - 1) + (said < -1e-6).any(1)))
        raise DataError(
            "the predictions of classes are no probabilities",
            expected="numbers from 0 on that add up to 1 in each row",
            got=f"{np.round(said[row][:5], 4).tolist()} in row {row}",
            fix="let the network end with softmax or sigmoid, or pass softmax of its logits",
        )


def _numbered(truth: np.ndarray, classes: list[Any]) -> np.ndarray:
    """Labels, numbers of classes or one-hot rows as numbers of classes. Raises DataError for what is none of them."""
    if truth.ndim == 2 and truth.shape[1] > 1:
        return np.asarray(truth.argmax(1))
    flat = truth.reshape(-1)
    places: dict[Any, int] = {label: number for number, label in enumerate(classes)}
    if flat.dtype.kind in "iufb" and not places.keys() & set(np.unique(flat).tolist()):
        places = {number: number for number in range(len(classes))}
    if flat.dtype.kind in "fiub" and all(isinstance(label, str) for label in places):
        places = {float(number): number for number in range(len(classes))}
    values, inverse = np.unique(flat, return_inverse=True)
    numbers = np.array([places.get(value, -1) for value in values.tolist()])
    if (numbers < 0).any():
        unknown = values[numbers < 0]
        raise DataError(
            "there are targets of a class that the predictions do not know",
            expected=f"one of {', '.join(map(repr, classes[:20]))}",
            got=f"{unknown[0].item()!r}, in {int(np.isin(flat, unknown).sum())} rows",
            fix="leave these rows out, or train with rows of this class",
        )
    return np.asarray(numbers[inverse.reshape(-1)])


def _numbers(truth: np.ndarray, said: np.ndarray, targets: Any) -> Answers:
    if truth.dtype.kind == "U":
        raise DataError(
            "the targets are text, and the predictions are no probabilities of classes",
            expected="numbers for both, or probabilities",
            got=f"for example {truth.flat[0]!r}, and {np.round(said[0][:5], 4).tolist()}",
            fix="pass classes=, and what softmax gives",
        )
    truth = truth.astype(np.float64).reshape(len(truth), -1)
    require_finite(truth, "y")
    if truth.shape != said.shape:
        raise ShapeError(
            "targets and predictions do not fit each other",
            expected=f"{truth.shape}, as the targets",
            got=str(said.shape),
            fix="pass one prediction for each target; for classes pass classes=",
        )
    return Answers(truth, said, (), _names(targets, truth.shape[1], "target"))


def _names(given: Any, count: int, what: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(map(str, given or ()))
    if not names:
        return (what,) if count == 1 else tuple(f"{what} {number}" for number in range(count))
    if len(names) != count:
        raise ArgumentError(
            "the names of the targets do not fit",
            expected=f"{count} names",
            got=f"{len(names)}",
            fix="pass one name for each target",
        )
    return names
