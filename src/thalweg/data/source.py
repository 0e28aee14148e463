"""Where rows come from: arrays in memory or mapped from a file, or anything else that gives them in chunks.

Whoever needs rows asks for those of a pass over the data, from a place in it on, and gets them in chunks: of arrays one
chunk, the arrays themselves and where in them the rows stand, so that nothing is copied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sized
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from thalweg.data.arrays import converted
from thalweg.data.fingerprint import of_arrays
from thalweg.data.staying import Staying
from thalweg.errors import ShapeError
from thalweg.fields import dataclass

__all__ = [
    "Arrays",
    "Chunk",
    "Chunked",
    "Indexed",
    "LateRows",
    "Place",
    "Rows",
    "Source",
    "Turn",
    "Weights",
    "common_length",
    "shuffled",
    "slices",
    "weights_among",
]

Arrays = dict[str, np.ndarray]
"""Label of the graph's input ("x", "y/left") -> array; the first axis is that of the rows."""

Weights = tuple[tuple[str, tuple[int, ...]], ...]
"""Of the sample weights that there are the label and the shape of a row: () for one number a sample."""

CHUNK_BYTES = 32 << 20
"""Of rows that are read, converted or looked at together: few enough to have at hand, enough to read at full speed."""

WEIGHT = "sample_weight"
"""What the labels of sample weights begin with."""


def shuffled(rows: int, seed: int, number: int, part: int = 0) -> np.ndarray:
    """The order of the rows in a pass, or in a part of one: the same for the same numbers, whatever ran before.

    Source: Salmon et al. (2011), SC'11: Philox, a generator that starts anywhere at no cost.
    """
    key = np.array([seed, number], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=part << 192)).permutation(rows)


@dataclass(frozen=True)
class Turn:
    """One pass over the data.

    Attributes:
        number: of passes before it, in all the model's life.
        since: of passes before it in this training.
        shuffle: whether it has an order of its own; else the rows come as they stand.
    """

    number: int = 0
    since: int = 0
    seed: int = 0
    shuffle: bool = False

    def order(self, rows: int) -> np.ndarray | None:
        """The numbers of so many rows in the order of this pass; None for that in which they stand."""
        return shuffled(rows, self.seed, self.number) if self.shuffle else None


@dataclass(frozen=True)
class Place:
    """What of a pass is done."""

    rows: int = 0
    batches: int = 0


@dataclass(frozen=True)
class Chunk:
    """Rows that come next.

    Attributes:
        index: where they stand in the arrays, in their order; int64.
        batch: how many of them are a step; the last step of a chunk may have fewer.
    """

    arrays: Arrays
    index: np.ndarray
    batch: int


class Chunked(Protocol):
    """Rows that come in chunks."""

    @property
    def count(self) -> int | None:
        """How many rows a pass has; None if nobody knows before its end."""

    @property
    def batch(self) -> int | None:
        """The rows of a step where the source says itself what a batch is: those of its first. None elsewhere."""

    def chunks(self, turn: Turn, start: Place, batch: int | None, steps: int | None = None) -> Iterator[Chunk]:
        """The rows of the pass from ``start`` on, each chunk but the last in whole batches.

        Arguments:
            batch: the rows of a step; None for the batches that the source makes itself.
            steps: no more will be asked for.
        """

    def leave(self, done: int) -> None:
        """The chunks of the latest pass are not wanted any more; steps were made on so many of its batches."""


class Source(Chunked, Protocol):
    """Rows of equally many arrays each, by the labels of the graph's inputs."""

    @property
    def batches(self) -> int | None:
        """How many of its own batches a pass has, where that is known."""

    @property
    def lasting(self) -> bool:
        """Whether there is another pass after one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the arrays of a chunk are called."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of one row, by label."""

    @property
    def weights(self) -> Weights:
        """The sample weights among the arrays."""

    @property
    def form(self) -> object:
        """How a step that a model says itself gets them; None for any other."""

    def ready(self) -> Arrays:
        """Those arrays that are as the graph takes them, of all rows; of a stream of the first."""

    def with_ones(self, labels: Collection[str]) -> Source:
        """The same rows with further arrays, of a one for each row."""

    def fingerprint(self) -> dict[str, Any]:
        """What tells these data from others, in JSON types: equal data have equal entries, in any process."""


