"""Parts become chunks of several batches, so that one call makes the steps of many; a thread reads ahead if that pays.

As long as reading takes little time beside the steps, the thread that makes the steps reads between them: one more
thread than there are cores would take from the steps twice what it needs itself.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.data.arrays import as_array
from thalweg.data.source import Chunk, Rows, common_length
from thalweg.errors import DataError, ShapeError, ThalwegError
from thalweg.fields import dataclass
from thalweg.trees import LEAF, Tree, TreeForm, flatten, paths, unflatten

SLOT_BYTES = 4 << 20
"""Of the batches that are handed over together: enough steps for a call, few enough for the caches further out."""

AHEAD = 2
"""Slots that are ready before anybody wants them."""

FILL_SECONDS = 0.02
"""How long steps wait for a slot to become full, if there is a batch for them."""

LARGEST_SHARE = 0.2
"""Of the time of the steps that reading takes without a thread of its own."""

WARM_UP = (2, 24)
"""Slots before reading is compared with the steps at all, and strictly: as long as memory is new, it takes longer."""

SLOW = 2.0
"""Times the steps is so much that memory cannot be the reason."""

CLOSE_SECONDS = 10.0
"""How long the end of a read waits for a user's code that has not come back."""


@dataclass(frozen=True)
class Part:
    """A part taken apart: its arrays, and how they are nested."""

    leaves: list[np.ndarray]
    form: TreeForm
    rows: int

    def after(self, rows: int) -> Part | None:
        """What comes after so many rows; None for nothing."""
        if rows >= self.rows:
            return None
        return Part([leaf[rows:] for leaf in self.leaves], self.form, self.rows - rows)

    def until(self, rows: int) -> Part:
        """At most the first so many rows."""
        return self if rows >= self.rows else Part([leaf[:rows] for leaf in self.leaves], self.form, rows)


def taken_apart(given: Tree) -> Part:
    """A part as it came from a user. Raises DTypeError, ShapeError or DataError for what no steps can be made on."""
    if type(given) is tuple and all(type(one) is np.ndarray and one.dtype.kind in "fiu" for one in given):
        sizes = {one.shape[:1] for one in given}  # what most give, at a tenth of the price
        if len(sizes) == 1 and sizes not in ({()}, {(0,)}):
            return Part(list(given), TreeForm(tuple, (), (LEAF,) * len(given)), len(given[0]))
    leaves, form = flatten(_arrays_only(given))
    for place, leaf in zip(paths(form, "batch"), leaves, strict=True):
        if not leaf.ndim:
            raise ShapeError(f"{place} is one number", expected="(rows, ...)", got="()", fix="give it an axis of rows")
    rows = common_length(dict(zip(paths(form, "batch"), leaves, strict=True))) if leaves else 0
    if not rows:
        raise DataError("the batch has no rows", expected="at least 1", got="0", fix="leave it out")
    return Part(leaves, form, rows)


