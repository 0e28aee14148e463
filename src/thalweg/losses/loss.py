"""The base of all losses: shapes checked, samples weighted, values reduced to one number."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import field
from typing import Annotated, Any, ClassVar, overload

import numpy as np

from thalweg import config, ops
from thalweg.checks import OneOf, check_fields
from thalweg.data.arrays import as_array, converted, refuse_masked
from thalweg.errors import DataError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.masking import MaskNotice, along
from thalweg.layers.tracing import mask_of, set_mask
from thalweg.ops.reference import on_arrays
from thalweg.registry import Registered, Registry

__all__ = ["Loss", "registry"]

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


@dataclass(frozen=True, kw_only=True)
class Loss(Registered):
    """A number that says how far predictions are from targets; training makes it smaller.

    A subclass writes ``per_sample`` (or calls it ``call``, as in Keras); everything else is here.

    Arguments:
        reduction: of the values of a batch, n in number, weighted with w (1 without sample weights):
            ``"sum_over_batch_size"`` and ``"mean"``: sum(w * value) / n, not / sum(w);
            ``"mean_with_sample_weight"``: sum(w * value) / sum(w);  ``"sum"``;  ``"none"`` or None: no reduction.
        name: in records and tables; the registered name unless given.
        dtype: accepted, as Keras's losses have it; a loss has the dtype of the predictions.
    """

    reduction: Annotated[str, OneOf(*REDUCTIONS)] | None = "sum_over_batch_size"
    name: str | None = None
    dtype: str | None = field(default=None, repr=False)

    sparse: ClassVar[bool] = False
    """Whether targets are class numbers, without the axis of the classes."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.name is None:
            object.__setattr__(self, "name", self._default_name())

    # What a subclass writes.

    def per_sample(self, y_true: Node, y_pred: Node) -> Node:
        """The values before reduction: ``(batch, ...)``, the last axis (or the axis of the classes) averaged out.

        ``y_true`` has the type that ``target_type`` says.
        """
        call = getattr(self, "call", None)
        if call is None:
            raise NotImplementedError(f"{type(self).__name__} has neither per_sample() nor call()")
        values: Node = call(y_true, y_pred)
        return values

    def counted(self, y_true: Node) -> Node | None:
        """Which values count (bool, shaped like them); None if all do. Those that do not are 0 in ``per_sample``."""
        return None

    def target_type(self, output: TensorType) -> TensorType:
        """The type of the targets that go with predictions of this type."""
        return output

    def check_targets(self, y: np.ndarray, output: TensorType) -> None:
        """Raise DataError if a target, already of the right type, lies outside what the loss is defined for."""

    # What the others use.

    @overload
    def __call__(self, y_true: Node, y_pred: Node, sample_weight: Node | None = None) -> Node: ...
    @overload
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any: ...
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch: a scalar, unless the reduction is ``"none"``; a node of nodes, numbers of arrays.

        Shapes: y_true as ``target_type`` says, or with a last axis of size 1 more or less; y_pred (batch, ...);
        sample_weight (batch,), or the shape of the values.
        Raises: ShapeError if the targets do not fit. They are never broadcast.
        """
        if not isinstance(y_pred, Node):
            return self._of_arrays(y_true, y_pred, sample_weight)
        values, mask = self.values(y_true, y_pred)
        weight = None if sample_weight is None else spread(ops.cast(sample_weight, values.dtype), values)
        weighted = values if weight is None else values * weight
        if self.reduction in ("none", None):
            return weighted
        total = ops.reduce_sum(weighted)
        if self.reduction == "sum":
            return total
        counts = None if mask is None else ops.cast(mask, values.dtype)
        if self.reduction == "mean_with_sample_weight" and weight is not None:
            counts = weight if counts is None else weight * counts
        if counts is None:
            return total * (1.0 / max(values.type.size, 1))
        return divide_or_zero(total, ops.reduce_sum(counts))

    def _of_arrays(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The loss of arrays, at once. Raises also DTypeError or DataError, as ``fit`` does."""
        array = as_array(y_pred, "y_pred")
        predictions = converted(array, "float64" if array.dtype == np.float64 else config.floatx(), "y_pred")
        output = TensorType.of(predictions if predictions.ndim > 1 else predictions.reshape(-1, 1))
        weight = None if sample_weight is None else as_array(sample_weight, "sample_weight").astype(predictions.dtype)
        targets = self.prepare(y_true, output)
        if len(targets) != len(predictions):
            raise ShapeError(
                f"loss {self.name!r}: y_true and y_pred do not have equally many rows",
                expected="one prediction for each target",
                got=f"{len(targets)} and {len(predictions)}",
                fix="pass the targets of the same rows",
            )
        value = on_arrays(lambda *nodes: {"loss": self(*nodes)}, targets, predictions, weight)["loss"]
        return value if value.ndim else float(value)

    def values(self, y_true: Node, y_pred: Node) -> tuple[Node, Node | None]:
        """``per_sample`` and ``counted`` after targets and predictions have been brought to fitting shapes.

        Only an axis of size 1 at the end may be added or left out, as in Keras: (n,) and (n, 1) say the same. What a
        mask of the predictions leaves out does not count.
        Raises: ShapeError.
        """
        mask = mask_of(y_pred)
        y_true, y_pred = self.aligned(y_true, y_pred)
        values, counted = self.per_sample(y_true, y_pred), self.counted(y_true)
        if values.rank == 0:  # one number for the batch, that of a user's class: each sample's share of it is the same
            share = 1.0 / y_pred.shape[0] if self.reduction == "sum" else 1.0
            values = ops.broadcast(values * share, y_pred.shape[:1], ())
        places = None if mask is None else self._places(mask, values)
        if places is None:
            return values, counted
        counted = places if counted is None else ops.logical_and(counted, places)
        return ops.select(counted, values, 0.0), counted

    def _places(self, mask: Node, values: Node) -> Node | None:
        """Which values a mask leaves; None, with a notice, for values of more than one place each."""
        if mask.shape == values.shape[: mask.rank]:
            return along(mask, values)
        warnings.warn(
            f"loss {self.name!r} gives values of shape {values.shape}, and the predictions have a mask {mask.shape}: "
            "it cannot tell the places apart, and the mask is not used. Give one value for each place.",
            MaskNotice,
            stacklevel=2,
        )
        return None

    def aligned(self, y_true: Node, y_pred: Node) -> tuple[Node, Node]:
        """Targets and predictions in the shapes that ``per_sample`` takes. Raises ShapeError."""
        y_pred = column(y_pred)
        wanted = self.target_type(y_pred.type)
        if not _same_but_for_a_last_one(y_true.shape, wanted.shape):
            raise self._misfit(y_true.shape, wanted, y_pred.type, y_pred.layer)
        return ops.cast(ops.reshape(y_true, wanted.shape), wanted.dtype), y_pred

    def totals(self, y_true: Node, y_pred: Node, weight: Node, valid: Node) -> dict[str, Node]:
        """What evaluation adds up over the batches: float64 scalars, of which ``result`` makes the loss of all data.

        So the loss is exact, however the data are cut into batches. With ``reduction="sum"`` it is the sum over the
        data, not, as in Keras, a mean of the batches' sums. A loss that is no mean over samples writes both anew.

        Arguments:
            weight: of each sample, (batch,).
            valid: 1 for each sample, 0 for rows that only fill up the batch; they have weight 0 too.
        """
        values, counted = self.values(y_true, y_pred)
        weights, counts = (spread(ops.cast(w, values.dtype), values) for w in (weight, valid))
        if self.reduction == "mean_with_sample_weight":
            counts = weights
        if counted is not None:
            counts = counts * ops.cast(counted, values.dtype)
        total = ops.cast(ops.reduce_sum(values * weights), "float64")
        if self.reduction == "sum":
            return {"total": total}
        return {"total": total, "weight": ops.cast(ops.reduce_sum(counts), "float64")}

    @property
    def weighs_places(self) -> bool:
        """Whether each value may have a weight of its own, and not only each sample."""
        return type(self).totals is Loss.totals

    def result(self, **totals: float) -> float:
        """The loss of all data from the sums of ``totals``; 0 over nothing, as in Keras."""
        weight = totals.get("weight", 1.0)
        return totals["total"] / weight if weight else 0.0

    def prepare(self, y: Any, output: TensorType) -> np.ndarray:
        """A user's targets as the array that the step takes. Called once, before training.

        Arguments:
            y: an array or nested list with one entry for each sample.
            output: the type of the predictions; the size of its first axis does not matter.

        Raises:
            ShapeError: if the shape does not fit.
            DataError: naming row and value, if a target is not finite or outside what the loss is defined for.
        """
        refuse_masked(y, "y_true")
        array = np.asarray(y)
        kind = self.target_type(output)
        wanted = kind.with_shape((len(array) if array.ndim else 0, *kind.shape[1:]))
        if not array.ndim or not _same_but_for_a_last_one(array.shape, wanted.shape):
            raise self._misfit(array.shape, wanted, output, "")
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"loss {self.name!r}: the targets are not numbers",
                expected=f"{wanted.dtype} numbers",
                got=f"dtype {array.dtype}, the first one {array.reshape(-1)[:1].tolist()!r}",
                fix="number the classes from 0, or one-hot encode them, first",
            )
        array = array.reshape(wanted.shape)
        _check_finite(self, array)
        if not wanted.is_float and array.dtype.kind == "f":
            _check_whole(self, array)
        self.check_targets(array, output)
        return np.ascontiguousarray(array, wanted.dtype)

    def _misfit(self, shape: tuple[int, ...], wanted: TensorType, output: TensorType, layer: str) -> ShapeError:
        target, prediction = (", ".join(map(str, ("batch", *s[1:]))) for s in (wanted.shape, output.shape))
        return ShapeError(
            f"loss {self.name!r}: the targets do not fit the predictions",
            expected=f"targets of shape ({target}), because the predictions are ({prediction})",
            got=f"targets of shape {shape}",
            fix=self._advice(shape, output),
            layer=f"layer {layer!r}" if layer else None,
            disease="wrong_loss",
        )

    def _advice(self, shape: tuple[int, ...], output: TensorType) -> str:
        if self.sparse and shape[1:] == output.shape[1:]:
            return "for one-hot targets use 'categorical_crossentropy'"
        if not self.sparse and shape[1:] in ((), (1,)) and output.rank == 2 and "categorical" in str(self.name):
            return "for class numbers use 'sparse_categorical_crossentropy'"
        return "give the last layer as many units as a target has numbers, or reshape the targets"


