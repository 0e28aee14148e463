"""Metrics made of counts of right and wrong yeses and noes: precision, recall, F-scores, the areas under curves."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from thalweg import ops
from thalweg.checks import Count, In, NotEmpty
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import align, column, spread
from thalweg.metrics.metric import Metric, Value, divide, number, registry, total

__all__ = [
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "TrueNegatives",
    "TruePositives",
]

Share = Annotated[float, In("[0, 1]")]
Average = Literal["micro", "macro", "weighted"]


def answers(y_true: Node, y_pred: Node, owner: str) -> tuple[Node, Node]:
    """Targets and predictions of one shape (batch, ..., classes) and dtype.

    Targets that are class numbers, where there are several classes, become one-hot. Differs: Keras refuses them.
    """
    y_pred = column(y_pred)
    if y_pred.shape[-1] > 1 and y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1)):
        return one_hot(ops.reshape(y_true, y_pred.shape[:-1]), y_pred.shape[-1], y_pred.dtype), y_pred
    return ops.cast(align(y_true, y_pred.type, f"metric {owner!r}"), y_pred.dtype), y_pred


def one_hot(classes: Node, count: int, dtype: str) -> Node:
    """Shapes: classes (...) -> (..., count); zeros for a number that is no class."""
    shape = (*classes.shape, count)
    repeated = ops.broadcast(ops.cast(classes, "int32"), shape, tuple(range(classes.rank)))
    return ops.cast(ops.equal(ops.iota(shape, classes.rank), repeated), dtype)


@dataclass(frozen=True)
class _AtThresholds(Metric):
    """Arguments:
    thresholds: a prediction above it is a yes; 0.5 unless given. With several, the result is an array.
    """

    thresholds: Share | Annotated[tuple[Share, ...], NotEmpty()] | None = None

    wanted: ClassVar[tuple[str, ...]] = ()
    """Which counts are kept."""

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        return counted(y_true, y_pred, weight, ops.literal(self._all(), y_pred.dtype), self.wanted)

    def _all(self) -> tuple[float, ...]:
        given = 0.5 if self.thresholds is None else self.thresholds
        return given if isinstance(given, tuple) else (given,)


def counted(
    y_true: Node, y_pred: Node, weight: Node | None, thresholds: Node, wanted: tuple[str, ...]
) -> dict[str, Node]:
    """Weighted counts over all numbers of the predictions, for each threshold: name -> float64 (thresholds,)."""
    shape = (*thresholds.shape, *y_pred.shape)
    inner = tuple(range(1, len(shape)))
    limits = ops.broadcast(thresholds, shape, (0,))
    yes = ops.cast(ops.broadcast(y_pred, shape, inner) > limits, y_pred.dtype)
    kinds = {
        "true_positives": lambda: (yes, y_true),
        "false_positives": lambda: (yes, 1.0 - y_true),
        "true_negatives": lambda: (1.0 - yes, 1.0 - y_true),
        "false_negatives": lambda: (1.0 - yes, y_true),
    }
    counts = {}
    for name in wanted:
        said, is_so = kinds[name]()
        if weight is not None:
            is_so = is_so * spread(ops.cast(weight, y_pred.dtype), y_pred)
        counts[name] = ops.cast(ops.reduce_sum(said * ops.broadcast(is_so, shape, inner), inner), "float64")
    return counts


@registry.register("true_positives")
@dataclass(frozen=True)
class TruePositives(_AtThresholds):
    """How many yeses are right, sample weights counted. Shapes: y_true, y_pred (batch, ..., n)."""

    rises: ClassVar[bool | None] = True
    wanted = ("true_positives",)

    def result(self, true_positives: Any) -> Value:
        return number(true_positives)


@registry.register("false_positives")
@dataclass(frozen=True)
class FalsePositives(_AtThresholds):
    """How many yeses are wrong, sample weights counted. Shapes: y_true, y_pred (batch, ..., n)."""

    rises: ClassVar[bool | None] = False
    wanted = ("false_positives",)

    def result(self, false_positives: Any) -> Value:
        return number(false_positives)


@registry.register("true_negatives")
@dataclass(frozen=True)
class TrueNegatives(_AtThresholds):
    """How many noes are right, sample weights counted. Shapes: y_true, y_pred (batch, ..., n)."""

    rises: ClassVar[bool | None] = True
    wanted = ("true_negatives",)

    def result(self, true_negatives: Any) -> Value:
        return number(true_negatives)


@registry.register("false_negatives")
@dataclass(frozen=True)
class FalseNegatives(_AtThresholds):
    """How many noes are wrong, sample weights counted. Shapes: y_true, y_pred (batch, ..., n)."""

    rises: ClassVar[bool | None] = False
    wanted = ("false_negatives",)

    def result(self, false_negatives: Any) -> Value:
        return number(false_negatives)


@dataclass(frozen=True)
class _OfYeses(_AtThresholds):
    """What precision and recall share."""

    rises: ClassVar[bool | None] = True
    top_k: Count | None = None
    class_id: Annotated[int, In("[0, inf)")] | None = None

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        thresholds = self._all()
        if self.top_k is not None:
            # As in Keras: only the k largest can be a yes, and without thresholds each of them is.
            lowest = -1e10
            y_pred = ops.select(_among_largest(y_pred, self.top_k), y_pred, lowest)
            thresholds = (lowest,) if self.thresholds is None else thresholds
        if self.class_id is not None:
            y_true, y_pred = of_class(self.class_id, y_true, y_pred, str(self.name))
        return counted(y_true, y_pred, weight, ops.literal(thresholds, y_pred.dtype), self.wanted)


def of_class(class_id: int, y_true: Node, y_pred: Node, owner: str) -> tuple[Node, Node]:
    """Targets and predictions of one class alone. Raises ShapeError if there is no such class."""
    if class_id >= y_pred.shape[-1]:
        raise ShapeError(
            f"metric {owner!r}: there is no such class",
            expected=f"class_id below {y_pred.shape[-1]}, because the predictions are {y_pred.shape}",
            got=f"class_id={class_id}",
            fix="number the classes from 0",
        )
    return y_true[..., class_id : class_id + 1], y_pred[..., class_id : class_id + 1]


def _among_largest(x: Node, k: int) -> Node:
    """Which are the k largest along the last axis; of equal ones the first."""
    shape = (*x.shape, x.shape[-1])
    own, other = x.rank - 1, x.rank
    leading = tuple(range(x.rank - 1))
    mine, others = ops.broadcast(x, shape, (*leading, own)), ops.broadcast(x, shape, (*leading, other))
    earlier = ops.iota(shape, other) < ops.iota(shape, own)
    before = (others > mine) | (ops.equal(others, mine) & earlier)
    return ops.reduce_sum(ops.cast(before, x.dtype), other) < float(k)


@registry.register("precision")
@dataclass(frozen=True)
class Precision(_OfYeses):
    """The share of the yeses that are right: TP / (TP + FP); 0 if there is no yes.

    Shapes: y_true (0 or 1, or class numbers), y_pred (batch, ..., n). All n are counted together.

    Arguments:
        thresholds: a prediction above it is a yes; 0.5 unless given. With several, the result is an array.
        top_k: only the k largest predictions of a sample can be a yes.
        class_id: count this class only.
    """

    wanted = ("true_positives", "false_positives")

    def result(self, true_positives: Any, false_positives: Any) -> Value:
        return number(divide(true_positives, true_positives + false_positives))


@registry.register("recall")
@dataclass(frozen=True)
class Recall(_OfYeses):
    """The share of the positive targets that are found: TP / (TP + FN); 0 if there are none.

    Shapes: y_true (0 or 1, or class numbers), y_pred (batch, ..., n). All n are counted together.

    Arguments:
        thresholds: a prediction above it is a yes; 0.5 unless given. With several, the result is an array.
        top_k: only the k largest predictions of a sample can be a yes.
        class_id: count this class only.
    """

    wanted = ("true_positives", "false_negatives")

    def result(self, true_positives: Any, false_negatives: Any) -> Value:
        return number(divide(true_positives, true_positives + false_negatives))


@registry.register("fbeta_score", "fbeta")
@dataclass(frozen=True)
class FBetaScore(Metric):
    """``(1 + beta^2) * precision * recall / (beta^2 * precision + recall)`` of each class; 0 where there is nothing.

    Shapes: y_true (one-hot, 0 or 1, or class numbers), y_pred (batch, ..., classes) -> (classes,), or a number.
    Differs: from Keras, whose epsilons lower it by about 1e-7, and to which a single unit without a threshold always
    says yes; here its threshold is 0.5.

    Arguments:
        average: None for an array with one score for each class; ``"macro"``: their mean; ``"weighted"``: their mean
            weighted with the number of targets; ``"micro"``: one score of all counts together.
        threshold: above it a prediction is a yes; None: the largest of a sample is.

    Source: van Rijsbergen (1979), Information Retrieval, chapter 7.
    """

    rises: ClassVar[bool | None] = True
    average: Average | None = None
    beta: Annotated[float, In("(0, inf)")] = 1.0
    threshold: Annotated[float, In("(0, 1]")] | None = None

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        yes = ops.cast(self._yes(y_pred), y_pred.dtype)
        axes = tuple(range(y_pred.rank - (self.average != "micro")))
        return {
            "true_positives": total(yes * y_true, weight, axes),
            "said": total(yes, weight, axes),
            "positives": total(y_true, weight, axes),
        }

    def _yes(self, y_pred: Node) -> Node:
        if self.threshold is not None or y_pred.shape[-1] == 1:
            return y_pred > (0.5 if self.threshold is None else self.threshold)
        largest = ops.broadcast_to(ops.reduce_max(y_pred, -1, keepdims=True), y_pred.shape)
        return ops.logical_and(largest <= y_pred, abs(y_pred) > 1e-9)  # a row of zeros says yes to nothing: Keras

    def result(self, true_positives: Any, said: Any, positives: Any) -> Value:
        weight = self.beta**2
        scores = divide((1 + weight) * true_positives, said + weight * positives)
        if self.average == "weighted":
            return number(divide((scores * positives).sum(), np.sum(positives)))
        return number(scores if self.average is None else scores.mean())


@registry.register("f1_score", "f1")
@dataclass(frozen=True)
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall, ``2 * TP / (2 * TP + FP + FN)``: ``FBetaScore`` with beta 1.

    Shapes and arguments: as there.
    """

    beta: float = field(default=1.0, init=False)


