"""One arena for all temporary values: those that live at different times share memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from thalweg.fields import dataclass

ALIGNMENT = 64
"""Bytes; a cache line, and the widest vector."""


@dataclass(frozen=True)
class Lifetime:
    """A value that must stay in memory from stage ``first`` to stage ``last``, both included."""

    first: int
    last: int
    size: int  # bytes


def assign(lives: Sequence[Lifetime]) -> tuple[list[int], int]:
    """An offset for each value, and the bytes of the whole arena.

    The largest first, each at the lowest place that is free during all of its life (greedy by size, Pisarchyk & Lee
    2020, arXiv:2001.03288, section 3.2).
    """
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, int, int]] = []  # offset, end, first and last stage, by offset
    for i in sorted(range(len(lives)), key=lambda i: (-lives[i].size, i)):
        life = lives[i]
        at = 0
        for start, end, first, last in placed:
            if first > life.last or last < life.first:
                continue
            if at + life.size <= start:
                break
            at = max(at, end)
        offsets[i] = at
        insort(placed, (at, at + _rounded(life.size), life.first, life.last))
    return offsets, max((end for _, end, _, _ in placed), default=0)


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
