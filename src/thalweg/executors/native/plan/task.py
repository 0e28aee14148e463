"""Tasks, the order in which they run, and the whole plan that the code generator gets.

A *task* is a kernel with its buffers. Tasks of one *stage* do not depend on each other; between stages there is a
barrier.
"""

from __future__ import annotations

import math
from dataclasses import field

from thalweg.executors.native.code.evaluate import Nest
from thalweg.executors.native.host import Host
from thalweg.executors.native.plan.nest import Buffer, View
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.passes.fuse import Kernel


@dataclass(eq=False)
class Task:
    """A kernel with what it reads and writes."""

    kernel: Kernel
    copies: bool = False  # its one root exists already, and is stored at another place
    aside: Buffer | None = None  # where the root of such a task lies, if not where it usually does
    targets: dict[Node, View] = field(default_factory=dict)  # where roots go, if not to their own buffer
    after: set[Task] = field(default_factory=set)
    nest: Nest | None = None
    stage: int = 0


@dataclass
class Plan:
    """Everything that the code generator needs, and what a caller has to hand in."""

    stages: list[list[Task]]
    stored: set[Node]
    arena_bytes: int
    data: dict[str, Buffer]
    states: dict[str, Buffer]
    outputs: dict[str, Buffer]
    batch: int | None  # rows of the index, if data is gathered

    def cost_seconds(self, host: Host) -> float:
        """About how long a step takes on one thread: multiply-adds at the usual rate, other work by its operations."""
        rate = 3.5e9 * host.lanes("float32")
        total = 0.0
        for task in (t for stage in self.stages for t in stage):
            assert task.nest is not None, "tasks are resolved"
            size = math.prod(dim.size for dim in task.nest.dims)
            if task.kernel.contraction is not None:
                total += size / (2 * rate)
            else:
                total += size * len(task.nest.needed) / rate + 10e-9
        return total

    def sharing_seconds(self) -> float:
        """About how much longer a step takes on several threads: barriers, and fetching what others have written.

        A product needs all of its first operand, half of which another thread has just computed.
        """
        fetched: list[Buffer] = []
        batches: set[Buffer] = set()
        for task in (t for stage in self.stages for t in stage):
            assert task.nest is not None, "tasks are resolved"
            sources = [a.buffer for a in task.nest.loads.values() if a.buffer is not None]
            if task.kernel.contraction is None and sources and all(b.kind == "data" for b in sources):
                batches |= {a.buffer for a in task.nest.stores.values() if a.buffer is not None}
            fetched += [a.buffer for a in task.nest.extra[:1] if a.buffer is not None and a.buffer.kind == "temporary"]
        once = [b for b in fetched if b not in batches] + list(batches & set(fetched))
        return sum(b.type.nbytes for b in once) / 2 / 64 * LINE_SECONDS + len(self.stages) * BARRIER_SECONDS


BARRIER_SECONDS = 0.6e-6
"""What a barrier costs, with the wait for the slower thread."""

LINE_SECONDS = 12e-9
"""What it costs to take a cache line over from another core: measured 9 ns to read, and some to write it again."""


def waited_for(waiting: list[Task], edges: dict[Task, set[Task]]) -> list[Task]:
    """Of tasks that cannot start, those in a circle or between two: the others only wait for the circle to end."""
    left = set(waiting)
    while ends := left - {b for task in left for b in edges[task]}:
        left -= ends
    return [task for task in waiting if task in left]


def levels(tasks: list[Task], edges: dict[Task, set[Task]]) -> list[Task]:
    """Sets each task's stage to one after its last predecessor's; returns the tasks that wait for each other."""
    left = {task: set(edges[task]) for task in tasks}
    followers: dict[Task, list[Task]] = {}
    for task, before in edges.items():
        for b in before:
            followers.setdefault(b, []).append(task)
    ready = [task for task in tasks if not left[task]]
    for task in ready:
        task.stage = 0
    placed = 0
    while placed < len(ready):
        task = ready[placed]
        placed += 1
        for f in followers.get(task, []):
            left[f].discard(task)
            if not left[f]:
                f.stage = 1 + max(b.stage for b in edges[f])
                ready.append(f)
    return [task for task in tasks if left[task]]