# --- one share at a given other -----------------------------------------------------------------------------------


class _BestAt(Metric):
    """The best of one share over all thresholds at which another is at least so large; 0 if there is none.

    No dataclass: each has its fields in Keras's order.
    """

    num_thresholds: int
    class_id: int | None

    rises: ClassVar[bool | None] = True

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        if self.class_id is not None:
            y_true, y_pred = of_class(self.class_id, y_true, y_pred, str(self.name))
        last = max(self.num_thresholds - 1, 1)
        limits = ops.iota((self.num_thresholds,), 0, y_pred.dtype) / float(last)
        limits = limits if self.num_thresholds > 1 else ops.full_like(limits, 0.5)
        wanted = ("true_positives", "false_positives", "true_negatives", "false_negatives")
        return counted(y_true, y_pred, weight, limits, wanted)

    def _best(self, share: np.ndarray, other: np.ndarray, least: float) -> float:
        return float(np.max(share[other >= least], initial=0.0))


@registry.register("sensitivity_at_specificity")
@dataclass(frozen=True)
class SensitivityAtSpecificity(_BestAt):
    """The largest share of the positives that is found while at least the share ``specificity`` of negatives is left.

    Shapes: y_true (0 or 1, or class numbers), y_pred (batch, ..., n) in [0, 1]. All n are counted together.

    Arguments:
        num_thresholds: so many, evenly from 0 to 1; 1 for 0.5 alone.
        class_id: count this class only.
    """

    specificity: Share
    num_thresholds: Count = 200
    class_id: Annotated[int, In("[0, inf)")] | None = None

    def result(self, true_positives: Any, false_positives: Any, true_negatives: Any, false_negatives: Any) -> Value:
        found = divide(true_positives, true_positives + false_negatives)
        return self._best(found, divide(true_negatives, true_negatives + false_positives), self.specificity)


