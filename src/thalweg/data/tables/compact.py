"""Numbers in less room than they have as values: whole ones in few bytes, decimal ones as whole ones and a divisor.

12.34 is 1234 / 100 to the last bit: the nearest float64 to the decimal number is what a file's reader gives, and what
the division of two whole numbers gives. So most of what people have written down fits into half of the room.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.data.room import is_mapped
from thalweg.data.tables.blocks import in_blocks
from thalweg.fields import dataclass

__all__ = ["Compact", "compacted"]

DIVISORS = tuple(10.0**places for places in range(7))
GAP, MINUS_ZERO = -(2**31), -(2**31) + 1
"""Stand for a number that is missing, and for -0.0, which tables have that somebody rounded."""
LARGEST = 2**31 - 2
FIRST = 4096
"""So many of a column's numbers say by what it may be divided; all of them are held against it."""


@dataclass(frozen=True)
class Compact:
    """A column of numbers that are made when they are asked for.

    Arguments:
        whole: (rows,) whole numbers.
        divisor: of values that are float64; None for values that are int64.
    """

    whole: np.ndarray
    divisor: float | None = None

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, rows: Any) -> Compact:
        return Compact(self.whole[rows], self.divisor)

    def array(self) -> np.ndarray:
        """The values. Shapes: -> (rows,) float64 or int64."""
        if self.divisor is None:
            return self.whole.astype(np.int64)
        values: np.ndarray = self.whole / self.divisor
        odd = self.whole < -LARGEST
        if odd.any():
            values[odd] = np.where(self.whole[odd] == GAP, np.nan, -0.0)
        return values


def compacted(values: np.ndarray) -> np.ndarray | Compact:
    """The same numbers to the bit, in less room if that can be and matters. Shapes: (rows,) float64 or int64."""
    if is_mapped(values):
        return values
    return _whole(values) if values.dtype.kind == "i" else _decimal(values)


def _whole(values: np.ndarray) -> np.ndarray | Compact:
    least, most = (values.min(), values.max()) if len(values) else (0, 0)
    for dtype in (np.int8, np.int16, np.int32):
        if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
            return Compact(values.astype(dtype))
    return values


def _decimal(values: np.ndarray) -> np.ndarray | Compact:
    first = values[:FIRST]
    divisor = next((one for one in DIVISORS if _times(first, one) is not None), None)
    if divisor is None:
        return values
    whole = np.empty(len(values), np.int32)
    fits = []

    def put(block: slice) -> None:
        own = _times(values[block], divisor)
        fits.append(own is not None)
        if own is not None:
            whole[block] = own

    in_blocks(len(values), put)
    return Compact(whole, divisor) if all(fits) else values


def _times(values: np.ndarray, divisor: float) -> np.ndarray | None:
    """The values by the divisor as whole numbers; None if these would not give the same bits again."""
    with np.errstate(over="ignore"):
        scaled = np.rint(values * divisor)
    if (np.abs(scaled) > LARGEST).any():
        return None
    scaled[np.isnan(scaled)] = GAP
    whole = scaled.astype(np.int32)
    zeros = whole == 0
    if zeros.any():
        whole[zeros] = np.where(np.signbit(scaled[zeros]), MINUS_ZERO, 0)
    again = Compact(whole, divisor).array()
    return whole if np.array_equal(again.view(np.int64), values.view(np.int64)) else None
