"""Where values enter the graph: inputs, state, constants, counters. And stop_gradient, where derivatives end."""

from __future__ import annotations

import ctypes
import math

import numpy as np

from thalweg.errors import DTypeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply
from thalweg.graph.types import FLOATS, Shape, TensorType
from thalweg.ops.views import Line, View

__all__ = ["constant", "input_node", "iota", "state_node", "stop_gradient"]


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
        held(max(self.shape[self.axis] - 1, 0), self.dtype)
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
    """A value that the caller hands in anew at each step under a name: a batch, labels, weights.

    Shapes: -> shape. A program that gathers by index has the batch as the first axis.
    """
    return apply(Input(label, shape, dtype))


def state_node(label: str, shape: tuple[int, ...], dtype: str = "float32") -> Node:
    """A value that stays from step to step under a name: a parameter, an optimizer slot, a counter.

    Shapes: -> shape. What it becomes is an update of the graph.
    """
    return apply(State(label, shape, dtype))


def constant(value: float | int | bool, dtype: str = "float32") -> Node:
    """A scalar node of a number, rounded to what ``dtype`` holds.

    Shapes: -> ().
    Raises: DTypeError: if the dtype is of whole numbers, or bool, and the number is none of these.
    """
    return apply(Constant(held(value, dtype), dtype))


def held(value: float | int | bool, dtype: str) -> float | int | bool:
    """A number as the Python number that ``dtype`` holds exactly.

    Raises: DTypeError for a fraction among whole numbers, and for a number beyond the largest or smallest of them.
    """
    if type(value) is float and dtype in FLOATS:
        return value if dtype == "float64" else ctypes.c_float(value).value
    bounds = whole_numbers(dtype)
    if bounds is not None and not (bounds[0] <= value <= bounds[1] and value == int(value)):
        fraction = isinstance(value, float | np.floating) and math.isfinite(value) and value != int(value)
        raise DTypeError(
            "a fraction meets whole numbers" if fraction else "a number is beyond those that its dtype holds",
            expected=f"a whole number from {bounds[0]} to {bounds[1]}, which {dtype} holds",
            got=repr(value),
            fix="cast the tensor first: ops.cast(x, 'float32')",
        )
    with np.errstate(over="ignore"):  # to an infinity, as in NumPy
        return np.asarray(value).astype(dtype).item()


def whole_numbers(dtype: str) -> tuple[int, int] | None:
    """The smallest and the largest number of a dtype of whole numbers; of bool 0 and 1. None for floats."""
    if dtype in FLOATS:
        return None
    return (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


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
    """Counts 0, 1, 2 ... along one axis.

    Shapes: -> shape.
    Raises: DTypeError: if the dtype does not hold the last number.
    """
    return apply(Iota(shape, axis, dtype))


def stop_gradient(x: Node) -> Node:
    """``x``, through which no derivative flows.

    Shapes: x (...) -> (...).
    """
    return apply(StopGradient(), x)
