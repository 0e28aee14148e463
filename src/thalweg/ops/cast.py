"""The same numbers in another dtype."""

from __future__ import annotations

import numpy as np

from thalweg.errors import DTypeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import DTYPES, TensorType

__all__ = ["cast"]


@dataclass(frozen=True)
class Cast(Op, kind=Kind.ELEMENTWISE):
    """The same numbers in another dtype. Floats to integers cut off towards zero, as in C; to bool: not equal to 0.

    A float that the integer type cannot hold (NaN included) becomes an unspecified integer.
    """

    dtype: str

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x.astype(self.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (cast(g, inputs[0].dtype) if inputs[0].type.is_float and output.type.is_float else None,)


def cast(x: Node, dtype: str) -> Node:
    """``x`` in another dtype, or x itself if it has that one.

    Floats become whole numbers by cutting off towards zero, as in C, and true where they are not 0. A float that the
    integer type cannot hold, NaN included, becomes an unspecified integer; of whole numbers the lowest bits are kept.

    Shapes: x (...) -> (...). Gradients pass from floating point to floating point only.
    """
    if dtype not in DTYPES:
        raise DTypeError(
            "there is no such dtype",
            expected=", ".join(DTYPES),
            got=f"{dtype!r:.60}",
            fix="choose 'float32' for fractions, 'int32' for whole numbers",
        )
    return x if x.dtype == dtype else apply(Cast(dtype), x)
