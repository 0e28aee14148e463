"""What a forked child finds (``os.fork``, ``multiprocessing``): locks that are free, and LLVM between two programs.

A fork copies every lock as it is, but only the thread that forks: what another thread holds at that moment is never let
go of in the child. Source: POSIX.1-2017, ``fork``, "Rationale"; ``pthread_atfork``.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

WAIT_SECONDS = 120.0
"""How long a fork waits for the compiler at most, should that be waiting for something the fork holds."""

_compiling = threading.RLock()
_held = False
_renewals: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def compiling() -> AbstractContextManager[bool]:
    """Held while something is compiled: one program at a time, each on all cores.

    A fork waits until it is free, for nobody could renew the locks inside of LLVM and of the modules that are loaded.
    """
    return _compiling


def renew_in_child(owner: Any, renew: Callable[[Any], None]) -> None:
    """Have ``renew(owner)`` called in every forked child, as long as the owner lives: it gives it new locks."""
    _renewals[owner] = renew


def _before() -> None:
    global _held
    _held = _compiling.acquire(timeout=WAIT_SECONDS)


def _in_parent() -> None:
    if _held:
        _compiling.release()


def _in_child() -> None:
    global _compiling
    _compiling = threading.RLock()
    for owner, renew in list(_renewals.items()):
        renew(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
