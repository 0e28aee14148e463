"""Functions of nodes that take what only stands for nodes, too: a model's symbols, and arrays and numbers.

What such a thing makes of a call is said where the thing is: ``@stands_in(Symbol)`` above a function that gets the
function called and its arguments. A model that records operations on symbols in this way saves their names. Arrays
beside nodes become part of the graph; of arrays alone the results are arrays, computed at once by the definitions.
Which arguments are tensors their annotations say: ``Node`` or ``Operand`` for one, ``Nodes`` for several.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from thalweg import config
from thalweg.checks import ArgumentRules
from thalweg.errors import ArgumentError, GraphError
from thalweg.graph.node import Node
from thalweg.graph.types import FLOATS
from thalweg.ops.leaf import input_node
from thalweg.ops.literal import literal, named_dtype, plain_array
from thalweg.ops.reference import reference_values
from thalweg.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])
Record = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]

registry: Registry[Any] = Registry("operation")
"""The functions of tensors in ``thalweg.ops``: what a file may name."""

_records: dict[type, Record] = {}

KEYWORDS: Mapping[str, str] = {
    "x1": "x",
    "x2": "y",
    "x_min": "low",
    "x_max": "high",
    "newshape": "shape",
    "fill_value": "value",
}
"""Keras's names of arguments that are called otherwise here."""

_TENSORS = ("Node", "Operand")
"""The words in the annotations of tensors."""

_PLAIN = frozenset({Node, float, int, bool, str, tuple, type(None)})
"""Types of arguments beside a node that need no second look: the quick way for what a layer's ``call`` computes."""


def stands_in(kind: type) -> Callable[[Record], Record]:
    """Decorator: what becomes of ``function(*args, **kwargs)`` where objects of this class are among the arguments."""

    def decorate(record: Record) -> Record:
        _records[kind] = record
        return record

    return decorate


