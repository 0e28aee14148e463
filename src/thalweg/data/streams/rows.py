"""Rows that have numbers, and are fetched by them when steps need them: in files, or in other libraries' data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from thalweg.data.source import Place, Turn, shuffled
from thalweg.data.streams.parts import Parts
from thalweg.trees import Tree

__all__ = ["PART_BYTES", "NumberedRows"]

PART_BYTES = 2 << 20
"""Of rows that are fetched together."""


class NumberedRows(Parts):
    """Rows by their numbers. Their order is of the seed and the pass alone, and is not worked out before it is needed.

    Arguments:
        take: gives the rows of these numbers.
        row_bytes: of a row, or an estimate.
        run: rows that lie next to each other in their file, and stay together until they are in memory.
        buffer: rows, of several runs, that are shuffled among each other. Both matter only for runs of several rows.
        runs_move: whether the runs are shuffled before that.
    """

    own = False

    def __init__(
        self,
        name: str,
        count: int,
        take: Callable[[np.ndarray], Tree],
        row_bytes: int,
        run: int = 1,
        buffer: int = 1,
        runs_move: bool = True,
    ) -> None:
        self.name = name
        self.count = count
        self.take = take
        self.step = max(1, PART_BYTES // max(row_bytes, 1))
        self.run, self.buffer, self.runs_move = run, max(buffer, run), runs_move

    def first(self) -> Tree:
        if not self.count:
            raise StopIteration
        return self.take(np.arange(min(self.count, 32)))

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        done = 0
        for rows in self._order(turn):
            left = rows[max(start.rows - done, 0) :]
            done += len(rows)
            for first in range(0, len(left), self.step):
                yield self.take(left[first : first + self.step])

    def _order(self, turn: Turn) -> Iterator[np.ndarray]:
        """The numbers of the rows, in pieces whose sizes are known without working them out."""
        if turn.shuffle and self.run == 1 and self.runs_move:
            yield shuffled(self.count, turn.seed, turn.number)
            return
        runs = np.arange(-(-self.count // self.run))
        if turn.shuffle and self.runs_move:
            runs = shuffled(len(runs), turn.seed, turn.number)
        together = self.buffer // self.run
        for part, first in enumerate(range(0, len(runs), together)):
            rows = (runs[first : first + together, None] * self.run + np.arange(self.run)).reshape(-1)
            rows = rows[rows < self.count]
            yield rows[shuffled(len(rows), turn.seed, turn.number, part + 1)] if turn.shuffle else rows

    def fingerprint(self) -> dict[str, Any]:
        return {"stream": self.name, "rows": self.count}
