"""Parts become chunks of several batches, so that one call makes the steps of many; a thread reads ahead if that pays.

As long as reading takes little time beside the steps, the thread that makes the steps reads between them: one more
thread than there are cores would take from the steps twice what it needs itself.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from thalweg.data.source import Chunk, Rows
from thalweg.data.streams.slots import Block, BlockSlot, Pool, Slot
from thalweg.data.streams.taking_apart import Part, failed, taken_apart
from thalweg.errors import ThalwegError
from thalweg.trees import Tree, unflatten

__all__ = ["Reader"]

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
