"""Memory in which parts lie one after the other, so that one call makes the steps of many."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from thalweg.data.source import Chunk, Rows
from thalweg.data.streams.taking_apart import Part, named
from thalweg.errors import ThalwegError
from thalweg.fields import dataclass
from thalweg.trees import Tree, flatten, unflatten

__all__ = ["Block", "BlockSlot", "Pool", "Slot"]

SLOT_BYTES = 16 << 20
"""Of the batches that are handed over together: so many that what a call costs, and the core that waits meanwhile,
count little. Of 784-512-10 at batch 128 a generator cost 15 % over arrays in memory with 4 MB, 7 % with 16 (Zen 4).
"""


@dataclass(frozen=True)
class Block:
    """Rows in memory that nobody changes, and their order.

    Arguments:
        tree: the arrays.
        front: of their rows those that are empty, for what is left of the block before.
        order: of the others, from 0.
    """

    tree: Tree
    front: int
    order: np.ndarray


class Pool:
    """Memory for slots, used again when nobody holds an array in it any more."""

    def __init__(self) -> None:
        self._kept: list[list[np.ndarray]] = []
        self._lock = threading.Lock()  # several models may read the same files at once

    def take(self, kinds: list[tuple[tuple[int, ...], np.dtype[Any]]]) -> list[np.ndarray]:
        """An array of each kind."""
        with self._lock:
            idle = _holders([np.empty(1)])
            free = [arrays for arrays in self._kept if _holders(arrays) <= idle]
            arrays = next((a for a in free if [(array.shape, array.dtype) for array in a] == kinds), None)
            if arrays is None:
                arrays = [np.empty(shape, dtype) for shape, dtype in kinds]
                self._kept = [kept for kept in self._kept if not any(kept is one for one in free)]
                self._kept.append(arrays)
            return list(arrays)


def _holders(arrays: list[np.ndarray]) -> int:
    """Of the array that most hold, how many do; a view of an array holds it."""
    return max(map(sys.getrefcount, arrays))


class Slot:
    """Parts of the same form, one after the other in memory.

    Arguments:
        part: the first; not put in.
        size: the rows of a step; None where each part is one.

    Attributes:
        ends: for each part its number, and the row after its last.
    """

    def __init__(self, part: Part, size: int | None, pool: Pool) -> None:
        self.form = part.form
        self.own = size is None
        self.size = part.rows if size is None else size
        self.pool = pool
        row_bytes = sum(leaf.nbytes for leaf in part.leaves) // part.rows
        self.room = max(1, SLOT_BYTES // max(row_bytes * self.size, 1)) * self.size
        self.buffers = pool.take([((self.room, *leaf.shape[1:]), leaf.dtype) for leaf in part.leaves])
        self.filled = 0
        self.ends: list[tuple[int, int]] = []
        self._closed = False
        self._lock = threading.Lock()
        self._made: list[Chunk | ThalwegError] | None = None

    def takes(self, part: Part) -> bool:
        """Whether the part may come next, or what there is room for."""
        left = self.room - self.filled
        return (
            not self._closed
            and (0 < part.rows <= min(left, self.size) if self.own else left > 0)
            and self.is_alike(part)
        )

    def is_alike(self, part: Part) -> bool:
        """Whether the part is of the same form."""
        return part.form == self.form and all(
            leaf.shape[1:] == buffer.shape[1:] and leaf.dtype == buffer.dtype
            for leaf, buffer in zip(part.leaves, self.buffers, strict=True)
        )

    def add(self, part: Part, number: int) -> Part | None:
        """Copy the part to the end; what there is no room for."""
        end = min(self.filled + part.rows, self.room)
        taken = end - self.filled
        for leaf, buffer in zip(part.leaves, self.buffers, strict=True):
            buffer[self.filled : end] = leaf[:taken]
        self.filled = end
        self.ends.append((number, end))
        self._closed = self.own and taken < self.size
        return part.after(taken)

    @property
    def has_step(self) -> bool:
        """Whether there is something to make a step on."""
        return self.filled >= (1 if self.own else self.size)

    def rest(self) -> Slot | None:
        """Take those rows out that make no whole step, and begin another slot with them."""
        whole = self.filled if self.own else self.filled // self.size * self.size
        if whole == self.filled:
            return None
        other = Slot(self._part(whole, self.filled), self.size, self.pool)
        for number, first, end in self.parts():
            if end > whole:
                other.add(self._part(max(first, whole), end), number)
        self.ends = [(number, min(end, whole)) for number, first, end in self.parts() if first < whole]
        self.filled = whole
        return other

    def _part(self, first: int, end: int) -> Part:
        return Part([buffer[first:end] for buffer in self.buffers], self.form, end - first)

    def tree(self, first: int, end: int) -> Tree:
        """These rows as a user gave them."""
        return unflatten(self.form, iter([buffer[first:end] for buffer in self.buffers]))

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """The number of each part, where it begins and where it ends."""
        first = 0
        for number, end in self.ends:
            yield number, first, end
            first = end

    def chunks(self, ready: Callable[[Tree], Rows], name: str) -> list[Chunk | ThalwegError]:
        """What steps are made on, and the error that follows; worked out by whoever asks first.

        Arguments:
            ready: gives the rows as the graph takes them.
        """
        with self._lock:
            if self._made is None:
                self._made = self._worked_out(ready, name)
            return self._made

    def _worked_out(self, ready: Callable[[Tree], Rows], name: str) -> list[Chunk | ThalwegError]:
        try:
            return [self._chunk(ready, self.filled)]
        except ThalwegError as error:
            number, good, bad = self._first_bad(ready, error)
            good = good if self.own else good // self.size * self.size
            return [*([self._chunk(ready, good)] if good else []), named(bad, number, name)]

    def _first_bad(self, ready: Callable[[Tree], Rows], error: ThalwegError) -> tuple[int, int, ThalwegError]:
        """The number of the part that has an error of its own, the rows before it, and the error."""
        for number, first, end in self.parts():
            try:
                ready(self.tree(first, end))
            except ThalwegError as own:
                return number, first, own
        return self.ends[0][0], 0, error

    def _chunk(self, ready: Callable[[Tree], Rows], rows: int) -> Chunk:
        return Chunk(ready(self.tree(0, rows)).arrays, np.arange(rows), self.size)


class BlockSlot:
    """A block, and the rows that the one before left, which come first. See Slot.

    Attributes:
        index: of the rows in their order.
    """

    def __init__(self, block: Block, rest: Part | None, number: int, size: int) -> None:
        self.leaves, self.form = flatten(block.tree)
        self.number, self.size = number, size
        self.begin = block.front - (0 if rest is None else rest.rows)
        if rest is not None:
            for leaf, own in zip(self.leaves, rest.leaves, strict=True):
                leaf[self.begin : block.front] = own
        self.index = np.concatenate([np.arange(block.front - self.begin), block.front - self.begin + block.order])
        self._lock = threading.Lock()
        self._made: list[Chunk | ThalwegError] | None = None

    has_step = True

    def until(self, rows: int) -> None:
        """Leave out what comes after so many rows."""
        self.index = self.index[:rows]

    def take_rest(self) -> Part | None:
        """Take those rows out that make no whole step."""
        whole = len(self.index) // self.size * self.size
        if whole == len(self.index):
            return None
        rows, self.index = self.begin + self.index[whole:], self.index[:whole]
        return Part([leaf[rows] for leaf in self.leaves], self.form, len(rows))

    def chunks(self, ready: Callable[[Tree], Rows], name: str) -> list[Chunk | ThalwegError]:
        """See Slot."""
        with self._lock:
            if self._made is None:
                try:
                    rows = ready(unflatten(self.form, iter([leaf[self.begin :] for leaf in self.leaves])))
                    self._made = [Chunk(rows.arrays, self.index, self.size)]
                except ThalwegError as error:
                    self._made = [named(error, self.number, name, "block")]
            return self._made
