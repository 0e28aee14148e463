"""Keras's functions of functions. Graphs have no branches and no loops: both branches are computed, loops drawn out.

On arrays, or with Python's numbers as bounds, they are what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from thalweg.errors import GraphError, ShapeError
from thalweg.ops.arithmetic import where
from thalweg.ops.arrangement import stack
from thalweg.ops.creation import is_tensor
from thalweg.ops.recording import recordable

__all__ = ["associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map", "while_loop"]

_where = recordable(where)
_stack = recordable(stack)


def _together(results: Sequence[Any], combine: Callable[..., Any]) -> Any:
    """A function of equal parts of several trees."""
    first = results[0]
    if isinstance(first, dict):
        return {key: _together([result[key] for result in results], combine) for key in first}
    if isinstance(first, list | tuple):
        return type(first)(_together(parts, combine) for parts in zip(*results, strict=True))
    return first if first is None else combine(*results)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What ``true_fn`` gives if ``pred`` holds, else what ``false_fn`` gives; of a node both, and then one is chosen.

    Shapes: pred () -> those of the functions, which are equal.
    """
    if not is_tensor(pred):
        return true_fn() if pred else false_fn()
    return _together([true_fn(), false_fn()], lambda x, y: _where(pred, x, y))


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the branch of that number gives; the first or last one for numbers outside.

    Shapes: index () -> those of the branches, which are equal.
    """
    if not is_tensor(index):
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)
    result = branches[-1](*operands)
    for i, branch in reversed(list(enumerate(branches[:-1]))):
        result = _together([branch(*operands), result], lambda x, y, i=i: _where(index < i + 1, x, y))
    return result


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """``body_fun(i, value)`` for each number from ``lower`` to below ``upper``. Shapes: those of the value."""
    value = init_val
    for i in range(lower, upper):
        value = body_fun(i, value)
    return value


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """``body`` of its own results as long as ``cond`` holds for them. Shapes: those of ``loop_vars``.

    Raises: GraphError: if the condition is a tensor of the graph, whose loops must end at a known number.
    """
    several = isinstance(loop_vars, list | tuple)
    values, turns = (tuple(loop_vars) if several else (loop_vars,)), 0
    while maximum_iterations is None or turns < maximum_iterations:
        going_on = cond(*values)
        if is_tensor(going_on):
            raise GraphError(
                "a loop of the graph must end at a known number of turns",
                expected="a condition on Python's numbers or arrays",
                got=f"a condition that gives {going_on!r}",
                fix="use fori_loop with the largest number of turns, and where() for those that are done",
            )
        if not going_on:
            break
        result = body(*values)
        values, turns = (tuple(result) if isinstance(result, list | tuple) else (result,)), turns + 1
    return type(loop_vars)(values) if several else values[0]


def _first_axis(xs: Any) -> int:
    while isinstance(xs, dict | list | tuple):
        xs = next(iter(xs.values() if isinstance(xs, dict) else xs))
    shape = (xs if is_tensor(xs) else np.asarray(xs)).shape
    if not shape or shape[0] is None:
        raise ShapeError(
            "there are no parts along a first axis",
            expected="arrays with a first axis whose size is known",
            got=f"shape {shape}",
            fix="compute with the whole array: functions of thalweg.ops take all samples at once",
        )
    return int(shape[0])


def _part(xs: Any, i: int) -> Any:
    return _together([xs], lambda x: (x if is_tensor(x) else np.asarray(x))[i])


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """The function of each part along the first axis, stacked. Shapes: xs (n, ...) -> (n, ...)."""
    results = [f(_part(xs, i)) for i in range(_first_axis(xs))]
    return _together(results, lambda *parts: _stack(list(parts)))


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """As map. Shapes: elements (n, ...) -> (n, ...)."""
    return map(function, elements)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """``carry, y = f(carry, x)`` along the first axis: the last carry, and all y stacked.

    Shapes: xs (n, ...) -> the carry, (n, ...).
    """
    count = _first_axis(xs) if xs is not None else int(length or 0)
    carry, ys = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, None if xs is None else _part(xs, i))
        ys.append(y)
    ys = ys[::-1] if reverse else ys
    return carry, _together(ys, lambda *parts: _stack(list(parts))) if ys else None


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All parts up to each along the first axis put together by a function. Shapes: elems (n, ...) -> (n, ...).

    Raises: GraphError: for another axis than the first.
    """
    if axis:
        raise GraphError(
            "associative_scan works along the first axis",
            expected="axis=0",
            got=f"axis={axis}",
            fix="use moveaxis first",
        )
    n = _first_axis(elems)
    order = range(n - 1, -1, -1) if reverse else range(n)
    # f takes stacks of parts, as Keras hands them over: here one at a time
    parts = [_together([elems], lambda x, i=i: (x if is_tensor(x) else np.asarray(x))[i : i + 1]) for i in order]
    for i in range(1, n):
        parts[i] = f(parts[i - 1], parts[i])
    parts = parts[::-1] if reverse else parts
    return _together(parts, lambda *rows: _stack([row[0] for row in rows]))
