"""A word to those who wait for a compiler."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from thalweg.graph.node import Graph

PATIENCE_SECONDS = 10.0
"""Who waits longer for the compiler is told what is going on, and again whenever that time has doubled."""


@contextmanager
def told_if_long(graph: Graph) -> Iterator[None]:
    """Around the compilation of a graph's step."""
    ended = threading.Event()

    def tell() -> None:
        began, told = time.perf_counter(), PATIENCE_SECONDS
        while not ended.wait(began + told - time.perf_counter()):
            if sys.stderr is not None:
                what = f"a step of {len(graph.nodes())} operations, {told:.0f} seconds so far"
                print(f"Compiling {what}; later processes find it in the cache.", file=sys.stderr)
            told = max(2 * told, 1.0)

    with suppress(RuntimeError, MemoryError):  # no more threads: then nobody tells
        threading.Thread(target=tell, name="thalweg-tell", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
