"""Losses between probability distributions.

They work on logits wherever they can. Given probabilities that a softmax or sigmoid has just made, they take that
function's input instead, which is exact where the probabilities are as good as 0 or 1. Only probabilities of another
origin are clipped to [1e-7, 1 - 1e-7] as in Keras.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar

import numpy as np

from thalweg import config, ops
from thalweg.checks import In
from thalweg.errors import ArgumentError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Op
from thalweg.graph.types import TensorType
from thalweg.losses.loss import Loss, bad_target, registry
from thalweg.ops.broadcast import Broadcast
from thalweg.ops.contraction import Contraction
from thalweg.ops.elementwise import Add, Relu, Sigmoid, Tanh
from thalweg.ops.leaf import State
from thalweg.ops.shape import normal_axis, unreshaped
from thalweg.ops.softmax import Softmax

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "SparseCategoricalCrossentropy",
]


class Crossentropy(Loss):
    """What the crossentropies share. No dataclass: each has its fields in Keras's order."""

    from_logits: bool
    """Whether predictions are logits, the input of a softmax or sigmoid, instead of probabilities."""

    axis: int

    activation: ClassVar[type[Softmax | Sigmoid]] = Softmax
    """The function that makes this loss's probabilities of logits."""

    def logits(self, y_pred: Node, axis: int) -> Node | None:
        """The logits that the predictions are or were made of; None if there are only probabilities.

        Raises: ArgumentError if the predictions are plainly not what ``from_logits`` says.
        """
        made_by = unreshaped(y_pred)
        if isinstance(made_by.op, Softmax) and made_by.shape[made_by.op.axis] == 1:
            raise self._wrong_output(y_pred, "probabilities that can change", "a softmax over one unit: always 1")
        if self.from_logits:
            if isinstance(made_by.op, Softmax | Sigmoid):
                got = f"the probabilities of a {made_by.op.name}"
                raise self._wrong_output(y_pred, "logits, because from_logits=True", got)
            return y_pred
        if unbounded := _unbounded(made_by):
            raise self._wrong_output(
                y_pred, "probabilities", f"the output of {unbounded}, which may lie outside [0, 1]"
            )
        if not isinstance(made_by.op, self.activation):
            return None
        if isinstance(made_by.op, Softmax) and not _same_axis(made_by, made_by.op.axis, y_pred, axis):
            return None
        return ops.reshape(made_by.inputs[0], y_pred.shape)

    def _wrong_output(self, y_pred: Node, expected: str, got: str) -> ArgumentError:
        if self.from_logits:
            fix = "drop from_logits=True, or drop the activation of the last layer"
        else:
            fix = f"give the last layer activation={self.activation.name!r}, or the loss from_logits=True"
        return ArgumentError(
            f"loss {self.name!r} does not fit the last activation",
            expected=expected,
            got=got,
            fix="use 'sigmoid' with 'binary_crossentropy', or one unit per class" if "one unit" in got else fix,
            layer=f"layer {y_pred.layer!r}" if y_pred.layer else None,
            disease="wrong_loss",
        )


def _along(axis: int, x: Node, like: Node) -> Node:
    """``x`` repeated along an axis that it lacks and ``like`` has."""
    return ops.broadcast(x, like.shape, tuple(a for a in range(like.rank) if a != axis))


def _same_axis(x: Node, x_axis: int, y: Node, y_axis: int) -> bool:
    """Whether the numbers along these axes of two tensors, one a reshape of the other, are the same groups."""
    if x.shape == y.shape:
        return x_axis == y_axis
    return x_axis == x.rank - 1 and y_axis == y.rank - 1 and x.shape[-1] == y.shape[-1]


def _unbounded(x: Node) -> str | None:
    """What made ``x``, in words, if that can leave [0, 1]: a linear layer, relu or tanh."""
    if isinstance(x.op, Relu | Tanh):
        return x.op.name
    biased = isinstance(x.op, Add) and any(
        isinstance(y.op, Broadcast) and isinstance(y.inputs[0].op, State) for y in x.inputs
    )
    product = next((y for y in x.inputs if isinstance(y.op, Contraction)), x) if biased else x
    return "a linear layer" if isinstance(product.op, Contraction) else None


def refuse_unbounded(loss: Loss, y_pred: Node, expected: str, activation: str, fine: tuple[type[Op], ...] = ()) -> None:
    """Raise ArgumentError if predictions that must lie in a range are the output of a linear layer or the like."""
    made_by = unreshaped(y_pred)
    if (unbounded := _unbounded(made_by)) and not isinstance(made_by.op, fine):
        raise ArgumentError(
            f"loss {loss.name!r} does not fit the last activation",
            expected=expected,
            got=f"the output of {unbounded}",
            fix=f"give the last layer the activation {activation}",
            layer=f"layer {y_pred.layer!r}" if y_pred.layer else None,
            disease="wrong_loss",
        )


