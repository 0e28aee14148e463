"""From the symbols that a model is made of to the uses of the layers between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.errors import ArgumentError, GraphError
from thalweg.layers.symbols import Call, Symbol

Parts = Symbol | Sequence[Symbol] | Mapping[str, Symbol]


def parts(given: Any, what: str) -> dict[str, Symbol]:
    """Symbols by label: "x" or "x/<name>" for inputs, "" or the name for outputs."""
    if isinstance(given, Symbol):
        return {"x" if what == "inputs" else "": given}
    named = dict(given) if isinstance(given, Mapping) else None
    symbols = list(named.values()) if named is not None else list(given) if isinstance(given, Sequence) else []
    if not symbols or not all(isinstance(symbol, Symbol) for symbol in symbols):
        raise ArgumentError(
            f"Model: argument {what!r} does not fit its rule",
            expected="what Input(...) or a layer called on it gave, or a list or mapping of these",
            got=f"{given!r:.80} ({type(given).__name__})",
            fix="call layers on Input(shape=...) and pass the results",
        )
    if len(symbols) == 1 and named is None:
        return parts(symbols[0], what)
    names = list(named) if named is not None else _names(symbols, what)
    return {f"x/{name}" if what == "inputs" else name: s for name, s in zip(names, symbols, strict=True)}


def _names(symbols: Sequence[Symbol], what: str) -> list[str]:
    """The symbols' own names, those of the layers that made them, or numbers."""
    names: list[str] = []
    for number, symbol in enumerate(symbols):
        base = symbol.name or (symbol.call.layer.label if symbol.call else f"{what[:-1]}_{number}")
        names.append(base if base not in names else f"{base}_{number}")
    return names


def calls(inputs: Mapping[str, Symbol], outputs: Mapping[str, Symbol]) -> list[Call]:
    """The layer calls between inputs and outputs, each after those that it needs."""
    given = set(inputs.values())
    order: dict[Call, None] = {}
    stack = [(symbol, False) for symbol in reversed(list(outputs.values()))]
    while stack:
        symbol, ready = stack.pop()
        if symbol in given or symbol.call in order:
            continue
        if symbol.call is None:
            raise GraphError(
                "an output needs an Input that is none of the model's",
                expected="outputs that come from the inputs alone",
                got=f"Input of shape {symbol.shape}" + (f" called {symbol.name!r}" if symbol.name else ""),
                fix="add it to inputs=",
            )
        if ready:
            order[symbol.call] = None
        else:
            stack.append((symbol, True))
            stack.extend((x, False) for x in reversed(symbol.call.inputs))
    return list(order)
