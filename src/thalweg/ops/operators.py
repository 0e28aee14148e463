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
    # NumPy's arrays must not take a node for an array of objects and add it element by element: with this they leave
    # ``array + node`` to the node, whose error says what to do.
    "__array_ufunc__": None,
}

for _name, _function in _METHODS.items():
    setattr(Node, _name, _function)
