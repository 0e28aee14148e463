"""Layers that turn raw columns into numbers to learn from; two of them learn how from data, by ``adapt``."""

from __future__ import annotations

import math
import warnings
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg import ops
from thalweg.checks import In, OneOf, Reserved
from thalweg.data.arrays import as_array, require_finite
from thalweg.errors import ArgumentError, DataError, GraphError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Given
from thalweg.layers.embedding import require_exact, row_numbers
from thalweg.layers.layer import Layer, registry
from thalweg.layers.normalization import normal_axes
from thalweg.layers.tracing import Parameter
from thalweg.ops.lookup import take

__all__ = ["CategoryEncoding", "Discretization", "Normalization"]

BLOCK_ROWS = 4096
"""Rows summed at a time, so that no float64 copy of the data is made."""


def learn(parameter: Parameter, values: Any) -> None:
    """Make these the values of a parameter that is not trained, in the models that have it too."""
    parameter.initializer = Given(values)
    if parameter.variable is not None:
        parameter.variable.write(values)


@registry.register("normalization")
@dataclass(eq=False)
class Normalization(Layer):
    """``(x - mean) / deviation``, with mean and deviation of each column as ``adapt`` found them, or as given.

    A column that is the same everywhere has no deviation to divide by: it becomes 0, and ``adapt`` warns. (Keras
    divides by 1e-7, so that a value that differs later becomes huge; here it stays ``x - mean``.)

    Shapes: x (batch, ...) -> the same; mean and variance: the sizes of ``axis``.

    Arguments:
        axis: the axes that keep a mean of their own; the others, and the batch, are averaged over. None: one mean.
        mean, variance: instead of ``adapt``; a number, or one for each column.
        invert: ``x * deviation + mean``, the way back.

    Raises: DataError from ``adapt`` for missing or infinite values, naming the column.
    """

    supports_masking: ClassVar[bool] = True
    axis: int | tuple[int, ...] | None = -1
    mean: float | tuple[float, ...] | None = None
    variance: Annotated[float, In("[0, inf)")] | tuple[Annotated[float, In("[0, inf)")], ...] | None = None
    invert: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.mean is None) != (self.variance is None):
            raise ArgumentError(
                "Normalization: mean and variance go together",
                expected="both, or neither and adapt() later",
                got=f"mean={self.mean!r}, variance={self.variance!r}",
                fix="pass both, or call adapt(data)",
            )

    def __getattribute__(self, name: str) -> Any:
        """``mean`` and ``variance`` as they are after ``adapt``, in the shape that meets the data, as in Keras."""
        value = super().__getattribute__(name)
        if value is not None or name not in ("mean", "variance"):
            return value
        learned: Parameter | None = vars(self).get(f"{name}s")
        if learned is None or (learned.variable is None and not isinstance(learned.initializer, Given)):
            return None
        return (learned.initial(0, "") if learned.variable is None else learned.numpy()).reshape(self.shown)

    def build(self, x: TensorType) -> None:
        self.kept = () if self.axis is None else normal_axes(self.axis, x)
        shape = tuple(x.shape[a] for a in self.kept)
        self.shown = tuple(n if a in self.kept else 1 for a, n in enumerate(x.shape))
        given = self.mean is not None
        self.means = self.parameter("mean", shape, Given(self.mean) if given else "zeros", trainable=False)
        start = Given(vars(self)["variance"]) if given else "ones"
        self.variances = self.parameter("variance", shape, start, trainable=False)
        for value in (vars(self)["mean"], vars(self)["variance"]):
            if isinstance(value, tuple) and shape[-1:] != (len(value),):
                raise ShapeError(
                    "mean and variance do not fit the input",
                    expected=f"one number, or {shape[-1] if shape else 1}, as the axis has",
                    got=f"{len(value)}",
                    fix="pass one for each column",
                )

    def adapt(self, data: Any) -> None:
        """Take mean and variance from an array of samples. Call it before the model is trained."""
        if vars(self)["mean"] is not None:
            raise ArgumentError(
                "Normalization: adapt() where mean and variance are given",
                expected="one or the other",
                got=f"mean={self.mean!r}",
                fix="leave mean= and variance= out",
            )
        array = rows_of(data, "Normalization")
        if not self.built:
            self.infer(TensorType((1, *array.shape[1:]), "float32"))
        expected = self.means.shape
        if max(self.kept, default=0) >= array.ndim or tuple(array.shape[a] for a in self.kept) != expected:
            raise ShapeError(
                "adapt: the data do not fit the layer",
                expected=f"sizes {expected} on the axes {self.kept}, as the layer was built with",
                got=str(array.shape),
                fix="adapt to data of the shape that the model takes",
                layer=str(self),
            )
        mean, variance = mean_and_variance(array, self.kept)
        constant = np.argwhere(variance == 0)
        if self.kept and len(constant):
            shown = ", ".join(str(tuple(c) if len(c) > 1 else c[0]) for c in constant[:5].tolist())
            warnings.warn(
                f"Normalization: {len(constant)} of {variance.size} columns are the same everywhere and become 0: "
                f"{shown}{' ...' if len(constant) > 5 else ''}",
                stacklevel=2,
            )
        learn(self.means, mean)
        learn(self.variances, variance)

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        deviation = ops.sqrt(self.variances.node)
        divisor = ops.select(deviation > 0.0, deviation, 1.0)
        mean, divisor = (ops.broadcast(v, x.shape, self.kept) for v in (self.means.node, divisor))
        return x * divisor + mean if self.invert else (x - mean) / divisor


