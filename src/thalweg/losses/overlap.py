"""Losses of the overlap of two sets: what should be marked, and what is."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from thalweg import config, ops
from thalweg.checks import In
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.masking import along
from thalweg.layers.tracing import mask_of
from thalweg.losses.crossentropy import refuse_unbounded
from thalweg.losses.loss import Loss, registry, spread

__all__ = ["Dice", "Tversky"]

Axis = int | tuple[int, ...] | None


class _Overlap(Loss):
    """What Dice and Tversky share: both are functions of the sums of ``y_true * y_pred``, of y_true and of y_pred.

    Without axes the sums are over the whole batch, and in evaluation over all of the data, so that the result does not
    depend on how these are cut into batches.
    """

    axis: Axis

    def of_sums(self, both: Any, true: Any, predicted: Any) -> Any:
        """The loss; nodes or numbers."""
        raise NotImplementedError

    def aligned(self, y_true: Node, y_pred: Node) -> tuple[Node, Node]:
        refuse_unbounded(self, y_pred, "probabilities", "'sigmoid' or 'softmax'")
        return super().aligned(y_true, y_pred)

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        axes, mask = self._axes(y_pred), mask_of(y_pred)
        if mask is not None:
            y_true, y_pred = (ops.select(along(mask, y), y, 0.0) for y in (y_true, y_pred))
        value: Node = self.of_sums(*(ops.reduce_sum(y, axes) for y in (y_true * y_pred, y_true, y_pred)))
        return ops.broadcast(value, y_pred.shape[:1], ()) if self.axis is None else value

    def _places(self, mask: Node, values: Node) -> None:
        """The mask has been used where the sums were taken."""

    def _axes(self, y_pred: Node) -> tuple[int, ...]:
        if self.axis is None:
            return tuple(range(y_pred.rank))
        given = (self.axis,) if isinstance(self.axis, int) else self.axis
        axes = tuple(a % y_pred.rank if -y_pred.rank <= a < y_pred.rank else 0 for a in given)
        if 0 in axes or not axes:
            raise ArgumentError(
                f"loss {self.name!r}: argument 'axis' does not fit the predictions",
                expected=f"axes out of 1 to {y_pred.rank - 1}, or None for the whole batch",
                got=f"axis={self.axis}",
                fix="leave axis 0 out: it counts the samples, each of which gets its own value",
            )
        return axes

    def totals(self, y_true: Node, y_pred: Node, weight: Node, valid: Node) -> dict[str, Node]:
        if self.axis is not None or self.reduction == "sum":
            return super().totals(y_true, y_pred, weight, valid)
        y_true, y_pred = self.aligned(y_true, y_pred)
        w, mask = spread(ops.cast(weight, y_pred.dtype), y_pred), mask_of(y_pred)
        w = w if mask is None else ops.select(along(mask, w), w, 0.0)
        parts = {"both": w * y_true * y_pred, "true": w * y_true, "predicted": w * y_pred}
        return {name: ops.cast(ops.reduce_sum(part), "float64") for name, part in parts.items()}

    def result(self, **totals: float) -> float:
        return float(self.of_sums(**totals)) if "both" in totals else super().result(**totals)


@registry.register("dice")
@dataclass(frozen=True)
class Dice(_Overlap):
    """``1 - 2 sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))``: 0 where both sets are the same, 1 where disjoint.

    Shapes: y_true (0 and 1), y_pred (batch, ...) alike, probabilities -> (batch,), or without ``axis``.

    Arguments:
        axis: over which the sums are, for example (1, 2, 3): one value for each sample. None: over the whole batch.
        smooth: added to numerator and denominator. With 0, as in Keras, a sample without anything to mark has loss 1
            and no gradient whatever is predicted; with 1 it has loss 0 where nothing is predicted.

    Source: Milletari et al. (2016), arXiv:1606.04797, section 3. Differs: sums, not sums of squares, below.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("reduction", "name", "axis")
    axis: Axis = None
    smooth: Annotated[float, In("[0, inf)")] = 0.0

    def of_sums(self, both: Any, true: Any, predicted: Any) -> Any:
        return 1.0 - (2.0 * both + self.smooth) / (true + predicted + (self.smooth + config.epsilon()))


@registry.register("tversky")
@dataclass(frozen=True)
class Tversky(_Overlap):
    """``1 - both / (both + alpha * missed + beta * invented)``, Dice with a price for either kind of mistake.

    Here ``both = sum(y_true * y_pred)``, ``missed = sum(y_true * (1 - y_pred))`` (false negatives) and
    ``invented = sum((1 - y_true) * y_pred)`` (false positives). alpha = beta = 0.5 is Dice.

    Shapes: y_true (0 and 1), y_pred (batch, ...) alike, probabilities -> (batch,), or without ``axis``.

    Arguments:
        alpha, beta: as Keras computes them. (Its documentation, and the paper, name them the other way round.)
        axis, smooth: see Dice.

    Source: Salehi, Erdogmus & Gholipour (2017), arXiv:1706.05721, equation 4.
    """

    argument_order: ClassVar[tuple[str, ...]] = ("alpha", "beta", "reduction", "name", "axis")
    alpha: Annotated[float, In("[0, inf)")] = 0.5
    beta: Annotated[float, In("[0, inf)")] = 0.5
    axis: Axis = None
    smooth: Annotated[float, In("[0, inf)")] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha == self.beta == 0:
            raise ArgumentError(
                "Tversky: no mistake costs anything",
                expected="alpha or beta above 0",
                got="alpha=0, beta=0",
                fix="leave them out for 0.5 and 0.5, which is Dice",
            )

    def of_sums(self, both: Any, true: Any, predicted: Any) -> Any:
        wrong = self.alpha * (true - both) + self.beta * (predicted - both)
        return 1.0 - (both + self.smooth) / (both + wrong + (self.smooth + config.epsilon()))
