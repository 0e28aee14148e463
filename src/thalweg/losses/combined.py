"""Losses made of other losses: weighted sums, and the hardest examples only."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from thalweg import ops
from thalweg.checks import In
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.losses.crossentropy import OverClasses
from thalweg.losses.loss import Loss, registry

__all__ = ["OnlineHardExamples", "WeightedSum"]


@registry.register("weighted_sum")
@dataclass(frozen=True)
class WeightedSum(Loss):
    """``sum(weight * loss)`` of losses of the same predictions: Dice with crossentropy, for one.

    The reduction is this one's, not the losses'. Without one, values with further axes than (batch,) are averaged over
    these.

    Shapes: as the losses'.

    Arguments:
        losses: objects or names; all want the same targets.
        weights: one for each loss; 1 unless given.

    Raises: ArgumentError if weights and losses differ in number, or losses in their targets.
    Example:
        >>> from thalweg import losses
        >>> loss = losses.WeightedSum((losses.Dice(smooth=1.0), "binary_crossentropy"), weights=(1.0, 0.5))
    """

    losses: tuple[Loss | str, ...] = ("dice", "binary_crossentropy")
    weights: tuple[Annotated[float, In("[0, inf)")], ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for loss in self.losses:
            registry.get(loss)
        if not self.losses or (self.weights is not None and len(self.weights) != len(self.losses)):
            raise ArgumentError(
                "WeightedSum: arguments 'losses' and 'weights' do not fit together",
                expected="at least one loss, and one weight for each",
                got=f"{len(self.losses)} losses, {len(self.weights or ())} weights",
                fix="give each loss its weight, or leave weights out",
            )

    @property
    def parts(self) -> list[tuple[float, Loss]]:
        """The losses with their weights."""
        weights = self.weights or (1.0,) * len(self.losses)
        losses = [replace(registry.get(loss), reduction=self.reduction) for loss in self.losses]
        return list(zip(weights, losses, strict=True))

    @property
    def from_logits(self) -> bool:
        """Whether the predictions are logits, for the metrics."""
        return any(getattr(loss, "from_logits", False) for _, loss in self.parts)

    def target_type(self, output: TensorType) -> TensorType:
        kinds = {loss.target_type(output) for _, loss in self.parts}
        if len(kinds) > 1:
            raise ArgumentError(
                f"loss {self.name!r}: the losses want different targets",
                expected="losses of the same targets",
                got=" and ".join(sorted(map(str, kinds))),
                fix="combine sparse losses with sparse ones only; one-hot encode the targets for the others",
            )
        return kinds.pop()

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        for _, loss in self.parts:
            loss.check_targets(y, output)

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        values = [weight * loss.values(y_true, y_pred)[0] for weight, loss in self.parts]
        of_samples = [ops.reduce_mean(v, tuple(range(1, v.rank))) for v in values]
        return sum(of_samples[1:], of_samples[0])

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if self.reduction in ("none", None) or not isinstance(y_pred, Node):
            return super().__call__(y_true, y_pred, sample_weight)
        y_true, y_pred = self.aligned(y_true, y_pred)
        reduced = [weight * loss(y_true, y_pred, sample_weight) for weight, loss in self.parts]
        return sum(reduced[1:], reduced[0])

    def totals(self, y_true: Node, y_pred: Node, weight: Node, valid: Node) -> dict[str, Node]:
        return {
            f"{number}.{name}": node  # a slash would end the name of the loss
            for number, (_, loss) in enumerate(self.parts)
            for name, node in loss.totals(y_true, y_pred, weight, valid).items()
        }

    def result(self, **totals: float) -> float:
        value = 0.0
        for number, (weight, loss) in enumerate(self.parts):
            own = {k.removeprefix(f"{number}."): v for k, v in totals.items() if k.startswith(f"{number}.")}
            value += weight * loss.result(**own)
        return value


@registry.register("online_hard_examples", "ohem")
@dataclass(frozen=True)
class OnlineHardExamples(Loss):
    """The mean of a loss over the hardest examples of each batch; the others do not count.

    Values are ranked among all of the batch (over further axes too): the rank of one is how many are larger, of equal
    ones how many stand before it. No gradient flows through the choice. The work grows with the square of their number.
    In evaluation, and as a metric, nothing is left out: the value is the mean over all samples.

    Shapes: as the loss's.

    Arguments:
        loss: an object or a name.
        keep: the share of each batch that counts, rounded up.
        ratio: in place of ``keep``: all positive examples count, and for each of them so many of the hardest negative
            ones. An example is positive if a target is above 0; with the classes on an axis of their own, or numbered,
            if it is not of class 0.
        at_least: how many negatives count in a batch without positives, and at the least in any.

    Source: Shrivastava, Gupta & Girshick (2016), arXiv:1604.03540, section 4; ``ratio`` as in Liu et al. (2016),
    arXiv:1512.02325, section 2.2 (3 there).
    """

    loss: Loss | str = "binary_crossentropy"
    keep: Annotated[float, In("(0, 1]")] = 0.25
    ratio: Annotated[float, In("(0, inf)")] | None = None
    at_least: Annotated[int, In("[1, inf)")] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        registry.get(self.loss)

    @property
    def inner(self) -> Loss:
        """The loss of each example."""
        return registry.get(self.loss)

    @property
    def from_logits(self) -> bool:
        """Whether the predictions are logits, for the metrics."""
        return bool(getattr(self.inner, "from_logits", False))

    def target_type(self, output: TensorType) -> TensorType:
        return self.inner.target_type(output)

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        self.inner.check_targets(y, output)

    def values(self, y_true: Node, y_pred: Node) -> tuple[Node, Node | None]:
        values, counted = self.inner.values(y_true, y_pred)
        hard = self._hard(self.inner.aligned(y_true, y_pred)[0], ops.stop_gradient(values), counted)
        return ops.select(hard, values, 0.0), hard

    def _hard(self, y_true: Node, values: Node, counted: Node | None) -> Node:
        """Which values count."""
        candidates = ops.filled(values.shape, True, "bool") if counted is None else counted
        if self.ratio is None:
            wanted: Node | int = math.ceil(self.keep * values.type.size)
            hard = ops.less(_rank(values, candidates), wanted)
            return ops.logical_and(hard, candidates)
        positive = ops.logical_and(self._positive(y_true, values), candidates)
        negative = ops.logical_and(ops.logical_not(positive), candidates)
        count = ops.reduce_sum(ops.cast(positive, "float32"))
        wanted = ops.clip(ops.floor(count * self.ratio), low=float(self.at_least))
        hard = ops.logical_and(ops.less(_rank(values, negative), wanted), negative)
        return ops.logical_or(positive, hard)

    def _positive(self, y_true: Node, values: Node) -> Node:
        if isinstance(self.inner, OverClasses) and not self.inner.sparse:
            return ops.not_equal(ops.argmax(y_true, self.inner.axis), 0)
        further = tuple(range(values.rank, y_true.rank))
        return ops.reduce_max(y_true, further) > 0 if further else y_true > 0

    def totals(self, y_true: Node, y_pred: Node, weight: Node, valid: Node) -> dict[str, Node]:
        return self.inner.totals(y_true, y_pred, weight, valid)

    def result(self, **totals: Any) -> float:
        return self.inner.result(**totals)


def _rank(values: Node, candidates: Node) -> Node:
    """How many of the candidates are larger than each value; of equal ones those before it. Shaped like them."""
    flat = ops.reshape(ops.select(candidates, values, -math.inf), (values.type.size,))
    square = (values.type.size,) * 2
    mine, others = (ops.broadcast(flat, square, (axis,)) for axis in (0, 1))
    before = ops.less(ops.iota(square, 1), ops.iota(square, 0))
    ahead = ops.logical_or(others > mine, ops.logical_and(ops.equal(others, mine), before))
    return ops.reshape(ops.reduce_sum(ops.cast(ahead, "float32"), 1), values.shape)
