"""Means over the epoch: of the predictions themselves, and of any loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from thalweg import config, ops
from thalweg.checks import checked
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.tracing import as_node
from thalweg.losses.function import FunctionLoss
from thalweg.losses.loss import Loss, spread
from thalweg.metrics.metric import MeanMetric, Metric, mean_sums, registry, total

__all__ = ["Mean", "MeanLoss", "MeanMetricWrapper", "Sum"]


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
        self.add(mean_sums(*_weighted(values, sample_weight)))

    @property
    def is_formula(self) -> bool:
        return True


def _weighted(values: Any, sample_weight: Any) -> tuple[Node, Node | None]:
    """Numbers of any shape, and a weight for each of them."""
    values = as_node(values, config.floatx())
    if sample_weight is None:
        return values, None
    weight = as_node(sample_weight, values.dtype)
    if weight.rank:
        return values, spread(weight, values)
    values = ops.cast(values, "float64")  # a batch's loss times its size, as exact as a step's own sums
    return values, ops.broadcast(ops.cast(weight, "float64"), values.shape, ())


@registry.register("sum")
@dataclass(frozen=True)
class Sum(Metric):
    """The sum of the predictions, weighted; the targets do not matter."""

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        return {"total": total(y_pred, weight)}

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]  # as in Keras
        """Add numbers of any shape; the weights are those of samples, or of all numbers alike."""
        self.add({"total": total(*_weighted(values, sample_weight))})

    @property
    def is_formula(self) -> bool:
        return True

    def result(self, total: float) -> float:
        return float(total)


class MeanMetricWrapper(MeanMetric):
    """The mean of a function of targets and predictions over the samples.

    Arguments:
        fn: of nodes, ``fn(y_true, y_pred, **kwargs)``, to (batch, ...).
        name: in records; the function's unless given.
        dtype: Keras's; sums are double precision.
    """

    @checked
    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name or getattr(fn, "__name__", "mean_metric_wrapper"))
        object.__setattr__(self, "fn", fn)  # frozen otherwise
        object.__setattr__(self, "options", kwargs)

    fn: Callable[..., Any]
    options: dict[str, Any]

    def values(self, y_true: Node, y_pred: Node) -> Node:
        return FunctionLoss(partial(self.fn, **self.options), name=self.name).per_sample(y_true, y_pred)


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
