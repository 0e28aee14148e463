"""Crossentropies that pay less attention to what is right already.

The factor ``(1 - p_t)^gamma``, with the probability p_t of the right answer, is worked out from ``1 - p_t`` without a
subtraction, so it keeps its digits where p_t is nearly 1.
"""

from __future__ import annotations

from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.crossentropy import Binary, OverClasses, SparseCategoricalCrossentropy
from thalweg.losses.loss import choices, registry
from thalweg.ops.shape import normal_axis

__all__ = ["BinaryFocalCrossentropy", "CategoricalFocalCrossentropy", "SparseCategoricalFocalCrossentropy"]

Weight = Annotated[float, In("[0, inf)")]


def focus(missed: Node, gamma: float) -> Node:
    """``missed^gamma`` with a finite derivative at 0, also for gamma below 1."""
    if gamma in (1.0, 2.0):
        return ops.power(missed, gamma)
    return ops.power(ops.clip(missed, low=1e-30), gamma)


def class_weights(loss: OverClasses, alpha: float | tuple[float, ...], like: Node, axis: int) -> Node | float:
    """One weight for all classes, or one for each, along ``axis``."""
    if isinstance(alpha, float):
        return alpha
    if len(alpha) != like.shape[axis]:
        raise ArgumentError(
            f"loss {loss.name!r}: argument 'alpha' does not fit the classes",
            expected=f"one number, or {like.shape[axis]}, one for each class",
            got=f"{len(alpha)} numbers",
            fix="pass one number for each class, in their order",
        )
    return choices(alpha, like, axis)


@registry.register("binary_focal_crossentropy")
@dataclass(frozen=True)
class BinaryFocalCrossentropy(Binary):
    """``(1 - p_t)^gamma`` times the binary crossentropy, mean over ``axis``; p_t is the right answer's probability.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).

    Arguments:
        apply_class_balancing: multiply by alpha for targets 1, by 1 - alpha for targets 0.
        gamma: 0 gives the binary crossentropy.
        label_smoothing: s; targets become ``y_true * (1 - s) + s / 2``.
        axis: that is averaged.

    Source: Lin et al. (2017), arXiv:1708.02002, equations 4 and 5.
    """

    apply_class_balancing: bool = False
    alpha: Annotated[float, In("[0, 1]")] = 0.25
    gamma: Annotated[float, In("[0, inf)")] = 2.0
    from_logits: bool = False
    label_smoothing: Annotated[float, In("[0, 1]")] = 0.0
    axis: int = -1

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        y_true = self.smoothed(y_true)
        values = self.elementwise(y_true, y_pred)
        if self.gamma:
            x = self.logits(y_pred, normal_axis(self.axis, y_pred.shape))
            p, other = (y_pred, 1.0 - y_pred) if x is None else (ops.sigmoid(x), ops.sigmoid(-x))
            values = focus(y_true * other + (1.0 - y_true) * p, self.gamma) * values
        if self.apply_class_balancing:
            values = (y_true * self.alpha + (1.0 - y_true) * (1 - self.alpha)) * values
        return ops.reduce_mean(values, self.axis)


@registry.register("categorical_focal_crossentropy")
@dataclass(frozen=True)
class CategoricalFocalCrossentropy(OverClasses):
    """``-sum(alpha * (1 - p)^gamma * y_true * log p)`` over the classes, for one-hot or soft targets.

    Shapes: y_true, y_pred (batch, ..., classes) -> (batch, ...).

    Arguments:
        alpha: a weight, or one for each class.
        label_smoothing: s; targets become ``y_true * (1 - s) + s / classes``.
        axis: of the classes.

    Source: Lin et al. (2017), arXiv:1708.02002, equation 5.
    """

    alpha: Weight | tuple[Weight, ...] = 0.25
    gamma: Annotated[float, In("[0, inf)")] = 2.0
    from_logits: bool = False
    label_smoothing: Annotated[float, In("[0, 1]")] = 0.0
    axis: int = -1

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        axis = normal_axis(self.axis, y_pred.shape)
        if self.label_smoothing:
            y_true = y_true * (1 - self.label_smoothing) + self.label_smoothing / y_pred.shape[axis]
        log_p = self.log_probabilities(y_pred, axis)
        values = y_true * log_p * class_weights(self, self.alpha, log_p, axis)
        if self.gamma:
            values = focus(-ops.expm1(log_p), self.gamma) * values
        return -ops.reduce_sum(values, axis)


@registry.register("sparse_categorical_focal_crossentropy")
@dataclass(frozen=True)
class SparseCategoricalFocalCrossentropy(SparseCategoricalCrossentropy):
    """``-alpha * (1 - p)^gamma * log p`` of the right class, for targets that are class numbers 0, 1, 2 ...

    Shapes: y_true (batch, ...) int32, y_pred (batch, ..., classes) -> (batch, ...).

    Arguments:
        ignore_class: a class number that marks targets to be left out; they do not count in means either.
        axis: of the classes.
        alpha: a weight, or one for each class.

    Source: Lin et al. (2017), arXiv:1708.02002, equation 5. Not in Keras; the same as its categorical one.
    """

    alpha: Weight | tuple[Weight, ...] = 0.25
    gamma: Annotated[float, In("[0, inf)")] = 2.0

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        values = super().per_sample(y_true, y_pred)
        axis = normal_axis(self.axis, y_pred.shape)
        weight = class_weights(self, self.alpha, y_pred, axis)
        if isinstance(weight, Node):
            weight = ops.reduce_sum(ops.select(self.right(y_true, y_pred, axis), weight, 0.0), axis)
        if self.gamma:
            values = focus(-ops.expm1(-values), self.gamma) * values
        return values * weight
