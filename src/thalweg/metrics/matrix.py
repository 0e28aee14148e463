"""Metrics of the confusion matrix, which is summed while the epoch runs."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar

import numpy as np

from thalweg import ops
from thalweg.checks import Finite, In
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import align, column, spread
from thalweg.metrics.counts import one_hot
from thalweg.metrics.metric import Metric, Value, divide, number, registry, total

__all__ = [
    "BalancedAccuracy",
    "BinaryIoU",
    "ConfusionMatrix",
    "IoU",
    "MatthewsCorrelationCoefficient",
    "MeanIoU",
    "OneHotIoU",
    "OneHotMeanIoU",
]

Class = Annotated[int, In("[0, inf)")]
MANY = 100_000
"""Classes of which no matrix fits into memory."""


def matrix(y_true: Node, y_pred: Node, classes: int, weight: Node | None) -> Node:
    """How often (or with what weight) class i, the row, was taken for class j, the column; float64.

    Shapes: y_true, y_pred (batch, ...) class numbers -> (classes, classes). Numbers that are no class do not count.
    """
    dtype = "float32" if weight is None else weight.dtype  # counts of a batch are exact in either
    said = one_hot(ops.reshape(y_pred, (-1,)), classes, dtype)
    right = one_hot(ops.reshape(y_true, (-1,)), classes, dtype)
    if weight is not None:
        weights = ops.reshape(spread(weight, y_true), (-1,))
        right = right * ops.broadcast(weights, right.shape, (0,))
    return ops.cast(ops.contract(right, said, (0, 1), (0, 2), (1, 2)), "float64")


@dataclass(frozen=True)
class _OfMatrix(Metric):
    threshold: Finite = 0.5

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_pred = column(y_pred)
        classes = y_pred.shape[-1]
        if classes == 1:
            said, classes = y_pred[..., 0] > self.threshold, 2
        else:
            said = ops.argmax(y_pred, -1)
        if y_true.shape == y_pred.shape and y_pred.shape[-1] > 1:
            y_true = ops.argmax(y_true, -1)
        y_true = align(y_true, said.type, f"metric {self.name!r}")
        return {"matrix": matrix(y_true, said, classes, weight)}


@registry.register("confusion_matrix")
@dataclass(frozen=True)
class ConfusionMatrix(_OfMatrix):
    """How often class i, the row, was taken for class j, the column, sample weights counted.

    Shapes: y_true (class numbers, one-hot, or 0 and 1), y_pred (batch, ..., classes) or (batch, ..., 1)
    -> (classes, classes).

    Arguments:
        threshold: for predictions of one unit; above it they say class 1.
    """

    def result(self, matrix: np.ndarray) -> Value:
        return matrix


@registry.register("matthews_correlation_coefficient", "mcc", "matthews_corrcoef")
@dataclass(frozen=True)
class MatthewsCorrelationCoefficient(_OfMatrix):
    """The correlation of targets and answers, from -1 to 1; 0 is chance, or all answers (or targets) alike.

    Shapes and arguments: as ``ConfusionMatrix``.
    Source: Gorodkin (2004), Comput. Biol. Chem. 28, equation 8; for two classes Matthews (1975).
    """

    rises: ClassVar[bool | None] = True

    def result(self, matrix: np.ndarray) -> float:
        is_so, said, count = matrix.sum(1), matrix.sum(0), matrix.sum()
        together = np.trace(matrix) * count - is_so @ said
        spread = (count**2 - said @ said) * (count**2 - is_so @ is_so)
        return float(divide(together, np.sqrt(spread)))


@registry.register("balanced_accuracy")
@dataclass(frozen=True)
class BalancedAccuracy(_OfMatrix):
    """The mean over the classes of the share that is answered right; classes without samples are left out.

    Shapes and arguments: as ``ConfusionMatrix``.
    Source: Brodersen et al. (2010), ICPR.
    """

    rises: ClassVar[bool | None] = True

    def result(self, matrix: np.ndarray) -> float:
        there = matrix.sum(1) > 0
        return float(divide(divide(np.diag(matrix), matrix.sum(1)).sum(), there.sum()))


@registry.register("io_u", "iou")
@dataclass(frozen=True)
class IoU(Metric):
    """Intersection over union, TP / (TP + FP + FN), mean of the classes named; those that never occur are left out.

    Shapes: y_true, y_pred (batch, ...) class numbers; or, not ``sparse``, with an axis of scores.
    A prediction that is no class is a mistake and counts as missing the right one; targets that are none are left out.
    Differs: from Keras, whose epsilons lower it by about 1e-7, and which leaves such predictions out.

    Arguments:
        target_class_ids: which classes.
        ignore_class: a class number that marks targets to be left out.
        sparse_y_true, sparse_y_pred: whether these are class numbers; else the largest along ``axis`` says the class.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("num_classes", "target_class_ids", "name")
    rises: ClassVar[bool | None] = True
    num_classes: Annotated[int, In(f"[2, {MANY}]")]
    target_class_ids: tuple[Class, ...]
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.target_class_ids or max(self.target_class_ids) >= self.num_classes:
            raise ArgumentError(
                f"{type(self).__name__}: argument 'target_class_ids' names no class",
                expected=f"class numbers below num_classes={self.num_classes}",
                got=repr(self.target_class_ids),
                fix="number the classes from 0, or pass a larger num_classes",
            )

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        said = self.said(y_pred)
        right = y_true if self.sparse_y_true else ops.argmax(y_true, self.axis)
        right = ops.cast(align(right, said.type, f"metric {self.name!r}"), "int32")
        dtype = "float32" if weight is None else weight.dtype  # counts of a batch are exact in either
        weights = ops.filled(right.shape, 1.0, dtype) if weight is None else spread(weight, right)
        known = (right >= 0) & (right < self.num_classes)
        if self.ignore_class is not None:
            known = known & ops.not_equal(right, self.ignore_class)
        weights = ops.select(known, weights, 0.0)
        is_so, says_so = (one_hot(classes, self.num_classes, dtype) for classes in (right, said))
        weights = ops.broadcast(weights, is_so.shape, tuple(range(right.rank)))
        counted = {"both": is_so * says_so, "is_so": is_so, "says_so": says_so}
        return {name: total(values * weights, None, tuple(range(right.rank))) for name, values in counted.items()}

    def said(self, y_pred: Node) -> Node:
        """The class numbers that the predictions stand for."""
        return y_pred if self.sparse_y_pred else ops.argmax(y_pred, self.axis)

    def result(self, both: np.ndarray, is_so: np.ndarray, says_so: np.ndarray) -> Value:
        union = is_so + says_so - both
        chosen = list(self.target_class_ids)
        return number(divide(divide(both, union)[chosen].sum(), (union[chosen] > 0).sum()))


