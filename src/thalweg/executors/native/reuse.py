"""Which values may take the place of those that they are computed from.

A gradient through an activation is computed element by element from what the layer gave, which nobody needs afterwards:
written over it, it needs no memory of its own, and its lines of the cache are there already.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.executors.native.nest import Access, Buffer
from thalweg.executors.native.task import Task

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
    for task in sorted(able, key=lambda t: t.stage):
        assert task.nest is not None, "tasks are resolved"
        for store in task.nest.stores.values():
            new = store.buffer
            if new is None or not _large(new) or _alone_first(users[new]) is not task:
                continue
            for load in task.nest.loads.values():
                old = found.get(load.buffer, load.buffer) if load.buffer is not None else None
                if old is None or old is new or not _large(old) or _alone_last(users[old]) is not task:
                    continue
                if _same_place(load, store) and _only_there(task, old, load, found):
                    found |= {new: old} | {b: old for b, other in found.items() if other is new}
                    users[old] = users[old] + users.pop(new)
                    break
    return found


def _large(buffer: Buffer) -> bool:
    return buffer.kind == "temporary" and buffer.nbytes >= WORTH_REUSING


def _alone_first(users: Sequence[Task]) -> Task | None:
    """The task that uses a buffer before all others; None if several do."""
    first = min(t.stage for t in users)
    (task, *others) = [t for t in users if t.stage == first]
    return None if others else task


def _alone_last(users: Sequence[Task]) -> Task | None:
    """The task that uses a buffer after all others; None if several do."""
    last = max(t.stage for t in users)
    (task, *others) = [t for t in users if t.stage == last]
    return None if others else task


def _same_place(load: Access, store: Access) -> bool:
    """Whether each element is read from where its result goes."""
    one, other = load.buffer, store.buffer
    assert one is not None and other is not None, "both are in memory"
    same_size = one.nbytes == other.nbytes and load.dtype == store.dtype
    return same_size and (load.offset, load.strides, load.gathered) == (store.offset, store.strides, None)


def _only_there(task: Task, old: Buffer, load: Access, found: dict[Buffer, Buffer]) -> bool:
    """Whether a task reads a buffer just so, and writes nothing else to it."""
    assert task.nest is not None, "tasks are resolved"

    def uses(access: Access) -> bool:
        return access.buffer is not None and found.get(access.buffer, access.buffer) is old

    reads = [a for a in (*task.nest.loads.values(), *task.nest.extra) if uses(a)]
    written = any(uses(a) for a in task.nest.stores.values())
    return not written and all((a.offset, a.strides, a.gathered) == (load.offset, load.strides, None) for a in reads)
