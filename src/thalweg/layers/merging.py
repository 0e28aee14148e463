"""Layers that make one tensor of several. Call them on a list: ``Add()([x, y])``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from thalweg import ops
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, registry
from thalweg.layers.masking import along, any_of
from thalweg.layers.normalization import normal_axis, unit

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]

EPSILON = 1e-7
"""Lengths below this count as this, so that the zero vector stays zero (Keras's number)."""


@dataclass(eq=False)
class Merge(Layer):
    """One number from those at the same place of every input.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        """What becomes of two inputs."""
        raise NotImplementedError(f"{type(self).__name__} has no together()")

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where one of the inputs counts; None if one of them has no mask."""
        masks = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        return None if any(mask is None for mask in masks) else any_of(masks)

    def call(self, *inputs: Node, training: bool) -> Node:
        return reduce(self.together, _fitting(inputs))


@registry.register("add")
@dataclass(eq=False)
class Add(Merge):
    """The sum of the inputs.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        return x + y


@registry.register("subtract")
@dataclass(eq=False)
class Subtract(Merge):
    """The first of two inputs less the second.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        return x - y

    def build(self, *types: TensorType) -> None:
        require_two(types)


@registry.register("multiply")
@dataclass(eq=False)
class Multiply(Merge):
    """The product of the inputs, number by number. What a mask leaves out of an input counts as 1 there.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        return x * y

    def call(self, *inputs: Node, training: bool, mask: Any = None) -> Node:
        masks = mask if isinstance(mask, list) else [mask]
        counting = [x if m is None else ops.select(along(m, x), x, 1) for x, m in zip(inputs, masks, strict=True)]
        product = super().call(*counting, training=training)
        known = self.compute_mask(inputs, masks)
        return product if known is None else ops.select(along(known, product), product, 0)


@registry.register("average")
@dataclass(eq=False)
class Average(Merge):
    """The mean of the inputs.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        return x + y

    def call(self, *inputs: Node, training: bool) -> Node:
        total = super().call(*inputs, training=training)
        return ops.cast(total, self.compute_dtype) * (1.0 / len(inputs))


@dataclass(eq=False)
class _Extreme(Merge):
    """A merging layer that takes one of the inputs at each place: one that counts, if there is any."""

    def call(self, *inputs: Node, training: bool, mask: Any = None) -> Node:
        masks = mask if isinstance(mask, list) else [mask]
        if all(m is None for m in masks):
            return super().call(*inputs, training=training)
        shape = tuple(map(max, zip(*(x.shape for x in _fitting(inputs)), strict=True)))
        result, known = ops.broadcast_to(inputs[0], shape), masks[0]
        for given, counts in zip(inputs[1:], masks[1:], strict=True):
            x = ops.broadcast_to(given, shape)
            x = x if counts is None else ops.select(_over(counts, shape), x, result)
            result = result if known is None else ops.select(_over(known, shape), result, x)
            result = self.together(result, x)
            known = None if known is None or counts is None else any_of([known, counts])
        return result


def _over(mask: Node, shape: tuple[int, ...]) -> Node:
    """A mask of the first axes, where a size of 1 repeats, in this shape."""
    leading = ops.broadcast_to(mask, shape[: mask.rank])
    return ops.broadcast(leading, shape, tuple(range(mask.rank)))


@registry.register("maximum")
@dataclass(eq=False)
class Maximum(_Extreme):
    """The largest of the inputs, place by place, among those that masks leave there.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        return ops.maximum(x, y)


@registry.register("minimum")
@dataclass(eq=False)
class Minimum(_Extreme):
    """The smallest of the inputs, place by place, among those that masks leave there.

    Shapes: each (batch, ...), where a size of 1 repeats -> their common shape.
    """

    def together(self, x: Node, y: Node) -> Node:
        return ops.minimum(x, y)


@registry.register("concatenate")
@dataclass(eq=False)
class Concatenate(Layer):
    """The inputs one after the other along ``axis``.

    Shapes: (batch, ..., n), (batch, ..., m) -> (batch, ..., n + m).
    """

    axis: int = -1

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The masks one after the other, all True for an input without one; along the last axis where one counts."""
        if not isinstance(inputs, list) or all(mask is None for mask in previous_mask):
            return previous_mask
        axis = normal_axis(self.axis, inputs[0].type)
        places = [x.shape[:-1] for x in inputs]
        whole = [
            ops.broadcast(ops.constant(True, "bool"), shape, ()) if mask is None else _over(mask, shape)
            for mask, shape in zip(previous_mask, places, strict=True)
        ]
        return any_of(whole) if axis == inputs[0].rank - 1 else ops.concatenate(tuple(whole), axis)

    def call(self, *inputs: Node, training: bool) -> Node:
        axis = normal_axis(self.axis, inputs[0].type)
        first = inputs[0]
        for x in inputs[1:]:
            others = [a for a in range(1, first.rank) if a != axis]
            if x.rank != first.rank or any(x.shape[a] != first.shape[a] for a in others):
                raise ShapeError(
                    f"the inputs cannot be joined along axis {axis}",
                    expected=f"equal sizes on all axes but {axis}",
                    got=_shapes(inputs),
                    fix=_mending(inputs, x, others),
                )
        return ops.concatenate(_one_dtype(inputs), axis)


@registry.register("dot")
@dataclass(eq=False)
class Dot(Layer):
    """The sum of products of two inputs along one axis of each, sample by sample.

    Shapes: (batch, n), (batch, n) -> (batch, 1); with more axes: the first's remaining ones, then the second's.

    Arguments:
        axes: the axis to sum over, or one for each input; not the batch's.
        normalize: whether both are first divided by their lengths along it: the cosine of the angle.
    """

    axes: int | tuple[int, int]
    normalize: bool = False

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None: the places are summed over."""

    def build(self, *types: TensorType) -> None:
        require_two(types)
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        self.summed = tuple(normal_axis(axis, x) for axis, x in zip(given, types, strict=True))

    def call(self, *inputs: Node, training: bool) -> Node:
        x, y = (ops.cast(node, self.compute_dtype) for node in inputs)
        if self.normalize:
            x, y = (unit(node, (axis,), EPSILON) for node, axis in zip((x, y), self.summed, strict=True))
        here, there = self.summed
        if x.shape[here] != y.shape[there]:
            raise ShapeError(
                "the two inputs have different sizes on the axes to sum over",
                expected=f"{x.shape[here]}, the size of axis {here} of the first",
                got=f"{y.shape[there]} on axis {there} of the second",
                fix="check axes=, or the layers before",
            )
        x_labels = tuple(range(x.rank))
        y_labels = tuple(0 if a == 0 else here if a == there else x.rank + a for a in range(y.rank))
        out = (*(a for a in x_labels if a != here), *(label for label in y_labels if label not in (0, here)))
        product = ops.contract(x, y, x_labels, y_labels, out)
        return ops.reshape(product, (*product.shape, 1)) if product.rank == 1 else product


def require_two(types: tuple[TensorType, ...]) -> None:
    """Raise ShapeError unless there are two inputs."""
    if len(types) != 2:
        raise ShapeError(
            "this layer takes two inputs",
            expected="a list of two",
            got=f"{len(types)}",
            fix="call it as layer([x, y])",
        )


def _fitting(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """The inputs, after a check that they fit. (Keras lets a tensor lack axes behind the batch's; this does not.)"""
    first = inputs[0]
    for x in inputs[1:]:
        fits = x.rank == first.rank and x.shape[:1] == first.shape[:1]
        if not fits or any(n != m and 1 not in (n, m) for n, m in zip(x.shape, first.shape, strict=True)):
            raise ShapeError(
                "the inputs do not fit each other",
                expected="equal shapes, or sizes of 1 where one repeats",
                got=_shapes(inputs),
                fix=_mending(inputs, x, range(1, first.rank)),
            )
    return _one_dtype(inputs)


def _shapes(inputs: tuple[Node, ...]) -> str:
    return " and ".join(f"({', '.join(map(str, ('batch', *x.shape[1:])))})" for x in inputs)


def _mending(inputs: tuple[Node, ...], x: Node, axes: Iterable[int]) -> str:
    """What to do about an input that does not fit the first one on one of these axes."""
    first = inputs[0]
    if x.rank != first.rank or x.rank < 3:
        return "put a Dense or Reshape layer before one of them"
    places = [a for a in axes if a < x.rank - 1 and x.shape[a] != first.shape[a]]
    if not places:
        few = min(x.shape[-1], first.shape[-1])
        many = max(x.shape[-1], first.shape[-1])
        return f"let a convolution of 1 make {many} channels of the {few}, as in ResNet: filters={many}, kernel_size=1"
    return (
        'padding="same" in the convolutions of one way keeps the sizes; where strides or pooling change them on '
        "purpose, do the same on the other way, or use Cropping, ZeroPadding or UpSampling"
    )


def _one_dtype(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """The inputs in one dtype: the layer's, in which floating point ones are already, where they differ."""
    if len({x.dtype for x in inputs}) == 1:
        return inputs
    widest = max((x.dtype for x in inputs if x.type.is_float), default="float32")
    return tuple(ops.cast(x, widest) for x in inputs)


# As functions of a list: ``add([x, y])``.


def add(inputs: Sequence[Any], **options: Any) -> Any:
    """``Add(**options)(inputs)``."""
    return Add(**options)(inputs)


def subtract(inputs: Sequence[Any], **options: Any) -> Any:
    """``Subtract(**options)(inputs)``."""
    return Subtract(**options)(inputs)


def multiply(inputs: Sequence[Any], **options: Any) -> Any:
    """``Multiply(**options)(inputs)``."""
    return Multiply(**options)(inputs)


def average(inputs: Sequence[Any], **options: Any) -> Any:
    """``Average(**options)(inputs)``."""
    return Average(**options)(inputs)


def maximum(inputs: Sequence[Any], **options: Any) -> Any:
    """``Maximum(**options)(inputs)``."""
    return Maximum(**options)(inputs)


def minimum(inputs: Sequence[Any], **options: Any) -> Any:
    """``Minimum(**options)(inputs)``."""
    return Minimum(**options)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **options: Any) -> Any:
    """``Concatenate(axis, **options)(inputs)``."""
    return Concatenate(axis, **options)(inputs)


def dot(inputs: Sequence[Any], axes: int | tuple[int, int] = -1, **options: Any) -> Any:
    """``Dot(axes, **options)(inputs)``."""
    return Dot(axes, **options)(inputs)
