"""Operations on each number for itself. They never broadcast: the functions insert ``Broadcast`` first."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from thalweg import config
from thalweg.errors import DTypeError, ShapeError
from thalweg.fields import dataclass
from thalweg.graph.node import Gradients, Kind, Node, Nodes, Op, apply, node_of
from thalweg.graph.types import FLOATS, TensorType
from thalweg.ops.broadcast import broadcast_to, filled
from thalweg.ops.cast import cast
from thalweg.ops.error_function import error_function
from thalweg.ops.leaf import constant, number, whole_numbers

__all__ = [
    "absolute",
    "add",
    "clip",
    "cos",
    "divide",
    "equal",
    "erf",
    "exp",
    "expm1",
    "floor",
    "less",
    "less_equal",
    "log",
    "log1p",
    "logical_and",
    "logical_not",
    "logical_or",
    "maximum",
    "minimum",
    "multiply",
    "negate",
    "not_equal",
    "power",
    "relu",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "square",
    "subtract",
    "tanh",
]

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
        if any(x.shape != first.shape for x in inputs[1:]):
            raise ShapeError(
                f"{self.name} of tensors of different shapes",
                expected="equal shapes",
                got=" and ".join(map(str, inputs)),
                fix="broadcast or reshape them first",
            )
        if any(x.dtype != first.dtype for x in inputs[1:]) or first.dtype not in self.dtypes:
            raise DTypeError(
                f"{self.name} of tensors of these dtypes",
                expected=f"one dtype out of {', '.join(self.dtypes)}",
                got=" and ".join(map(str, inputs)),
                fix="cast them first",
            )
        return self.result(first)

    def result(self, x: TensorType) -> TensorType:
        """The type of the result, from that of the inputs."""
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
    """``-x``. Whole numbers wrap around."""

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
    """The largest whole number that is not above x."""

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.floor(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (None,)


@dataclass(frozen=True)
class Exp(_Float):
    """``e^x``; inf where that is too large for the dtype."""

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
    """The square root; NaN below 0."""

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt(x)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * 0.5 / output,)


LARGEST_ANGLE = 2.0**50
"""Up to here sine and cosine are defined. Beyond, neighbouring double-precision numbers are a quarter apart or more."""


@dataclass(frozen=True)
class Sin(_Float):
    """The sine of an angle in radians; NaN beyond ``LARGEST_ANGLE``.

    Numerics: within 1.6 units of the last place in float32, whatever the angle, within 1 in float64.
    """

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(_known_angle(x)), x.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g * cos(inputs[0]),)


@dataclass(frozen=True)
class Cos(_Float):
    """The cosine of an angle in radians; NaN beyond ``LARGEST_ANGLE``.

    Numerics: as of the sine.
    """

    def reference(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.cos(_known_angle(x)), x.dtype)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (-g * sin(inputs[0]),)


def _known_angle(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) <= LARGEST_ANGLE, x.astype(np.float64), np.nan)


@dataclass(frozen=True)
class Tanh(_Float):
    """``(e^x - e^-x) / (e^x + e^-x)``, between -1 and 1."""

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
    """``x + y``. Whole numbers wrap around."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.add(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g, g)


@dataclass(frozen=True)
class Subtract(Elementwise):
    """``x - y``. Whole numbers wrap around."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.subtract(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        return (g, -g)


@dataclass(frozen=True)
class Multiply(Elementwise):
    """``x * y``. Whole numbers wrap around."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.multiply(x, y)

    def vjp(self, g: Node, inputs: Nodes, output: Node) -> Gradients:
        x, y = inputs
        return (g * y, g * x)


@dataclass(frozen=True)
class Divide(_Float):
    """``x / y``; by 0 an infinity, or NaN for 0 / 0."""

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
    """The larger one; NaN if either is. Where both are equal each gets half of the gradient."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(x, y)


@dataclass(frozen=True)
class Minimum(_Choice):
    """The smaller one; NaN if either is. Where both are equal each gets half of the gradient."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.minimum(x, y)


