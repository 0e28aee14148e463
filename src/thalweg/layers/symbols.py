"""Tensors before there are numbers: what models are connected by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import Annotated, Any

from thalweg import config
from thalweg.checks import In, NotEmpty, OneOf, check_value, checked
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.operators import Operators
from thalweg.graph.types import DTYPES, OpenSize, Shape, TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.signature import OPEN, PLAIN, SOME_BATCH, Arguments, SymbolicShape

__all__ = ["Input", "InputLayer", "Symbol"]

OPEN_SIZES = (OPEN, 2 * OPEN)
"""The sizes of open axes that shapes are worked out for: divided by 2 six times, and by 3 and 5, without a rest."""


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a layer on symbols.

    Arguments:
        training: True or False where the caller said so for good (``encoder(x, training=False)``); None to follow the
            step.
        arguments: how the inputs are nested, and what else there is.
    """

    layer: Layer
    inputs: tuple[Symbol, ...]
    training: bool | None = None
    arguments: Arguments = PLAIN


@dataclass(frozen=True, eq=False)
class Symbol(Operators):
    """A tensor before there are numbers: what ``Input`` gives, and a layer called on symbols.

    Operators, indices and the functions of ``thalweg.ops`` work on it too; each use becomes a layer, ``Operation``.

    Arguments:
        shape: as in Keras with the batch axis first, None where it is open: ``(None, 784)``.
        tried: of a sample, for each of the ``OPEN_SIZES``.
        call: the layer call that made it; None for an input.
        index: which of that call's results.
        name: of an input; the model names those without.
        mask: as ``tried``, of the mask that comes with it; None if there is none.
        by_data: of an input, whether its sizes are those of the first data, and others may come.
    """

    shape: SymbolicShape
    dtype: str
    tried: tuple[Shape, Shape]
    call: Call | None = None
    index: int = 0
    name: str | None = None
    mask: tuple[Shape, Shape] | None = None
    by_data: bool = False

    def __repr__(self) -> str:
        name = self.name or (self.call.layer.label if self.call is not None else "")
        return f"<symbol {self.dtype} {self.shape}{f' of {name!r}' if name else ''}>"

    @cached_property
    def entry(self) -> InputLayer:
        """Of an input: what shows it among the layers of a model; always the same."""
        return InputLayer(input_tensor=self, name=self.name)

    @property
    def rank(self) -> int:
        """How many axes there are, the batch included."""
        return len(self.shape)

    @property
    def is_open(self) -> bool:
        """Whether the shape of a sample is known only when data come."""
        return None in self.shape[1:]

    def type(self, batch: int = SOME_BATCH, trial: int = 0) -> TensorType:
        """The type of this tensor for a batch of this size, and one of the ``OPEN_SIZES``."""
        return TensorType((batch, *self.tried[trial]), self.dtype)

    def mask_type(self, batch: int = SOME_BATCH, trial: int = 0) -> TensorType | None:
        """The same of its mask."""
        return None if self.mask is None else TensorType((batch, *self.mask[trial]), "bool")


@checked
def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Annotated[Sequence[Any], NotEmpty()] | None = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Symbol:
    """Where data enter a model.

    Arguments:
        shape: of one sample, without the batch axis; ``()`` for one number a sample. None leaves an axis open: each
            call of ``fit``, ``predict`` and so on brings a size of its own, see docs/shapes.md.
        batch_size: accepted; a model takes any batch size.
        dtype: of the data as they lie in memory; floatx unless given. ``"uint8"`` keeps images small until a layer
            (``Rescaling``) turns them into floats inside the compiled step.
        batch_shape: the batch size and ``shape`` in one.
        sparse, ragged, tensor, optional: Keras's, not there yet.

    Raises: ArgumentError if the shape is missing.
    """
    if sparse or ragged or optional or tensor is not None:
        raise ArgumentError(
            "Input: sparse, ragged, optional and given tensors are not there yet",
            expected="dense inputs",
            got=f"sparse={sparse}, ragged={ragged}, optional={optional}, tensor={tensor!r}",
            fix="leave these arguments out",
        )
    if batch_shape is not None:
        batch_size, *rest = batch_shape
        shape = tuple(rest)
    sizes = check_value("Input", "shape", tuple[Annotated[int, In("[1, inf)")] | None, ...], shape)
    small, large = (tuple(OpenSize(size) if n is None else n for n in sizes) for size in OPEN_SIZES)
    return Symbol(
        (batch_size, *sizes),
        check_value("Input", "dtype", Annotated[str, OneOf(*DTYPES)], dtype or config.floatx()),
        (small, large),
        name=name,
    )


def by_data(shape: SymbolicShape, dtype: str, name: str | None = None) -> Symbol:
    """An ``Input`` that nobody has declared: its sizes are those of the first data, and may turn out to be open."""
    return replace(Input(shape=shape, dtype=dtype, name=name), by_data=True)


class InputLayer(Layer):
    """An ``Input`` among the layers of a model, as Keras lists it; ``output`` is what ``Input`` gives.

    It goes in front of a Sequential, or ``Dense(3)(InputLayer((4,)).output)`` starts a functional model.

    Shapes: the input's.

    Arguments:
        input_shape, batch_input_shape: older names of ``shape`` and ``batch_shape``.
        input_tensor: a symbol that ``Input`` gave, instead of a new one.

    Raises: as ``Input``.
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: Symbol | None = None,
        optional: bool = False,
        name: str | None = None,
        *,
        input_shape: Sequence[int | None] | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
    ) -> None:
        super().__init__(name=name)
        if input_tensor is None:
            shape = input_shape if shape is None else shape
            batch_shape = batch_input_shape if batch_shape is None else batch_shape
            input_tensor = Input(shape, batch_size, dtype, sparse, ragged, batch_shape, name, optional=optional)
            vars(input_tensor)["entry"] = self
        self.symbol = input_tensor
        self.output_shape = input_tensor.shape
        self.built = True

    @property
    def batch_shape(self) -> SymbolicShape:
        """Of the data, with the batch axis first."""
        return self.symbol.shape

    @property
    def input(self) -> Symbol:
        return self.symbol

    @property
    def output(self) -> Symbol:
        return self.symbol

    def base_name(self) -> str:
        return "input_layer"

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.symbol.shape), "dtype": self.symbol.dtype, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputLayer:
        return cls(**config)


def name_inputs(entries: Sequence[InputLayer]) -> None:
    """Give those without a name one that no other of these has: ``input_layer``, ``input_layer_1`` ..."""
    taken = {entry.name for entry in entries}
    names = (f"input_layer_{number}" if number else "input_layer" for number in count())
    for entry in entries:
        if entry.name is None:
            entry.name = next(name for name in names if name not in taken)
