"""Metrics of numbers: how far predictions are from targets, and how much of the targets' variance they explain."""

from __future__ import annotations

import math
import warnings
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from thalweg import losses, ops
from thalweg.checks import Finite, In
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.losses.loss import align, column
from thalweg.metrics.counts import answers
from thalweg.metrics.metric import MeanMetric, Metric, Value, divide, number, registry, total

__all__ = [
    "BrierScore",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "DiceCoefficient",
    "LogCoshError",
    "PearsonCorrelation",
    "R2Score",
    "RootMeanSquaredError",
]


@registry.register("root_mean_squared_error", "rmse")
@dataclass(frozen=True)
class RootMeanSquaredError(MeanMetric):
    """``sqrt(mean((y_pred - y_true)^2))`` over all numbers of the epoch: the root comes last.

    Shapes: y_true, y_pred (batch, ..., n).
    """

    rises: ClassVar[bool | None] = False

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = align(y_true, y_pred.type, f"metric {self.name!r}")
        return ops.square(y_pred - ops.cast(y_true, y_pred.dtype))

    def result(self, total: float, weight: float) -> float:
        return math.sqrt(super().result(total, weight))


@registry.register("cosine_similarity", "cosine")
@dataclass(frozen=True)
class CosineSimilarity(MeanMetric):
    """The cosine of the angle between target and prediction: 1 for the same direction; the loss has the other sign.

    Shapes: y_true, y_pred (batch, ..., n).

    Arguments:
        axis: of the vectors' components.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("name",)
    rises: ClassVar[bool | None] = True
    axis: int = -1

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = ops.cast(align(y_true, y_pred.type, f"metric {self.name!r}"), y_pred.dtype)
        return -losses.CosineSimilarity(axis=self.axis).per_sample(y_true, y_pred)


@registry.register("log_cosh_error")
@dataclass(frozen=True)
class LogCoshError(MeanMetric):
    """``log(cosh(y_pred - y_true))``, mean over all axes, see ``losses.LogCosh``.

    Shapes: y_true, y_pred (batch, ..., n).
    """

    rises: ClassVar[bool | None] = False

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true = ops.cast(align(y_true, y_pred.type, f"metric {self.name!r}"), y_pred.dtype)
        return losses.LogCosh().per_sample(y_true, y_pred)

    def _default_name(self) -> str:
        return "logcosh"  # Keras's


class _Correlation(MeanMetric):
    """Means of what goes together along an axis. No dataclass: each has its fields in Keras's order."""

    axis: int | tuple[int, ...]

    rises: ClassVar[bool | None] = True

    def moments(self, y_true: Node, y_pred: Node) -> tuple[Node, Node, Node, Node]:
        """The axes' mean product of deviations, the squared difference of means, variances."""
        y_true = ops.cast(align(y_true, y_pred.type, f"metric {self.name!r}"), y_pred.dtype)
        means = [ops.reduce_mean(y, self.axis, True) for y in (y_true, y_pred)]
        off = [y - ops.broadcast_to(mean, y.shape) for y, mean in zip((y_true, y_pred), means, strict=True)]
        apart = ops.reduce_sum(ops.square(means[0] - means[1]), self.axis)
        spread = [ops.reduce_mean(ops.square(x), self.axis) for x in off]
        return ops.reduce_mean(off[0] * off[1], self.axis), apart, spread[0], spread[1]


@registry.register("pearson_correlation")
@dataclass(frozen=True)
class PearsonCorrelation(_Correlation):
    """Pearson's coefficient of targets and predictions along an axis, mean over the others; 0 where one is constant.

    Shapes: y_true, y_pred (batch, ..., n).

    Arguments:
        axis: along which is correlated, not the batch: -1 for the numbers of a sample.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("name",)
    axis: int | tuple[int, ...] = -1

    def values(self, y_true: Node, y_pred: Node) -> Node:
        together, _, true, said = self.moments(y_true, y_pred)
        return ops.divide_no_nan(together, ops.sqrt(true * said))


@registry.register("concordance_correlation")
@dataclass(frozen=True)
class ConcordanceCorrelation(_Correlation):
    """Lin's coefficient: twice the covariance over the sum of both variances and of the squared difference of means.

    Shapes and arguments: as of ``PearsonCorrelation``.
    Source: Lin (1989), Biometrics 45, equation 4.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("name",)
    axis: int | tuple[int, ...] = -1

    def values(self, y_true: Node, y_pred: Node) -> Node:
        together, apart, true, said = self.moments(y_true, y_pred)
        return ops.divide_no_nan(2.0 * together, true + said + apart)