def share_targets(loss: Loss, y: np.ndarray) -> None:
    """Raise DataError if a target is no probability."""
    outside = (y < 0) | (y > 1)
    if outside.any():
        fix = "for labels -1 and 1 pass (y + 1) / 2" if y.min() == -1 else "scale the targets to 0 ... 1"
        raise bad_target(loss, y, outside, "targets in [0, 1]", fix)


class OverClasses(Crossentropy):
    """Those with one of several classes, along ``axis``."""

    def scores(self, y_pred: Node, axis: int) -> tuple[Node, Node | None]:
        """Numbers s and t with ``log p = s - t`` for every class, t without the axis of the classes; None for t = 0.

        From logits, ``s = x - max(x)`` and ``t = log(sum(e^s))``: exact also when all logits are large. Where only p
        is known, it is normalised and clipped first, as in Keras.
        """
        self.require_classes(y_pred, axis)
        logits = self.logits(y_pred, axis)
        if logits is None:
            # A row of zeros, which cannot be normalised, stays one.
            p = y_pred / ops.clip(ops.reduce_sum(y_pred, axis, keepdims=True), low=1e-30)
            return ops.log(ops.clip(p, config.epsilon(), 1 - config.epsilon())), None
        # The result does not depend on what is subtracted, so no gradient has to flow through the maximum.
        shifted = logits - ops.stop_gradient(ops.reduce_max(logits, axis, keepdims=True))
        return shifted, ops.log(ops.reduce_sum(ops.exp(shifted), axis))

    def log_probabilities(self, y_pred: Node, axis: int) -> Node:
        """``log p`` for every class."""
        log_p, log_total = self.scores(y_pred, axis)
        return log_p if log_total is None else log_p - _along(axis, log_total, log_p)

    def require_classes(self, y_pred: Node, axis: int) -> None:
        """Raise ArgumentError if there is one class only."""
        if y_pred.shape[axis] == 1:
            raise ArgumentError(
                f"loss {self.name!r}: the predictions have one class only, whose probability is always 1",
                expected="at least two classes",
                got=str(y_pred.shape),
                fix="use one unit per class, or 'binary_crossentropy' with a sigmoid for two classes in one unit",
                layer=f"layer {y_pred.layer!r}" if y_pred.layer else None,
                disease="wrong_loss",
            )


@registry.register("categorical_crossentropy")
@dataclass(frozen=True)
class CategoricalCrossentropy(OverClasses):
    """``-sum(y_true * log p)`` over the classes, for one-hot or soft targets.

    Shapes: y_true, y_pred (batch, ..., classes) -> (batch, ...).

    Arguments:
        from_logits: whether predictions are logits, the input of a softmax, instead of probabilities.
        label_smoothing: s; targets become ``y_true * (1 - s) + s / classes``.
        axis: of the classes.

    Source: Szegedy et al. (2016), arXiv:1512.00567, section 7, for the smoothing.
    """

    from_logits: bool = False
    label_smoothing: Annotated[float, In("[0, 1]")] = 0.0
    axis: int = -1

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        axis = normal_axis(self.axis, y_pred.shape)
        if self.label_smoothing:
            y_true = y_true * (1 - self.label_smoothing) + self.label_smoothing / y_pred.shape[axis]
        return -ops.reduce_sum(y_true * self.log_probabilities(y_pred, axis), axis)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        share_targets(self, y)