@registry.register("mean_io_u", "mean_iou")
@dataclass(frozen=True)
class MeanIoU(IoU):
    """Intersection over union, TP / (TP + FP + FN), mean of all classes that occur.

    Shapes and arguments: as ``IoU``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("num_classes", "name")
    target_class_ids: tuple[Class, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        if isinstance(self.num_classes, int) and 0 < self.num_classes <= MANY:
            object.__setattr__(self, "target_class_ids", tuple(range(self.num_classes)))
        super().__post_init__()


@registry.register("one_hot_io_u", "one_hot_iou")
@dataclass(frozen=True)
class OneHotIoU(IoU):
    """``IoU`` of one-hot targets and, unless ``sparse_y_pred``, scores.

    Shapes: y_true, y_pred (batch, ..., classes).
    """

    argument_order: ClassVar[tuple[str, ...]] = ("num_classes", "target_class_ids", "name")
    sparse_y_true: bool = field(default=False, init=False)
    sparse_y_pred: bool = False


@registry.register("one_hot_mean_io_u", "one_hot_mean_iou")
@dataclass(frozen=True)
class OneHotMeanIoU(MeanIoU):
    """``MeanIoU`` of one-hot targets and, unless ``sparse_y_pred``, scores.

    Shapes: y_true, y_pred (batch, ..., classes).
    """

    argument_order: ClassVar[tuple[str, ...]] = ("num_classes", "name")
    sparse_y_true: bool = field(default=False, init=False)
    sparse_y_pred: bool = False


@registry.register("binary_io_u", "binary_iou")
@dataclass(frozen=True)
class BinaryIoU(IoU):
    """Intersection over union, TP / (TP + FP + FN), of the classes 0 and 1; mean of the classes named.

    Shapes: y_true (0 or 1), y_pred (batch, ...).

    Arguments:
        target_class_ids: (0, 1), or one of them.
        threshold: a prediction from it on says 1.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("target_class_ids", "threshold", "name")
    num_classes: int = field(default=2, init=False)
    target_class_ids: tuple[Class, ...] = (0, 1)
    ignore_class: int | None = field(default=None, init=False)
    sparse_y_true: bool = field(default=True, init=False)
    sparse_y_pred: bool = field(default=True, init=False)
    axis: int = field(default=-1, init=False)
    threshold: Finite = 0.5

    def said(self, y_pred: Node) -> Node:
        return ops.cast(column(y_pred) >= self.threshold, "int32")
