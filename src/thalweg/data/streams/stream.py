"""A stream as training, evaluation and prediction see it: a source whose rows come in parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from thalweg.data.source import Arrays, Chunk, Place, Rows, Turn, Weights
from thalweg.data.streams.parts import Parts
from thalweg.data.streams.reading import Reader
from thalweg.data.streams.slots import Pool
from thalweg.data.streams.taking_apart import failed, named, taken_apart
from thalweg.errors import DataError, ShapeError, ThalwegError
from thalweg.trees import Tree, unflatten

__all__ = ["Stream", "first_part"]


class Stream:
    """Rows that come in parts, read ahead by a thread. See Source.

    Arguments:
        first: what ``first_part`` gave.
        ready: gives the rows of a part as the graph takes them.
        most: after so many batches no more are read, or rows, where batches are cut from these; None for no bound.
    """

    def __init__(self, parts: Parts, first: Tree, ready: Callable[[Tree], Rows], most: int | None = None) -> None:
        self.parts = parts
        self._first = first
        self._ready = ready
        self._most = most
        try:
            rows = ready(first)
        except ThalwegError as error:
            raise named(error, 0, parts.name) from None
        self._sample = rows
        self.labels: tuple[str, ...] = rows.labels
        self.weights: Weights = rows.weights
        self.form = rows.form
        self.shapes = rows.shapes
        self.batch: int | None = rows.count if parts.own else None
        self.lasting = parts.lasting
        self._reader: Reader | None = None
        self._pool = Pool()

    @property
    def count(self) -> int | None:
        """See Source."""
        count = self.parts.count
        if count is None or self._most is None:
            return count
        return None if self.parts.own else min(count, self._most)

    @property
    def batches(self) -> int | None:
        """See Source."""
        return _least(self.parts.batches, self._most) if self.parts.own else None

    def limited(self, batches: int | None, batch: int) -> Stream:
        """The same with at most so many batches a pass, of ``batch`` rows where they are cut from the rows."""
        if batches is None:
            return self
        return Stream(self.parts, self._first, self._ready, batches if self.parts.own else batches * batch)

    def with_ones(self, labels: Collection[str]) -> Stream:
        """See Source."""
        return Stream(self.parts, self._first, lambda part: self._ready(part).with_ones(labels), self._most)

    def chunks(self, turn: Turn, start: Place, batch: int | None, steps: int | None = None) -> Iterator[Chunk]:
        """See Source. With ``batch`` the rows are cut anew, whatever batches they come in."""
        parts = self.parts.read(turn, start, batch)
        rows = None if batch is None or steps is None else steps * batch
        first = 0
        if self.parts.own:
            first = start.batches
            parts = itertools.islice(parts, _least(self._most, steps if batch is None else None))
        elif self._most is not None:
            rows = _least(rows, self._most - start.rows)
        reader = self._reader = Reader(parts, first, batch, rows, self._alike, self.parts.name, self._pool)
        try:
            yield from reader.chunks()
        finally:
            reader.close()

    def _alike(self, part: Tree) -> Rows:
        """The rows of a part. Raises ShapeError or DataError if they are not as those of the first: a step is compiled
        for these.
        """
        rows = self._ready(part)
        if rows.shapes != self.shapes:
            raise (ShapeError if rows.shapes.keys() == self.shapes.keys() else DataError)(
                "the rows are not as those of the first batch",
                expected=_described(self.shapes),
                got=_described(rows.shapes),
                fix="make all batches alike: only their number of rows may differ, and only of the last",
            )
        return rows

    def leave(self, done: int) -> None:
        """See Chunked."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
            self.parts.leave([] if self.lasting else reader.unread(done))

    def fingerprint(self) -> dict[str, Any]:
        """See Source: what the parts look like, and nothing of their content, which may be random."""
        rows = self.ready()
        return self.parts.fingerprint() | {label: f"{a.dtype}{list(a.shape[1:])}" for label, a in rows.items()}

    def ready(self) -> Arrays:
        """See Source."""
        return self._sample.ready()


def _least(*bounds: int | None) -> int | None:
    """The least of those that there are."""
    return min((bound for bound in bounds if bound is not None), default=None)


def _described(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The shapes of a row in words."""
    return ", ".join(f"{label} of shape ({', '.join(map(str, ('rows', *shape)))})" for label, shape in shapes.items())


def first_part(parts: Parts) -> Tree:
    """The first part of a stream, its leaves arrays. Raises DataError if there is none, or the user's code fails."""
    try:
        part = taken_apart(parts.first())
    except StopIteration:
        raise DataError(
            f"{parts.name} gives no batch",
            expected="at least one batch: x, (x, y) or (x, y, sample_weight)",
            got="the end of the data at once",
            fix="check what makes the batches; a generator that has been read to its end must be made anew",
        ) from None
    except Exception as error:
        raise failed(error, 0, parts.name) from error
    return unflatten(part.form, iter(part.leaves))
