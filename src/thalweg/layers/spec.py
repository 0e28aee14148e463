"""What a layer of one's own says of its inputs: ``self.input_spec = InputSpec(ndim=4)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.checks import WholeNumber, check_fields
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType

__all__ = ["InputSpec"]


@dataclass(frozen=True)
class InputSpec:
    """A rule for one input, tried when the layer is called; batch axis included.

    Arguments:
        shape: of the whole input, None where any size will do.
        axes: the sizes of some axes, as ``{-1: 3}``.
        allow_last_axis_squeeze: whether a last axis of 1 may be missing, or be too much, against ``shape``.
        name, optional: accepted for Keras's sake.
    """

    dtype: str | None = None
    shape: tuple[WholeNumber | None, ...] | None = None
    ndim: WholeNumber | None = None
    max_ndim: WholeNumber | None = None
    min_ndim: WholeNumber | None = None
    axes: Mapping[int, WholeNumber | None] | None = None
    allow_last_axis_squeeze: bool = False
    name: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def broken_rule(self, kind: TensorType) -> str | None:
        """The rule that a type breaks, in words; None if it fits."""
        rank = len(self.shape) if self.shape is not None else self.ndim
        sizes = kind.shape
        if self.shape is not None and self.allow_last_axis_squeeze:
            sizes = _squeezed(sizes, len(self.shape))
        if rank is not None and len(sizes) != rank:
            return f"{rank} axes"
        if self.min_ndim is not None and kind.rank < self.min_ndim:
            return f"at least {self.min_ndim} axes"
        if self.max_ndim is not None and kind.rank > self.max_ndim:
            return f"at most {self.max_ndim} axes"
        if self.dtype is not None and kind.dtype != self.dtype:
            return f"dtype {self.dtype}"
        wanted = dict(self.axes or {}) | {axis: n for axis, n in enumerate(self.shape or ()) if axis}
        for axis, size in wanted.items():
            if size is not None and (not -len(sizes) <= axis < len(sizes) or sizes[axis] != size):
                return f"size {size} on axis {axis}"
        return None


def _squeezed(sizes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    if len(sizes) == rank + 1 and sizes[-1] == 1:
        return sizes[:-1]
    return (*sizes, 1) if len(sizes) == rank - 1 else sizes


def check_inputs(specs: Any, types: Sequence[TensorType]) -> None:
    """Raise ShapeError for an input that breaks the rule for it: one rule for all, or a list in their order."""
    each = list(specs) if isinstance(specs, list | tuple) else [specs] * len(types)
    if len(each) != len(types):
        raise ShapeError(
            "the layer's input_spec is for another number of inputs",
            expected=f"{len(each)} inputs",
            got=f"{len(types)}",
            fix="call the layer on as many inputs, or change its input_spec",
        )
    for spec, kind in zip(each, types, strict=True):
        broken = spec.broken_rule(kind)
        if broken is not None:
            raise ShapeError(
                "the input does not fit the layer's input_spec",
                expected=broken,
                got=f"{kind.dtype} of shape {('batch', *kind.shape[1:])}",
                fix="check what the layer before gives",
            )
