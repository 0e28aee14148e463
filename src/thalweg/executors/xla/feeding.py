"""How the rows of steps get to where XLA computes: all at once for many passes, or those of the next steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from thalweg.data.staying import Staying
from thalweg.executors.executor import Arrays
from thalweg.fields import dataclass

MOST_STEPS = 256
"""Steps of a call of a program at most."""

INDEX_ROWS = 1 << 15
"""Numbers of rows that a call takes at most: they are as many in each call, whether it has so many steps or not."""

FED_BYTES = 2 << 20
"""Of rows that are brought together: few enough that a call of one step does not take long, enough for others."""

FED_STEPS = 64
"""Steps of a call at most whose rows are brought with it."""

OUTPUT_BYTES = 32 << 20
"""What the outputs of a call may take."""

EXACT_BYTES = 64 << 20
"""Arrays from this size on are brought as they are; smaller ones filled up, so that other numbers of rows, those of
other folds and splits, are the same program.
"""

LINE_BYTES = 64
"""Arrays that begin on such a line XLA takes as they are where it computes in the same memory."""

FEWER = 16
"""Of so many steps the next shorter program has one: three of them run any 4,095 steps in at most 45 calls."""


class Call(NamedTuple):
    """Steps from ``first`` up to ``end``, by a program for ``length`` of them."""

    first: int
    end: int
    length: int


def calls(steps: int, most: int, counted: bool) -> Iterator[Call]:
    """All steps.

    Arguments:
        most: steps of a call.
        counted: whether a program runs any number of steps up to its length; else exactly as many, and there are few.
    """
    first, length = 0, most
    while first < steps:
        while not counted and length > steps - first:
            length = max(1, length // FEWER)
        end = min(first + length, steps)
        yield Call(first, end, length)
        first = end


class Feeding(Protocol):
    """The rows of all steps of a run."""

    @property
    def most(self) -> int:
        """Steps of a call."""

    def arguments(self, call: Call) -> tuple[dict[str, Any], Any]:
        """What a program gets for these steps: the data and the index, see ``step.many_steps``."""


@dataclass(frozen=True)
class Resident:
    """Data that stay where XLA computes, for as long as their mapping does. Each step takes its rows from them."""

    placement: Any
    data: Staying
    labels: tuple[str, ...]
    index: np.ndarray
    most: int

    def arguments(self, call: Call) -> tuple[dict[str, Any], Any]:
        """See Feeding."""
        where = self.placement.whole
        rows = filled_up(self.index[call.first : call.end], call.length, np.dtype(np.int32))
        data = {label: self.data.copy_of(label, where, self._brought) for label in self.labels}
        return data, self.placement.put(rows, where, lent=True)

    def _brought(self, array: np.ndarray) -> Any:
        if array.nbytes < EXACT_BYTES:
            array = filled_up(array, rounded_up(len(array)), array.dtype)
        return self.placement.put(array, self.placement.whole, lent=True)


@dataclass(frozen=True)
class Fed:
    """Data of which the rows of each call are brought with it."""

    placement: Any
    data: Arrays
    labels: tuple[str, ...]
    index: np.ndarray
    most: int

    def arguments(self, call: Call) -> tuple[dict[str, Any], Any]:
        """See Feeding."""
        rows = self.index[call.first : call.end]
        return {label: self._brought(self.data[label], rows, call.length) for label in self.labels}, None

    def _brought(self, array: np.ndarray, rows: np.ndarray, length: int) -> Any:
        steps, batch = rows.shape
        if self.placement.is_shared:
            return self.placement.put_rows(array, filled_up(rows, length, np.dtype(np.int64)))
        first = int(rows.flat[0])
        together = np.array_equal(rows.reshape(-1), np.arange(first, first + rows.size))
        if together and steps == length:
            batches = array[first : first + rows.size].reshape(length, batch, *array.shape[1:])
        else:
            batches = aligned((length, batch, *array.shape[1:]), array.dtype)
            if together:
                batches[:steps] = array[first : first + rows.size].reshape(batches[:steps].shape)
            else:
                np.take(array, rows, axis=0, out=batches[:steps], mode="clip")  # the index has been looked at
        return self.placement.put_batches(batches)


def most_steps(output_bytes: int) -> int:
    """How many steps a call may have at most, if each has outputs of so many bytes."""
    return max(1, min(MOST_STEPS, OUTPUT_BYTES // max(output_bytes, 1)))


def feeding(placement: Any, data: Arrays, labels: tuple[str, ...], index: np.ndarray, most: int) -> Feeding:
    """How these data are best brought.

    Arguments:
        most: steps of a call, whatever rows they have.
    """
    batch = max(index.shape[1], 1)
    if not labels:
        data = Staying({})
    if isinstance(data, Staying) and stays(placement, data, labels):
        return Resident(placement, data, labels, index, max(1, min(most, INDEX_ROWS // batch)))
    of_step = sum(batch * (data[label].nbytes // max(len(data[label]), 1)) for label in labels)
    return Fed(placement, data, labels, index, max(1, min(most, FED_STEPS, FED_BYTES // max(of_step, 1))))


def stays(placement: Any, data: Staying, labels: tuple[str, ...]) -> bool:
    """Whether there is room for all these data, and somebody wants them there."""
    if placement.gathers_on_host:
        return False
    nbytes = sum(data[label].nbytes for label in labels)
    return nbytes < EXACT_BYTES or data.has_copies(placement.whole) or nbytes <= placement.room


def rounded_up(rows: int) -> int:
    """The next number of which only the first four binary digits are not 0: an eighth more at most.

    Example:
        >>> rounded_up(13), rounded_up(120), rounded_up(121), rounded_up(60_000)
        (13, 120, 128, 61440)
    """
    step = 1 << max(rows.bit_length() - 4, 0)
    return -(-rows // step) * step


def filled_up(array: np.ndarray, length: int, dtype: np.dtype[Any]) -> np.ndarray:
    """A copy of so many rows, the further ones 0, that begins on a line."""
    copy = aligned((length, *array.shape[1:]), dtype)
    copy[: len(array)] = array
    copy[len(array) :] = 0
    return copy


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array to be filled that begins on a line."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE_BYTES, np.uint8)
    first = -memory.ctypes.data % LINE_BYTES
    return memory[first : first + size].view(dtype).reshape(shape)
