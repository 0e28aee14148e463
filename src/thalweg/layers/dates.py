"""Moments as numbers to learn from: how long ago, and where in the year, the month, the week and the day."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from thalweg import ops
from thalweg.checks import NotEmpty, OneOf
from thalweg.errors import DTypeError
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.categories import require_sizes
from thalweg.layers.layer import Layer, registry
from thalweg.ops.literal import literal

__all__ = ["DateCycles", "DaysSince"]

DAY = 86_400_000_000
"""Microseconds."""
NOT_A_TIME = int(np.iinfo(np.int64).min)
"""What NumPy's NaT is as a number."""


@registry.register("days_since")
@dataclass(eq=False)
class DaysSince(Layer):
    """How many days, with their fraction, lie between an origin and a moment; NaN where the moment is missing.

    Shapes: x (batch, columns) of int64, microseconds since the beginning of 1970 -> (batch, columns).

    Numerics: the difference is one of whole numbers; only then it becomes a float.

    Arguments:
        origins: of each column, in microseconds since the beginning of 1970.
    """

    origins: Annotated[tuple[int, ...], NotEmpty()]

    def build(self, x: TensorType) -> None:
        require_moments(x)
        require_sizes(x, self.origins)

    def call(self, x: Node, training: bool) -> Node:
        missing = ops.equal(x, NOT_A_TIME)
        since = ops.select(missing, 0, x) - ops.broadcast(
            literal(np.array(self.origins, np.int64), "int64"), x.shape, (1,)
        )
        days = ops.cast(ops.cast(since, "float64") / DAY, self.compute_dtype)
        return ops.select(missing, math.nan, days)


@registry.register("date_cycles")
@dataclass(eq=False)
class DateCycles(Layer):
    """Sine and cosine of where a moment stands in each cycle; 0 and 0 where it is missing.

    Both together say it without a jump: the 31st of December is beside the 1st of January. The year and the month are
    those of the Gregorian calendar, a week begins on Monday, and a day at midnight.

    Shapes: x (batch, columns) of int64, microseconds since the beginning of 1970 -> (batch, columns * cycles * 2).

    Source: Hinnant (2014), "chrono-compatible low-level date algorithms", civil_from_days.
    """

    cycles: Annotated[tuple[Annotated[str, OneOf("year", "month", "week", "day")], ...], NotEmpty()] = (
        "year",
        "month",
        "week",
        "day",
    )

    def build(self, x: TensorType) -> None:
        require_moments(x)

    def call(self, x: Node, training: bool) -> Node:
        missing = ops.equal(x, NOT_A_TIME)
        known = ops.select(missing, 0, x)
        whole = ops.floor_divide(known, DAY)
        time = ops.cast(known - whole * DAY, "float64") / DAY
        day = ops.cast(whole, "float64")
        parts = []
        for cycle in self.cycles:
            angle = ops.cast(_turns(day, time, cycle), self.compute_dtype) * (2 * math.pi)
            parts += [ops.select(missing, 0.0, wave(angle)) for wave in (ops.sin, ops.cos)]
        shape = (*x.shape, len(parts))
        each = tuple(ops.reshape(part, (*x.shape, 1)) for part in parts)
        return ops.reshape(ops.concatenate(each, 2), (shape[0], shape[1] * shape[2]))


def _turns(day: Node, time: Node, cycle: str) -> Node:
    """Which share of its cycle has passed. Arguments: whole days since 1970, and the share of the last one."""
    if cycle == "day":
        return time
    if cycle == "week":
        return (ops.mod(day + 3.0, 7.0) + time) / 7.0  # 1970 began on a Thursday
    of_era = ops.mod(day + 719_468.0, 146_097.0)  # since a 1st of March of a year that 400 divides
    less = ops.floor(of_era / 1460.0) - ops.floor(of_era / 36_524.0) + ops.floor(of_era / 146_096.0)
    year = ops.floor((of_era - less) / 365.0)
    of_year = of_era - (365.0 * year + ops.floor(year / 4.0) - ops.floor(year / 100.0))
    if cycle == "year":
        return (of_year + time) / 366.0
    month = ops.floor((5.0 * of_year + 2.0) / 153.0)
    return (of_year - ops.floor((153.0 * month + 2.0) / 5.0) + time) / 31.0


def require_moments(x: TensorType) -> None:
    """Raise DTypeError for anything but int64, which alone holds a microsecond of this century."""
    if x.dtype != "int64":
        raise DTypeError(
            "the input holds no moments",
            expected="int64, microseconds since 1970: moments.astype('datetime64[us]').astype('int64')",
            got=x.dtype,
            fix="declare the input with Input(shape, dtype='int64')",
        )
