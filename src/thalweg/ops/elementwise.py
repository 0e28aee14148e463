"""Operations on each number for itself. They never broadcast: the functions insert ``Broadcast`` first."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from thalweg.errors import DTypeError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply, node_of
from thalweg.graph.types import FLOATS, TensorType
from thalweg.ops.broadcast import broadcast_to
from thalweg.ops.error_function import error_function
from thalweg.ops.leaf import constant, number

Operand = Node | float | int | bool


def require_float(op: Op, x: TensorType) -> TensorType:
    """The type itself. Raises DTypeError if it is not a floating point one."""
    if not x.is_float:
        raise DTypeError(
            f"{op.name} of a tensor of this dtype",
            expected=" or ".join(FLOATS),
            got=str(x),
            fix="cast it first",
        )
    return x


class Elementwise(Op, base=True, kind=Kind.ELEMENTWISE):
    """Shapes: inputs of one shape -> the same shape. All inputs of one dtype, which the result has too."""

    dtypes: ClassVar[tuple[str, ...]] = (*FLOATS, "int32", "int64", "uint32")

    def infer(self, *inputs: TensorType) -> TensorType:
        count = type(self).reference.__code__.co_argcount - 1  # without self
        assert len(inputs) == count, f"{self.name} takes {count} inputs, not {len(inputs)}"
        first = inputs[0]
        if len({x.shape for x in inputs}) != 1:
            raise ShapeError(
                f"{self.name} of tensors of different shapes",
                expected="equal shapes",
                got=" and ".join(map(str, inputs)),
                fix="broadcast or reshape them first",
            )
        if len({x.dtype for x in inputs}) != 1 or first.dtype not in self.dtypes:
            raise DTypeError(
                f"{self.name} of tensors of these dtypes",
                expected=f"one dtype out of {', '.join(self.dtypes)}",
                got=" and ".join(map(str, inputs)),
                fix="cast them first",
            )
        return self.result(first)

    def result(self, x: TensorType) -> TensorType:
        return x


class _Float(Elementwise):
    dtypes = FLOATS


class _Logical(Elementwise):
    dtypes = ("bool",)


class _Comparison(Elementwise):
    """The result is bool. NaN compares unequal to everything, itself included."""

    dtypes = (*Elementwise.dtypes, "uint8", "bool")

    def result(self, x: TensorType) -> TensorType:
        return x.with_dtype("bool")

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None, None)


@dataclass(frozen=True)
class Negate(Elementwise):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.negative(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (-g,)


@dataclass(frozen=True)
class Absolute(Elementwise):
    """``|x|``, with derivative 0 at 0."""

    dtypes = (*FLOATS, "int32", "int64")

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * sign(inputs[0]),)


@dataclass(frozen=True)
class Sign(Elementwise):
    """-1, 0 or 1; NaN for NaN."""

    dtypes = (*FLOATS, "int32", "int64")

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.sign(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Floor(_Float):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.floor(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Exp(_Float):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * output,)


@dataclass(frozen=True)
class Expm1(_Float):
    """``e^x - 1``, exact near 0."""

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.expm1(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * (output + 1.0),)


@dataclass(frozen=True)
class Log(_Float):
    """The natural logarithm: -inf at 0, NaN below."""

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.log(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g / inputs[0],)


@dataclass(frozen=True)
class Log1p(_Float):
    """``log(1 + x)``, exact near 0."""

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.log1p(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g / (inputs[0] + 1.0),)


@dataclass(frozen=True)
class Sqrt(_Float):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * 0.5 / output,)


LARGEST_ANGLE = 2.0**50
"""Up to here sine and cosine are defined. Beyond, neighbouring double-precision numbers are a quarter apart or more."""


@dataclass(frozen=True)
class Sin(_Float):
    """The sine of an angle in radians; NaN beyond ``LARGEST_ANGLE``.

    Numerics: computed in double precision, and rounded.
    """

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(_known_angle(x)), x.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * cos(inputs[0]),)


@dataclass(frozen=True)
class Cos(_Float):
    """The cosine of an angle in radians; NaN beyond ``LARGEST_ANGLE``.

    Numerics: computed in double precision, and rounded.
    """

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.cos(_known_angle(x)), x.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (-g * sin(inputs[0]),)


def _known_angle(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) <= LARGEST_ANGLE, x.astype(np.float64), np.nan)


@dataclass(frozen=True)
class Tanh(_Float):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * (1.0 - output * output),)


@dataclass(frozen=True)
class Sigmoid(_Float):
    """``1 / (1 + e^-x)``.

    Numerics: ``e^-|x|`` never overflows.
    """

    # A primitive so that a loss can recognise it and work on its input, the logits.

    def reference(self, x: np.ndarray) -> np.ndarray:
        small = np.exp(-np.abs(x))
        return np.asarray(np.where(x >= 0, x.dtype.type(1), small) / (1 + small), x.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * output * (1.0 - output),)


@dataclass(frozen=True)
class Relu(_Float):
    """``max(x, 0)``, NaN for NaN.

    Source: Nair & Hinton (2010), ICML.
    """

    # A primitive because its derivative at 0 is 0, as everywhere in the field; a maximum's would be 1/2.

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, x.dtype.type(0), x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (select(output > 0.0, g, 0.0),)


@dataclass(frozen=True)
class Softplus(_Float):
    """``log(1 + e^x)``, a smooth ReLU.

    Numerics: ``max(x, 0) + log1p(e^-|x|)`` neither overflows for large x nor loses digits for very negative x.
    Source: Dugas et al. (2001), NIPS 13.
    """

    # A primitive because its gradient, sigmoid(x), is exact at 0; the composite's depends on how max splits ties.

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * sigmoid(inputs[0]),)


@dataclass(frozen=True)
class Erf(_Float):
    """``2 / sqrt(pi)`` times the integral of ``e^(-t^2)`` from 0 to x: twice the normal distribution, between -1 and 1.

    Numerics: see ``ops.error_function``.
    """

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(error_function(x), x.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * exp(-square(inputs[0])) * (2.0 / math.sqrt(math.pi)),)


@dataclass(frozen=True)
class Add(Elementwise):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.add(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g, g)


@dataclass(frozen=True)
class Subtract(Elementwise):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.subtract(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g, -g)


@dataclass(frozen=True)
class Multiply(Elementwise):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.multiply(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, y = inputs
        return (g * y, g * x)


@dataclass(frozen=True)
class Divide(_Float):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.divide(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        over = g / inputs[1]
        return (over, -over * output)


@dataclass(frozen=True)
class Power(_Float):
    """``x^y``. The derivative by y is 0 where x is not positive, where ``log x`` does not exist."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.power(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, y = inputs
        slope = select(equal(y, 0.0), 0.0, y * power(x, y - 1.0))
        positive = x > 0.0
        return (g * slope, g * select(positive, output * log(select(positive, x, 1.0)), 0.0))


