"""Gives nodes their ``+ - * / ** @ < [...]``. Importing this module is what does it."""

from __future__ import annotations

from typing import Any

from thalweg.errors import GraphError
from thalweg.graph.node import Node
from thalweg.ops import elementwise as e
from thalweg.ops.contraction import matmul
from thalweg.ops.shape import take_slice


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
    if operator is not None and method == "__call__" and not options:
        return operator(*inputs)  # whose error says what to do with an array from outside
    raise GraphError(
        f"NumPy's {ufunc.__name__} cannot be applied to a tensor of the graph: it has no numbers yet",
        expected="an expression made with + - * / and thalweg.ops",
        got=f"np.{ufunc.__name__} of {', '.join(map(str, inputs))}",
        fix="use the function of thalweg.ops: ops.exp, ops.square, ops.reduce_mean ...",
    )


_OF_UFUNCS = {
    "add": e.add,
    "subtract": e.subtract,
    "multiply": e.multiply,
    "divide": e.divide,
    "power": e.power,
    "matmul": matmul,
    "less": e.less,
    "less_equal": e.less_equal,
    "greater": _swapped(e.less),
    "greater_equal": _swapped(e.less_equal),
}

_METHODS = {
    "__add__": e.add,
    "__radd__": _swapped(e.add),
    "__sub__": e.subtract,
    "__rsub__": _swapped(e.subtract),
    "__mul__": e.multiply,
    "__rmul__": _swapped(e.multiply),
    "__truediv__": e.divide,
    "__rtruediv__": _swapped(e.divide),
    "__pow__": e.power,
    "__rpow__": _swapped(e.power),
    "__matmul__": matmul,
    "__rmatmul__": _swapped(matmul),
    "__neg__": e.negate,
    "__abs__": e.absolute,
    "__lt__": e.less,
    "__le__": e.less_equal,
    "__gt__": _swapped(e.less),
    "__ge__": _swapped(e.less_equal),
    "__and__": e.logical_and,
    "__or__": e.logical_or,
    "__invert__": e.logical_not,
    "__getitem__": take_slice,
    "__bool__": _no_truth,
    "__array_ufunc__": _no_ufunc,
}

for _name, _function in _METHODS.items():
    setattr(Node, _name, _function)
