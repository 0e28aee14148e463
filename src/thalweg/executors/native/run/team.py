"""Threads that enter compiled code together. Started once; ctypes lets go of Python's lock while they are in it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from thalweg.errors import ExecutorError
from thalweg.executors.native.run.seats import Seats

Work = Callable[[int], None]


LOOK_SECONDS = 0.1
"""How long Ctrl-C goes unseen at most."""


class Team:
    """Threads that wait for work. They are no reason for a program not to end.

    Raises: ExecutorError if the system gives no more threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._asked: SimpleQueue[tuple[Work, int] | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        try:
            for _ in range(size):
                threading.Thread(target=self._serve, name="thalweg", daemon=True).start()
        except (RuntimeError, MemoryError) as error:
            self.dismiss()
            raise ExecutorError(
                "the system gives no more threads",
                expected=f"{size} threads beside the one that calls",
                got=str(error),
                fix="set THALWEG_THREADS=1, pass threads=1, or raise the limit (ulimit -u, ulimit -v)",
            ) from error

    def ask(self, work: Work, number: int) -> None:
        """Have one of the threads call ``work(number)``."""
        self._asked.put((work, number))

    def wait(self, count: int, *, until_interrupted: bool = False) -> None:
        """Until so many of the calls have ended. Raises what one of them has raised.

        Ctrl-C waits too, unless told otherwise: those that are in the code write into memory of the caller.
        """
        errors: list[BaseException] = []
        while count:
            try:
                error = self._done.get(timeout=LOOK_SECONDS if until_interrupted else None)
            except Empty:  # Python looks for signals now, whichever thread the system gave them to
                continue
            except KeyboardInterrupt as pressed:
                if until_interrupted:
                    raise
                errors.append(pressed)
            else:
                count -= 1
                errors += [] if error is None else [error]
        if errors:
            raise errors[0]

    def dismiss(self) -> None:
        """End the threads."""
        for _ in range(self.size):
            self._asked.put(None)

    def _serve(self) -> None:
        while (asked := self._asked.get()) is not None:
            work, number = asked
            error = None
            try:
                work(number)
            except BaseException as raised:
                error = raised
            del work, asked  # an idle thread keeps nothing alive
            self._done.put(error)


_idle: list[Team] = []
"""Teams that nobody uses now. Two programs that run at the same time must not share one: each would wait at its barrier
for members that are waiting at the other's."""


def run_on(threads: int, work: Work) -> None:
    """Calls ``work(0)`` here and ``work(1)`` ... on other threads at the same time; returns when all are done.

    Each begins on a core of its own, if there are so many.
    """
    if threads == 1:
        work(0)
        return
    team = _team(threads - 1)
    seats = Seats()
    seats.take()

    def seated(number: int) -> None:
        seats.take()
        work(number)

    try:
        for number in range(1, threads):
            team.ask(seated, number)
        try:
            work(0)
        finally:
            team.wait(threads - 1)
    except BaseException:
        team.dismiss()
        raise
    _idle.append(team)


def run_apart(work: Callable[[], None], claims: list[None], ended: Callable[[], None]) -> None:
    """Calls ``work()`` on another thread, so that Ctrl-C need not wait for it: then it goes on alone.

    Arguments:
        claims: one; whoever takes it out calls ``ended``. If it is still there the work was not begun.
        ended: called after the work, on its thread.
    """
    finished = threading.Event()

    def serve(_: int) -> None:
        try:
            claims.pop()
        except IndexError:  # it came too late
            return
        try:
            work()
        finally:
            ended()
            finished.set()

    team = Team(1) if not _leaders else _leaders.pop()
    try:
        team.ask(serve, 0)
        team.wait(1, until_interrupted=True)
    except BaseException:
        team.dismiss()
        if not claims and not finished.wait(GRACE_SECONDS):
            print(STILL_RUNS, file=sys.stderr)
        raise
    _leaders.append(team)


GRACE_SECONDS = 1.0
"""How long Ctrl-C waits for what runs to come to an end by itself."""

STILL_RUNS = "A step still runs in the background; until it has ended the weights are between two steps."

_leaders: list[Team] = []


def _team(count: int) -> Team:
    """An idle team of at least so many members, or a new one."""
    for team in list(_idle):
        if team.size >= count:
            try:
                _idle.remove(team)
            except ValueError:  # another thread was quicker
                continue
            return team
    return Team(count)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a forked child has none of its parent's threads
    os.register_at_fork(after_in_child=_leaders.clear)
