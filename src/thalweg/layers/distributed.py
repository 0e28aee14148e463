"""A layer on each part of a sequence."""

from __future__ import annotations

from typing import ClassVar

from thalweg import ops
from thalweg.errors import ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, registry
from thalweg.layers.signature import signature_of

__all__ = ["TimeDistributed"]


@registry.register("time_distributed")
@dataclass(eq=False)
class TimeDistributed(Layer):
    """The same layer on each part of a sample along its first axis, with the same weights.

    ``Dense`` does that by itself. To the layer the parts are samples: ``BatchNormalization`` averages over them too.

    A mask stays, and a layer that asks for one gets that of its part.

    Shapes: x (batch, parts, ...) -> (batch, parts, ...), where the layer takes (batch, ...).
    """

    supports_masking: ClassVar[bool] = True
    layer: Layer

    def build(self, x: TensorType) -> None:
        if x.rank < 3:
            raise ShapeError(
                "there are no parts to go through",
                expected="(batch, parts, ...), at least three axes",
                got=str(("batch", *x.shape[1:])),
                fix="use the layer itself, without TimeDistributed",
            )

    def call(self, x: Node, training: bool, mask: Node | None = None) -> Node:
        batch, parts, *rest = x.shape
        inner = None
        if mask is not None and mask.rank > 1 and signature_of(type(self.layer)).mask:
            inner = ops.reshape(mask, (batch * parts, *mask.shape[2:]))
        each = self.layer(ops.reshape(x, (batch * parts, *rest)), training=training, mask=inner)
        return ops.reshape(each, (batch, parts, *each.shape[1:]))
