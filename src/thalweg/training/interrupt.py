"""Ctrl-C as a request that the loop sees between steps, instead of an exception in the middle of one."""

from __future__ import annotations

import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Interrupt:
    """Whether Ctrl-C has been pressed. The second time it raises KeyboardInterrupt, as without thalweg.

    Attributes:
        shared: whether it is for several fits at once, of which none speaks for all.
    """

    def __init__(self) -> None:
        self.requested = False
        self.shared = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """What Ctrl-C calls: the first asks the loop to end, the second ends it."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


_outer: contextvars.ContextVar[Interrupt | None] = contextvars.ContextVar("thalweg_interrupt", default=None)


def sharing(interrupt: Interrupt, work: Callable[[], T]) -> T:
    """``work()``, on any thread; ``interruptible`` gives this Interrupt in there."""

    def run() -> T:
        _outer.set(interrupt)
        return work()

    interrupt.shared = True
    return contextvars.copy_context().run(run)


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Inside, the first Ctrl-C only sets ``requested``.

    Only in the main thread, which alone may handle signals, and only where Ctrl-C has its usual meaning: who has
    given it another one (a server, asyncio, nohup) keeps it.
    """
    outer = _outer.get()
    if outer is not None:
        yield outer
        return
    interrupt = Interrupt()
    usual = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not usual:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