def _arrays_only(value: Any) -> Tree:
    """Lists of numbers become arrays; containers of arrays stay what they are."""
    if value is None:
        return None
    if isinstance(value, Mapping) and not hasattr(value, "columns"):
        return {key: _arrays_only(part) for key, part in value.items()}
    if isinstance(value, tuple) or (isinstance(value, list) and _holds_arrays(value)):
        parts = [_arrays_only(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return as_array(value.detach().cpu().numpy() if hasattr(value, "detach") else value, "the batch")


def _holds_arrays(value: list[Any] | tuple[Any, ...]) -> bool:
    return any(
        isinstance(part, Mapping)
        or getattr(part, "ndim", 0) > 0
        or (isinstance(part, list | tuple) and _holds_arrays(part))
        for part in value
    )


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


def named(error: ThalwegError, number: int, name: str, what: str = "batch") -> ThalwegError:
    """The error with the part where it is."""
    return type(error)(
        f"{what} {number} of {name}, counted from 0: {error.problem}",
        expected=error.expected,
        got=error.got,
        fix=error.fix,
        layer=error.layer,
    )


def failed(error: BaseException, number: int, name: str) -> ThalwegError:
    """What a user's code raised, as an error that says which batch it was to give."""
    if isinstance(error, ThalwegError):
        return named(error, number, name)
    made = DataError(
        f"{name} failed at batch {number}, counted from 0",
        expected="a batch, or the end of the data",
        got=f"{type(error).__name__}: {str(error)[:300]}",
        fix="mend what makes the batches; the model and its history are as after the batch before",
    )
    made.__cause__ = error
    return made


class Reader:
    """Reads the parts of one pass.

    Arguments:
        parts: in their order.
        first: the number of the first.
        size: the rows of a step; None where each part is one.
        most: rows after which no more are wanted.
        ready: gives the rows of a part as the graph takes them.
        name: of the stream, for messages.
        pool: memory that was used before.
    """

    def __init__(
        self,
        parts: Iterator[Tree],
        first: int,
        size: int | None,
        most: int | None,
        ready: Callable[[Tree], Rows],
        name: str,
        pool: Pool | None = None,
    ) -> None:
        self._parts, self._number, self._size, self._ready, self._name = parts, first, size, ready, name
        self._left = sys.maxsize if most is None else most
        self._pool = pool or Pool()
        self._changed = threading.Condition()
        self._full: deque[Slot | BlockSlot] = deque()
        self._rest: Part | None = None  # of a block
        self._slot: Slot | None = None  # that is being filled
        self._error: ThalwegError | None = None  # after the last slot
        self._over = self._stopped = False
        self._reading = self._steps = 0.0  # seconds
        self._handed_over: float | None = None  # when
        self._slots = 0  # that were filled without a thread
        self._latest: Slot | BlockSlot | None = None  # that was handed over
        self._thread: threading.Thread | None = None

    def chunks(self) -> Iterator[Chunk]:
        """What steps are made on. Raises what is wrong with a part when all before it have been given."""
        while (slot := self._next()) is not None:
            self._latest = slot
            for made in slot.chunks(self._ready, self._name):
                if isinstance(made, ThalwegError):
                    raise made
                yield made
        if self._error is not None:
            raise self._error

    def _next(self) -> Slot | BlockSlot | None:
        """The slot that is next, as soon as there is a step in it; None after the last."""
        if self._thread is None:
            self._fill()
        with self._changed:
            self._changed.wait_for(self._has_step)
            if not self._full and self._slot is not None:
                self._hand_over(self._slot)
            slot = self._full.popleft() if self._full else None
            self._changed.notify_all()
            return slot

    def _fill(self) -> None:
        """Read here and now; begin a thread for what comes then, if that took long beside the steps."""
        began = time.perf_counter()
        while (
            not self._full and not self._over and not (self._has_step() and time.perf_counter() > began + FILL_SECONDS)
        ):
            self._read_one()
        now = time.perf_counter()
        self._slots += 1
        if self._handed_over is not None and self._slots > WARM_UP[0]:
            self._reading += now - began
            self._steps += began - self._handed_over
            if self._slots == WARM_UP[1] // 2 + 1:  # what memory cost is not counted any more
                self._reading, self._steps = now - began, began - self._handed_over
            share = LARGEST_SHARE if self._slots > WARM_UP[1] else SLOW
            if self._reading > share * self._steps and not self._over:
                self._thread = threading.Thread(target=self._read, name="thalweg-reader", daemon=True)
                self._thread.start()
        self._handed_over = now

    @property
    def has_thread(self) -> bool:
        """Whether reading turned out to be worth a thread."""
        return self._thread is not None

    def _has_step(self) -> bool:
        return bool(self._full) or self._over or (self._slot is not None and self._slot.has_step)

    def close(self) -> None:
        """Read no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def unread(self, done: int) -> list[Tree]:
        """The parts from number ``done`` on that were read, when no more are."""
        slots = [slot for slot in (self._latest, *self._full, self._slot) if isinstance(slot, Slot)]
        return [
            unflatten(slot.form, iter([buffer[first:end].copy() for buffer in slot.buffers]))
            for slot in slots
            for number, first, end in slot.parts()
            if number >= done
        ]

    def _read(self) -> None:
        """What the thread does."""
        while not self._over and not self._stopped:
            self._read_one()

    def _read_one(self) -> None:
        """Read the next part, if there is one."""
        try:
            given = next(self._parts, self) if self._left > 0 else self
            if isinstance(given, Block):
                self._put_block(given)
                return
            if given is not self:
                part = taken_apart(given).until(self._left)
                self._left -= part.rows
                self._put(part)
                self._number += 1
                return
        except Exception as error:  # whatever a user's code raises, the steps before it are made
            self._error = failed(error, self._number, self._name)
        if self._rest is not None:
            self._put(self._rest)
        with self._changed:
            self._over = True
            if self._slot is not None:
                self._full.append(self._slot)
                self._slot = None
            self._changed.notify_all()

    def _put_block(self, block: Block) -> None:
        """Put a block between the slots, as soon as there is room."""
        assert self._size is not None, "blocks are cut into batches by who reads them"
        slot = BlockSlot(block, self._rest, self._number, self._size)
        before = 0 if self._rest is None else self._rest.rows
        slot.until(before + self._left)
        self._left -= len(slot.index) - before
        self._number += 1
        self._rest = slot.take_rest()
        if not len(slot.index):
            return
        with self._changed:
            if self._thread is not None:
                self._changed.wait_for(lambda: self._stopped or len(self._full) <= AHEAD)
            self._full.append(slot)
            self._changed.notify_all()
        slot.chunks(self._ready, self._name)

    def _put(self, part: Part | None) -> None:
        """Put a part into slots, as soon as there is room."""
        while part is not None:
            full = None
            with self._changed:
                if self._slot is None:
                    if self._thread is not None:
                        self._changed.wait_for(lambda: self._stopped or len(self._full) <= AHEAD)
                    self._slot = Slot(part, self._size, self._pool)
                if self._slot.takes(part):
                    part = self._slot.add(part, self._number)
                else:
                    full = self._slot
                    self._hand_over(full, goes_on=full.is_alike(part))
                self._changed.notify_all()
            if full is not None:
                full.chunks(self._ready, self._name)

    def _hand_over(self, slot: Slot, goes_on: bool = True) -> None:
        """Arguments: goes_on: whether rows that make no whole step wait for those that come."""
        self._full.append(slot)
        self._slot = slot.rest() if goes_on else None
