"""Threads that enter compiled code together. Started once; ctypes lets go of Python's lock while they are in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_idle: list[tuple[int, ThreadPoolExecutor]] = []
"""Teams that nobody uses now, with their sizes. Two programs that run at the same time must not share one: each would
wait at its barrier for members that are waiting at the other's."""


def run_on(threads: int, work: Callable[[int], None]) -> None:
    """Calls ``work(0)`` here and ``work(1)`` ... on other threads at the same time; returns when all are done."""
    if threads == 1:
        work(0)
        return
    size, members = _team(threads - 1)
    helpers = [members.submit(work, i) for i in range(1, threads)]
    work(0)
    for helper in helpers:
        helper.result()
    _idle.append((size, members))  # not after an error: a member might still be in the code


def _team(count: int) -> tuple[int, ThreadPoolExecutor]:
    """An idle team of at least so many members, or a new one."""
    for team in list(_idle):
        if team[0] >= count:
            try:
                _idle.remove(team)
            except ValueError:  # another thread was quicker
                continue
            return team
    from concurrent.futures import ThreadPoolExecutor  # here, because a small program runs on one thread

    return count, ThreadPoolExecutor(count, "thalweg")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a forked child has none of its parent's threads
