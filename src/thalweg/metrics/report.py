"""What a classifier gets right, class by class: tables and plots of finished predictions.

These take arrays; the metrics of ``compile`` are counted while a model runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from thalweg.checks import OneOf, check_value, checked
from thalweg.data.arrays import as_array, refuse_masked
from thalweg.data.tables.frames import labels as labels_of
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.fields import dataclass
from thalweg.metrics.metric import divide
from thalweg.metrics.thresholds import row_weights
from thalweg.plotting import axes
from thalweg.table import Table, Tabular

__all__ = [
    "ClassificationReport",
    "ConfusionTable",
    "classification_report",
    "confusion_matrix",
]


@dataclass(frozen=True)
class ConfusionTable(Tabular):
    """How often each class was taken for each.

    Attributes:
        matrix: (classes, classes): row i, column j: targets i answered with j. ``np.asarray(self)`` is this array.
        labels: the class of each row and column.
        normalize: what the numbers are shares of, as in ``confusion_matrix``; None: they are counts.
    """

    matrix: np.ndarray
    labels: tuple[str, ...]
    normalize: str | None = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.matrix, dtype)

    def __getitem__(self, key: Any) -> Any:
        return self.matrix[key]

    def table(self) -> Table:
        number = _count if self.normalize is None else _share
        rows = [(label, *map(number, row)) for label, row in zip(self.labels, self.matrix, strict=True)]
        head: tuple[str, ...] = ("", *self.labels)
        if self.normalize != "pred":  # shares of columns do not say what share of a row is right
            head, rows = (*head, "recall"), [(*row, _share(r)) for row, r in zip(rows, self._recall(), strict=True)]
        return Table("rows: targets, columns: answers", head, rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw it, coloured by the share of each row (normalized, by the numbers); returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        sums = np.repeat(self.matrix.sum(1, keepdims=True), len(self.labels), 1)
        shares = divide(self.matrix, sums) if self.normalize is None else self.matrix
        number = _count if self.normalize is None else _share
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, j), count in np.ndenumerate(self.matrix):
            ax.text(j, i, number(count), ha="center", va="center", color="white" if shares[i, j] > 0.5 else "black")
        ax.set_xticks(range(len(self.labels)), self.labels)
        ax.set_yticks(range(len(self.labels)), self.labels)
        ax.set_xlabel("answer")
        ax.set_ylabel("target")
        return ax

    def _recall(self) -> np.ndarray:
        return divide(np.diag(self.matrix), self.matrix.sum(1))


@dataclass(frozen=True)
class ClassificationReport(Tabular):
    """Precision, recall and F1 of each class, and their means.

    Attributes:
        labels: the classes.
        precision, recall, f1, support: (classes,); support is how many targets there are, or what they weigh.
        accuracy: the share of right answers.
        macro, weighted: precision, recall and F1 as means over the classes, plain and weighted with the support.
        confusion: the matrix that all of this comes from.
    """

    labels: tuple[str, ...]
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    accuracy: float
    macro: np.ndarray
    weighted: np.ndarray
    confusion: ConfusionTable

    def table(self) -> Table:
        numbers = np.stack([self.precision, self.recall, self.f1], 1)
        rows = [
            (label, *map(_share, row), _count(support))
            for label, row, support in zip(self.labels, numbers, self.support, strict=True)
        ]
        total = _count(self.support.sum())
        rows += [
            ("accuracy", "", "", _share(self.accuracy), total),
            ("macro mean", *map(_share, self.macro), total),
            ("weighted mean", *map(_share, self.weighted), total),
        ]
        return Table("", ("class", "precision", "recall", "F1", "support"), rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw precision, recall and F1 as bars; returns the matplotlib axes.

        Raises: MissingPackageError without matplotlib.
        """
        ax = axes(ax)
        place = np.arange(len(self.labels))
        for number, name in enumerate(("precision", "recall", "f1")):
            ax.bar(place + 0.27 * (number - 1), getattr(self, name), 0.27, label=name)
        ax.set_xticks(place, self.labels)
        ax.set_ylim(0, 1)
        ax.set_xlabel("class")
        ax.legend()
        return ax


