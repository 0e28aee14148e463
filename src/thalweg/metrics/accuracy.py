"""Shares of right answers."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from thalweg import ops
from thalweg.checks import Finite, In, Reserved
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import align
from thalweg.metrics.metric import MeanMetric, registry
from thalweg.ops.softmax import Softmax

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
]


@registry.register("accuracy")
@dataclass(frozen=True)
class Accuracy(MeanMetric):
    """The share of predictions that equal their target, mean over all axes.

    Shapes: y_true, y_pred (batch, ..., n). As the string "accuracy" in ``compile`` this name stands for whichever
    accuracy fits the shapes, see ``metrics.resolve``.
    """

    rises: ClassVar[bool | None] = True

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = align(y_true, y_pred.type, f"metric {self.name!r}")
        return ops.cast(ops.equal(ops.cast(y_true, y_pred.dtype), y_pred), y_pred.dtype)


@registry.register("binary_accuracy")
@dataclass(frozen=True)
class BinaryAccuracy(MeanMetric):
    """The share of yes-or-no questions answered right: yes where the prediction is above ``threshold``.

    Shapes: y_true (0 or 1), y_pred (batch, ..., n); the mean over all axes.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("name",)
    rises: ClassVar[bool | None] = True
    threshold: Finite = 0.5

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = align(y_true, y_pred.type, f"metric {self.name!r}")
        said_yes = ops.cast(y_pred > self.threshold, y_pred.dtype)
        return ops.cast(ops.equal(ops.cast(y_true, y_pred.dtype), said_yes), y_pred.dtype)


@registry.register("categorical_accuracy")
@dataclass(frozen=True)
class CategoricalAccuracy(MeanMetric):
    """The share of samples whose largest prediction is at the largest target (the first of equal ones).

    Shapes: y_true (one-hot or soft), y_pred (batch, ..., classes).
    """

    rises: ClassVar[bool | None] = True

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = align(y_true, y_pred.type, f"metric {self.name!r}")
        return ops.cast(ops.equal(ops.argmax(y_true, -1), _choice(y_pred)), y_pred.dtype)


@registry.register("sparse_categorical_accuracy")
@dataclass(frozen=True)
class SparseCategoricalAccuracy(MeanMetric):
    """The share of samples whose largest prediction (the first of equal ones) is the class that the target names.

    Shapes: y_true (batch, ...) class numbers, y_pred (batch, ..., classes).
    """

    rises: ClassVar[bool | None] = True

    def values(self, y_true: Node, y_pred: Node) -> Node:
        answer = _choice(y_pred)
        y_true = align(y_true, answer.type, f"metric {self.name!r}")
        return ops.cast(ops.equal(ops.cast(y_true, "int32"), answer), y_pred.dtype)


@registry.register("top_k_categorical_accuracy")
@dataclass(frozen=True)
class TopKCategoricalAccuracy(MeanMetric):
    """The share of samples whose class is among the ``k`` largest predictions.

    Shapes: y_true (one-hot or soft: its first largest), y_pred (batch, ..., classes).
    """

    rises: ClassVar[bool | None] = True
    k: Annotated[int, In("[1, inf)")] = 5

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = align(y_true, y_pred.type, f"metric {self.name!r}")
        return _in_top(self.k, ops.argmax(y_true, -1), y_pred)


@registry.register("sparse_top_k_categorical_accuracy")
@dataclass(frozen=True)
class SparseTopKCategoricalAccuracy(MeanMetric):
    """The share of samples whose class is among the ``k`` largest predictions.

    Shapes: y_true (batch, ...) class numbers, y_pred (batch, ..., classes).
    """

    argument_order: ClassVar[tuple[str, ...]] = ("k", "name")
    rises: ClassVar[bool | None] = True
    k: Annotated[int, In("[1, inf)")] = 5
    from_sorted_ids: Annotated[bool, Reserved(False)] = False

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = align(y_true, y_pred.type.with_shape(y_pred.shape[:-1]), f"metric {self.name!r}")
        return _in_top(self.k, ops.cast(y_true, "int32"), y_pred)


def _in_top(k: int, classes: Node, y_pred: Node) -> Node:
    """Whether fewer than k predictions are larger than that of the class: equal ones do not count against it."""
    leading = tuple(range(classes.rank))
    right = ops.equal(ops.iota(y_pred.shape, y_pred.rank - 1), ops.broadcast(classes, y_pred.shape, leading))
    score = ops.reduce_max(ops.select(right, y_pred, -math.inf), -1)
    larger = ops.cast(y_pred > ops.broadcast(score, y_pred.shape, leading), y_pred.dtype)
    return ops.cast(ops.reduce_sum(larger, -1) < float(k), y_pred.dtype)


def _choice(y_pred: Node) -> Node:
    """Where the largest prediction is. Softmax keeps the order, so its input tells as well."""
    scores = y_pred.inputs[0] if isinstance(y_pred.op, Softmax) and y_pred.op.axis == y_pred.rank - 1 else y_pred
    return ops.argmax(scores, -1)