@dataclass(frozen=True)
class Less(_Comparison):
    """``x < y``."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.less(x, y)


@dataclass(frozen=True)
class LessEqual(_Comparison):
    """``x <= y``."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.less_equal(x, y)


@dataclass(frozen=True)
class Equal(_Comparison):
    """``x == y``."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.equal(x, y)


@dataclass(frozen=True)
class LogicalAnd(_Logical):
    """Where both are true."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_and(x, y)


@dataclass(frozen=True)
class LogicalOr(_Logical):
    """Where at least one is true."""

    def reference(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_or(x, y)


@dataclass(frozen=True)
class LogicalNot(_Logical):
    """Where it is false."""

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


def same_kind(*operands: Operand) -> Nodes:
    """Operands as nodes of one shape and dtype: numbers take that of the tensors, shapes are NumPy's broadcasting."""
    operands = tuple(node_of(x) if hasattr(x, "node") else x for x in operands)
    nodes = [x for x in operands if isinstance(x, Node)]
    assert nodes, "an elementwise function needs at least one tensor"
    dtype = common_dtype(*(x.dtype for x in nodes))
    whole = tuple(
        cast(x, dtype if x.dtype not in FLOATS else x.dtype) if isinstance(x, Node) else constant(number(x), dtype)
        for x in operands
    )
    return common_shape(*whole)


def common_dtype(*dtypes: str) -> str:
    """What tensors of these dtypes meet in: beside floating point whole numbers take its dtype, as in Keras; among
    themselves the next that holds both. Of float32 and float64 the first: these are not mixed unasked.
    """
    if len(set(dtypes)) == 1:
        return dtypes[0]
    floats = [dtype for dtype in dtypes if dtype in FLOATS]
    return floats[0] if floats else np.result_type(*dtypes).name


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


def floating(x: Node) -> Node:
    """Whole numbers and truth values in floatx; floating point numbers as they are."""
    return x if x.type.is_float else cast(x, config.floatx())


def negate(x: Node) -> Node:
    """``-x``. Whole numbers wrap around, as in NumPy: also ``-x`` of an unsigned one.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is uint8 or bool.
    """
    return apply(Negate(), x)


def absolute(x: Node) -> Node:
    """``|x|``, with the derivative 0 at 0. The smallest signed number stays itself, as in NumPy.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is unsigned or bool.
    """
    return apply(Absolute(), x)


def sign(x: Node) -> Node:
    """-1, 0 or 1 as x is negative, 0 or positive; NaN for NaN. It has no gradient.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is unsigned or bool.
    """
    return apply(Sign(), x)


def floor(x: Node) -> Node:
    """The largest whole number that is not above x, in the dtype of x. It has no gradient.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not floating point.
    """
    return apply(Floor(), x)


def exp(x: Node) -> Node:
    """``e^x``; inf where that is too large for the dtype.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    """
    return apply(Exp(), floating(x))


def expm1(x: Node) -> Node:
    """``e^x - 1``, exact near 0.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    """
    return apply(Expm1(), floating(x))


def log(x: Node) -> Node:
    """The natural logarithm: -inf at 0, NaN below.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    """
    return apply(Log(), floating(x))


def log1p(x: Node) -> Node:
    """``log(1 + x)``, exact near 0; -inf at -1, NaN below.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    """
    return apply(Log1p(), floating(x))


def sqrt(x: Node) -> Node:
    """The square root; NaN below 0, and an infinite derivative at 0.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    """
    return apply(Sqrt(), floating(x))


def square(x: Node) -> Node:
    """``x * x``.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is uint8 or bool.
    """
    return multiply(x, x)


def sin(x: Node) -> Node:
    """The sine of an angle in radians; NaN beyond 2^50.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    Numerics: see Sin.
    """
    return apply(Sin(), floating(x))


def cos(x: Node) -> Node:
    """The cosine of an angle in radians; NaN beyond 2^50.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    Numerics: see Cos.
    """
    return apply(Cos(), floating(x))


def tanh(x: Node) -> Node:
    """``(e^x - e^-x) / (e^x + e^-x)``, between -1 and 1.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    """
    return apply(Tanh(), floating(x))


def sigmoid(x: Node) -> Node:
    """``1 / (1 + e^-x)``, between 0 and 1.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not floating point.
    Numerics: see Sigmoid. A loss that gets its result works on x, the logits.
    """
    return apply(Sigmoid(), x)


def relu(x: Node) -> Node:
    """``max(x, 0)``, with the derivative 0 at 0; NaN for NaN.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not floating point.
    Source: Nair & Hinton (2010), ICML.
    """
    return apply(Relu(), x)


def softplus(x: Node) -> Node:
    """``log(1 + e^x)``, a smooth ReLU.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not floating point.
    Numerics: see Softplus.
    Source: Dugas et al. (2001), NIPS 13.
    """
    return apply(Softplus(), x)


def erf(x: Node) -> Node:
    """The error function: ``2 / sqrt(pi)`` times the integral of ``e^(-t^2)`` from 0 to x, between -1 and 1.

    Shapes: x (...) -> (...).
    Whole numbers become floatx first.
    Numerics: within 2 units of the last place, see ``ops.error_function``.
    """
    return apply(Erf(), floating(x))


def add(x: Operand, y: Operand) -> Node:
    """``x + y``. Whole numbers wrap around, as in NumPy.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, for uint8 or bool, or if the
        dtype does not hold the number.
    """
    return apply(Add(), *same_kind(x, y))


def subtract(x: Operand, y: Operand) -> Node:
    """``x - y``. Whole numbers wrap around, as in NumPy.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, for uint8 or bool, or if the
        dtype does not hold the number.
    """
    return apply(Subtract(), *same_kind(x, y))


def multiply(x: Operand, y: Operand) -> Node:
    """``x * y``. Whole numbers wrap around, as in NumPy.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, for uint8 or bool, or if the
        dtype does not hold the number.
    """
    return apply(Multiply(), *same_kind(x, y))


def divide(x: Operand, y: Operand) -> Node:
    """``x / y``; by 0 an infinity, or NaN for 0 / 0.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
        Whole numbers become floatx first.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64.
    """
    return apply(Divide(), *same_kind(*(floating(z) if isinstance(z, Node) else z for z in (x, y))))


def power(x: Operand, y: Operand) -> Node:
    """``x^y``; squares, roots and reciprocals by the exact operation.

    NaN for a negative x and a y that is no whole number. The derivative by y is 0 where x is not positive.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, or if the dtype is not
        floating point and y no whole number from 0 on.
    """
    if isinstance(x, Node) and not isinstance(y, Node):
        exact = {1: lambda: x, 2: lambda: multiply(x, x), 0.5: lambda: sqrt(x), -1: lambda: divide(1.0, x)}
        if y in exact and not (y in (0.5, -1) and not x.type.is_float):
            return exact[y]()
        if not x.type.is_float and isinstance(y, int | np.integer) and 0 <= y <= MOST_FACTORS:
            return _product_of(x, int(y))
    return apply(Power(), *same_kind(x, y))


MOST_FACTORS = 64


def _product_of(x: Node, count: int) -> Node:
    """So many times x, exactly: squares of squares, and what is missing."""
    if count == 0:
        return filled(x.shape, 1, x.dtype)
    half = _product_of(x, count // 2)
    return x if count == 1 else multiply(multiply(half, half), x) if count % 2 else multiply(half, half)


def maximum(x: Operand, y: Operand) -> Node:
    """The larger one; NaN if either is. Where both are equal each gets half of the gradient.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, for uint8 or bool, or if the
        dtype does not hold the number.
    """
    return apply(Maximum(), *same_kind(x, y))


def minimum(x: Operand, y: Operand) -> Node:
    """The smaller one; NaN if either is. Where both are equal each gets half of the gradient.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, for uint8 or bool, or if the
        dtype does not hold the number.
    """
    return apply(Minimum(), *same_kind(x, y))


def clip(x: Node, low: float = -math.inf, high: float = math.inf) -> Node:
    """``x`` held between two numbers; no gradient flows where it is held, nor a half of it at the very ends.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is bool, or if its dtype does not hold the numbers.
    """
    below_high = x if high == math.inf else select(x > high, high, x)
    return below_high if low == -math.inf else select(x < low, low, below_high)


def less(x: Operand, y: Operand) -> Node:
    """``x < y``, as bool; false where either is NaN.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, or for a fraction beside
        whole numbers.
    """
    return _compared(Less(), x, y)


def less_equal(x: Operand, y: Operand) -> Node:
    """``x <= y``, as bool; false where either is NaN.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, or for a fraction beside
        whole numbers.
    """
    return _compared(LessEqual(), x, y)


def equal(x: Operand, y: Operand) -> Node:
    """``x == y``, as bool; NaN equals nothing.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, or for a fraction beside
        whole numbers.
    """
    return _compared(Equal(), x, y)


def not_equal(x: Operand, y: Operand) -> Node:
    """``x != y``, as bool; NaN differs from everything, itself included.

    Shapes: x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor.
    Raises: ShapeError: if the shapes do not fit. DTypeError: for float32 beside float64, or for a fraction beside
        whole numbers.
    """
    return logical_not(equal(x, y))


def _compared(op: Op, x: Operand, y: Operand) -> Node:
    """The comparison. With a number beyond all that a dtype holds the answer is the same everywhere."""
    if isinstance(x, Node) and (beyond := _beyond(x.dtype, y)):
        return filled(x.shape, bool(op.reference(np.float64(0), np.float64(beyond))), "bool")
    if isinstance(y, Node) and (beyond := _beyond(y.dtype, x)):
        return filled(y.shape, bool(op.reference(np.float64(beyond), np.float64(0))), "bool")
    return apply(op, *same_kind(x, y))


def _beyond(dtype: str, operand: Operand) -> float:
    """An infinity for a number that is larger, or smaller, than all that the dtype holds; else 0."""
    bounds = whole_numbers(dtype)
    if bounds is None or not isinstance(operand, int | float | np.number):
        return 0.0
    return math.inf if operand > bounds[1] else -math.inf if operand < bounds[0] else 0.0


def logical_and(x: Operand, y: Operand) -> Node:
    """Where both are true.

    Shapes: x and y as NumPy broadcasts them -> that shape.
    Raises: ShapeError: if the shapes do not fit. DTypeError: if one is not bool.
    """
    return apply(LogicalAnd(), *same_kind(x, y))


def logical_or(x: Operand, y: Operand) -> Node:
    """Where at least one is true.

    Shapes: x and y as NumPy broadcasts them -> that shape.
    Raises: ShapeError: if the shapes do not fit. DTypeError: if one is not bool.
    """
    return apply(LogicalOr(), *same_kind(x, y))


def logical_not(x: Node) -> Node:
    """True where x is false.

    Shapes: x (...) -> (...).
    Raises: DTypeError: if x is not bool.
    """
    return apply(LogicalNot(), x)


def select(condition: Node, x: Operand, y: Operand) -> Node:
    """``x`` where the condition holds, else ``y``: never a mixture, so a NaN in the other one does no harm.

    Shapes: condition, x and y as NumPy broadcasts them -> that shape. A number takes the dtype of the tensor; two
        numbers are float32.
    Raises: ShapeError: if the shapes do not fit. DTypeError: if the condition is not bool, if the dtypes of x and y
        differ, or if they do not hold the number.
    """
    if not isinstance(x, Node) and not isinstance(y, Node):
        x = constant(x, "float32")
    x, y = same_kind(x, y)
    return apply(Select(), *common_shape(condition, x, y))
