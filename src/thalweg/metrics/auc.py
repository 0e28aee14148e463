"""The areas under the ROC and precision-recall curves, counted at fixed thresholds while the epoch runs.

The exact areas need all predictions at once: ``thalweg.metrics.roc_auc_score`` and ``average_precision_score``.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from thalweg import config, ops
from thalweg.checks import In
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import spread
from thalweg.metrics.counts import Share, answers
from thalweg.metrics.metric import Metric, divide, registry

__all__ = ["AUC"]

Counts = np.ndarray


@registry.register("auc", "roc_auc")
@dataclass(frozen=True)
class AUC(Metric):
    """The area under a curve that a moving threshold draws.

    ROC: the share of positives found over the share of negatives taken for positives: how likely a positive is rated
    above a negative. PR: precision over recall, which says more where positives are rare.

    Shapes: y_true (0 or 1, or class numbers), y_pred (batch, ..., n) in [0, 1].
    Numerics: exact for predictions rounded to ``1 / (num_thresholds - 1)``.

    Arguments:
        num_thresholds: so many, evenly from 0 to 1; the outermost lie just outside.
        summation_method: trapezoids (``"interpolation"``; for PR the formula of Davis & Goadrich), or the lower
            (``"minoring"``) or upper (``"majoring"``) rectangles.
        thresholds: these inner ones instead.
        multi_label: an area for each of the n labels, then their mean; else all are counted together.
        num_labels: accepted with ``multi_label``; the predictions' last axis says it.
        label_weights: one weight per label, of its area, or of its counts without ``multi_label``.
        from_logits: whether predictions are logits.

    Source: Davis & Goadrich (2006), ICML, section 4, for the interpolation of PR.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("num_thresholds", "curve", "summation_method", "name")
    rises: ClassVar[bool | None] = True
    num_thresholds: Annotated[int, In("[2, inf)")] = 200
    curve: Literal["ROC", "PR"] = "ROC"
    summation_method: Literal["interpolation", "minoring", "majoring"] = "interpolation"
    thresholds: tuple[Share, ...] | None = None
    multi_label: bool = False
    num_labels: Annotated[int, In("[1, inf)")] | None = None
    label_weights: tuple[Annotated[float, In("[0, inf)")], ...] | None = None
    from_logits: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_labels is not None and not self.multi_label:
            raise ArgumentError(
                "AUC: num_labels has no meaning here",
                expected="multi_label=True with it",
                got=f"num_labels={self.num_labels}, multi_label=False",
                fix="pass multi_label=True, or leave num_labels out",
            )

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        labels = y_pred.shape[-1]
        if {len(self.label_weights or ()) or labels, self.num_labels or labels} != {labels}:
            raise ShapeError(
                f"metric {self.name!r}: the labels do not fit the predictions",
                expected=f"{labels} labels, because the predictions are {y_pred.shape}",
                got=f"num_labels={self.num_labels}, label_weights={self.label_weights}",
                fix="pass one weight for each label",
            )
        weights = ops.filled(y_pred.shape, 1.0, y_pred.dtype)
        if weight is not None:
            weights = spread(ops.cast(weight, y_pred.dtype), y_pred)
        if self.label_weights is not None and not self.multi_label:
            weights = weights * ops.broadcast_to(ops.literal(self.label_weights, y_pred.dtype), y_pred.shape)
        limits = self._limits(y_pred.dtype)
        shape = (limits.shape[0], *y_pred.shape)
        inner = tuple(range(1, len(shape)))
        yes = ops.cast(ops.broadcast(y_pred, shape, inner) > ops.broadcast(limits, shape, (0,)), y_pred.dtype)
        over = tuple(range(y_pred.rank - self.multi_label))

        def both(is_so: Node) -> tuple[Node, Node]:
            """How many of these there are, above each threshold and in all."""
            above = ops.reduce_sum(yes * ops.broadcast(is_so, shape, inner), tuple(a + 1 for a in over))
            return ops.cast(above, "float64"), ops.cast(ops.reduce_sum(is_so, over), "float64")

        true_positives, positives = both(y_true * weights)
        false_positives, negatives = both((1.0 - y_true) * weights)
        return {
            "true_positives": true_positives,
            "false_positives": false_positives,
            "positives": positives,
            "negatives": negatives,
        }

    def _limits(self, dtype: str) -> Node:
        """The thresholds, rising; the outermost just outside [0, 1], so that every prediction lies between."""
        below, above = -config.epsilon(), 1 + config.epsilon()
        if self.thresholds is not None:
            return ops.literal((below, *sorted(self.thresholds), above), dtype)
        last = self.num_thresholds - 1
        place = ops.iota((self.num_thresholds,), 0, "float64")
        inner = ops.select(place < 0.5, below, ops.select(place > last - 0.5, above, place / float(last)))
        return ops.cast(inner, dtype)

    def result(self, true_positives: Counts, false_positives: Counts, positives: Any, negatives: Any) -> float:
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated(true_positives, false_positives, positives)
        else:
            recall = divide(true_positives, np.broadcast_to(positives, true_positives.shape))
            if self.curve == "ROC":
                x, y = divide(false_positives, np.broadcast_to(negatives, true_positives.shape)), recall
            else:
                x, y = recall, divide(true_positives, true_positives + false_positives)
            heights = {
                "interpolation": (y[:-1] + y[1:]) / 2,
                "minoring": np.minimum(y[:-1], y[1:]),
                "majoring": np.maximum(y[:-1], y[1:]),
            }[self.summation_method]
            areas = ((x[:-1] - x[1:]) * heights).sum(0)
        return float(np.average(areas, weights=self.label_weights if self.multi_label else None))


def _interpolated(true_positives: Counts, false_positives: Counts, positives: Any) -> Counts:
    """The area under the PR curve, TP and FP varying linearly between two thresholds A and B.

    There precision is ``(TP_B + slope * (P - P_B)) / P`` with ``P = TP + FP``, of which the integral over TP is
    ``slope * (TP_A - TP_B + (TP_B - slope * P_B) * log(P_A / P_B))``.
    """
    said = true_positives + false_positives
    rise = true_positives[:-1] - true_positives[1:]
    slope = divide(rise, said[:-1] - said[1:])
    intercept = true_positives[1:] - slope * said[1:]
    ratio = divide(said[:-1], said[1:])
    logarithm = np.log(np.where(ratio > 0, ratio, 1.0))
    area: Counts = divide(slope * (rise + intercept * logarithm), np.broadcast_to(positives, rise.shape)).sum(0)
    return area
