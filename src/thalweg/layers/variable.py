"""Weights that are made before anybody has them, ``thalweg.Variable``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from thalweg import config, initializers
from thalweg.checks import OneOf, WholeNumber, checked
from thalweg.data.arrays import as_array
from thalweg.errors import ArgumentError
from thalweg.graph.types import DTYPES
from thalweg.layers.tracing import Parameter

__all__ = ["Variable"]


class Variable(Parameter):
    """A weight by itself, as in Keras: an operand in ``call``, an array outside; ``assign`` changes it.

    As an attribute of a layer, or of a class of models, it becomes one of the weights there, under its name or that of
    the attribute.

    Shapes: those of the array, or ``shape``.

    Arguments:
        initializer: an array or a number; or an initializer, or its name, which needs a shape.
        dtype: the array's; floatx for floats, and for what an initializer makes.
        autocast, aggregation, synchronization: accepted; there is one process.

    Raises: ArgumentError without a shape where one is needed; DTypeError or DataError for what is no array of numbers.

    Example:
        >>> count = Variable([0.0, 0.0])
        >>> count.assign_add([1.0, 2.0])
        >>> count.numpy()
        array([1., 2.], dtype=float32)
    """

    is_kept: bool = False
    """Whether a layer has it."""

    @checked
    def __init__(
        self,
        initializer: Any,
        shape: Sequence[WholeNumber] | None = None,
        dtype: Annotated[str, OneOf(*DTYPES)] | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str = "auto",
        name: str | None = None,
    ) -> None:
        if isinstance(initializer, str) or callable(initializer):
            if shape is None:
                raise ArgumentError(
                    "Variable: an initializer does not say how much it is to make",
                    expected="shape, beside the initializer; or an array",
                    got=f"{initializer!r:.80} and no shape",
                    fix="pass shape=(...)",
                )
            filling = initializers.get(initializer)
        else:
            array = as_array(initializer, "initializer")
            shape = array.shape if shape is None else shape
            dtype = dtype or (config.floatx() if array.dtype.kind == "f" else array.dtype.name)
            filling = initializers.Constant(array)  # type: ignore[arg-type]  # which it makes tuples of
        super().__init__(name or "", tuple(shape), dtype or config.floatx(), filling, trainable)
