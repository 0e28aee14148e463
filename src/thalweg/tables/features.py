"""From the arrays of a table to numbers that a network can learn from: all of it layers, inside the model."""

from __future__ import annotations

import itertools

from thalweg import layers
from thalweg.fields import dataclass
from thalweg.layers import Symbol
from thalweg.tables.schema import Column, Schema

__all__ = ["Features", "features", "inputs_of"]

DTYPES = {"numbers": "float32", "moments": "int64", "codes": "int32"}


@dataclass(frozen=True)
class Features:
    """Symbols of what is known of a row; None for what no column gives.

    Arguments:
        inputs: of the network, by name.
        numbers: (batch, n), without gaps, less their median and by their spread: numbers, and the days of dates.
        flags: (batch, f) from -1 to 1: 1 where a number is missing, and where dates stand in their cycles.
        codes: (batch, c) of categories: 0 missing, 1 never seen, 2 the first category.
        sizes: how many codes each of these columns has.
    """

    inputs: dict[str, Symbol]
    numbers: Symbol | None
    flags: Symbol | None
    codes: Symbol | None
    sizes: tuple[int, ...]


def inputs_of(schema: Schema) -> dict[str, Symbol]:
    """An input for each group of columns."""
    return {
        group: layers.Input((len(columns),), dtype=DTYPES[group], name=group)
        for group, columns in schema.groups.items()
    }


def features(schema: Schema) -> Features:
    """What a network for these columns begins with."""
    inputs, groups = inputs_of(schema), schema.groups
    numbers, flags = [], []
    for group in ("numbers", "moments"):
        if group in inputs:
            columns, raw = groups[group], inputs[group]
            if group == "moments":
                raw = layers.DaysSince(tuple(column.origin for column in columns))(raw)
            numbers.append(_scaled(raw, columns))
            flags += _gaps(raw, columns)
    flags += _cycles(inputs.get("moments"), groups.get("moments", ()))
    sizes = tuple(column.places for column in groups.get("codes", ()))
    return Features(inputs, _together(numbers), _together(flags), inputs.get("codes"), sizes)


def _scaled(raw: Symbol, columns: tuple[Column, ...]) -> Symbol:
    """Without gaps, and by their median and spread."""
    centers = tuple(column.center - column.offset for column in columns)
    scaling = layers.RobustScaling(centers, tuple(column.scale for column in columns))
    scaled: Symbol = scaling(layers.FillMissing(centers)(raw))
    return scaled


def _gaps(raw: Symbol, columns: tuple[Column, ...]) -> list[Symbol]:
    """Flags for the columns that have gaps in training."""
    gaps = tuple(place for place, column in enumerate(columns) if column.missing)
    return [layers.MissingFlags(gaps)(raw)] if gaps else []


def _cycles(moments: Symbol | None, dates: tuple[Column, ...]) -> list[Symbol]:
    """Of each date those of its cycles that the column reaches over; neighbours with the same ones together."""
    made, start = [], 0
    for cycles, same in itertools.groupby(dates, lambda column: column.cycles):
        stop = start + len(list(same))
        if cycles and moments is not None:
            own = moments if stop - start == len(dates) else moments[:, start:stop]
            made.append(layers.DateCycles(cycles)(own))
        start = stop
    return made


def _together(parts: list[Symbol]) -> Symbol | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    joined: Symbol = layers.Concatenate()(parts)
    return joined