@registry.register("category_encoding")
@dataclass(eq=False)
class CategoryEncoding(Layer):
    """Numbers of categories as columns of 0 and 1.

    ``"one_hot"``: a column for each category, for each number. ``"multi_hot"``: 1 where the category is among a
    sample's numbers (its last axis). ``"count"``: how often it is.

    Shapes: one_hot (batch, ...) or (batch, ..., 1) -> (batch, ..., num_tokens); others (batch, ..., n) -> (batch, ...,
    num_tokens), and (batch,) counts as one number a sample.

    Arguments:
        num_tokens: how many categories there are: 0 to num_tokens - 1. The result is NaN for a number outside, so that
            training stops with this layer's name.
        sparse: Keras's, not there yet.

    Differs: Keras counts along axis 1 whatever the rank; the last axis is meant for ranks up to 2, where both agree.
    """

    num_tokens: Annotated[int, In("[1, inf)")]
    output_mode: Annotated[str, OneOf("multi_hot", "one_hot", "count")] = "multi_hot"
    sparse: Annotated[bool, Reserved(False)] = False

    takes_whole_numbers: ClassVar[bool] = True
    multiplies: ClassVar[bool] = False

    def build(self, x: TensorType) -> None:
        require_exact(x, self.num_tokens)

    def call(self, x: Node, training: bool) -> Node:
        return encoded(x, self.num_tokens, self.output_mode, self.compute_dtype)


@registry.register("discretization")
@dataclass(eq=False)
class Discretization(Layer):
    """In which bin a number lies: how many boundaries are not above it; -1 for NaN.

    Shapes: x (batch, ...) -> the same, int32; in another ``output_mode`` as ``CategoryEncoding`` of that.

    Arguments:
        bin_boundaries: rising numbers; k of them make k + 1 bins.
        num_bins: instead of them: ``adapt`` chooses boundaries so that the bins have equally many of the data.
        epsilon: accepted; Keras's quantiles are that exact, ours are exact.
        sparse: Keras's, not there yet.

    Raises: ArgumentError unless one of bin_boundaries and num_bins is given; DataError from ``adapt`` for missing
        values and for data that are all the same; GraphError where a model runs before ``adapt``.
    """

    bin_boundaries: tuple[float, ...] | None = None
    num_bins: Annotated[int, In("[2, inf)")] | None = None
    epsilon: Annotated[float, In("(0, 1)")] = 0.01
    output_mode: Annotated[str, OneOf("int", "one_hot", "multi_hot", "count")] = "int"
    sparse: Annotated[bool, Reserved(False)] = False

    multiplies: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise ArgumentError(
                "Discretization: either bin_boundaries or num_bins",
                expected="one of the two",
                got=f"bin_boundaries={self.bin_boundaries!r}, num_bins={self.num_bins!r}",
                fix="pass the boundaries, or how many bins adapt() is to make",
            )
        if self.bin_boundaries is not None and (
            not self.bin_boundaries or list(self.bin_boundaries) != sorted(set(self.bin_boundaries))
        ):
            raise ArgumentError(
                "Discretization: argument 'bin_boundaries' does not fit its rule",
                expected="rising numbers, at least one",
                got=repr(self.bin_boundaries),
                fix="sort them and leave out repetitions",
            )

    def build(self, x: TensorType) -> None:
        count = len(self.bin_boundaries) if self.bin_boundaries is not None else (self.num_bins or 2) - 1
        # NaN, which no number reaches, until adapt() or a file has put the boundaries there
        start = Given(self.bin_boundaries if self.bin_boundaries is not None else math.nan)
        self.boundaries = self.parameter("bin_boundaries", (count,), start, trainable=False)

    def require_ready(self) -> None:
        if self.num_bins is not None and np.isnan(self.boundaries.numpy()).any():
            raise GraphError(
                "Discretization(num_bins=...) does not know its boundaries yet",
                expected="adapt(data) before the model runs, or bin_boundaries=",
                got=f"num_bins={self.num_bins} and no data",
                fix="call the layer's adapt(x) with the training data first",
                layer=str(self),
            )

    def adapt(self, data: Any) -> None:
        """Choose the boundaries from an array: quantiles of all its numbers together, as in Keras.

        Source: Hyndman & Fan (1996), The American Statistician 50(4), definition 4.
        """
        if self.num_bins is None:
            raise ArgumentError(
                "Discretization: adapt() where the boundaries are given",
                expected="one or the other",
                got=f"bin_boundaries={self.bin_boundaries!r}",
                fix="pass num_bins= instead of bin_boundaries=",
            )
        array = rows_of(data, "Discretization")
        if array.min() == array.max():
            raise DataError(
                "Discretization: adapt: the data are all the same",
                expected=f"numbers that {self.num_bins} bins can tell apart",
                got=f"{array.flat[0]!r} everywhere",
                fix="leave this column out",
            )
        shares = np.arange(1, self.num_bins) / self.num_bins
        if not self.built:
            self.infer(TensorType((1, *array.shape[1:]), "float32"))
        learn(self.boundaries, np.quantile(array, shares, method="interpolated_inverted_cdf"))

    def call(self, x: Node, training: bool) -> Node:
        x = ops.cast(x, self.compute_dtype)
        shape = (*x.shape, *self.boundaries.shape)
        above = ops.broadcast(x, shape, tuple(range(x.rank))) >= ops.broadcast_to(self.boundaries.node, shape)
        bins = ops.cast(ops.reduce_sum(above, -1), "int32")
        bins = ops.select(ops.equal(x, x), bins, -1)  # NaN lies in no bin
        if self.output_mode == "int":
            return bins
        return encoded(bins, self.boundaries.shape[0] + 1, self.output_mode, self.compute_dtype)


