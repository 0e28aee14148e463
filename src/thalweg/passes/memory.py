"""One arena for all temporary values: those that live at different times share memory."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.fields import dataclass

ALIGNMENT = 64
"""Bytes; a cache line, and the widest vector."""


@dataclass
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
    placed: list[int] = []
    for i in sorted(range(len(lives)), key=lambda i: (-lives[i].size, i)):
        life = lives[i]
        busy = sorted(
            (offsets[j], offsets[j] + _rounded(lives[j].size))
            for j in placed
            if lives[j].first <= life.last and life.first <= lives[j].last
        )
        at = 0
        for start, end in busy:
            if at + life.size <= start:
                break
            at = max(at, end)
        offsets[i] = at
        placed.append(i)
    return offsets, max((o + _rounded(life.size) for o, life in zip(offsets, lives, strict=True)), default=0)


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
