"""A function of one's own as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from thalweg.fields import dataclass
from thalweg.layers.layer import Layer, registry
from thalweg.registry import restore

__all__ = ["Lambda"]


@registry.register("lambda")
@dataclass(eq=False)
class Lambda(Layer):
    """``function(x, **arguments)``, written with operators and ``thalweg.ops``; called on a list it gets the list.

    Weights belong into a layer: what the function takes from outside stays as it is. Saving needs a function with a
    name that a file can hold: one of ``thalweg.ops`` or ``activations``, or one's own below
    ``@thalweg.activations.registry.register("its_name")``.

    Shapes: those of the function.

    Arguments:
        function: may ask for ``training`` and ``mask`` as well.
        output_shape: accepted; shapes are worked out.
        arguments: further ones, by name.
        mask: a function of the inputs and their mask, which gives the mask of the result. Without, there is none.

    Raises: ArgumentError if it is no function.
    """

    function: Callable[..., Any]
    mask: Callable[..., Any] | None = None
    arguments: Mapping[str, Any] | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Callable[..., Any] | None = None,
        arguments: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        input_shape: Any = None,
    ) -> None:
        self.function = restore(function)  # a description is one too
        self.mask = restore(mask)
        self.arguments = arguments
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asks = inspect.signature(self.function).parameters.keys() & {"training", "mask"}
        self.supports_masking = self.mask is not None  # type: ignore[misc]  # of this layer alone

    def get_config(self) -> dict[str, Any]:
        return registry.arguments(self)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """What the function ``mask`` gives."""
        return None if self.mask is None else self.mask(inputs, previous_mask)

    def call(self, inputs: Any, training: bool, mask: Any = None) -> Any:
        told = {"training": training, "mask": mask}
        return self.function(inputs, **(self.arguments or {}), **{name: told[name] for name in self.asks})
