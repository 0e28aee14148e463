"""Ctrl-C as a request that the loop sees between steps, instead of an exception in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether Ctrl-C has been pressed. The second time it raises KeyboardInterrupt, as without thalweg."""

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Inside, the first Ctrl-C only sets ``requested``.

    Only in the main thread, which alone may handle signals, and only where Ctrl-C has its usual meaning: who has
    given it another one (a server, asyncio, nohup) keeps it.
    """
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
