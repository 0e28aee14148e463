"""Losses of embeddings: samples of one class near to each other, others far."""

from __future__ import annotations

import math
from typing import Annotated

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss, registry

__all__ = ["Circle"]


@registry.register("circle")
@dataclass(frozen=True)
class Circle(Loss):
    """``log(1 + sum(e^(gamma a_n (s_n - m))) * sum(e^(-gamma a_p (s_p - 1 + m))))`` of each sample.

    The sums go over the cosines s_n with samples of other classes and s_p with those of its own in the batch; the
    factors ``a_n = max(s_n + m, 0)`` and ``a_p = max(1 + m - s_p, 0)`` weigh most what is furthest off. A sample
    without another one of its class, or of other classes, does not count.

    Shapes: y_true (batch,) class numbers, y_pred (batch, features) of length 1, as UnitNormalization gives -> (batch,).

    Arguments:
        gamma: how steep it is.
        margin: m.
        remove_diagonal: whether a sample is left out of those of its own class.

    Raises: ShapeError if the predictions are no vectors.
    Source: Sun et al. (2020), arXiv:2002.10857, equations 6 and 8. Differs: as in Keras cosines above 1 count as 1.
    """

    gamma: Annotated[float, In("(0, inf)")] = 80.0
    margin: Annotated[float, In("[0, 1]")] = 0.4
    remove_diagonal: bool = True

    def target_type(self, output: TensorType) -> TensorType:
        if output.rank != 2:
            raise ShapeError(
                f"loss {self.name!r}: the predictions are no embeddings",
                expected="(batch, features)",
                got=str(output.shape),
                fix="end the model with Dense and UnitNormalization",
            )
        return TensorType(output.shape[:1], "int32")

    def counted(self, y_true: Node) -> Node:
        own, others = self._kinds(y_true)
        return ops.logical_and(ops.any(own, axis=1), ops.any(others, axis=1))

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        own, others = self._kinds(y_true)
        s = ops.minimum(ops.matmul(y_pred, ops.transpose(y_pred)), 1.0)
        near = ops.relu(s + self.margin) * (s - self.margin) * self.gamma
        far = ops.relu(1.0 + self.margin - s) * (1.0 - self.margin - s) * self.gamma
        total = ops.logsumexp(ops.where(others, near, -math.inf), 1) + ops.logsumexp(ops.where(own, far, -math.inf), 1)
        counted = self.counted(y_true)
        return ops.select(counted, ops.softplus(ops.select(counted, total, 0.0)), 0.0)

    def _kinds(self, y_true: Node) -> tuple[Node, Node]:
        """For each sample which of the batch are of its class, and which are not. Shapes: -> twice (batch, batch)."""
        square = (y_true.shape[0],) * 2
        same = ops.equal(ops.broadcast(y_true, square, (0,)), ops.broadcast(y_true, square, (1,)))
        itself = ops.equal(ops.iota(square, 0), ops.iota(square, 1))
        own = ops.logical_and(same, ops.logical_not(itself)) if self.remove_diagonal else same
        return own, ops.logical_not(same)
