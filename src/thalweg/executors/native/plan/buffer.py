"""Memory that kernels read and write: what each array is, not yet where the temporary ones lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from operator import mul

from thalweg.executors.executor import leaf_types
from thalweg.executors.native.host import ITEMSIZE
from thalweg.fields import dataclass
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.state.layout import strides as state_strides

Strides = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Buffer:
    """One array.

    ``kind`` is "temporary" (in the arena), "state", "data" or "output" (the caller's arrays).
    ``strides`` are in elements. A ``gathered`` buffer is an array of samples of which row i of the batch is row
    ``index[i]``.
    """

    label: str
    kind: str
    type: TensorType
    strides: Strides
    gathered: bool = False

    @property
    def span(self) -> int:
        """Elements from the first to just after the last; of a gathered buffer, of one row."""
        axes = list(zip(self.type.shape, self.strides, strict=True))[1 if self.gathered else 0 :]
        if any(n == 0 for n, _ in axes):
            return 0
        return 1 + sum((n - 1) * stride for n, stride in axes)

    @property
    def nbytes(self) -> int:
        """What the span takes."""
        return self.span * ITEMSIZE[self.type.dtype]

    def __str__(self) -> str:
        return f"{self.kind} {self.type} {self.label}"


def dense_strides(shape: Sequence[int]) -> Strides:
    """Elements from one index to the next along each axis, in row-major order without gaps.

    Example:
        >>> dense_strides((2, 3, 4))
        (12, 4, 1)
    """
    return tuple(accumulate(reversed(shape[1:]), mul, initial=1))[::-1] if shape else ()


@dataclass(frozen=True)
class CallerBuffers:
    """The arrays that a caller hands in, by name: inputs, states and outputs, each in the order of the graph."""

    data: Mapping[str, Buffer]
    states: Mapping[str, Buffer]
    outputs: Mapping[str, Buffer]

    @classmethod
    def of(cls, graph: Graph, gather: bool) -> CallerBuffers:
        """Those of a graph; with ``gather`` the inputs are arrays of samples, of which an index chooses rows."""
        inputs, states = leaf_types(graph)
        return cls(
            {n: Buffer(n, "data", t, dense_strides(t.shape), gather and t.rank > 0) for n, t in inputs.items()},
            {n: Buffer(n, "state", t, state_strides(t)) for n, t in states.items()},
            {n: Buffer(n, "output", x.type, dense_strides(x.shape)) for n, x in graph.outputs.items()},
        )