registry: Registry[Loss] = Registry("loss", Loss)


def spread(weight: Node, values: Node) -> Node:
    """Weights of samples (batch,) or of values, in the shape of the values.

    Raises: ShapeError if they are shaped like neither.
    """
    if weight.shape == values.shape:
        return weight
    column = weight.rank > 1 and weight.shape[-1] == 1
    leading = weight.shape[:-1] if column else weight.shape
    if leading and leading == values.shape[: len(leading)]:
        return ops.broadcast(ops.reshape(weight, leading), values.shape, tuple(range(len(leading))))
    inside = zip(weight.shape[1:], values.shape[1:], strict=False)
    if weight.rank == values.rank and weight.shape[:1] == values.shape[:1] and all(n in (1, m) for n, m in inside):
        return ops.broadcast_to(weight, values.shape)
    raise ShapeError(
        "the sample weights do not fit the targets",
        expected=f"{values.shape[:1]}, one for each sample, or {values.shape}, one for each value of the loss",
        got=str(weight.shape),
        fix="pass one weight for each sample, or each place",
    )


def column(y_pred: Node) -> Node:
    """One prediction for each sample, (batch,), as (batch, 1); others as they are."""
    if y_pred.rank != 1:
        return y_pred
    as_column = ops.reshape(y_pred, (*y_pred.shape, 1))
    set_mask(as_column, mask_of(y_pred))
    return as_column


