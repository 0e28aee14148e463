"""Masks: which places of a sample count, and which are there only to fill it up. See docs/shapes.md."""

from __future__ import annotations

from functools import reduce
from typing import Any

from thalweg import ops
from thalweg.checks import Finite
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry

__all__ = ["Masking"]


class MaskNotice(UserWarning):
    """A mask ends at a layer that does not support it, or at a loss that cannot use it."""


@registry.register("masking")
@dataclass(eq=False)
class Masking(Layer):
    """Leaves out the places whose features all are ``mask_value``: they become 0, and what comes after skips them.

    Shapes: x (batch, ..., features) -> the same; its mask (batch, ...).
    """

    mask_value: Finite = 0.0

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where a feature is another number."""
        return ops.reduce_max(ops.not_equal(inputs, self.mask_value), -1)

    def call(self, x: Node) -> Node:
        return ops.select(along(self.compute_mask(x), x), x, 0)


def along(mask: Node, x: Node) -> Node:
    """A mask of the first axes in the shape of ``x``."""
    return mask if mask.rank == x.rank else ops.broadcast(mask, x.shape, tuple(range(mask.rank)))


def any_of(masks: list[Node]) -> Node:
    """Where one of several masks of equal rank says that a place counts; a size of 1 repeats."""
    shape = tuple(map(max, zip(*(mask.shape for mask in masks), strict=True)))
    return reduce(ops.logical_or, (ops.broadcast_to(mask, shape) for mask in masks))