@functools.cache
def recordable(function: F) -> F:
    """``function`` of nodes, for everything that may stand for them. For one function always the same."""
    others = [str(kind) for name, kind in function.__annotations__.items() if name != "return"][1:]
    tensors = any(_is_tensor(kind) and "Operand" not in kind for kind in others)
    plain = _PLAIN - {float, int, bool} if tensors else _PLAIN

    rules: ArgumentRules | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal rules
        if rules is None:
            rules = ArgumentRules(function, left_out=_TENSORS, arithmetic=True)
        if kwargs:
            kwargs = _spelled(function, kwargs)
        if not _PLAIN.issuperset(map(type, (*args, *kwargs.values()))):
            args, kwargs = _readable(function, args, kwargs)
        args, kwargs = rules.fitted(args, kwargs)
        try:
            return answer(args, kwargs)
        except Exception as error:
            told = rules.misfit(args, kwargs, error)
            if told is error:
                raise
            raise told from error

    def answer(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        others = (*args[1:], *kwargs.values())
        if args and type(args[0]) is Node and plain.issuperset(map(type, others)):
            return function(*args, **kwargs)
        given = list(_parts((*args, *kwargs.values())))
        record = next((_records[type(part)] for part in given if type(part) in _records), None)
        if record is not None:
            return record(call, args, kwargs)
        told = _Tensors(function, args, kwargs)
        return told.in_graph() if told.nodes else told.at_once()

    return call  # type: ignore[return-value]  # of the same signature


def takes_tensors(function: Callable[..., Any]) -> bool:
    """Whether its first argument is a tensor, or several, or all that come after a string are; by the annotations."""
    annotations = [str(kind) for name, kind in function.__annotations__.items() if name != "return"]
    if annotations[:1] == ["str"] and function.__code__.co_flags & 4:
        annotations.pop(0)
    return bool(annotations) and _is_tensor(annotations[0])


def _is_tensor(annotation: str) -> bool:
    return any(word in annotation for word in _TENSORS)


def _spelled(function: Callable[..., Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments under the names that the function has."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount + function.__code__.co_kwonlyargcount]
    return {KEYWORDS[key] if key not in names and KEYWORDS.get(key) in names else key: v for key, v in kwargs.items()}


def _readable(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with dtypes by their names, and arrays that stand for sizes, axes or places as lists."""
    annotations, names = function.__annotations__, function.__code__.co_varnames[: function.__code__.co_argcount]

    def one(name: str, value: Any) -> Any:
        if name == "dtype":
            return named_dtype(value)
        listed = isinstance(value, np.ndarray) and name in annotations and not _is_tensor(str(annotations[name]))
        return value.tolist() if listed else value

    placed = [one(name, value) for name, value in zip(names, args, strict=False)]
    return (*placed, *args[len(placed) :]), {name: one(name, value) for name, value in kwargs.items()}


def _parts(arguments: tuple[Any, ...]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, list | tuple):
            yield from argument
        else:
            yield argument


class _Tensors:
    """A call whose tensors may be nodes, weights of layers, arrays, lists or numbers."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.function = function
        code, annotations = function.__code__, function.__annotations__
        self.names = names = [*code.co_varnames[: code.co_argcount]]
        rest = code.co_varnames[code.co_argcount + code.co_kwonlyargcount] if code.co_flags & 4 else ""
        places: list[tuple[int | str, str]] = [
            (i, annotations.get(names[i] if i < len(names) else rest, "")) for i in range(len(args))
        ]
        places += [(key, annotations.get(key, "")) for key in kwargs]
        self.args: dict[int | str, Any] = dict(enumerate(args)) | kwargs
        self.kinds = {
            place: kind
            for place, kind in places
            if _is_tensor(kind) and not ("None" in kind and self.args[place] is None)
        }
        for place, kind in self.kinds.items():
            given = self.args[place]
            if "Nodes" in kind:
                self.args[place] = [*map(_node_or_value, _several(function, given))]
            else:
                self.args[place] = _node_or_value(given)
        self.nodes = [part for part in self._each() if isinstance(part, Node)]

    def _each(self) -> Iterator[Any]:
        """The tensors."""
        for place, kind in self.kinds.items():
            if "Nodes" in kind:
                yield from self.args[place]
            else:
                yield self.args[place]

    def _called(self, change: Callable[[Any, str], Any]) -> Any:
        """The function's result with each tensor changed."""
        args = dict(self.args)
        for place, kind in self.kinds.items():
            given = args[place]
            args[place] = tuple(change(part, kind) for part in given) if "Nodes" in kind else change(given, kind)
        named = {key: value for key, value in args.items() if isinstance(key, str)}
        return self.function(*(value for key, value in args.items() if not isinstance(key, str)), **named)

    def in_graph(self) -> Any:
        """Beside nodes arrays become part of the graph, floats in the dtype of these; numbers stay numbers."""
        floats = [node.dtype for node in self.nodes if node.type.is_float]

        def change(part: Any, kind: str) -> Any:
            if isinstance(part, Node) or ("Operand" in kind and isinstance(part, int | float | np.number | np.bool_)):
                return part
            array = plain_array(part)
            return literal(array, floats[0] if floats and array.dtype.kind == "f" else None)

        return self._called(change)

    def _arrays(self) -> dict[str, Any]:
        """All arguments by their names, tensors as arrays."""
        return {
            place if isinstance(place, str) else self.names[place]: plain_array(part) if place in self.kinds else part
            for place, part in self.args.items()
        }

    def at_once(self) -> Any:
        """The results as arrays. Floats among the arguments have the widest dtype that one of them has."""
        arrays = [plain_array(part) for part in self._each() if not isinstance(part, int | float)]
        floats = {array.dtype.name for array in arrays if array.dtype.kind == "f"}
        dtype = max(floats, default=config.floatx())
        known: dict[Node, np.ndarray] = {}
        inside = getattr(self.function, "require_inside", None)
        if inside is not None:
            inside(**self._arrays())

        def change(part: Any, kind: str) -> Any:
            weak = (isinstance(part, float) and floats) or type(part) in (int, bool)
            if arrays and weak and "Operand" in kind:
                return part
            array = plain_array(part)
            if array.dtype.name in FLOATS:
                array = array.astype(dtype)
            node = input_node(f"x{len(known)}", array.shape, array.dtype.name)
            known[node] = array
            return node

        result = self._called(change)
        nodes = list(_nodes(result))
        with np.errstate(all="ignore"):
            values = reference_values(nodes, known)
        return _replaced(result, dict(zip(nodes, values, strict=True)))


def _several(function: Callable[..., Any], given: Any) -> Any:
    """What comes as several tensors. Raises ArgumentError for one number or none."""
    if isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.ndim):
        return given
    raise ArgumentError(
        f"{function.__name__} takes several tensors",
        expected="a list of tensors or arrays",
        got=f"{given!r:.60} ({type(given).__name__})",
        fix=f"pass them as a list: ops.{function.__name__}([x, y])",
    )


def _node_or_value(x: Any) -> Any:
    """A node as it is, of a layer's weight its node; outside of a graph the weight's value, as of anything else."""
    if isinstance(x, Node) or not hasattr(type(x), "node"):
        return x
    try:
        return x.node
    except GraphError:
        return np.asarray(x)


def _nodes(result: Any) -> Iterator[Node]:
    """The nodes among what a function gave."""
    if isinstance(result, list | tuple):
        for part in result:
            yield from _nodes(part)
    elif isinstance(result, Node):
        yield result


def _replaced(result: Any, values: Mapping[Node, np.ndarray]) -> Any:
    """What a function gave, with arrays in place of nodes."""
    if isinstance(result, list | tuple):
        return type(result)(_replaced(part, values) for part in result)
    return np.asarray(values[result]) if isinstance(result, Node) else result