class Indexed:
    """The base of sources that have a number for every row, and give any of them in any order."""

    count: int
    batch: int | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """See Source."""
        raise NotImplementedError(f"{type(self).__name__} has no labels")

    def gathered(self, order: np.ndarray | None, start: int, stop: int, batch: int) -> Iterator[Chunk]:
        """The rows from place ``start`` of the order up to ``stop``, each chunk but the last in whole batches.

        Arguments:
            order: the number of every row, or None for that in which they stand.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gathered()")

    def chunks(self, turn: Turn, start: Place, batch: int | None, steps: int | None = None) -> Iterator[Chunk]:
        """See Source."""
        assert batch is not None, "rows that are there are cut into the batches that somebody asks for"
        stop = self.count if steps is None else min(self.count, start.rows + steps * batch)
        return self.gathered(turn.order(self.count), start.rows, stop, batch)

    def leave(self, done: int) -> None:
        """See Chunked: the rows stay where they are."""


class Rows(Indexed):
    """Arrays in memory, or mapped from files: always one chunk, and nothing is copied.

    Arguments:
        form: how a step that a model says itself gets them, see ``training.own``; None for any other step.
    """

    batches: int | None = None
    lasting = True

    def __init__(self, arrays: Arrays, form: object = None) -> None:
        self._arrays = arrays
        self.count: int = common_length(arrays)
        self.form = form

    @property
    def arrays(self) -> Arrays:
        """All rows at once."""
        return self._arrays

    @property
    def labels(self) -> tuple[str, ...]:
        """See Source."""
        return tuple(self._arrays)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of one row, by label."""
        return {label: array.shape[1:] for label, array in self._arrays.items()}

    @property
    def weighted(self) -> bool:
        """Whether there are sample weights."""
        return bool(self.weights)

    @property
    def weights(self) -> Weights:
        """See Source."""
        return weights_among(self._arrays)

    def gathered(self, order: np.ndarray | None, start: int, stop: int, batch: int) -> Iterator[Chunk]:
        """See Indexed: one chunk, which is all of the arrays."""
        yield Chunk(self._arrays, np.arange(start, stop) if order is None else order[start:stop], batch)

    def fingerprint(self) -> dict[str, Any]:
        """See Source: of each array what it is, and a digest of its rows."""
        return of_arrays(self._arrays)

    def staying(self) -> Rows:
        """The same rows for many passes, while nobody changes them: an executor may keep copies where it computes."""
        return Rows(Staying(self._arrays), self.form)

    def take(self, index: np.ndarray | slice) -> Rows:
        """Some of the rows: views for a slice, copies for an index."""
        return Rows(_taken(self._arrays, index), self.form)

    def ready(self) -> Arrays:
        """See Source."""
        return self._arrays

    def with_ones(self, labels: Collection[str]) -> Rows:
        """See Source."""
        return self.beside(dict.fromkeys(labels, np.ones(self.count, np.float32)))

    def beside(self, further: Mapping[str, np.ndarray], form: object = None) -> Rows:
        """The same rows with further arrays. Raises ShapeError if they are of more or fewer rows."""
        return Rows({**self._arrays, **further}, form or self.form)


class LateRows(Rows):
    """Arrays of other dtypes than the graph takes, converted in chunks when they are used: for files that are large.

    Arguments:
        dtypes: by label, of the arrays that are not as they should be.
    """

    def __init__(self, arrays: Arrays, dtypes: Mapping[str, str], form: object = None) -> None:
        super().__init__(arrays, form)
        self.dtypes = dict(dtypes)

    @cached_property
    def _converted(self) -> Arrays:
        return self._in_graph_dtypes(self._arrays)

    @property
    def arrays(self) -> Arrays:
        """All rows at once, which takes the memory that this class saves elsewhere."""
        return self._converted

    def gathered(self, order: np.ndarray | None, start: int, stop: int, batch: int) -> Iterator[Chunk]:
        row_bytes = sum(array.nbytes // max(len(array), 1) for array in self._arrays.values())
        size = max(1, CHUNK_BYTES // max(row_bytes * batch, 1)) * batch
        for first in range(start, stop, size):
            last = min(first + size, stop)
            part = _taken(self._arrays, slice(first, last) if order is None else order[first:last])
            yield Chunk(self._in_graph_dtypes(part), np.arange(last - first), batch)

    def staying(self) -> LateRows:
        """The same: what is converted piece by piece is never there as a whole."""
        return self

    def ready(self) -> Arrays:
        return {label: array for label, array in self._arrays.items() if label not in self.dtypes}

    def take(self, index: np.ndarray | slice) -> Rows:
        return LateRows(_taken(self._arrays, index), self.dtypes, self.form)

    def beside(self, further: Mapping[str, np.ndarray], form: object = None) -> Rows:
        return LateRows({**self._arrays, **further}, self.dtypes, form or self.form)

    def _in_graph_dtypes(self, arrays: Arrays) -> Arrays:
        return {
            label: converted(array, self.dtypes[label], label) if label in self.dtypes else array
            for label, array in arrays.items()
        }


def _taken(arrays: Arrays, index: np.ndarray | slice) -> Arrays:
    return {label: np.ascontiguousarray(array[index]) for label, array in arrays.items()}


def weights_among(arrays: Mapping[str, np.ndarray]) -> Weights:
    """The sample weights among the arrays."""
    return tuple((label, array.shape[1:]) for label, array in arrays.items() if label.startswith(WEIGHT))


def common_length(arrays: Mapping[str, Sized]) -> int:
    """How many rows each array has. Raises ShapeError if they differ."""
    counts = {label: len(array) for label, array in arrays.items()}
    if len(set(counts.values())) != 1:
        raise ShapeError(
            "the arrays do not have equally many rows",
            expected="one row per sample in each",
            got=", ".join(f"{label}: {count}" for label, count in counts.items()),
            fix="check how the data were made: a row of one belongs to the same row of the others",
        )
    return next(iter(counts.values()))


def slices(array: np.ndarray) -> Iterator[slice]:
    """Rows to look at together, so that a look at all of them holds few in memory at a time."""
    size = max(1, CHUNK_BYTES // max(array.nbytes // max(len(array), 1), 1))
    for start in range(0, len(array), size):
        yield slice(start, min(start + size, len(array)))
