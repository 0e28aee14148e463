"""Work on the rows of columns, a block at a time, on all cores: NumPy lets go of Python's lock while it computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from thalweg import cores

__all__ = ["AT_ONCE", "in_blocks"]

AT_ONCE = 65_536
"""Rows in a block: what is computed of a column stays in a core's cache, and takes longer than to ask for the lock."""


def in_blocks(height: int, work: Callable[[slice], object]) -> None:
    """Call a function with each block of rows; two blocks may be worked on at a time. Raises what it raises."""
    blocks = [slice(start, min(start + AT_ONCE, height)) for start in range(0, height, AT_ONCE)]
    width = min(int(cores.wanted(None)), len(blocks))
    if width < 2:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(width, "thalweg-rows") as pool:
        for _ in pool.map(work, blocks):
            pass
