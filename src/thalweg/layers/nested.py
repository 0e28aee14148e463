"""A model as a layer of another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node, Nodes
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer, registry

__all__ = ["Nested"]

MOST_DEEP = 40
"""Everything that looks into models calls itself for those inside, and Python's stack ends at some 80 of them."""


@registry.register("model")
@dataclass(eq=False)
class Nested(Layer):
    """What a model becomes where it is called on symbols or put into a Sequential: its layers, under its name.

    Weights are the model's own: training one trains the other. Users meet the model itself, not this.

    Shapes: the model's.
    """

    autocast: ClassVar[bool] = False  # its layers do that
    supports_masking: ClassVar[bool] = True  # and that

    model: Any  # a thalweg.Model, which stands further down

    def __post_init__(self) -> None:
        super().__post_init__()
        if not hasattr(type(self.model), "use_as"):
            raise ArgumentError(
                "what stands for a model is none",
                expected="a model",
                got=f"{self.model!r:.80} ({type(self.model).__name__})",
                fix="call the model, or put it into a Sequential",
            )
        self.model.use_as(self)
        depth = _depth(self)
        if depth > MOST_DEEP:
            raise ArgumentError(
                "models are nested too deep",
                expected=f"at most {MOST_DEEP} models around each other",
                got=f"{depth}",
                fix="call the layers of the inner models instead, or put them into one Sequential",
            )

    def base_name(self) -> str:
        return str(self.model.name)

    def sublayers(self) -> list[Layer]:
        model = vars(self).get("model")  # not yet there while the fields are being set
        return [] if model is None else list(model.runner.structure.layers)

    @property
    def class_name(self) -> str:
        return type(self.model).__name__

    def build(self, *types: TensorType) -> None:
        self.model.build_on(types)

    def takes_missing(self, place: int) -> bool:
        structure = self.model.runner.structure
        return list(structure.inputs)[place] in structure.with_gaps

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None but those that its layers give."""

    def call(self, *inputs: Node, training: bool) -> Node | Nodes:
        outputs: Nodes = self.model.runner.structure.call(inputs, training)
        return outputs[0] if len(outputs) == 1 else outputs


def _depth(layer: Layer) -> int:
    """How many models are around each other in a layer."""
    return isinstance(layer, Nested) + max(map(_depth, layer.sublayers()), default=0)


def unwrapped(layers: Iterable[Layer]) -> list[Any]:
    """The layers as users know them: models in place of what stands for them."""
    return [layer.model if isinstance(layer, Nested) else layer for layer in layers]