@registry.register("sparse_categorical_crossentropy")
@dataclass(frozen=True)
class SparseCategoricalCrossentropy(OverClasses):
    """``-log p`` of the right class, for targets that are class numbers 0, 1, 2 ...

    Shapes: y_true (batch, ...) int32, y_pred (batch, ..., classes) -> (batch, ...).

    Arguments:
        from_logits: whether predictions are logits, the input of a softmax, instead of probabilities.
        ignore_class: a class number that marks targets to be left out; they do not count in means either.
        axis: of the classes.
        label_smoothing: as in ``CategoricalCrossentropy``.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("from_logits", "ignore_class", "reduction", "axis", "name")
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1
    label_smoothing: Annotated[float, In("[0, 1]")] = field(default=0.0, kw_only=True)
    sparse: ClassVar[bool] = True

    def target_type(self, output: TensorType) -> TensorType:
        if output.rank < 2:
            raise ShapeError(
                f"loss {self.name!r}: the predictions have no axis for the classes",
                expected="(batch, ..., classes)",
                got=f"one number for each sample, {output}",
                fix="use 'binary_crossentropy', or one unit per class",
                disease="wrong_loss",
            )
        axis = normal_axis(self.axis, output.shape)
        return TensorType((*output.shape[:axis], *output.shape[axis + 1 :]), "int32")

    def counted(self, y_true: Node) -> Node | None:
        return None if self.ignore_class is None else ops.not_equal(y_true, self.ignore_class)

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        axis = normal_axis(self.axis, y_pred.shape)
        scores, log_total = self.scores(y_pred, axis)
        score = ops.reduce_sum(ops.select(self.right(y_true, y_pred, axis), scores, 0.0), axis)
        if self.label_smoothing:
            score = score * (1 - self.label_smoothing) + ops.reduce_mean(scores, axis) * self.label_smoothing
        values = -score if log_total is None else log_total - score
        counted = self.counted(y_true)
        return values if counted is None else ops.select(counted, values, 0.0)

    def right(self, y_true: Node, y_pred: Node, axis: int) -> Node:
        """Where the right class stands: bool, shaped like the predictions."""
        return ops.equal(ops.iota(y_pred.shape, axis), _along(axis, y_true, y_pred))

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        classes = output.shape[normal_axis(self.axis, output.shape)]
        outside = (y < 0) | (y >= classes)
        if self.ignore_class is not None:
            outside &= y != self.ignore_class
        if outside.any():
            if y.min() == 1 and y.max() == classes:
                fix = "number the classes from 0: y - 1"
            elif y.min() < 0:
                fix = f"mend or remove these rows; ignore_class={int(y.min())} leaves them out of the loss"
            else:
                fix = f"give the last layer {int(y.max()) + 1} units, or mend these rows"
            raise bad_target(
                self,
                y,
                outside,
                f"class numbers 0 to {classes - 1}, because the predictions have {classes} classes",
                fix,
            )


@registry.register("categorical_generalized_cross_entropy")
@dataclass(frozen=True)
class CategoricalGeneralizedCrossEntropy(SparseCategoricalCrossentropy):
    """``(1 - p^q) / q`` with the probability p of the right class: crossentropy for q near 0, ``1 - p`` for q near 1.

    The larger q is, the less wrong labels count.

    Shapes: y_true (batch, ...) int32, y_pred (batch, ..., classes), probabilities -> (batch, ...).
    Source: Zhang & Sabuncu (2018), arXiv:1805.07836, equation 6.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("q", "reduction", "name")
    from_logits: bool = field(default=False, init=False)
    ignore_class: int | None = field(default=None, init=False)
    axis: int = field(default=-1, init=False)
    label_smoothing: float = field(default=0.0, init=False)
    q: Annotated[float, In("(0, 1)")] = 0.5

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        axis = normal_axis(self.axis, y_pred.shape)
        if self.logits(y_pred, axis) is not None:
            log_p = -super().per_sample(y_true, y_pred)
        else:  # as in Keras probabilities are not made to sum to 1
            p = ops.reduce_sum(ops.select(self.right(y_true, y_pred, axis), y_pred, 0.0), axis)
            log_p = ops.log(ops.clip(p, config.epsilon()))
        return (1.0 - ops.exp(log_p * self.q)) * (1.0 / self.q)


class Binary(Crossentropy):
    """Those of yes-or-no questions."""

    label_smoothing: float
    activation: ClassVar[type[Softmax | Sigmoid]] = Sigmoid

    def smoothed(self, y_true: Node) -> Node:
        """The targets with ``label_smoothing``."""
        return y_true * (1 - self.label_smoothing) + self.label_smoothing / 2 if self.label_smoothing else y_true

    def elementwise(self, y_true: Node, y_pred: Node) -> Node:
        """The crossentropy of every question.

        From logits x, ``y_true * softplus(-x) + (1 - y_true) * softplus(x)``, whose terms are never negative, so
        nothing cancels.
        """
        x = self.logits(y_pred, normal_axis(self.axis, y_pred.shape))
        if x is not None:
            return y_true * ops.softplus(-x) + (1.0 - y_true) * ops.softplus(x)
        p = ops.clip(y_pred, config.epsilon(), 1 - config.epsilon())
        return -(y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p))

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        share_targets(self, y)


@registry.register("binary_crossentropy", "bce")
@dataclass(frozen=True)
class BinaryCrossentropy(Binary):
    """``-y_true * log p - (1 - y_true) * log(1 - p)``, mean over ``axis``: one yes-or-no question for each unit.

    Shapes: y_true, y_pred (batch, ..., n) -> (batch, ...).

    Arguments:
        from_logits: whether predictions are logits, the input of a sigmoid, instead of probabilities.
        label_smoothing: s; targets become ``y_true * (1 - s) + s / 2``.
        axis: that is averaged.
    """

    from_logits: bool = False
    label_smoothing: Annotated[float, In("[0, 1]")] = 0.0
    axis: int = -1

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        return ops.reduce_mean(self.elementwise(self.smoothed(y_true), y_pred), self.axis)
