"""From kernels to tasks: what each stores where, with the copies that paddings, joins and results need.

A *task* is a kernel whose results have their places, or a copy of a value that exists to another place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Nest, nest_of
from thalweg.executors.native.plan.places import Places, boxes, leaves_zeros
from thalweg.executors.native.plan.view import View, temporary, unshaped, whole
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Kind, Node
from thalweg.ops import filled
from thalweg.ops.shape import Reshape
from thalweg.ops.views import Move
from thalweg.passes.fuse import Kernel, behind, reads, stored_in


@dataclass(frozen=True)
class Copy:
    """Stores a value that exists already, or that needs no computing, at another place.

    Arguments:
        aside: the buffer that it lies in, if not where the value usually does.
    """

    to: View
    aside: Buffer | None = None


@dataclass(frozen=True)
class Task:
    """A kernel to run; or, with ``copy``, only its one root to be stored elsewhere.

    Arguments:
        after: numbers of tasks that must be over before it starts, beside those that it reads from.
    """

    kernel: Kernel
    copy: Copy | None = None
    after: tuple[int, ...] = ()

    @property
    def reads_aside(self) -> bool:
        """Whether it is a copy of what was written aside."""
        return self.copy is not None and self.copy.aside is not None


@dataclass(frozen=True)
class Tasks:
    """All tasks of a step, by their number.

    Arguments:
        makers: the tasks that make a stored value.
        places: where stored values lie.
    """

    tasks: tuple[Task, ...]
    makers: Mapping[Node, tuple[int, ...]]
    places: Places

    def reads(self, task: Task) -> set[Node]:
        """The stored values and the leaves that a task loads."""
        if task.copy is None:
            return reads(task.kernel, self.places.of)
        return set() if task.copy.aside is not None else {behind(task.kernel.roots[0], self.places.of)}

    def writes(self, task: Task) -> list[Buffer]:
        """The buffers that a task stores to."""
        return [self.target(task, root).buffer for root in task.kernel.roots]

    def target(self, task: Task, root: Node) -> View:
        """Where a task stores a root."""
        return self.places.of[root] if task.copy is None else task.copy.to

    def nest(self, task: Task) -> Nest:
        """What a task reads and writes, as addresses."""
        if task.copy is None:
            return nest_of(task.kernel, self.places)
        (root,) = task.kernel.roots
        origin = self.places.source(root) if task.copy.aside is None else whole(task.copy.aside)
        return nest_of(task.kernel, self.places, task.copy.to, origin)

    def written_aside(self, numbers: Iterable[int]) -> Tasks:
        """New states of these tasks get memory of their own, and are copied to the states at the end."""
        tasks, of = list(self.tasks), dict(self.places.of)
        for number in numbers:
            task = tasks[number]
            for root in task.kernel.roots:
                target = self.target(task, root)
                if target.buffer.kind != "state":
                    continue
                aside = temporary(root)
                if task.copy is None:
                    of[root] = aside
                else:
                    tasks[number] = replace(task, copy=replace(task.copy, to=aside))
                tasks.append(Task(_kernel_of(root), Copy(target, aside.buffer), (number,)))
        return Tasks(tuple(tasks), self.makers, replace(self.places, of=of))


def make_tasks(graph: Graph, kernels: Sequence[Kernel], places: Places) -> Tasks:
    """The tasks of a graph.

    Arguments:
        places: of all values that the kernels store.
    """
    direct, copied = _results(graph, kernels, places)
    places = replace(places, of={**places.of, **direct})
    making = _Making(places)
    for kernel in kernels:
        making.add(kernel)
    copies = [Task(_kernel_of(node), Copy(whole(buffer))) for node, buffer in copied]
    return Tasks((*making.tasks, *copies), making.makers, places)


def _results(
    graph: Graph, kernels: Iterable[Kernel], places: Places
) -> tuple[dict[Node, View], list[tuple[Node, Buffer]]]:
    """Outputs and new states that are made where the caller wants them, and those that are copied there."""
    reshaped = {behind(x) for x in graph.nodes() if isinstance(x.op, Reshape)}
    results = [(node, places.callers.states[name]) for name, node in graph.updates.items()]
    results += [(node, places.callers.outputs[name]) for name, node in graph.outputs.items()]
    made = {node for node in stored_in(kernels) if node.op.kind is not Kind.MOVE}
    made -= reshaped | places.inside.keys()
    direct: dict[Node, View] = {}
    copied: list[tuple[Node, Buffer]] = []
    for node, buffer in results:
        if node in made and node not in direct:
            direct[node] = whole(buffer)
        else:
            copied.append((node, buffer))
    return direct, copied


class _Making:
    """Tasks that are being numbered."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.tasks: list[Task] = []
        self.makers: dict[Node, tuple[int, ...]] = {}

    def add(self, kernel: Kernel) -> None:
        """The tasks of a kernel; those of its sources are there already."""
        (first, *_) = kernel.roots
        if isinstance(first.op, Move):
            self.makers[first] = self._moved(first, first.op, self.places.of[first])
        else:
            number = self._number(Task(kernel))
            self.makers |= dict.fromkeys(kernel.roots, (number,))

    def _moved(self, node: Node, op: Move, place: View) -> tuple[int, ...]:
        """Each input into its place, where it may have been made, and zeros elsewhere."""
        parts = [(x, place.part(box)) for x, box in zip(node.inputs, boxes(node, op), strict=True)]
        sources = [self._made_inside(x, there, node) for x, there in parts]
        zeros = self._zeros(node, op, place, any(source is not None for source in sources))
        numbers = dict.fromkeys(zeros)
        for (x, there), source in zip(parts, sources, strict=True):
            numbers |= dict.fromkeys([self._copy(x, there, zeros)] if source is None else self.makers[source])
        return tuple(numbers)

    def _zeros(self, node: Node, op: Move, place: View, made_inside: bool) -> tuple[int, ...]:
        """Around an input that is made in its place; otherwise everywhere, and the inputs are copied over them."""
        if not leaves_zeros(node):
            return ()
        if not made_inside:
            return (self._copy(filled(node.shape, 0, node.dtype), place),)
        (box,) = boxes(node, op)
        around = [(filled(_sizes(part), 0, node.dtype), place.part(part)) for part in _around(box, node.shape)]
        return tuple(self._copy(zeros, there) for zeros, there in around)

    def _made_inside(self, x: Node, there: View, node: Node) -> Node | None:
        """The value that whoever makes it writes to its place in the node; None if it is made elsewhere."""
        source, place = unshaped(x, there)
        return source if self.places.inside.get(source) is node and self.places.of[source] == place else None

    def _copy(self, node: Node, to: View, after: tuple[int, ...] = ()) -> int:
        return self._number(Task(_kernel_of(node), Copy(to), after))

    def _number(self, task: Task) -> int:
        self.tasks.append(task)
        return len(self.tasks) - 1


def _kernel_of(node: Node) -> Kernel:
    """A kernel that stores one value as it is."""
    return Kernel(node.shape, nodes=(node,), roots=(node,))


def _around(box: Sequence[slice], shape: Sequence[int]) -> list[list[slice]]:
    """What is left around a box, in boxes: for each axis the parts before and after, each element in one of them."""
    boxes = []
    for axis, n in enumerate(shape):
        for start, stop in ((0, box[axis].start), (box[axis].stop, n)):
            if start < stop:
                rest = [slice(0, m, 1) for m in shape[axis + 1 :]]
                boxes.append([*box[:axis], slice(start, stop, 1), *rest])
    return boxes


def _sizes(box: Sequence[slice]) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in box)