@dataclass(frozen=True)
class _Choice(Elementwise):
    """NaN if either is NaN. Where both are equal each gets half of the gradient."""

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, y = inputs
        half = select(equal(x, y), 0.5, 1.0)
        return (
            select(equal(x, output), g * cast(half, g.dtype), 0.0),
            select(equal(y, output), g * cast(half, g.dtype), 0.0),
        )


@dataclass(frozen=True)
class Maximum(_Choice):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(x, y)


@dataclass(frozen=True)
class Minimum(_Choice):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.minimum(x, y)


@dataclass(frozen=True)
class Less(_Comparison):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.less(x, y)


@dataclass(frozen=True)
class LessEqual(_Comparison):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.less_equal(x, y)


@dataclass(frozen=True)
class Equal(_Comparison):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.equal(x, y)


@dataclass(frozen=True)
class LogicalAnd(_Logical):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_and(x, y)


@dataclass(frozen=True)
class LogicalOr(_Logical):
    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_or(x, y)


@dataclass(frozen=True)
class LogicalNot(_Logical):
    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.logical_not(x)


@dataclass(frozen=True)
class Select(Op, kind=Kind.ELEMENTWISE):
    """``x`` where the condition holds, else ``y``: never a mixture, so a NaN in the other one does no harm.

    Shapes: condition (...) bool, x (...), y (...) -> (...).
    """

    def infer(self, condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
        if condition.dtype != "bool" or x.dtype != y.dtype:
            raise DTypeError(
                "select of tensors of these dtypes",
                expected="a bool condition and two tensors of one dtype",
                got=f"{condition}, {x} and {y}",
                fix="compare to get a condition; cast the tensors",
            )
        if not condition.shape == x.shape == y.shape:
            raise ShapeError(
                "select of tensors of different shapes",
                expected="equal shapes",
                got=f"{condition}, {x} and {y}",
                fix="broadcast or reshape them first",
            )
        return x

    def reference(self, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(condition, x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        condition = inputs[0]
        return (None, select(condition, g, 0.0), select(condition, 0.0, g))


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
    return x if x.dtype == dtype else apply(Cast(dtype), x)


def same_kind(*operands: Operand) -> Nodes:
    """Operands as nodes of one shape: numbers take the dtype of the tensors, shapes follow NumPy's broadcasting."""
    operands = tuple(node_of(x) if hasattr(x, "node") else x for x in operands)
    nodes = [x for x in operands if isinstance(x, Node)]
    assert nodes, "an elementwise function needs at least one tensor"
    dtype = nodes[0].dtype
    whole = tuple(x if isinstance(x, Node) else constant(_held(number(x), dtype), dtype) for x in operands)
    return common_shape(*whole)


def _held(value: float | int | bool, dtype: str) -> float | int | bool:
    """The number itself. Raises DTypeError for a fraction beside whole numbers, which would be cut off."""
    if isinstance(value, float | np.floating) and dtype not in FLOATS and value != int(value):
        raise DTypeError(
            "a fraction meets a tensor of whole numbers",
            expected=f"a number that {dtype} holds",
            got=repr(value),
            fix="cast the tensor first: ops.cast(x, 'float32')",
        )
    return value


def common_shape(*nodes: Node) -> Nodes:
    """Nodes broadcast to one shape. Raises ShapeError if they cannot be."""
    if len({x.shape for x in nodes}) == 1:
        return nodes
    try:
        shape = np.broadcast_shapes(*(x.shape for x in nodes))
    except ValueError:
        raise ShapeError(
            "tensors of these shapes do not fit together",
            expected="sizes that are equal, or 1, on every axis counted from the right",
            got=" and ".join(map(str, (x.type for x in nodes))),
            fix="reshape one of them",
        ) from None
    return tuple(broadcast_to(x, tuple(shape)) for x in nodes)


def negate(x: Node) -> Node:
    return apply(Negate(), x)


def absolute(x: Node) -> Node:
    return apply(Absolute(), x)


def sign(x: Node) -> Node:
    return apply(Sign(), x)


def floor(x: Node) -> Node:
    return apply(Floor(), x)


def exp(x: Node) -> Node:
    return apply(Exp(), x)


def expm1(x: Node) -> Node:
    return apply(Expm1(), x)


def log(x: Node) -> Node:
    return apply(Log(), x)


def log1p(x: Node) -> Node:
    return apply(Log1p(), x)


def sqrt(x: Node) -> Node:
    return apply(Sqrt(), x)


def square(x: Node) -> Node:
    return multiply(x, x)


def sin(x: Node) -> Node:
    return apply(Sin(), x)


def cos(x: Node) -> Node:
    return apply(Cos(), x)


def tanh(x: Node) -> Node:
    """``(e^x - e^-x) / (e^x + e^-x)``, between -1 and 1."""
    return apply(Tanh(), x)


def sigmoid(x: Node) -> Node:
    """``1 / (1 + e^-x)``, between 0 and 1."""
    return apply(Sigmoid(), x)


def relu(x: Node) -> Node:
    return apply(Relu(), x)


def softplus(x: Node) -> Node:
    """``log(1 + e^x)``, a smooth ReLU."""
    return apply(Softplus(), x)


def erf(x: Node) -> Node:
    """The error function."""
    return apply(Erf(), x)


def add(x: Operand, y: Operand) -> Node:
    return apply(Add(), *same_kind(x, y))


def subtract(x: Operand, y: Operand) -> Node:
    return apply(Subtract(), *same_kind(x, y))


def multiply(x: Operand, y: Operand) -> Node:
    return apply(Multiply(), *same_kind(x, y))


def divide(x: Operand, y: Operand) -> Node:
    return apply(Divide(), *same_kind(x, y))


def power(x: Operand, y: Operand) -> Node:
    """``x^y``; squares, roots and reciprocals by the exact operation."""
    if isinstance(x, Node) and not isinstance(y, Node):
        exact = {1: lambda: x, 2: lambda: multiply(x, x), 0.5: lambda: sqrt(x), -1: lambda: divide(1.0, x)}
        if y in exact:
            return exact[y]()
    return apply(Power(), *same_kind(x, y))


def maximum(x: Operand, y: Operand) -> Node:
    return apply(Maximum(), *same_kind(x, y))


def minimum(x: Operand, y: Operand) -> Node:
    return apply(Minimum(), *same_kind(x, y))


def clip(x: Node, low: float = -math.inf, high: float = math.inf) -> Node:
    """``x`` held between two numbers; no gradient flows where it is held, nor a half of it at the very ends."""
    return select(x < low, low, select(x > high, high, x))


def less(x: Operand, y: Operand) -> Node:
    return apply(Less(), *same_kind(x, y))


def less_equal(x: Operand, y: Operand) -> Node:
    return apply(LessEqual(), *same_kind(x, y))


def equal(x: Operand, y: Operand) -> Node:
    return apply(Equal(), *same_kind(x, y))


def not_equal(x: Operand, y: Operand) -> Node:
    return logical_not(equal(x, y))


def logical_and(x: Operand, y: Operand) -> Node:
    return apply(LogicalAnd(), *same_kind(x, y))


def logical_or(x: Operand, y: Operand) -> Node:
    return apply(LogicalOr(), *same_kind(x, y))


def logical_not(x: Node) -> Node:
    return apply(LogicalNot(), x)


def select(condition: Node, x: Operand, y: Operand) -> Node:
    """``x`` where the condition holds, else ``y``."""
    if not isinstance(x, Node) and not isinstance(y, Node):
        x = constant(x, "float32")
    x, y = same_kind(x, y)
    return apply(Select(), *common_shape(condition, x, y))
