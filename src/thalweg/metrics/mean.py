"""Means over the epoch: of the predictions themselves, and of any loss."""

from __future__ import annotations

from typing import Any, ClassVar

from thalweg import config, ops
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.tracing import as_node
from thalweg.losses.loss import Loss, spread
from thalweg.metrics.metric import MeanMetric, Metric, mean_sums, registry

__all__ = ["Mean", "MeanLoss"]


@registry.register("mean")
@dataclass(frozen=True)
class Mean(MeanMetric):
    """The mean of what ``update_state(values, sample_weight)`` is given, as in Keras.

    In ``compile`` these are the predictions; the targets do not matter.
    """

    def values(self, y_true: Node, y_pred: Node) -> Node:
        return y_pred

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]  # as in Keras
        """Add numbers of any shape; the weights are those of samples, or of all numbers alike."""
        values = as_node(values, config.floatx())
        if sample_weight is None:
            self.add(mean_sums(values, None))
            return
        weight = as_node(sample_weight, values.dtype)
        if weight.rank == 0:
            weight = ops.cast(weight, "float64")
            self.add({name: node * weight for name, node in mean_sums(values, None).items()})
            return
        weight = spread(weight, values)
        self.add({"total": ops.reduce_sum(values * weight), "weight": ops.reduce_sum(weight)})

    @property
    def is_formula(self) -> bool:
        return True


@registry.register("mean_loss")
@dataclass(frozen=True)
class MeanLoss(Metric):
    """The mean of a loss, each sample counted once, without the loss's own reduction. Named after the loss.

    A loss that is no mean over samples (Dice over all of the data) gives the value of all samples together.
    """

    rises: ClassVar[bool | None] = False
    loss: Loss

    def __post_init__(self) -> None:
        if self.name is None and isinstance(self.loss, Loss):
            object.__setattr__(self, "name", self.loss.name)
        super().__post_init__()

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        if type(self.loss).totals is Loss.totals:
            values, counted = self.loss.values(y_true, y_pred)
            return mean_sums(values, weight, counted)
        weight = ops.filled(y_pred.shape[:1], 1.0, y_pred.dtype) if weight is None else weight
        return self.loss.totals(y_true, y_pred, weight, weight)

    def result(self, **sums: float) -> float:
        return self.loss.result(**sums)
