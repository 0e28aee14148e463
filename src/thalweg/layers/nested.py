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
        if not hasattr(self.model, "use_as"):
            raise ArgumentError(
                "Nested: this is no model",
                expected="a Model or Sequential",
                got=f"{self.model!r:.80} ({type(self.model).__name__})",
                fix="put the model itself among the layers, which makes this of it",
            )
        self.model.use_as(self)

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

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None but those that its layers give."""

    def call(self, *inputs: Node, training: bool) -> Node | Nodes:
        outputs: Nodes = self.model.runner.structure.call(inputs, training)
        return outputs[0] if len(outputs) == 1 else outputs


def unwrapped(layers: Iterable[Layer]) -> list[Any]:
    """The layers as users know them: models in place of what stands for them."""
    return [layer.model if isinstance(layer, Nested) else layer for layer in layers]
