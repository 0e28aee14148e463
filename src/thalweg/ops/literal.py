"""Arrays from outside in the graph: numbers that are known when the graph is made."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import config
from thalweg.data.arrays import as_array, converted
from thalweg.errors import DTypeError, GraphError
from thalweg.graph.node import Node, apply
from thalweg.graph.types import DTYPES, FLOATS
from thalweg.ops.broadcast import filled
from thalweg.ops.elementwise import Less, Select, add, multiply
from thalweg.ops.leaf import held, iota
from thalweg.ops.shape import reshape

__all__ = ["literal"]

MOST_RUNS = 512
"""So many runs of equal numbers an array may have that is not regular: each becomes one choice in the code."""

WIDER = {"float16": "float32", "longdouble": "float64", "int8": "int32", "int16": "int32", "uint16": "int32"}
"""Dtypes that graphs do not have, and the next one that holds all of their numbers."""


def named_dtype(dtype: Any) -> Any:
    """A dtype by its name in graphs: of ``np.float32``, of ``float`` (floatx), of ``int`` (int32); of None None.

    Raises: DTypeError for one that graphs do not have.
    """
    if dtype is None or (isinstance(dtype, str) and dtype in DTYPES):
        return dtype
    if isinstance(dtype, type) and issubclass(dtype, int | float):
        return "bool" if dtype is bool else "int32" if dtype is int else config.floatx()
    try:
        name = np.dtype(dtype).name
    except (TypeError, ValueError):
        name = ""
    if name in DTYPES:
        return name
    raise DTypeError(
        "there is no such dtype",
        expected=", ".join(DTYPES),
        got=f"{dtype!r:.60}",
        fix="choose 'float32' for fractions, 'int32' for whole numbers",
    )


def plain_array(values: Any, what: str = "x") -> np.ndarray:
    """What a user hands in as an array of a dtype that graphs have.

    Arrays keep theirs if they can; Python's numbers and lists of them are floatx, int32 (int64 if they must) or bool.

    Raises: DTypeError if there are no numbers in it; DataError for numbers beyond int64.
    """
    if values is None:
        raise DTypeError(
            f"{what} is missing", expected="a tensor, an array, a list or a number", got="None", fix=f"pass {what}"
        )
    array = as_array(values, what)
    name = array.dtype.name
    if isinstance(values, int | float | list | tuple) and not _typed(values):
        small = array.dtype.kind == "i" and (not array.size or abs(array).max() < 2**31)
        name = {"f": config.floatx(), "i": "int32" if small else "int64"}.get(array.dtype.kind, name)
    if name not in DTYPES:
        name = WIDER.get(name, "float64" if array.dtype.kind == "f" else "int64")
    return converted(array.reshape(-1), name, what).reshape(array.shape)


def _typed(values: Any) -> bool:
    """Whether some part of nested lists is an array, whose dtype is meant."""
    if isinstance(values, list | tuple):
        return any(map(_typed, values))
    return isinstance(values, np.ndarray)


def literal(values: Any, dtype: str | None = None) -> Node:
    """An array from outside as a tensor of the graph.

    Shapes: -> that of the values.
    Raises: GraphError: for a long array without any regularity. DTypeError: if the dtype does not hold the numbers.
    Numerics: equal numbers are one number, repeated; what rises evenly is counted; other numbers are chosen by their
    place, for each run of equal ones one choice.
    """
    array = plain_array(values)
    array = array if dtype is None else array.astype(_holding(array, dtype))
    name, flat = array.dtype.name, array.reshape(-1)
    if not flat.size or (flat == flat[0]).all():
        return filled(array.shape, flat[0].item() if flat.size else 0, name)
    if (even := _even(flat)) is not None:
        return reshape(even, array.shape)
    starts = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist()]
    if len(starts) > MOST_RUNS:
        raise GraphError(
            "a long array from outside meets a tensor of the graph",
            expected=f"at most {MOST_RUNS} runs of equal numbers, which become part of the code",
            got=f"{len(starts)} in an array of shape {array.shape}",
            fix="let it come in as an argument of the function, an input of the model, or a weight of a layer",
        )
    return reshape(_chosen(iota(flat.shape, 0, "int32"), starts, flat), array.shape)


def _holding(array: np.ndarray, dtype: str) -> str:
    """The dtype, if it holds the array's numbers. Raises DTypeError if it does not."""
    if dtype not in FLOATS:
        for value in (array.min(initial=0), array.max(initial=0)):
            held(value.item(), dtype)
    return dtype


def _even(flat: np.ndarray) -> Node | None:
    """The numbers as ``first + step * place``, if they are just these."""
    if flat.dtype.kind not in "if":
        return None
    first, step = flat[0], flat[1] - flat[0]
    with np.errstate(all="ignore"):
        if not np.array_equal(first + step * np.arange(flat.size, dtype=flat.dtype), flat):
            return None
    places = iota(flat.shape, 0, flat.dtype.name)
    places = places if step == 1 else multiply(places, step.item())
    return places if first == 0 else add(places, first.item())


def _chosen(place: Node, starts: list[int], flat: np.ndarray) -> Node:
    """The number of the run that a place is in: half of the runs lie before a place in the middle."""
    if len(starts) == 1:
        return filled(flat.shape, flat[starts[0]].item(), flat.dtype.name)
    middle = len(starts) // 2
    before = apply(Less(), place, filled(flat.shape, starts[middle], "int32"))
    return apply(Select(), before, _chosen(place, starts[:middle], flat), _chosen(place, starts[middle:], flat))
