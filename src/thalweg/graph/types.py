"""What a value in the graph is: a shape and a kind of number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

FLOATS = ("float32", "float64")
SIGNED = ("int32", "int64")
UNSIGNED = ("uint8", "uint32")
DTYPES = (*FLOATS, *SIGNED, *UNSIGNED, "bool")

Shape = tuple[int, ...]


class OpenSize(int):
    """The size of an axis that is open until data come: a number to work shapes out with.

    What is computed from it is one, too, so that a parameter whose shape would depend on the data is found out.
    """


def _stays_open(of_int: Callable[..., Any]) -> Callable[..., Any]:
    def method(*operands: Any) -> Any:
        result = of_int(*operands)
        return OpenSize(result) if type(result) is int else result

    return method


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    for _side in ("", "r"):
        setattr(OpenSize, f"__{_side}{_name}__", _stays_open(getattr(int, f"__{_side}{_name}__")))
OpenSize.__neg__ = _stays_open(int.__neg__)  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class TensorType:
    """Shape and dtype of one tensor. Both are known before anything runs; ``()`` is a scalar."""

    shape: Shape
    dtype: str = "float32"

    def __post_init__(self) -> None:
        assert self.dtype in DTYPES, f"the graph has no dtype {self.dtype!r}; it has {DTYPES}"
        assert all(type(n) in (int, OpenSize) and n >= 0 for n in self.shape), f"not a shape: {self.shape!r}"

    @property
    def rank(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """What the elements take in memory."""
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating point numbers, which have gradients."""
        return self.dtype in FLOATS

    def __getitem__(self, axis: int) -> int:
        """The size of an axis: Keras's layers are built with a shape, and write ``input_shape[-1]``."""
        return self.shape[axis]

    def with_shape(self, shape: tuple[int, ...]) -> TensorType:
        """The same dtype in another shape."""
        return TensorType(shape, self.dtype)

    def with_dtype(self, dtype: str) -> TensorType:
        """The same shape with another dtype."""
        return TensorType(self.shape, dtype)

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    @classmethod
    def of(cls, array: np.ndarray) -> TensorType:
        """The type of an array."""
        return cls(tuple(int(n) for n in array.shape), array.dtype.name)
