"""The base of all metrics: sums over an epoch in the graph, one formula on the host at its end."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from thalweg import config, ops
from thalweg.checks import check_fields
from thalweg.data.arrays import as_array, converted
from thalweg.errors import GraphError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.tracing import mask_of
from thalweg.losses.loss import column, spread
from thalweg.ops.reference import on_arrays
from thalweg.registry import Registered, Registry

__all__ = ["MeanMetric", "Metric", "registry"]

Value = float | np.ndarray
"""A metric's result: a number, or an array where there is one number for each class, threshold or output."""


@dataclass(frozen=True, kw_only=True)
class Metric(Registered):
    """A number about predictions, exact over an epoch however it is cut into batches.

    A subclass writes ``sums`` and ``result``, or, for a mean over samples, derives from ``MeanMetric``.

    Arguments:
        name: in records, tables and ``History``; the registered name unless given.
    """

    name: str | None = None

    rises: ClassVar[bool | None] = None
    """Whether more is better; None if that cannot be said."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.name is None:
            object.__setattr__(self, "name", self._default_name())

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        """What one batch adds to each sum of the epoch: name -> node, kept as float64.

        Shapes: y_true and y_pred (batch, ...); weight (batch,) or None for 1 each. A sum is a scalar or an array, of
        a shape that does not depend on the size of the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} has no sums()")

    def result(self, *arguments: Any, **sums: Any) -> Value:
        """The metric from the epoch's sums: a float for each scalar one, an array for each array."""
        raise NotImplementedError(f"{type(self).__name__} has no result()")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Value:
        """The metric of arrays or lists, at once. Metrics keep nothing between calls: pass all samples together.

        Raises: ShapeError, DTypeError or DataError if the arrays do not fit.
        """
        true, said = as_array(y_true, "y_true"), as_array(y_pred, "y_pred")
        weight = None if sample_weight is None else converted(as_array(sample_weight, "w"), "float32", "sample_weight")
        whole = true.dtype.kind in "iub"
        sums = on_arrays(
            lambda *nodes: self.sums(*nodes),
            converted(true, "int32" if whole else config.floatx(), "y_true"),
            converted(said, config.floatx(), "y_pred"),
            weight,
        )
        return self.result(**{name: value if value.ndim else float(value) for name, value in sums.items()})

    def update_state(self, *arguments: Any, **options: Any) -> None:
        """Keras's way to add a batch, which is an error here: a metric is a formula and keeps no sums."""
        raise GraphError(
            f"metric {self.name!r} keeps no state between batches",
            expected="all samples at once",
            got="update_state()",
            fix="collect the batches and call the metric: metric(y_true, y_pred)",
        )


registry: Registry[Metric] = Registry("metric", Metric)


def counting(weight: Node | None, y_pred: Node) -> Node | None:
    """The weights of samples or places, 0 where a mask of the predictions leaves a place out."""
    mask = mask_of(y_pred)
    if mask is None:
        return weight
    counts = ops.cast(mask, y_pred.dtype if weight is None else weight.dtype)
    if weight is None:
        return counts
    return spread(weight, counts) * counts if weight.rank <= counts.rank else weight * spread(counts, weight)


@dataclass(frozen=True)
class MeanMetric(Metric):
    """A weighted mean over the samples of the epoch: sum(w * value) / sum(w). A subclass writes ``values``."""

    def values(self, y_true: Node, y_pred: Node) -> Node | tuple[Node, Node | None]:
        """(batch,) or (batch, ...), of which further axes are averaged; or that, and which of them count (bool).

        y_pred has at least two axes: one prediction for each sample is (batch, 1).
        """
        raise NotImplementedError(f"{type(self).__name__} has no values()")

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        values = self.values(y_true, column(y_pred))
        values, counted = values if isinstance(values, tuple) else (values, None)
        return mean_sums(values, weight, counted)

    def result(self, total: float, weight: float) -> float:
        return float(total / weight) if weight else 0.0  # Keras's answer for nothing


def mean_sums(values: Node, weight: Node | None, counted: Node | None = None) -> dict[str, Node]:
    """The sums of a weighted mean over all numbers of ``values``: of w * value, and of w.

    They are float64: float32 would stop counting at 2^24 samples.
    """
    if weight is None and counted is None:
        total = ops.cast(ops.reduce_sum(values), "float64")
        return {"total": total, "weight": ops.constant(float(values.type.size), "float64")}
    weights = ops.filled(values.shape, 1.0, values.dtype)
    weights = weights if weight is None else spread(ops.cast(weight, values.dtype), values)
    weights = weights if counted is None else weights * ops.cast(counted, values.dtype)
    return {
        "total": ops.cast(ops.reduce_sum(values * weights), "float64"),
        "weight": ops.cast(ops.reduce_sum(weights), "float64"),
    }


def total(values: Node, weight: Node | None, axes: tuple[int, ...] | None = None) -> Node:
    """The float64 sum of w * value over ``axes``, the samples' among them; over all axes unless given."""
    weighted = values if weight is None else values * spread(ops.cast(weight, values.dtype), values)
    return ops.cast(ops.reduce_sum(weighted, axes), "float64")


def divide(x: Any, y: Any) -> np.ndarray:
    """``x / y`` in float64, and 0 where y is 0."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    quotient: np.ndarray = np.divide(x, y, out=np.zeros(np.broadcast_shapes(x.shape, y.shape)), where=y != 0)
    return quotient


def number(values: Any) -> Value:
    """An array as it is; a float instead of an array of one number, as in Keras."""
    array = np.asarray(values, np.float64)
    return array.item() if array.size == 1 else array