@registry.register("r2_score", "r2")
@dataclass(frozen=True)
class R2Score(Metric):
    """The share of the targets' variance that the predictions explain: 1 - sum((y - p)^2) / sum((y - mean(y))^2).

    1 is perfect, 0 as good as always the mean. For targets that are all alike it is 1 for perfect predictions, else 0,
    as in scikit-learn. Differs: Keras has NaN for the first.

    Shapes: y_true, y_pred (batch, n).
    Numerics: in float64 from the sums of y and y^2, so targets should not be many millions of deviations off 0.

    Arguments:
        class_aggregation: of the n outputs: their mean; their mean weighted with their variances; or None for an array.
        num_regressors: how many features the model has, for the adjusted score 1 - (1 - R2) * (m - 1) / (m - p - 1)
            of m numbers and p features; 0 for the plain one.
    """

    rises: ClassVar[bool | None] = True
    class_aggregation: Literal["uniform_average", "variance_weighted_average"] | None = "uniform_average"
    num_regressors: Annotated[int, In("[0, inf)")] = 0

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_pred = column(y_pred)
        y_true = ops.cast(align(y_true, y_pred.type, f"metric {self.name!r}"), "float64")
        axes = tuple(range(y_pred.rank - 1))
        error = y_true - ops.cast(y_pred, "float64")
        ones = ops.filled(y_pred.shape, 1.0, "float64")
        # How many numbers there are, whatever they weigh, only the adjusted score asks: evaluation must not fill up its
        # batches for that.
        count = {"count": ops.constant(float(y_pred.type.size), "float64")} if self.num_regressors else {}
        return {
            "residual": total(ops.square(error), weight, axes),
            "total": total(y_true, weight, axes),
            "squares": total(ops.square(y_true), weight, axes),
            "weight": total(ones, weight, axes),
            **count,
        }

    def result(self, residual: Any, total: Any, squares: Any, weight: Any, count: float = 0.0) -> Value:
        spread = squares - divide(np.square(total), weight)
        scores = np.where(spread > 0, 1 - divide(residual, spread), np.where(residual > 0, 0.0, 1.0))
        if self.class_aggregation == "variance_weighted_average":
            scores = divide((scores * spread).sum(), spread.sum()) if spread.sum() > 0 else scores.mean()
        elif self.class_aggregation == "uniform_average":
            scores = scores.mean()
        return number(self._adjusted(scores, count))

    def _adjusted(self, scores: np.ndarray, count: float) -> np.ndarray:
        if not self.num_regressors:
            return scores
        freedom = count - self.num_regressors - 1
        if freedom <= 0:
            warnings.warn(f"metric {self.name!r}: too few samples to adjust; this is the plain score", stacklevel=2)
            return scores
        return 1 - (1 - scores) * (count - 1) / freedom


@registry.register("brier_score", "brier")
@dataclass(frozen=True)
class BrierScore(MeanMetric):
    """The squared distance of probabilities from what happened: 0 is perfect.

    Shapes: y_true (0 or 1) and y_pred (batch, ..., 1): (p - y)^2, from 0 to 1; y_true (one-hot or class numbers) and
    y_pred (batch, ..., classes): the sum over the classes, from 0 to 2, as in scikit-learn.
    Source: Brier (1950), Monthly Weather Review 78.
    """

    rises: ClassVar[bool | None] = False

    def values(self, y_true: Node, y_pred: Node) -> Node:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        return ops.reduce_sum(ops.square(y_pred - y_true), -1)


@registry.register("dice_coefficient", "dice_score")
@dataclass(frozen=True)
class DiceCoefficient(Metric):
    """``2 * sum(y * p) / (sum(y) + sum(p))`` over the epoch: how far targets and predictions overlap; 0 for nothing.

    Shapes: y_true (0 or 1, one-hot or class numbers), y_pred (batch, ..., classes).

    Arguments:
        threshold: above it a prediction counts as 1, else as 0; None: predictions count as they are.
        average: ``"micro"``: all classes together; ``"macro"``: mean of the classes; None: an array of the classes.

    Source: Dice (1945), Ecology 26.
    """

    rises: ClassVar[bool | None] = True
    threshold: Finite | None = None
    average: Literal["micro", "macro"] | None = "micro"

    def sums(self, y_true: Node, y_pred: Node, weight: Node | None = None) -> dict[str, Node]:
        y_true, y_pred = answers(y_true, y_pred, str(self.name))
        if self.threshold is not None:
            y_pred = ops.cast(y_pred > self.threshold, y_pred.dtype)
        axes = tuple(range(y_pred.rank - (self.average != "micro")))
        return {"both": total(y_true * y_pred, weight, axes), "all": total(y_true + y_pred, weight, axes)}

    def result(self, both: Any, all: Any) -> Value:
        scores = divide(2 * both, all)
        return number(scores.mean() if self.average == "macro" else scores)
