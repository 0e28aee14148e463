"""Rows that have numbers, and are fetched by them when steps need them: pictures, other libraries' data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from thalweg.data.source import Place, Turn
from thalweg.data.streams.parts import LOOKED_AT, Parts
from thalweg.trees import Tree

__all__ = ["PART_BYTES", "NumberedRows"]

PART_BYTES = 2 << 20
"""Of rows that are fetched together."""


class NumberedRows(Parts):
    """Rows by their numbers, in an order that is of the seed and the pass alone.

    Arguments:
        take: gives the rows of these numbers.
        row_bytes: of a row, or an estimate.
    """

    own = False

    def __init__(self, name: str, count: int, take: Callable[[np.ndarray], Tree], row_bytes: int) -> None:
        self.name = name
        self.count = count
        self.take = take
        self.step = max(1, PART_BYTES // max(row_bytes, 1))

    def first(self) -> Tree:
        if not self.count:
            raise StopIteration
        return self.take(np.arange(min(self.count, LOOKED_AT)))

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        assert self.count is not None, "they are numbered"
        order = turn.order(self.count)
        rows = (np.arange(self.count) if order is None else order)[start.rows :]
        step = min(self.step, batch or self.step)  # the first step waits for no more than it needs
        for first in range(0, len(rows), step):
            yield self.take(rows[first : first + step])

    def fingerprint(self) -> dict[str, Any]:
        return {"stream": self.name, "rows": self.count}