@checked
def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None = None,
    sample_weight: Any = None,
    threshold: float = 0.5,
    normalize: str | None = None,
) -> ConfusionTable:
    """How often each class was taken for each.

    Shapes: y_true (n,) or (n, 1): classes of any kind; or (n, classes): one-hot. y_pred (n,): classes; or (n, classes):
    scores, of which the largest counts; or (n, 1) and floats in (n,): probabilities of class 1.

    Arguments:
        labels: the classes in the order wanted; names, where the classes are 0, 1, 2 ... and these are not among them.
        threshold: above it a probability says 1.
        normalize: shares in place of counts: of the targets of each class (``"true"``, rows), of the answers
            (``"pred"``, columns) or of all (``"all"``), as in scikit-learn; 0 where there are none.

    Raises: ShapeError, DataError or ArgumentError if the arrays do not fit each other or the labels.

    Example:
        >>> print(confusion_matrix([0, 0, 1], [0, 1, 1]))
        rows: targets, columns: answers
           0  1  recall
        ---------------
        0  1  1   0.500
        1  0  1   1.000
    """
    check_value("confusion_matrix", "normalize", Annotated[str, OneOf("true", "pred", "all")] | None, normalize)
    true, said = _classes(y_true, threshold, "y_true"), _classes(y_pred, threshold, "y_pred")
    if true.shape != said.shape or not len(true):
        raise ShapeError(
            "confusion_matrix: targets and predictions do not fit each other",
            expected="equally many rows in both, at least 1",
            got=f"{len(true)} targets and {len(said)} predictions",
            fix="pass the targets of just the rows that were predicted",
        )
    if _is_one_score(y_pred) and set(said.tolist()) <= {0, 1} and not set(true.tolist()) <= {0, 1}:
        raise DataError(
            "confusion_matrix: one score for each sample, and targets of other classes than 0 and 1",
            expected="y_pred of classes, or (n, classes) of one score for each",
            got=f"y_pred of shape {np.shape(y_pred)}, y_true of the classes {np.unique(true)[:5].tolist()}",
            fix="pass what model.predict gives for a layer of one unit per class",
        )
    known, names = _labels(true, said, labels)
    weight = row_weights(sample_weight, len(true))
    if weight.shape != true.shape:
        raise ShapeError(
            "confusion_matrix: the sample weights do not fit the targets",
            expected=f"({len(true)},), one for each sample",
            got=str(weight.shape),
            fix="pass one weight for each sample",
        )
    place = {label: number for number, label in enumerate(known)}
    outside = [label for label in np.unique(np.concatenate([true, said])).tolist() if label not in place]
    if outside:
        raise DataError(
            "confusion_matrix: there is a class that labels does not name",
            expected=f"classes out of {', '.join(map(repr, known))}",
            got=repr(outside[0]),
            fix="add it to labels, or leave out its rows",
        )
    matrix = np.zeros((len(known), len(known)))
    np.add.at(matrix, ([place[c] for c in true.tolist()], [place[c] for c in said.tolist()]), weight)
    if normalize is not None:
        sums = matrix.sum({"true": 1, "pred": 0, "all": None}[normalize], keepdims=True)
        return ConfusionTable(divide(matrix, np.broadcast_to(sums, matrix.shape)), names, normalize)
    return ConfusionTable(matrix.astype(np.int64) if sample_weight is None else matrix, names)


@checked
def classification_report(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None = None,
    sample_weight: Any = None,
    threshold: float = 0.5,
    target_names: Sequence[str] | None = None,
) -> ClassificationReport:
    """Precision, recall and F1 of each class, with their means; 0 where there is nothing to divide by.

    Shapes, arguments and errors: as ``confusion_matrix``, and:

    Arguments:
        target_names: what the classes are called, in the order of ``labels``, or in their own.
    """
    confusion = confusion_matrix(y_true, y_pred, labels, sample_weight, threshold)
    if target_names is not None:
        if len(target_names) != len(confusion.labels):
            raise ArgumentError(
                "classification_report: target_names does not fit the classes",
                expected=f"{len(confusion.labels)} names, for {', '.join(confusion.labels)}",
                got=f"{len(target_names)}",
                fix="pass one name for each class, and labels= if classes are missing in the targets",
            )
        confusion = ConfusionTable(confusion.matrix, tuple(map(str, target_names)))
    right, said, support = np.diag(confusion.matrix), confusion.matrix.sum(0), confusion.matrix.sum(1)
    scores = np.stack([divide(right, said), divide(right, support), divide(2 * right, said + support)])
    return ClassificationReport(
        labels=confusion.labels,
        precision=scores[0],
        recall=scores[1],
        f1=scores[2],
        support=support,
        accuracy=float(divide(right.sum(), support.sum())),
        macro=scores.mean(1),
        weighted=divide((scores * support).sum(1), np.full(3, support.sum())),
        confusion=confusion,
    )


def _classes(y: Any, threshold: float, name: str) -> np.ndarray:
    refuse_masked(y, name)
    array = labels_of(y, name)
    if array.dtype.kind != "U":
        array = as_array(array, name)
    if array.ndim == 2 and array.shape[1] > 1:
        return np.asarray(array.argmax(1))
    if array.ndim not in (1, 2):
        raise ShapeError(
            f"{name} is no list of classes",
            expected="(n,), (n, 1) or (n, classes)",
            got=str(array.shape),
            fix="pass one class, or one score for each class, for each sample",
        )
    flat = array.reshape(-1)
    if flat.dtype.kind != "f":
        return flat
    if name == "y_pred" and not np.array_equal(flat, np.rint(flat)):
        return (flat > threshold).astype(np.int64)
    return flat.astype(np.int64) if np.array_equal(flat, np.rint(flat)) else flat


def _is_one_score(y_pred: Any) -> bool:
    array = np.asarray(y_pred)
    return array.dtype.kind == "f" and array.size == len(array)


def _labels(true: np.ndarray, said: np.ndarray, labels: Sequence[Any] | None) -> tuple[list[Any], tuple[str, ...]]:
    """The classes in their order, and what they are called."""
    present = np.unique(np.concatenate([true, said])).tolist()
    if labels is None:
        return present, tuple(map(str, present))
    given = [label.item() if isinstance(label, np.generic) else label for label in labels]
    if len(set(given)) != len(given):
        raise ArgumentError(
            "confusion_matrix: a label is there twice", expected="each once", got=repr(given), fix="drop one of them"
        )
    if set(present) & set(given) or true.dtype.kind not in "iu":
        return given, tuple(map(str, given))
    return list(range(len(given))), tuple(map(str, given))


def _count(value: Any) -> str:
    return f"{value:g}" if value != int(value) else f"{int(value)}"


def _share(value: Any) -> str:
    return f"{value:.3f}"
