"""Which values may take the place of those that they are computed from.

A gradient through an activation is computed element by element from what the layer gave, which nobody needs afterwards:
written over it, it needs no memory of its own, and its lines of the cache are there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.plan.order import reads_once

WORTH_REUSING = 256 * 1024
"""Bytes; smaller values stay in the second-level cache anyhow."""


def written_over(nests: Sequence[Nest], stages: Sequence[int]) -> dict[Buffer, Buffer]:
    """For temporary buffers those whose memory they can have: read for the last time just where they are written.

    Arguments:
        nests, stages: of each task.
    """
    users: dict[Buffer, list[int]] = {}
    for task, nest in enumerate(nests):
        for buffer in nest.buffers:
            users.setdefault(buffer, []).append(task)
    into: dict[Buffer, Buffer] = {}

    def now(buffer: Buffer | None) -> Buffer | None:
        return None if buffer is None else into.get(buffer, buffer)

    able = (task for task, nest in enumerate(nests) if reads_once(nest))
    for task in sorted(able, key=lambda t: stages[t]):
        nest = nests[task]
        for store in nest.stores.values():
            new = now(store.buffer)
            if new is None or not _large(new) or _alone(users[new], stages, min) != task:
                continue
            written = [now(a.buffer) for a in nest.stores.values()]
            for old in dict.fromkeys(now(a.buffer) for a in nest.loads.values()):
                if old is None or old in written or not _large(old) or _alone(users[old], stages, max) != task:
                    continue
                there = all(a.place == store.place for a in nest.read if now(a.buffer) is old)
                if there and (old.nbytes, old.type.dtype) == (new.nbytes, new.type.dtype):
                    into |= {new: old} | {b: old for b, other in into.items() if other is new}
                    users[old] += users.pop(new)
                    break
    return into


def _large(buffer: Buffer) -> bool:
    return buffer.kind == "temporary" and buffer.nbytes >= WORTH_REUSING


def _alone(users: Sequence[int], stages: Sequence[int], edge: Callable[[Iterable[int]], int]) -> int | None:
    """The task that uses a buffer before (``edge`` is min) or after (max) all others; None if several do."""
    stage = edge(stages[t] for t in users)
    (task, *others) = [t for t in users if stages[t] == stage]
    return None if others else task
