"""Losses between numbers. Which likelihood each is the maximum-likelihood estimate of stands in docs/losses.md."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from thalweg import config, ops
from thalweg.checks import In, NotEmpty
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss, bad_target, choices, registry

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "QuantileLoss",
    "RootMeanSquaredError",
]


@registry.register("mean_squared_error", "mse")
@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """``mean((y_pred - y_true)^2)`` over the last axis.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.reduce_mean(ops.square(y_pred - y_true), -1)


@registry.register("root_mean_squared_error", "rmse")
@dataclass(frozen=True)
class RootMeanSquaredError(Loss):
    """``sqrt(mean((y_pred - y_true)^2))``, the mean over all of the batch; in evaluation over all of the data.

    With the reductions "sum" and "none" the root is taken of each sample's mean, over the last axis.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    Numerics: where the error is 0, whose root has no derivative, the gradient is 0.
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return _root(MeanSquaredError().per_sample(y_true, y_pred))

    def __call__(self, y_true: Node, y_pred: Node, sample_weight: Node | None = None) -> Node:
        if self.reduction in ("sum", "none", None):
            return super().__call__(y_true, y_pred, sample_weight)
        return _root(self._squares()(y_true, y_pred, sample_weight))

    def _squares(self) -> MeanSquaredError:
        return MeanSquaredError(reduction=self.reduction, name=self.name)

    def totals(self, y_true: Node, y_pred: Node, weight: Node, valid: Node) -> dict[str, Node]:
        if self.reduction == "sum":
            return super().totals(y_true, y_pred, weight, valid)
        sums = self._squares().totals(y_true, y_pred, weight, valid)
        return {"squares": sums["total"], "weight": sums["weight"]}

    def result(self, **totals: float) -> float:
        if "squares" not in totals:
            return super().result(**totals)
        return math.sqrt(super().result(total=totals["squares"], weight=totals["weight"]))


def _root(x: Node) -> Node:
    """``sqrt(x)`` with gradient 0 at 0."""
    nothing = ops.equal(x, 0.0)
    return ops.select(nothing, 0.0, ops.sqrt(ops.select(nothing, 1.0, x)))


@registry.register("mean_absolute_error", "mae")
@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """``mean(|y_pred - y_true|)`` over the last axis.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.reduce_mean(ops.absolute(y_pred - y_true), -1)


@registry.register("mean_absolute_percentage_error", "mape")
@dataclass(frozen=True)
class MeanAbsolutePercentageError(Loss):
    """``100 * mean(|y_pred - y_true| / max(|y_true|, epsilon))`` over the last axis; epsilon: ``config.epsilon()``.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        size = ops.clip(ops.absolute(y_true), low=config.epsilon())
        return ops.reduce_mean(ops.absolute(y_pred - y_true) / size, -1) * 100.0


@registry.register("mean_squared_logarithmic_error", "msle")
@dataclass(frozen=True)
class MeanSquaredLogarithmicError(Loss):
    """``mean((log(1 + y_pred) - log(1 + y_true))^2)`` over the last axis; both are held above ``config.epsilon()``.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        predicted, wanted = (ops.log1p(ops.clip(y, low=config.epsilon())) for y in (y_pred, y_true))
        return ops.reduce_mean(ops.square(predicted - wanted), -1)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        if (y < 0).any():
            raise bad_target(self, y, y < 0, "targets from 0 on", "use 'mse' for targets of either sign")


@registry.register("huber")
@dataclass(frozen=True)
class Huber(Loss):
    """Half the squared error up to ``delta``, and linear from there on: ``delta * |error| - delta^2 / 2``.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...), the mean over the last axis.
    Source: Huber (1964), Annals of Mathematical Statistics 35, section 3.
    """

    delta: Annotated[float, In("(0, inf)")] = 1.0

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        error = y_pred - y_true
        size = ops.absolute(error)
        linear = size * self.delta - 0.5 * self.delta**2
        return ops.reduce_mean(ops.select(size <= self.delta, ops.square(error) * 0.5, linear), -1)

    def _default_name(self) -> str:
        return "huber_loss"  # Keras's


@registry.register("log_cosh", "logcosh")
@dataclass(frozen=True)
class LogCosh(Loss):
    """``mean(log(cosh(y_pred - y_true)))`` over the last axis: like Huber's, but smooth everywhere.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    Numerics: ``|x| + log1p(expm1(-2 |x|) / 2)`` never overflows, and keeps its digits where x is small.
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        size = ops.absolute(y_pred - y_true)
        return ops.reduce_mean(size + ops.log1p(ops.expm1(size * -2.0) * 0.5), -1)


@registry.register("cosine_similarity", "cosine")
@dataclass(frozen=True)
class CosineSimilarity(Loss):
    """Minus the cosine of the angle between target and prediction: -1 for the same direction, 0 for a right angle.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).
    Numerics: vectors shorter than ``config.epsilon()`` are divided by that, so the cosine with a zero vector is 0.

    Arguments:
        axis: of the vectors' components.
    """

    axis: int = -1

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        wanted, predicted = (self._normalised(y) for y in (y_true, y_pred))
        return -ops.reduce_sum(wanted * predicted, self.axis)

    def _normalised(self, y: Node) -> Node:
        squared = ops.reduce_sum(ops.square(y), self.axis, keepdims=True)
        return y * (1.0 / ops.sqrt(ops.clip(squared, low=config.epsilon() ** 2)))


@registry.register("quantile", "pinball")
@dataclass(frozen=True)
class QuantileLoss(Loss):
    """``q * error`` where the target is larger than predicted, ``(1 - q) * -error`` elsewhere: least at a quantile.

    Shapes: for one quantile y_true, y_pred (batch, ..., n) -> (batch, ...). For several y_pred (batch, ..., quantiles)
    and y_true (batch, ...) or (batch, ..., 1): one unit per quantile, all for the same target; the mean over them.

    Arguments:
        quantiles: the share of targets that shall lie below the prediction; one or several. 0.5: the median.

    Raises: ShapeError if there are not as many units as quantiles.
    Source: Koenker & Bassett (1978), Econometrica 46, equation 3.1.
    """

    quantiles: Annotated[float, In("(0, 1)")] | Annotated[tuple[Annotated[float, In("(0, 1)")], ...], NotEmpty()] = 0.5

    @property
    def several(self) -> tuple[float, ...]:
        """The quantiles, also if it is one."""
        return self.quantiles if isinstance(self.quantiles, tuple) else (self.quantiles,)

    def target_type(self, output: TensorType) -> TensorType:
        if len(self.several) == 1:
            return output
        if output.shape[-1:] != (len(self.several),):
            raise ShapeError(
                f"loss {self.name!r}: the predictions do not fit the quantiles",
                expected=f"(batch, ..., {len(self.several)}), one unit for each of {self.several}",
                got=f"({', '.join(map(str, ('batch', *output.shape[1:])))})",
                fix=f"give the last layer {len(self.several)} units",
            )
        return output.with_shape((*output.shape[:-1], 1))

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        error = y_true - y_pred
        q = choices(self.several, error, error.rank - 1) if len(self.several) > 1 else self.several[0]
        return ops.reduce_mean(ops.select(error > 0.0, error * q, error * (q - 1.0)), -1)
