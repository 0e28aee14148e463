"""How tensors come to a layer, for messages: through which layers, and in what shapes."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.layers.symbols import Symbol

MOST = 8
"""Stations shown of a way; of a longer one the first and the last of them."""


def route(inputs: Sequence[Symbol]) -> str:
    """``the way there: input (28, 28, 1) -> conv2d (26, 26, 4)``; of several inputs a line each, from where they part.

    Behind a layer of several inputs the way of the first one is followed.
    """
    ways = [_way(symbol) for symbol in inputs]
    if len(ways) == 1:
        return f"the way there: {_shown(ways[0])}"
    shared = 0
    while all(len(way) > shared + 1 and way[shared + 1] is ways[0][shared + 1] for way in ways):
        shared += 1
    if any(way[0] is not ways[0][0] for way in ways):
        shared = 0
    return "\n".join(f"input {i} came: {_shown(way[shared:])}" for i, way in enumerate(ways, 1))


def _way(symbol: Symbol) -> list[Symbol]:
    """From an Input to this."""
    way = [symbol]
    while way[-1].call is not None:
        way.append(way[-1].call.inputs[0])
    return way[::-1]


def _shown(way: list[Symbol]) -> str:
    stations = [
        f"{symbol.call.layer.label if symbol.call else symbol.name or 'input'} {_sample(symbol)}" for symbol in way
    ]
    if len(stations) > MOST:
        stations = [stations[0], "...", *stations[2 - MOST :]]
    return " -> ".join(stations)


def _sample(symbol: Symbol) -> str:
    return f"({', '.join(map(str, symbol.shape[1:]))}{',' * (symbol.rank == 2)})"