def encoded(x: Node, tokens: int, mode: str, dtype: str) -> Node:
    """Numbers of categories as columns; see ``CategoryEncoding``."""
    if x.rank == 1 or (mode == "one_hot" and x.shape[-1] != 1):
        x = ops.reshape(x, (*x.shape, 1))
    numbers, own = row_numbers(x, tokens), tuple(range(x.rank))
    shape = (*x.shape, tokens)
    hot = ops.cast(ops.equal(ops.broadcast(numbers, shape, own), ops.iota(shape, x.rank)), dtype)
    # 0 for a number that has a column, NaN for another: training stops there, and names the number and the layer.
    known = ops.reshape(take(ops.filled((tokens, 1), 0.0, dtype), ops.reshape(numbers, (-1,))), x.shape)
    hot = hot + ops.broadcast(known, shape, own)
    return ops.reduce_sum(hot, x.rank - 1) if mode == "count" else ops.reduce_max(hot, x.rank - 1)


def rows_of(data: Any, owner: str) -> np.ndarray:
    """The data that a layer adapts to, as an array of samples.

    Raises: DTypeError, ShapeError or DataError; for a column without any value the message says so.
    """
    array = as_array(data, "data")
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 0 or array.size == 0:
        raise DataError(
            f"{owner}: adapt: there are no data",
            expected="an array of at least one sample",
            got=f"shape {array.shape}",
            fix="pass the training data",
        )
    if array.dtype.kind == "f":
        empty = np.argwhere(np.isnan(array).all(0))
        if len(empty):
            names = getattr(data, "columns", None)
            place = tuple(empty[0].tolist())
            column = repr(names[place[0]]) if names is not None else str(place[0] if len(place) == 1 else place)
            raise DataError(
                f"{owner}: adapt: all values of a column are missing",
                expected="numbers in every column",
                got=f"NaN in all {len(array)} rows of column {column}",
                fix="leave this column out",
            )
        require_finite(np.ascontiguousarray(array), "data", getattr(data, "columns", None))
    return array


def mean_and_variance(array: np.ndarray, kept: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and mean squared deviation over all axes but ``kept``, in float64 and two passes."""
    axes = tuple(a for a in range(array.ndim) if a not in kept)
    count = math.prod(array.shape[a] for a in axes)
    blocks = range(0, len(array), BLOCK_ROWS)
    mean = sum(array[b : b + BLOCK_ROWS].sum(axes, dtype=np.float64, keepdims=True) for b in blocks) / count
    squares = sum(
        np.square(array[b : b + BLOCK_ROWS] - mean, dtype=np.float64).sum(axes, keepdims=True) for b in blocks
    )
    constant = array.min(axes, keepdims=True) == array.max(axes, keepdims=True)  # whatever rounding left
    variance = np.where(constant, 0.0, squares / count)
    shape = tuple(array.shape[a] for a in kept)
    return np.reshape(mean, shape), variance.reshape(shape)