def align(y_true: Node, like: TensorType, owner: str) -> Node:
    """Targets in the shape of ``like``: a last axis of size 1 is added or left out, nothing is broadcast.

    Arguments:
        owner: who wants it, for the message: ``"metric 'accuracy'"``.

    Raises: ShapeError.
    """
    if _same_but_for_a_last_one(y_true.shape, like.shape):
        return ops.reshape(y_true, like.shape)
    raise ShapeError(
        f"{owner}: the targets do not fit the predictions",
        expected=f"targets of shape {like.shape}",
        got=str(y_true.shape),
        fix="use 'accuracy', which chooses by the shapes; sparse kinds want class numbers, others a column per unit",
    )


def choices(numbers: Sequence[float], like: Node, axis: int) -> Node:
    """One number for each place along ``axis``, in the shape of ``like``."""
    place = ops.iota(like.shape, axis)
    result = ops.filled(like.shape, numbers[-1], like.dtype)
    for i, number in enumerate(numbers[:-1]):
        result = ops.select(ops.equal(place, i), number, result)
    return result


def divide_or_zero(x: Node, y: Node) -> Node:
    """``x / y``, and 0 where y is 0."""
    nothing = ops.equal(y, 0.0)
    return ops.select(nothing, 0.0, x / ops.select(nothing, 1.0, y))


def _same_but_for_a_last_one(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return wanted in (shape, (*shape, 1)) or (*wanted, 1) == shape


def _check_finite(loss: Loss, y: np.ndarray) -> None:
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        fix = "remove or fill in the rows with missing targets"
        raise bad_target(loss, y, ~np.isfinite(y), "finite numbers", fix, "nan_inf")


def _check_whole(loss: Loss, y: np.ndarray) -> None:
    if (y != np.floor(y)).any():
        raise bad_target(loss, y, y != np.floor(y), "whole numbers", "number the classes 0, 1, 2 ...")


def bad_target(
    loss: Loss, y: np.ndarray, bad: np.ndarray, expected: str, fix: str, disease: str = "wrong_loss"
) -> DataError:
    """The error for targets of which ``bad`` marks the wrong ones; it names the first."""
    where = np.argwhere(bad)
    row, *rest = where[0].tolist()
    place = f"row {row}" + (f", position {tuple(rest)}" if rest else "")
    return DataError(
        f"loss {loss.name!r}: a target is not what the loss is defined for",
        expected=expected,
        got=f"{y[tuple(where[0])].item()!r} in {place}; {len(where)} such in all",
        fix=fix,
        disease=disease,
    )
