"""Means over the epoch: of the predictions themselves, and of any loss."""

from __future__ import annotations

from typing import ClassVar

from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import Loss
from thalweg.metrics.metric import MeanMetric, registry


@registry.register("mean")
@dataclass(frozen=True)
class Mean(MeanMetric):
    """The mean of the predictions; the targets do not matter."""

    def values(self, y_true: Node, y_pred: Node) -> Node:
        return y_pred


@registry.register("mean_loss")
@dataclass(frozen=True)
class MeanLoss(MeanMetric):
    """The mean of a loss, each sample counted once, without the loss's own reduction. Named after the loss."""

    rises: ClassVar[bool | None] = False
    loss: Loss

    def __post_init__(self) -> None:
        if self.name is None and isinstance(self.loss, Loss):
            object.__setattr__(self, "name", self.loss.name)
        super().__post_init__()

    def values(self, y_true: Node, y_pred: Node) -> Node | tuple[Node, Node | None]:
        return self.loss.values(y_true, y_pred)
