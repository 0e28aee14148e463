"""Vectors for categories."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from thalweg import ops
from thalweg.checks import In, Reserved
from thalweg.constraints import Projection
from thalweg.errors import DTypeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Filling
from thalweg.layers.layer import Layer, registry
from thalweg.ops.lookup import take
from thalweg.regularizers import Penalty

__all__ = ["Embedding"]


@registry.register("embedding")
@dataclass(eq=False)
class Embedding(Layer):
    """A trained vector for each whole number below ``input_dim``: row ``x`` of a table.

    The result is NaN for a number that has no row, so that training stops with this layer's name. (Keras's answer
    depends on its backend.)

    Shapes: x (batch, ...) of whole numbers in [0, input_dim) -> (batch, ..., output_dim); embeddings
    (input_dim, output_dim). Numbers of a float dtype lose their fraction.

    Arguments:
        embeddings_regularizer, embeddings_constraint: as in ``Dense``; both see the whole table.
        mask_zero: whether 0 is no category but fills samples up: what comes after skips these places (docs/shapes.md).
        lora_rank, lora_alpha, quantization_config: Keras's names, not there yet.
    """

    argument_order: ClassVar[tuple[str, ...]] = (
        "input_dim",
        "output_dim",
        "embeddings_initializer",
        "embeddings_regularizer",
        "embeddings_constraint",
        "mask_zero",
    )
    input_dim: Annotated[int, In("[1, inf)")]
    output_dim: Annotated[int, In("[1, inf)")]
    embeddings_initializer: str | Filling = "uniform"
    embeddings_regularizer: str | Penalty | None = None
    embeddings_constraint: str | Projection | None = None
    mask_zero: bool = False
    lora_rank: Annotated[object, Reserved()] = None
    lora_alpha: Annotated[object, Reserved()] = None
    quantization_config: Annotated[object, Reserved()] = None

    takes_whole_numbers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.supports_masking = self.mask_zero  # type: ignore[misc]  # of this layer alone

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """True where the number is not 0, with ``mask_zero``."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def build(self, x: TensorType) -> None:
        require_exact(x, self.input_dim)
        self.embeddings = self.parameter("embeddings", (self.input_dim, self.output_dim), self.embeddings_initializer)

    def call(self, x: Node, training: bool) -> Node:
        return take(self.embeddings.node, row_numbers(x, self.input_dim))


def row_numbers(x: Node, rows: int) -> Node:
    """Numbers from 0 to ``rows - 1`` as int32, without their fraction; others, NaN among them, are no row's number."""
    if x.dtype in ("int32", "uint8"):
        return ops.cast(x, "int32")
    inside = ops.logical_and(x > -1.0, x < float(rows)) if x.type.is_float else ops.logical_and(x >= 0, x < rows)
    return ops.select(inside, ops.cast(x, "int32"), -1)


def require_exact(x: TensorType, rows: int) -> None:
    """Raise DTypeError if the numbers of so many rows cannot all be told apart in the input's dtype."""
    if x.dtype == "float32" and rows > 2**24:
        raise DTypeError(
            "the numbers of these rows are not exact in float32",
            expected="an input of whole numbers for more than 16,777,216 rows",
            got=f"{rows:,} rows and an input of dtype {x.dtype}",
            fix="declare the input with Input(shape, dtype='int32')",
        )
