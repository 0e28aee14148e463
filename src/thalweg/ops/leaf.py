"""Where values enter the graph: inputs, state, constants, counters. And stop_gradient, where derivatives end."""

from __future__ import annotations

import numpy as np

from thalweg.errors import DTypeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import TensorType
from thalweg.ops.view import Line, Shape, View


@dataclass(frozen=True)
class Input(Op, kind=Kind.LEAF):
    """A value that the caller hands in anew at each step: a batch of samples, labels or weights."""

    label: str
    shape: tuple[int, ...]
    dtype: str

    def infer(self) -> TensorType:
        return TensorType(self.shape, self.dtype)


@dataclass(frozen=True)
class State(Op, kind=Kind.LEAF):
    """A value that stays from step to step: a parameter, an optimizer slot, a running sum, a counter."""

    label: str
    shape: tuple[int, ...]
    dtype: str

    def infer(self) -> TensorType:
        return TensorType(self.shape, self.dtype)


@dataclass(frozen=True)
class Constant(Op, kind=Kind.LEAF):
    """A number. Arrays of one number are this, broadcast."""

    value: float | int | bool
    dtype: str

    def infer(self) -> TensorType:
        return TensorType((), self.dtype)

    def reference(self) -> np.ndarray:
        return np.asarray(self.value, self.dtype)


@dataclass(frozen=True)
class Iota(Op, kind=Kind.LEAF):
    """Counts 0, 1, 2 ... along one axis.

    Shapes: -> ``shape``, integer or floating point.
    """

    shape: tuple[int, ...]
    axis: int
    dtype: str = "int32"

    def infer(self) -> TensorType:
        assert 0 <= self.axis < len(self.shape), f"axis {self.axis} of {self.shape}"
        return TensorType(self.shape, self.dtype)

    def reference(self) -> np.ndarray:
        ladder = np.arange(self.shape[self.axis], dtype=self.dtype)
        column = ladder.reshape([-1 if axis == self.axis else 1 for axis in range(len(self.shape))])
        return np.broadcast_to(column, self.shape)


@dataclass(frozen=True)
class StopGradient(View):
    """Its input, through which no derivative flows."""

    def infer(self, x: TensorType) -> TensorType:
        return x

    def reference(self, x: np.ndarray) -> np.ndarray:
        return x

    def follow(self, line: Line, shape: Shape, kept: int | None = None) -> Line:
        return line

    def follow_axis(self, axis: int, shape: Shape) -> int:
        return axis

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)


def input_node(label: str, shape: tuple[int, ...], dtype: str = "float32") -> Node:
    return apply(Input(label, shape, dtype))


def state_node(label: str, shape: tuple[int, ...], dtype: str = "float32") -> Node:
    return apply(State(label, shape, dtype))


def constant(value: float | int | bool, dtype: str = "float32") -> Node:
    """A scalar node. The value is kept as the Python number that ``dtype`` can hold exactly."""
    return apply(Constant(np.asarray(value).astype(dtype).item(), dtype))


def number(operand: object) -> float | int | bool:
    """What meets a node in arithmetic and is no node itself: a number.

    Raises: DTypeError for anything else, such as an array from outside of the graph.
    """
    if isinstance(operand, int | float | np.number | np.bool_):
        return operand  # type: ignore[return-value]  # NumPy's numbers serve as Python's
    raise DTypeError(
        "a tensor of the graph meets something that is neither a tensor nor a number",
        expected="a node, or a number",
        got=f"{type(operand).__name__}" + (f" of shape {operand.shape}" if isinstance(operand, np.ndarray) else ""),
        fix="let an array come in as an argument of the function or an input of the model; of a parameter take .node",
    )


def iota(shape: tuple[int, ...], axis: int, dtype: str = "int32") -> Node:
    return apply(Iota(shape, axis, dtype))


def stop_gradient(x: Node) -> Node:
    return apply(StopGradient(), x)
