"""What gives the parts of a stream, one after the other: batches that a user's Python makes, or rows of files."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

from thalweg.data.source import Place, Turn
from thalweg.trees import Tree

__all__ = ["LOOKED_AT", "Functions", "Iterables", "Iterators", "Parts"]

LOOKED_AT = 32
"""Rows that show what they are, of those that have no batches of their own."""


class Parts:
    """Parts of rows: each an array, or a tuple, list or mapping of arrays of equally many rows.

    Attributes:
        name: what messages call it.
        own: whether the parts are the batches of the steps; else these are cut from the rows.
        lasting: whether there is another pass after one.
        count: rows of a pass, if known.
        batches: parts of a pass that are batches, if known.
    """

    name = "stream"
    own = True
    lasting = True
    count: int | None = None
    batches: int | None = None

    def first(self) -> Tree:
        """The part that comes first; nothing is used up. Raises StopIteration if there is none."""
        return next(self.read(Turn(), Place(), None))

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        """The parts of the pass that come after ``start``.

        Arguments:
            batch: the rows of a step, where they are cut from the rows.
        """
        raise NotImplementedError(f"{type(self).__name__} has no read()")

    def leave(self, unread: list[Tree]) -> None:
        """The pass is over, or not wanted any more.

        Arguments:
            unread: of what cannot be read again the parts that nobody used.
        """

    def fingerprint(self) -> dict[str, Any]:
        """What can be said of the data without reading them."""
        return {"stream": self.name, "batches": self.batches}


_unread: weakref.WeakKeyDictionary[Any, deque[Tree]] = weakref.WeakKeyDictionary()
"""Of iterators the batches that were read and not used: whoever comes next goes on with them."""


class Iterators(Parts):
    """A generator or iterator: one pass, which goes on where it stands."""

    lasting = False

    def __init__(self, iterator: Iterator[Tree]) -> None:
        self.iterator = iterator
        self.name = f"{type(iterator).__name__} {getattr(iterator, '__name__', '')}".strip()
        try:
            self._unread = _unread.setdefault(iterator, deque())
        except TypeError:  # not everything can be looked up
            self._unread = deque()
        self._taken = 0  # batches, since this was made

    def first(self) -> Tree:
        if not self._unread:
            self._unread.append(next(self.iterator))
        return self._unread[0]

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        """See Parts. What was done before the program began anew is read again, and thrown away."""
        for _ in range(start.batches - self._taken):
            if next(self, None) is None:
                break
        return self

    def __iter__(self) -> Iterator[Tree]:
        return self

    def __next__(self) -> Tree:
        part = self._unread.popleft() if self._unread else next(self.iterator)
        self._taken += 1
        return part

    def leave(self, unread: list[Tree]) -> None:
        self._unread.extendleft(reversed(unread))
        self._taken -= len(unread)


class Iterables(Parts):
    """Something that can be iterated again and again, a pass each."""

    def __init__(self, iterable: Iterable[Tree], name: str | None = None) -> None:
        self.iterable = iterable
        self.name = name or type(iterable).__name__
        self.batches = len(iterable) if isinstance(iterable, Sized) else None
        self._begun: Iterator[Tree] | None = None  # the first pass, whose first batch has been looked at
        self._passes = 0

    def first(self) -> Tree:
        iterator = iter(self.iterable)
        part = next(iterator)
        self._begun = itertools.chain([part], iterator)
        return part

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        """See Parts. Passes before a new start of the program are done again, for what they leave behind."""
        while self._passes < turn.since:
            for _ in self._next_pass():
                pass
        return itertools.islice(self._next_pass(), start.batches, None)

    def _next_pass(self) -> Iterator[Tree]:
        begun, self._begun = self._begun, None
        self._passes += 1
        return iter(self.iterable) if begun is None else begun


class Functions(Parts):
    """A function that gives an iterator: called for each pass, of which none knows of another."""

    def __init__(self, function: Callable[[], Iterable[Tree]]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def read(self, turn: Turn, start: Place, batch: int | None) -> Iterator[Tree]:
        return itertools.islice(iter(self.function()), start.batches, None)
