"""The operators ``+ - * / ** @ < [...]``. Importing this module gives them to nodes and to what stands in for them."""

from __future__ import annotations

from typing import Any

from thalweg.errors import GraphError
from thalweg.graph.node import Node
from thalweg.graph.operators import Operators
from thalweg.ops import elementwise, shape
from thalweg.ops.matmul import matmul
from thalweg.ops.recording import recordable

add = recordable(elementwise.add)
subtract = recordable(elementwise.subtract)
multiply = recordable(elementwise.multiply)
divide = recordable(elementwise.divide)
power = recordable(elementwise.power)
matmul = recordable(matmul)
negate = recordable(elementwise.negate)
absolute = recordable(elementwise.absolute)
less = recordable(elementwise.less)
less_equal = recordable(elementwise.less_equal)
logical_and = recordable(elementwise.logical_and)
logical_or = recordable(elementwise.logical_or)
logical_not = recordable(elementwise.logical_not)
take_slice = recordable(shape.take_slice)


def _swapped(function: Any) -> Any:
    return lambda x, y: function(y, x)


def _no_truth(node: Node) -> bool:
    raise GraphError(
        "a tensor of the graph is neither true nor false: it has no numbers yet",
        expected="a decision that the graph makes when it runs",
        got=f"{node!r} in an if, a while, an `and`, an `or` or bool()",
        fix="use ops.select(condition, x, y), or & and | and ~",
    )


def _no_ufunc(node: Node, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """NumPy asks the node before it would take it for an array of objects and work on it element by element."""
    operator = _OF_UFUNCS.get(ufunc.__name__)
    if operator is not None and method == "__call__" and options.keys() <= {"out"}:  # which ``array += node`` says
        return operator(*inputs)  # whose error says what to do with an array from outside
    raise GraphError(
        f"NumPy's {ufunc.__name__} cannot be applied to a tensor of the graph: it has no numbers yet",
        expected="an expression made with + - * / and thalweg.ops",
        got=f"np.{ufunc.__name__} of {', '.join(map(str, inputs))}",
        fix="use the function of thalweg.ops: ops.exp, ops.square, ops.reduce_mean ...",
    )


_OF_UFUNCS = {
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "power": power,
    "matmul": matmul,
    "less": less,
    "less_equal": less_equal,
    "greater": _swapped(less),
    "greater_equal": _swapped(less_equal),
}

METHODS = {
    "__add__": add,
    "__radd__": _swapped(add),
    "__sub__": subtract,
    "__rsub__": _swapped(subtract),
    "__mul__": multiply,
    "__rmul__": _swapped(multiply),
    "__truediv__": divide,
    "__rtruediv__": _swapped(divide),
    "__pow__": power,
    "__rpow__": _swapped(power),
    "__matmul__": matmul,
    "__rmatmul__": _swapped(matmul),
    "__neg__": negate,
    "__abs__": absolute,
    "__lt__": less,
    "__le__": less_equal,
    "__gt__": _swapped(less),
    "__ge__": _swapped(less_equal),
    "__and__": logical_and,
    "__or__": logical_or,
    "__invert__": logical_not,
    "__getitem__": take_slice,
    "__bool__": _no_truth,
    "__array_ufunc__": _no_ufunc,
}

for _name, _function in METHODS.items():
    setattr(Operators, _name, _function)