@registry.register("specificity_at_sensitivity")
@dataclass(frozen=True)
class SpecificityAtSensitivity(_BestAt):
    """The largest share of the negatives that is left while at least the share ``sensitivity`` of positives is found.

    Shapes and arguments: as of ``SensitivityAtSpecificity``.
    """

    sensitivity: Share
    num_thresholds: Count = 200
    class_id: Annotated[int, In("[0, inf)")] | None = None

    def result(self, true_positives: Any, false_positives: Any, true_negatives: Any, false_negatives: Any) -> Value:
        left = divide(true_negatives, true_negatives + false_positives)
        return self._best(left, divide(true_positives, true_positives + false_negatives), self.sensitivity)


@registry.register("precision_at_recall")
@dataclass(frozen=True)
class PrecisionAtRecall(_BestAt):
    """The largest precision while the recall is at least ``recall``.

    Shapes and arguments: as of ``SensitivityAtSpecificity``.
    """

    recall: Share
    num_thresholds: Count = 200
    class_id: Annotated[int, In("[0, inf)")] | None = None

    def result(self, true_positives: Any, false_positives: Any, true_negatives: Any, false_negatives: Any) -> Value:
        right = divide(true_positives, true_positives + false_positives)
        return self._best(right, divide(true_positives, true_positives + false_negatives), self.recall)


@registry.register("recall_at_precision")
@dataclass(frozen=True)
class RecallAtPrecision(_BestAt):
    """The largest recall while the precision is at least ``precision``.

    Shapes and arguments: as of ``SensitivityAtSpecificity``.
    """

    precision: Share
    num_thresholds: Count = 200
    class_id: Annotated[int, In("[0, inf)")] | None = None

    def result(self, true_positives: Any, false_positives: Any, true_negatives: Any, false_negatives: Any) -> Value:
        found = divide(true_positives, true_positives + false_negatives)
        return self._best(found, divide(true_positives, true_positives + false_positives), self.precision)
