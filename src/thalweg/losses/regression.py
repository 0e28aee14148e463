"""Losses between numbers."""

from __future__ import annotations

from thalweg import ops
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import Loss, registry


@registry.register("mean_squared_error", "mse")
@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """``mean((y_pred - y_true)^2)`` over the last axis.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.reduce_mean(ops.square(y_pred - y_true), -1)
