"""Which values may take the place of those that they are computed from.

A gradient through an activation is computed element by element from what the layer gave, which nobody needs afterwards:
written over it, it needs no memory of its own, and its lines of the cache are there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from thalweg.executors.native.plan.nest import Buffer
from thalweg.executors.native.plan.task import Task

WORTH_REUSING = 256 * 1024
"""Bytes; smaller values stay in the second-level cache anyhow."""


def written_over(able: Sequence[Task], tasks: Sequence[Task]) -> dict[Buffer, Buffer]:
    """For temporary buffers those whose memory they can have: read for the last time just where they are written.

    Arguments:
        able: the tasks that read each element once, before they write its place.
    """
    users: dict[Buffer, list[Task]] = {}
    for task in tasks:
        assert task.nest is not None, "tasks are resolved"
        for buffer in task.nest.buffers:
            users.setdefault(buffer, []).append(task)
    found: dict[Buffer, Buffer] = {}

    def now(buffer: Buffer | None) -> Buffer | None:
        return None if buffer is None else found.get(buffer, buffer)

    for task in sorted(able, key=lambda t: t.stage):
        assert task.nest is not None, "tasks are resolved"
        reads = [*task.nest.loads.values(), *task.nest.extra]
        for store in task.nest.stores.values():
            new = now(store.buffer)
            if new is None or not _large(new) or _alone(users[new], min) is not task:
                continue
            written = [now(a.buffer) for a in task.nest.stores.values()]
            for old in dict.fromkeys(now(a.buffer) for a in task.nest.loads.values()):
                if old is None or old in written or not _large(old) or _alone(users[old], max) is not task:
                    continue
                there = all(a.place == store.place for a in reads if now(a.buffer) is old)
                if there and (old.nbytes, old.type.dtype) == (new.nbytes, new.type.dtype):
                    found |= {new: old} | {b: old for b, other in found.items() if other is new}
                    users[old] += users.pop(new)
                    break
    return found


def _large(buffer: Buffer) -> bool:
    return buffer.kind == "temporary" and buffer.nbytes >= WORTH_REUSING


def _alone(users: Sequence[Task], edge: Callable[[Iterable[int]], int]) -> Task | None:
    """The task that uses a buffer before (``edge`` is min) or after (max) all others; None if several do."""
    stage = edge(t.stage for t in users)
    (task, *others) = [t for t in users if t.stage == stage]
    return None if others else task
