"""A core of its own for each thread of a team.

Linux starts a thread that is woken on the core of the one that woke it, or on the one where it ran last; where few
cores share a cache it does not look for a free one. Only its balancing moves threads apart, which takes longer than a
piece of a trial: two threads that met on one core would meet there at every trial, and look as slow as one.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress


def _where() -> Callable[[], int] | None:
    """What tells the core that a thread is on; None where threads cannot be moved anyway (macOS, Windows)."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.PyDLL(None), "sched_getcpu", None)  # keeps Python's lock: it takes some 50 ns


_core = _where()


class Seats:
    """The cores that the threads of one call are on."""

    def __init__(self, core: Callable[[], int] | None = _core) -> None:
        """Arguments: core: tells where the calling thread is; None: threads stay where they are."""
        self._core = core
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def take(self) -> None:
        """The calling thread stays where it is, unless another of the team is there: then it moves, if it may."""
        if self._core is None:
            return
        with self._lock, suppress(OSError):  # where the system forbids it, it is the system that places threads
            if self._core() in self._taken:
                allowed = os.sched_getaffinity(0)
                free = allowed - self._taken
                if free:
                    os.sched_setaffinity(0, free)  # it is there when this returns
                    os.sched_setaffinity(0, allowed)
            self._taken.add(self._core())
