"""When tasks run: in stages, between which the threads wait for each other.

A state's new value is written over the old one as soon as every reader of the old one is done; only where
readers and writers wait for each other in a circle is it written aside first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.plan.sweeps import in_one_pass
from thalweg.executors.native.plan.tasks import Task, Tasks
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.ops.leaf import State

Edges = Sequence[Set[int]]
"""For each task the numbers of those that must be over before it starts."""


@dataclass(frozen=True)
class Order:
    """Tasks with their stages and nests, each by the task's number."""

    tasks: Tasks
    stages: tuple[int, ...]
    nests: tuple[Nest, ...]


def in_order(tasks: Tasks) -> Order:
    """The stage of each task: one after the last that it waits for. New states are written aside where they must be."""
    nests = _Nests(tasks)
    while True:
        edges = _edges(tasks, nests)
        stages = levels(edges)
        if stages is not None:
            return Order(tasks, stages, tuple(nests.of(number) for number in range(len(tasks.tasks))))
        waiting = waited_for(edges)
        aside = tasks.written_aside(waiting)
        assert len(aside.tasks) > len(tasks.tasks), "tasks wait for each other, but not because of a state"
        nests = nests.after(aside, {root for number in waiting for root in tasks.tasks[number].kernel.roots})
        tasks = aside


def levels(edges: Edges) -> tuple[int, ...] | None:
    """For each task one more than the last of those before it has, from 0; None if some wait for each other.

    Example:
        >>> levels([set(), {0}, {0, 1}, set()])
        (0, 1, 2, 0)
    """
    left = [len(before) for before in edges]
    followers: list[list[int]] = [[] for _ in edges]
    for task, before in enumerate(edges):
        for b in before:
            followers[b].append(task)
    stages = [0] * len(edges)
    ready = [task for task, count in enumerate(left) if not count]
    for task in ready:  # grows meanwhile
        for follower in followers[task]:
            left[follower] -= 1
            stages[follower] = max(stages[follower], stages[task] + 1)
            if not left[follower]:
                ready.append(follower)
    return tuple(stages) if len(ready) == len(edges) else None


def waited_for(edges: Edges) -> list[int]:
    """Of tasks that cannot start, those in a circle or between two: the others only wait for the circle to end.

    Example:
        >>> waited_for([set(), {0, 2}, {1}, {2}])
        [1, 2]
    """
    left = set(range(len(edges)))
    while starts := {task for task in left if not edges[task] & left}:
        left -= starts
    while ends := left - {b for task in left for b in edges[task]}:
        left -= ends
    return sorted(left)


class _Nests:
    """The nests of tasks, each made when it is first asked for."""

    def __init__(self, tasks: Tasks, known: Mapping[int, Nest] | None = None) -> None:
        self._tasks = tasks
        self._known = dict(known or {})

    def of(self, number: int) -> Nest:
        if number not in self._known:
            self._known[number] = self._tasks.nest(self._tasks.tasks[number])
        return self._known[number]

    def after(self, tasks: Tasks, moved: Set[Node]) -> _Nests:
        """Those of other tasks, of which the ones that read or make a moved value are new."""

        def stays(task: Task) -> bool:
            return moved.isdisjoint(task.kernel.roots) and moved.isdisjoint(tasks.reads(task))

        return _Nests(tasks, {n: nest for n, nest in self._known.items() if stays(tasks.tasks[n])})


def _edges(tasks: Tasks, nests: _Nests) -> list[set[int]]:
    edges: list[set[int]] = []
    readers: dict[Buffer, set[int]] = {}
    for number, task in enumerate(tasks.tasks):
        before = set(task.after)
        for node in tasks.reads(task):
            if isinstance(node.op, State):
                readers.setdefault(tasks.places.callers.states[node.op.label], set()).add(number)
            before.update(tasks.makers.get(node, ()))
        before.discard(number)
        edges.append(before)
    for number, task in enumerate(tasks.tasks):
        for buffer in tasks.writes(task):
            others = readers.get(buffer, set())
            edges[number] |= others - {number}
            if number in others and not replaces(nests.of(number), buffer):
                edges[number].add(number)
    return edges


def replaces(nest: Nest, buffer: Buffer) -> bool:
    """Whether a task reads of a buffer that it writes just the element that it is about to replace.

    What goes along no swept axis is written when all passes of its unit are over.
    """
    (store,) = [access for access in nest.stores.values() if access.buffer is buffer]
    there = all(access.place == store.place for access in nest.read if access.buffer is buffer)
    last = not any(step and dim.swept for step, dim in zip(store.strides, nest.dims, strict=True))
    return there and (last or reads_once(nest))


def reads_once(nest: Nest) -> bool:
    """Whether a task reads each element once, before it writes its place."""
    return in_one_pass(nest.kernel, nest.done)
