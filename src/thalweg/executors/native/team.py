"""Threads that enter compiled code together. Started once; ctypes lets go of Python's lock while they are in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_team: ThreadPoolExecutor | None = None
_size = 0


def run_on(threads: int, work: Callable[[int], None]) -> None:
    """Calls ``work(0)`` here and ``work(1)`` ... on other threads at the same time; returns when all are done."""
    if threads == 1:
        work(0)
        return
    helpers = [_members(threads - 1).submit(work, i) for i in range(1, threads)]
    work(0)
    for helper in helpers:
        helper.result()


def _members(count: int) -> ThreadPoolExecutor:
    global _team, _size
    if _team is None or _size < count:
        from concurrent.futures import ThreadPoolExecutor  # here, because a small program runs on one thread

        _team, _size = ThreadPoolExecutor(count, "thalweg"), count
    return _team


def _forget() -> None:
    """A forked child has none of its parent's threads."""
    global _team, _size
    _team, _size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
