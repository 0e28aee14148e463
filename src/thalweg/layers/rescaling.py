"""Scaling inside the model, so that data may stay as they are in memory."""

from __future__ import annotations

from typing import ClassVar

from thalweg import ops
from thalweg.checks import Finite
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer, registry

__all__ = ["Rescaling"]


@registry.register("rescaling")
@dataclass(eq=False)
class Rescaling(Layer):
    """``x * scale + offset``, in floating point whatever the input's dtype: ``Rescaling(1 / 255)`` for images.

    Shapes: x (batch, ...) -> (batch, ...).
    """

    supports_masking: ClassVar[bool] = True
    scale: Finite
    offset: Finite = 0.0

    def call(self, x: Node, training: bool) -> Node:
        scaled = ops.cast(x, self.compute_dtype) * self.scale
        return scaled + self.offset if self.offset else scaled
