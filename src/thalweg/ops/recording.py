"""Functions of nodes that take what only stands for nodes, too: a model's symbols, and, where that is wanted, arrays.

What such a thing makes of a call is said where the thing is: ``@stands_in(Symbol)`` above a function that gets the
function called and its arguments. A model that records operations on symbols in this way saves their names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from thalweg.graph.node import Node
from thalweg.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])
Record = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

registry: Registry[Any] = Registry("operation")
"""The functions of tensors in ``thalweg.ops``: what a file may name."""

_records: dict[type, Record] = {}


def stands_in(kind: type) -> Callable[[Record], Record]:
    """Decorator: what becomes of ``function(*args, **kwargs)`` where objects of this class are among the arguments."""

    def decorate(record: Record) -> Record:
        _records[kind] = record
        return record

    return decorate


@functools.cache
def recordable(function: F) -> F:
    """``function`` of nodes, which records the call where something stands in for nodes. For one function always the
    same.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) is Node:
            return function(*args, **kwargs)
        record = _record((*args, *kwargs.values()))
        return function(*args, **kwargs) if record is None else record(call, args, kwargs)

    return call  # type: ignore[return-value]  # of the same signature


def takes_tensors(function: Callable[..., Any]) -> bool:
    """Whether its first argument is a tensor, or several; by its annotation."""
    first = next(iter(function.__annotations__.values()), "")
    return any(word in str(first) for word in ("Node", "Operand"))


def _record(arguments: Iterable[Any]) -> Record | None:
    for argument in arguments:
        for part in argument if isinstance(argument, list | tuple) else (argument,):
            record = _records.get(type(part))
            if record is not None:
                return record
    return None
