"""What an estimator's network is trained for."""

from __future__ import annotations

import math

import numpy as np

from thalweg import ops
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss


@dataclass(frozen=True)
class Objective:
    """A loss, as values of each row.

    Attributes:
        loss: "log_loss", "squared_error", "poisson" as scikit-learn has them, or one of thalweg's.
        several: for "log_loss", whether exactly one of several classes is right (softmax), or each output stands for
            itself (logistic).
    """

    loss: str | Loss
    several: bool = False

    @property
    def by_row(self) -> bool:
        """Whether the value of a row depends on that row alone: of losses of users' own nobody knows."""
        return isinstance(self.loss, str)

    def target(self, outputs: TensorType) -> TensorType:
        """The type of the targets that go with outputs of this type."""
        return self.loss.target_type(outputs) if isinstance(self.loss, Loss) else outputs

    def values(self, y: Node, before: Node, after: Node) -> tuple[Node, Node]:
        """What is differentiated and what is shown, (batch,) each.

        They differ where scikit-learn's do: it clips probabilities in the loss alone, and of several outputs it
        differentiates the sum of the squared errors and shows their mean.

        Arguments:
            before, after: the outputs before and after their activation, (batch, outputs).
        """
        if isinstance(self.loss, Loss):
            values, _ = self.loss.values(y, after)
            mean = ops.reduce_mean(values, tuple(range(1, values.rank))) if values.rank > 1 else values
            return mean, mean
        if self.loss == "squared_error":
            squares = ops.square(after - y)
            return 0.5 * ops.reduce_sum(squares, 1), 0.5 * ops.reduce_mean(squares, 1)
        if self.loss == "poisson":
            own = ops.select(y > 0.0, y * ops.log(ops.select(y > 0.0, y, 1.0)) - y, 0.0)  # 0 where y is 0
            values = ops.reduce_sum(after - y * before, 1)
            return values, values + ops.reduce_sum(own, 1)
        least = math.log(np.finfo(before.dtype).eps)
        if self.several:
            values = ops.log_sum_exp(before, 1) - ops.reduce_sum(y * before, 1)
            return values, -ops.reduce_sum(y * ops.maximum(ops.log_softmax(before, 1), least), 1)
        values = ops.softplus(before) - y * before
        clipped = y * ops.minimum(ops.softplus(-before), -least) + (1.0 - y) * ops.minimum(ops.softplus(before), -least)
        return ops.reduce_sum(values, 1), ops.reduce_sum(clipped, 1)
