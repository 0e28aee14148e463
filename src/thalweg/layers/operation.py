"""Operations on symbols: ``x + y`` and the functions of ``thalweg.ops`` between the layers of a functional model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thalweg import activations, config, ops
from thalweg.errors import ArgumentError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.initializers import Constant
from thalweg.layers.layer import Layer, registry
from thalweg.layers.symbols import Symbol
from thalweg.ops.recording import stands_in
from thalweg.registry import Registry

__all__ = ["Operation"]


@registry.register("operation")
@dataclass(eq=False)
class Operation(Layer):
    """A function of nodes as a layer: what ``x + y`` and ``ops.relu(x)`` on symbols become.

    Arrays among the arguments are kept with the model, as parameters that are not trained. Floats beside floating point
    symbols have the dtype of these.

    Shapes: those of the function.

    Arguments:
        function: ``"ops.add"``, ``"activations.gelu"``: the name of one of these, or the function itself.
        arguments, options: positional and by name, in JSON types, as ``described`` gives them: ``{"symbol": 0}`` stands
            for the first input of the layer.
    """

    function: str | Callable[..., Any]
    arguments: tuple[Any, ...] = ({"symbol": 0},)
    options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.does = _found(self.function) if isinstance(self.function, str) else self.function
        self.function = _name(self.does)

    def base_name(self) -> str:
        return str(self.does.__name__)

    def build(self, *types: TensorType) -> None:
        self.arrays: list[Any] = []
        for described in _arrays((self.arguments, self.options)):
            values, dtype = described["array"], described["dtype"]
            name = f"array_{len(self.arrays)}" if self.arrays else "array"
            self.arrays.append(self.parameter(name, np.shape(values), Constant(values), trainable=False, dtype=dtype))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """None, as in Keras: what a function makes of masked places it does not say."""

    def call(self, *inputs: Node) -> Any:
        floats = [x.dtype for x in inputs if x.type.is_float]
        nodes = [array.node for array in self.arrays]
        arrays = iter([ops.cast(node, floats[0]) if floats and node.type.is_float else node for node in nodes])

        def value(described: Any) -> Any:
            if isinstance(described, list | tuple):
                return tuple(map(value, described))
            if not isinstance(described, Mapping):
                return described
            if "symbol" in described:
                return inputs[described["symbol"]]
            if "array" in described:
                return next(arrays)
            return slice(*described["slice"]) if "slice" in described else Ellipsis

        positional = value(self.arguments)
        result = self.does(*positional, **{key: value(given) for key, given in (self.options or {}).items()})
        return tuple(result) if isinstance(result, list) else result


def _homes() -> Mapping[str, Registry[Any]]:
    return {"ops": ops.registry, "activations": activations.registry}


def _found(name: str) -> Callable[..., Any]:
    """The function of a name as ``"ops.add"``. Raises NameNotFoundError."""
    home, _, own = name.rpartition(".")
    return _homes().get(home, ops.registry).find(own)


def _name(function: Callable[..., Any]) -> str:
    """The inverse. Raises ArgumentError for a function that a file cannot name."""
    for home, known in _homes().items():
        if any(function is entry for _, entry in known.items()):
            return f"{home}.{known.name_of(function)}"
    raise ArgumentError(
        "Operation: argument 'function' does not fit its rule",
        expected="a function of thalweg.ops, or a registered activation",
        got=f"{function!r:.80}",
        fix="put a function of your own into an Activation layer, or write a layer",
    )


def _arrays(described: Any) -> list[Mapping[str, Any]]:
    """The descriptions of arrays among the arguments, in their order."""
    if isinstance(described, Mapping):
        return [described] if "array" in described else [a for part in described.values() for a in _arrays(part)]
    return [a for part in described for a in _arrays(part)] if isinstance(described, list | tuple) else []


def described(value: Any, symbols: list[Symbol]) -> Any:
    """An argument in JSON types; the symbols in it are added to ``symbols``.

    Raises: ArgumentError for what a model cannot keep.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Symbol):
        symbols.append(value)
        return {"symbol": len(symbols) - 1}
    if isinstance(value, list | tuple):
        return tuple(described(part, symbols) for part in value)
    if isinstance(value, slice):
        return {"slice": (value.start, value.stop, value.step)}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, np.ndarray | np.generic):
        dtype = _dtypes().get(value.dtype.kind) if value.dtype.name != "uint32" else "uint32"
        if dtype is not None and np.isfinite(value).all():
            return {"array": value.tolist(), "dtype": dtype} if value.ndim else value.item()
    raise ArgumentError(
        "an operation on symbols has an argument that a model cannot keep",
        expected="symbols, numbers, strings, slices, lists of these, and arrays of finite numbers",
        got=f"{value!r:.80} ({type(value).__name__})",
        fix="make it an input of the model, or write a layer with it as a parameter",
    )


def _dtypes() -> dict[str, str]:
    """What arrays become, by the kind of their dtype."""
    return {"f": config.floatx(), "i": "int32", "u": "int32", "b": "bool"}


@stands_in(Symbol)
def record(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The operation as a layer called on the symbols among its arguments."""
    symbols: list[Symbol] = []
    arguments = described(args, symbols)
    options = {key: described(value, symbols) for key, value in kwargs.items()}
    return Operation(function, arguments, options or None)(*symbols)
