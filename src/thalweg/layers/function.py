"""A function of one's own as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from thalweg.checks import Reserved, check_value
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
        function: may ask for ``training`` as well.
        output_shape: accepted; shapes are worked out.
        arguments: further ones, by name.
        mask: Keras's, not there yet.

    Raises: ArgumentError if it is no function.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any] | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: None = None,
        arguments: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        input_shape: Any = None,
    ) -> None:
        check_value("Lambda", "mask", Annotated[object, Reserved()], mask)
        self.function = restore(function)  # a description is one too
        self.arguments = arguments
        super().__init__(name=name, trainable=trainable, dtype=dtype, input_shape=input_shape)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asks = "training" in inspect.signature(self.function).parameters

    def get_config(self) -> dict[str, Any]:
        return registry.arguments(self)

    def call(self, inputs: Any, training: bool) -> Any:
        options = {"training": training} if self.asks else {}
        return self.function(inputs, **(self.arguments or {}), **options)
