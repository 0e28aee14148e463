"""The rows of a training, pass after pass, in calls of some steps each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator

import numpy as np

from thalweg.data.source import Arrays, Source
from thalweg.fields import dataclass
from thalweg.training.position import Position

Call = tuple[Arrays, np.ndarray]
"""Arrays, and for each step the rows that it gets; shape (steps, batch)."""


class DataNotice(UserWarning):
    """The data end before the training."""


@dataclass(eq=False)
class Feed:
    """What the steps of a training get next.

    Arguments:
        batch: rows of a step, where the source does not say that itself.
        steps: of an epoch; None if nobody knows how many there are before it ends.
        at_once: how many of them, of so many rows each, may run in one call.
    """

    source: Source
    position: Position
    batch: int
    steps: int | None
    at_once: Callable[[int], int]
    _calls: Generator[Call] | None = None  # that are left of the pass
    _call: Call | None = None  # the next of them, if it has been looked at
    _ended: bool = False  # the pass, as far as only its end shows that
    _passes: int = 0  # that were seen to their end

    @property
    def left(self) -> int:
        """Steps that the epoch has yet to make, as far as that is known."""
        return sys.maxsize if self.steps is None else self.steps - self.position.step

    def has_more(self) -> bool:
        """Whether there are rows for another epoch. What shows its end only when it is there is looked at."""
        if self._calls is not None and self._call is None:
            self._call = next(self._calls, None)
            if self._call is None:
                self._end_pass()
        return self._call is not None or self.source.lasting or not self._passes

    def next(self, epochs: int) -> Call | None:
        """The rows of the next steps; None if the epoch is over.

        Arguments:
            epochs: that are yet to come: nothing is read for more.
        """
        if self.left <= 0:
            return None
        if self._calls is None:
            self._calls = self._made(None if self.steps is None else self.left + epochs * self.steps)
        call, self._call = self._call or next(self._calls, None), None
        self._ended = call is None
        return call

    def _made(self, come: int | None) -> Generator[Call]:
        """The rows that the pass has yet to see. Fewer rows at the end are a step too."""
        position, own = self.position, self.source.batch is not None
        for chunk in self.source.chunks(position.turn(), position.place, None if own else self.batch, come):
            full = len(chunk.index) // chunk.batch
            index = chunk.index[: full * chunk.batch].reshape(full, chunk.batch)
            step = 0
            while step < full:
                end = min(step + min(self.at_once(chunk.batch), self.left), full)
                yield chunk.arrays, index[step:end]
                step = end
            if len(chunk.index) % chunk.batch:
                yield chunk.arrays, chunk.index[None, full * chunk.batch :]

    def end_epoch(self) -> bool:
        """The epoch is over, and with it the pass if all rows were seen; whether it had all the steps that it should.

        A pass of data that last may end with a shorter epoch.
        """
        whole = self.left <= 0 or self.steps is None or self.source.lasting
        batches, rows, done = self.source.batches, self.source.count, self.position.place
        ended = (batches is not None and done.batches >= batches) or (rows is not None and done.rows >= rows)
        self.position.end_epoch()
        if ended or self._ended:
            self._end_pass()
        return whole

    def _end_pass(self) -> None:
        self.leave()
        self._passes += 1
        self.position.end_pass()

    def leave(self) -> None:
        """The rest of the pass is not wanted."""
        calls, self._calls, self._call = self._calls, None, None
        if calls is not None:
            calls.close()
            self.source.leave(self.position.place.batches)
