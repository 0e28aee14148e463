"""Losses of margins: nothing is lost once the right side leads by 1."""

from __future__ import annotations

import numpy as np

from thalweg import ops
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss, bad_target, registry

__all__ = ["CategoricalHinge", "Hinge", "SquaredHinge"]


class _Margin(Loss):
    """Shapes: y_true (-1 and 1, or 0 and 1), y_pred (batch, ..., n), any numbers -> (batch, ...)."""

    def shortfall(self, y_true: Node, y_pred: Node) -> Node:
        """``max(1 - y_true * y_pred, 0)``. Targets 0 count as -1."""
        return ops.relu(1.0 - ops.select(ops.equal(y_true, 0.0), -1.0, y_true) * y_pred)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        outside = ~np.isin(y, (-1, 0, 1))
        if not outside.any() and (y == -1).any():
            outside = y == 0
        if outside.any():
            raise bad_target(self, y, outside, "targets -1 and 1, or 0 and 1", "number the two classes so")


@registry.register("hinge")
@dataclass(frozen=True)
class Hinge(_Margin):
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis, for a linear or tanh output.

    Shapes: y_true (-1 and 1, or 0 and 1), y_pred (batch, ..., n) -> (batch, ...).
    Source: Cortes & Vapnik (1995), Machine Learning 20, section 3.
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.reduce_mean(self.shortfall(y_true, y_pred), -1)


@registry.register("squared_hinge")
@dataclass(frozen=True)
class SquaredHinge(_Margin):
    """``mean(max(1 - y_true * y_pred, 0)^2)`` over the last axis, for a linear or tanh output.

    Shapes: y_true (-1 and 1, or 0 and 1), y_pred (batch, ..., n) -> (batch, ...).
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.reduce_mean(ops.square(self.shortfall(y_true, y_pred)), -1)


@registry.register("categorical_hinge")
@dataclass(frozen=True)
class CategoricalHinge(Loss):
    """``max(other - right + 1, 0)`` with ``right = sum(y_true * y_pred)``, ``other = max((1 - y_true) * y_pred)``.

    Shapes: y_true (one-hot), y_pred (batch, ..., classes), any numbers -> (batch, ...).
    Source: Crammer & Singer (2001), JMLR 2, equation 4. Differs: as in Keras ``other`` is at least 0, which the right
    class puts into the maximum.
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        right = ops.reduce_sum(y_true * y_pred, -1)
        other = ops.reduce_max((1.0 - y_true) * y_pred, -1)
        return ops.relu(other - right + 1.0)
