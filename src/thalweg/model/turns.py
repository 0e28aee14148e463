"""One model, several threads: what changes it, or keeps sums in it, is done by one after the other."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from thalweg.errors import ExecutorError, InsufficientMemoryError, ThalwegError
from thalweg.executors import forks

LOOK_SECONDS = 0.05
"""How often a thread that waits looks whether a ``fit`` has begun, for whose end nobody wants to wait."""

F = TypeVar("F", bound=Callable[..., Any])


class Turns:
    """Whose turn it is. A thread that has it may take it again, as callbacks do that evaluate."""

    def __init__(self) -> None:
        self._renew()
        forks.renew_in_child(self, Turns._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._fitting: int | None = None  # the thread that is in fit

    @contextmanager
    def taken(self, what: str) -> Iterator[None]:
        """Waits for the turn.

        Raises: ExecutorError while another thread is in ``fit``, which may take hours.
        """
        mine = threading.get_ident()
        while True:
            self._require_no_fit(what, mine)
            if self._lock.acquire(timeout=LOOK_SECONDS):
                break
        before = self._fitting
        try:
            self._fitting = mine if what == "fit" else before
            yield
        finally:
            self._fitting = before
            self._lock.release()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """The same for predictions, which may run beside a ``fit`` of another thread, but beside nothing else.

        Raises: InsufficientMemoryError in place of Python's and NumPy's MemoryError.
        """
        mine, held = threading.get_ident(), False
        while not held and self._fitting in (None, mine):
            held = self._lock.acquire(timeout=LOOK_SECONDS)
        try:
            yield
        except MemoryError as error:
            if isinstance(error, ThalwegError):
                raise
            raise InsufficientMemoryError.found("predict", error) from error
        finally:
            if held:
                self._lock.release()

    def _require_no_fit(self, what: str, mine: int) -> None:
        if self._fitting not in (None, mine):
            raise ExecutorError(
                f"{what}: another thread trains this model",
                expected="a model that nobody trains just now, or predict, which may run beside it",
                got="a fit that has not ended",
                fix="wait for its end, or take a copy: copy.deepcopy(model) before it begins",
            )


def in_turn(method: F) -> F:
    """Decorator: a method of a model that threads call one after the other."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        with self.runner.turns.taken(method.__name__):
            return method(self, *args, **kwargs)

    return cast(F, call)
