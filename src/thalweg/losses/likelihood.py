"""Losses that are the negative log-likelihood of a distribution whose parameters the network predicts."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np

from thalweg import activations, config, ops
from thalweg.checks import In, OneOf
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.crossentropy import OverClasses, refuse_unbounded, share_targets
from thalweg.losses.loss import Loss, bad_target, registry
from thalweg.ops.elementwise import Exp, Relu
from thalweg.ops.shape import normal_axis

__all__ = ["GaussianNegativeLogLikelihood", "KLDivergence", "Poisson"]


@registry.register("poisson")
@dataclass(frozen=True)
class Poisson(Loss):
    """``mean(y_pred - y_true * log(y_pred + epsilon))`` over the last axis: counts y_true, whose mean is y_pred.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...); neither negative.
    Numerics: of predictions that ``exponential`` has just made the logarithm is its input, exactly; otherwise epsilon
    is ``config.epsilon()``.
    """

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        if isinstance(y_pred.op, Exp):
            return ops.reduce_mean(y_pred - y_true * y_pred.inputs[0], -1)
        refuse_unbounded(self, y_pred, "numbers from 0 on", "'exponential' or 'softplus'", fine=(Relu,))
        return ops.reduce_mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), -1)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        if (y < 0).any():
            raise bad_target(self, y, y < 0, "counts, from 0 on", "use 'mse' for targets of either sign")


@registry.register("gaussian_negative_log_likelihood", "gaussian_nll")
@dataclass(frozen=True)
class GaussianNegativeLogLikelihood(Loss):
    """``mean(log(variance) + (y_true - mean)^2 / variance) / 2``: mean and variance are both predicted.

    Shapes: y_true (batch, ..., n), y_pred (batch, ..., 2 n), the n means first, then what says the n variances ->
    (batch, ...).
    Numerics: variances are held above ``epsilon``; the gradient goes through as if they were not, so that one that has
    become too small can grow again.

    Arguments:
        variance: what makes the variances of the last n predictions: ``"softplus"``, ``"exponential"`` (the network
            predicts their logarithm) or ``"linear"`` (it predicts them as they are).
        full: add the constant ``log(2 pi) / 2``.

    Raises: ShapeError if the number of predictions is odd.
    Source: Nix & Weigend (1994), IEEE ICNN, equation 2.
    """

    variance: Annotated[str, OneOf("softplus", "exponential", "linear")] = "softplus"
    full: bool = False
    epsilon: Annotated[float, In("(0, inf)")] = 1e-6

    def target_type(self, output: TensorType) -> TensorType:
        if output.shape[-1] % 2:
            raise ShapeError(
                f"loss {self.name!r}: each mean wants a variance",
                expected="(batch, ..., 2 n): n means, then n variances",
                got=f"({', '.join(map(str, ('batch', *output.shape[1:])))})",
                fix="give the last layer two units for each number to predict",
            )
        return output.with_shape((*output.shape[:-1], output.shape[-1] // 2))

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        n = y_true.shape[-1]
        mean, spread = (ops.slice_axis(y_pred, y_pred.rank - 1, start, start + n) for start in (0, n))
        squared = ops.square(y_true - mean)
        if self.variance == "exponential":
            log_variance = _at_least(spread, math.log(self.epsilon))
            values = log_variance + squared * ops.exp(-log_variance)
        else:
            variance = _at_least(activations.get(self.variance)(spread), self.epsilon)
            values = ops.log(variance) + squared / variance
        constant = 0.5 * math.log(2 * math.pi) if self.full else 0.0
        return ops.reduce_mean(values, -1) * 0.5 + constant


def _at_least(x: Node, low: float) -> Node:
    """``max(x, low)`` with the gradient of ``x``."""
    return ops.stop_gradient(ops.clip(x, low=low)) + (x - ops.stop_gradient(x))


@registry.register("kl_divergence", "kld", "kullback_leibler_divergence")
@dataclass(frozen=True)
class KLDivergence(OverClasses):
    """``sum(y_true * log(y_true / y_pred))`` over the classes, for targets that are probabilities.

    Shapes: y_true, y_pred (batch, ..., classes) -> (batch, ...).
    Numerics: of a softmax's output, and of logits, the logarithm is exact, and a class whose target is 0 adds nothing.
    Other probabilities, and their targets, are held above ``config.epsilon()`` as in Keras.

    Arguments:
        from_logits: whether predictions are logits. Not in Keras.
        axis: of the classes.

    Source: Kullback & Leibler (1951), Annals of Mathematical Statistics 22, equation 2.4.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("reduction", "name")
    from_logits: bool = False
    axis: int = -1

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        axis = normal_axis(self.axis, y_pred.shape)
        self.require_classes(y_pred, axis)
        clipped = ops.clip(y_true, config.epsilon(), 1.0)
        if self.logits(y_pred, axis) is None:
            y_pred = ops.clip(y_pred, config.epsilon(), 1.0)
            return ops.reduce_sum(clipped * ops.log(clipped / y_pred), axis)
        return ops.reduce_sum(y_true * (ops.log(clipped) - self.log_probabilities(y_pred, axis)), axis)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        share_targets(self, y)
