"""From a graph to tasks (task.py): what each kernel reads and writes, when it runs, and where its results lie.

A state's new value is written over the old one as soon as every reader of the old one is done; only where
readers and writers wait for each other in a circle is it written aside first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from thalweg.executors.executor import check_supported, leaf_types
from thalweg.executors.native.code.evaluate import Nest, Views, resolve
from thalweg.executors.native.code.operations import is_cheap
from thalweg.executors.native.code.step import supported
from thalweg.executors.native.code.sweep import kept_for_later, one_pass, rows_fit_registers
from thalweg.executors.native.host import ITEMSIZE
from thalweg.executors.native.plan.legalise import legalise
from thalweg.executors.native.plan.nest import (
    Access,
    Border,
    Buffer,
    Dim,
    NotAffineError,
    Strides,
    View,
    dense_strides,
    place_of_reshaped,
    view_of,
    whole,
)
from thalweg.executors.native.plan.reuse import written_over
from thalweg.executors.native.plan.task import Plan, Task, levels, waited_for
from thalweg.graph.node import Graph, Kind, Node
from thalweg.graph.types import TensorType
from thalweg.ops import full
from thalweg.ops.concatenate import Concatenate
from thalweg.ops.contraction import Contraction
from thalweg.ops.leaf import Input, State
from thalweg.ops.shape import Pad, Reshape
from thalweg.ops.view import Line
from thalweg.passes.fuse import Kernel, behind, fuse, is_view, reads
from thalweg.passes.memory import Lifetime, assign
from thalweg.passes.simplify import simplify
from thalweg.passes.sink import sink
from thalweg.state.layout import strides as state_strides

PAGE_BYTES = 4096
"""Rows a multiple of this apart fall into one set of the first cache."""


class Planner(Views):
    """Makes the plan of one graph."""

    def __init__(self, graph: Graph, lanes: int, gather: bool) -> None:
        self.lanes = lanes
        self.gather = gather
        self.inputs, self.state_types = leaf_types(graph)
        self.graph, self.dense = legalise(sink(_lowered(graph), _cheap), gather)
        self.data = {n: self._data_buffer(n, t) for n, t in self.inputs.items()}
        self.states = {n: Buffer(n, "state", t, state_strides(t)) for n, t in self.state_types.items()}
        self.outputs = {n: Buffer(n, "output", x.type, dense_strides(x.shape)) for n, x in self.graph.outputs.items()}
        self.places: dict[Node, View] = {}  # of stored values
        self.inside: dict[Node, Node] = {}  # stored values that lie inside their padded form, and that
        self.alone: set[Node] = set()  # those that must not, because of how they are read
        self.even: set[Node] = set()  # those whose rows must follow each other
        self.stored: set[Node] = set()
        self.tasks: list[Task] = []
        self.makers: dict[Node, list[Task]] = {}
        self.current: Task | None = None

    def plan(self) -> Plan:
        kernels = self._kernels()
        for kernel in kernels:
            if kernel.contraction is None and not rows_fit_registers(kernel, self.lanes):
                later = [n for n in kept_for_later(kernel, self.stored) if n not in kernel.roots]
                kernel.roots[:0] = later
                self.stored |= set(later)
                self.places |= {node: _temporary(node) for node in later}
        self._make_tasks(kernels)
        self._write_results()
        self._schedule()
        self._write_over()
        arena = self._place_buffers()
        count = 1 + max((t.stage for t in self.tasks), default=-1)
        stages = [[t for t in self.tasks if t.stage == s] for s in range(count)]
        batch = next((t.shape[0] for t in self.inputs.values()), 0) if self.gather else None
        return Plan(stages, self.stored, arena, self.data, self.states, self.outputs, batch)

    def _data_buffer(self, name: str, kind: TensorType) -> Buffer:
        return Buffer(name, "data", kind, dense_strides(kind.shape), gathered=self.gather and kind.rank > 0)

    # --- kernels and their buffers ----------------------------------------------------------------------------------

    def _kernels(self) -> list[Kernel]:
        """The kernels; views that no strides describe are stored, one by one, until all of them can be read."""
        while True:
            kernels = fuse(self.graph, self.dense, _cheap)
            self.stored = {root for kernel in kernels for root in kernel.roots}
            self.places = {root: _temporary(root, root in self.even) for root in self.stored}
            self._put_inside(kernels)
            try:
                self._check_views(kernels)
            except NotAffineError as error:
                self._store_otherwise(error.node)
            else:
                return kernels

    def _store_otherwise(self, unreadable: Node) -> None:
        """Gives up what stands in the way of a view: a place inside another value, rows apart, or no place at all."""
        for node in _chain(unreadable):
            place = self.places.get(node)
            if node in self.inside:
                self.alone.add(node)
                return
            if place is not None and place.strides != dense_strides(node.shape):
                self.even.add(node)
                return
        assert unreadable not in self.dense, f"{unreadable} is stored and still cannot be read"
        self.dense.add(unreadable)

    def _put_inside(self, kernels: list[Kernel]) -> None:
        """Values that are padded or joined are made in their place in the result, where that is possible."""
        roots = (root for kernel in kernels for root in kernel.roots)
        made = {root for root in roots if not isinstance(root.op, Pad) and root.op.kind is not Kind.LOOKUP}
        self.inside = {}
        for kernel in reversed(kernels):  # results before what is made in them
            (node, *_) = kernel.roots
            for x, place in self._parts(node):
                source, there = _unshaped(x, place)
                if there is not None and source in made - self.inside.keys() - self.alone and source.type.size:
                    self.inside[source] = node
                    self.places[source] = there

    def _parts(self, node: Node) -> list[tuple[Node, View]]:
        """What a padded or joined value is made of, and where each part of it goes."""
        whole = self.places[node]
        if isinstance(node.op, Pad):
            (x,) = node.inputs
            return [] if any(node.op.inner) else [(x, _part(whole, node.op.place(x.type)))]
        if not isinstance(node.op, Concatenate):
            return []
        parts, start = [], 0
        for x in node.inputs:
            at = start * whole.strides[node.op.axis]
            parts.append((x, View(whole.buffer, whole.offset + at, whole.strides)))
            start += x.shape[node.op.axis]
        return parts

    def _check_views(self, kernels: list[Kernel]) -> None:
        for node in self.graph.nodes():
            if not is_view(node):
                continue
            if node not in self.stored:
                self._try_view(node)
            elif self._is_copy(node):
                self._copied(node)
        for kernel in kernels:
            if kernel.contraction is not None:
                self._check_operands(kernel.contraction)
            if kernel.roots[0].op.kind is Kind.LOOKUP:
                self._check_rows(kernel.roots[0].inputs[0])

    def _try_view(self, node: Node) -> View | None:
        """Where a view lies; None if it repeats something that is computed on the fly."""
        source = node
        while is_view(source) and source not in self.stored:
            (source,) = source.inputs
        return view_of(node, self._place) if self._place(source) is not None else None

    def _check_operands(self, contraction: Node) -> None:
        """The operand with the lanes' axis must run along it evenly."""
        op = contraction.op
        assert isinstance(op, Contraction), "only contractions come here"
        lane = next(label for label, n in zip(reversed(op.out), reversed(contraction.shape), strict=True) if n != 1)
        for x, labels in zip(contraction.inputs, (op.x, op.y), strict=True):
            view = self._try_view(x) if is_view(x) else self._place(x)
            assert view is not None, "an operand is stored"
            if view.gathered is not None or (lane in labels and view.strides[labels.index(lane)] != 1):
                raise NotAffineError(x)

    def _check_rows(self, x: Node) -> None:
        """Rows that are found by number are copied as wholes, so the numbers in one must follow each other."""
        view = self._place(x)
        assert view is not None, "a table is stored"
        if view.strides[-1] != 1:
            raise NotAffineError(x)

    def _place(self, node: Node) -> View | None:
        if node in self.places:
            return self.places[node]
        return self._leaf(node)

    def _leaf(self, node: Node) -> View | None:
        """Where the caller's array lies."""
        if isinstance(node.op, Input):
            return whole(self.data[node.op.label])
        return whole(self.states[node.op.label]) if isinstance(node.op, State) else None

    # --- Views: what the code generator asks ------------------------------------------------------------------------

    def source(self, node: Node) -> View | None:
        if node in self.places or isinstance(node.op, Input | State):
            return self._place(node)
        return self._try_view(node) if is_view(node) else None

    def origin(self, node: Node) -> View | None:
        assert self.current is not None, "asked while a task is resolved"
        if self.current.copies:
            return self.source(node) if self.current.aside is None else whole(self.current.aside)
        if isinstance(node.op, Input | State):
            return self._leaf(node)
        if is_view(node):
            return self._copied(node) if self._is_copy(node) else None
        return None

    def _copied(self, node: Node) -> View:
        """Where a stored view is copied from. Raises NotAffineError."""
        return view_of(node, lambda n: None if n is node else self._place(n))

    def _is_copy(self, node: Node) -> bool:
        """Whether a view's source is in memory, rather than computed on the fly."""
        source = node.inputs[0]
        while is_view(source) and source not in self.stored:
            (source,) = source.inputs
        return self._place(source) is not None

    def target(self, node: Node) -> View:
        assert self.current is not None, "asked while a task is resolved"
        if node in self.current.targets:
            return self.current.targets[node]
        return self.places[node]

    def _nest(self, task: Task) -> Nest:
        if task.nest is None:
            self.current = task
            task.nest = self._resolve(task.kernel)
        return task.nest

    def _resolve(self, kernel: Kernel) -> Nest:
        if self._is_lookup(kernel):
            return self._lookup(kernel)
        if kernel.contraction is None:
            return resolve(kernel, self)
        op = kernel.contraction.op
        assert isinstance(op, Contraction), "a contraction kernel has a contraction"
        sizes: dict[int, int] = {}
        for x, labels in zip(kernel.contraction.inputs, (op.x, op.y), strict=True):
            sizes |= dict(zip(labels, x.shape, strict=True))
        summed = [label for label in sizes if label not in op.out]
        order = [*op.out, *summed]
        operands = []
        for x, labels in zip(kernel.contraction.inputs, (op.x, op.y), strict=True):
            view = self.source(x)
            assert view is not None, "an operand is stored"
            at = [labels.index(label) if label in labels else None for label in order]
            borders = tuple(Border(Line(b.line.start, _along(b.line.steps, at)), b.size) for b in view.borders)
            operands.append(View(view.buffer, view.offset, _along(view.strides, at), None, borders))
        return resolve(kernel, self, operands, [sizes[label] for label in summed])

    def _is_lookup(self, kernel: Kernel) -> bool:
        assert self.current is not None, "asked while a task is resolved"
        return kernel.roots[0].op.kind is Kind.LOOKUP and not self.current.copies

    def _lookup(self, kernel: Kernel) -> Nest:
        """Numbers and columns; the rows are found by number, which no strides tell."""
        (root,) = kernel.roots
        rows, index = (self.source(x) for x in root.inputs)
        assert rows is not None and index is not None, "operands are stored"
        place = self.target(root)
        dims = [Dim(root.inputs[1].shape[0], False), Dim(root.shape[1], False)]
        extra = [
            Access(rows.buffer, rows.offset, rows.strides, gathered=0),
            Access(index.buffer, index.offset, (*index.strides, 0), gathered=0),
        ]
        return Nest(kernel, dims, {}, {root: Access(place.buffer, place.offset, place.strides)}, extra, {root})

    # --- tasks --------------------------------------------------------------------------------------------------------

    def _make_tasks(self, kernels: list[Kernel]) -> None:
        for kernel in kernels:
            first = kernel.roots[0]
            tasks = self._moves(first) if isinstance(first.op, Pad | Concatenate) else [Task(kernel)]
            for root in kernel.roots:
                self.makers[root] = tasks
            self.tasks += [task for task in tasks if task not in self.tasks]

    def _moves(self, node: Node) -> list[Task]:
        """Pad: zeros, and the input in its place. Concatenate: each input into its place."""
        if isinstance(node.op, Pad):
            return self._padding(node, node.op, self.places[node])
        tasks = []
        for x, place in self._parts(node):
            source, there = _unshaped(x, place)
            inside = self.inside.get(source) is node and self.places[source] == there
            tasks += self.makers[source] if inside else [self._copy(x, place)]
        return tasks

    def _padding(self, node: Node, op: Pad, whole: View) -> list[Task]:
        (x,) = node.inputs
        source, _ = _unshaped(x, whole)
        if self.inside.get(source) is node:  # who makes it writes it to its place
            borders = _borders(op.place(x.type), node.shape)
            fills = [self._copy(full(_sizes(b), 0, node.dtype), _part(whole, b)) for b in borders]
            return fills + self.makers[source]
        fill = self._copy(full(node.shape, 0, node.dtype), whole)
        copy = self._copy(x, _part(whole, op.place(x.type)))
        copy.after.add(fill)
        return [fill, copy]

    def _copy(self, node: Node, target: View, aside: Buffer | None = None) -> Task:
        """A task that stores an existing value at another place."""
        return Task(Kernel(node.shape, nodes=[node], roots=[node]), True, aside, {node: target})

    def _write_results(self) -> None:
        """Sends outputs and new states to where the caller wants them: directly if possible, else by a copy."""
        reshaped = {behind(x) for x in self.graph.nodes() if isinstance(x.op, Reshape)}
        results = [(node, self.states[name]) for name, node in self.graph.updates.items()]
        results += [(node, self.outputs[name]) for name, node in self.graph.outputs.items()]
        taken: set[Node] = set()
        for node, buffer in results:
            moved = isinstance(node.op, Pad | Concatenate)
            if node in self.makers and not {node} & (taken | reshaped | self.inside.keys()) and not moved:
                self.places[node] = whole(buffer)
                taken.add(node)
            else:
                self.tasks.append(self._copy(node, whole(buffer)))

    # --- order --------------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        """Stages; where a circle of readers and writers of states is found, new values are written aside first."""
        while True:
            edges = self._edges()
            waiting = levels(self.tasks, edges)
            if not waiting:
                return
            assert self._write_aside(waited_for(waiting, edges)), (
                "tasks wait for each other, but not because of a state"
            )

    def _edges(self) -> dict[Task, set[Task]]:
        """For each task those that must be over before it starts."""
        edges: dict[Task, set[Task]] = {}
        readers: dict[Buffer, set[Task]] = {}
        for task in self.tasks:
            edges[task] = set(task.after)
            for node in self._reads(task):
                if isinstance(node.op, State):
                    readers.setdefault(self.states[node.op.label], set()).add(task)
                for maker in self.makers.get(node, []):
                    edges[task].add(maker)
            edges[task].discard(task)
        for task in self.tasks:
            for buffer in self._writes(task):
                edges[task] |= {
                    r for r in readers.get(buffer, set()) if r is not task or not self._in_place(task, buffer)
                }
        return edges

    def _reads(self, task: Task) -> set[Node]:
        """The stored values and leaves that a task loads."""
        (first, *_) = task.kernel.roots
        if task.copies:
            return set() if task.aside is not None else {behind(first, self.stored)}
        return reads(task.kernel, self.stored)

    def _writes(self, task: Task) -> list[Buffer]:
        """The states that a task writes."""
        targets = [task.targets[r].buffer if r in task.targets else self.places[r].buffer for r in task.kernel.roots]
        return [b for b in targets if b.kind == "state"]

    def _in_place(self, task: Task, buffer: Buffer) -> bool:
        """Whether a task reads of a state that it writes just the element that it is about to replace."""
        nest = self._nest(task)
        stores = [a for a in nest.stores.values() if a.buffer is buffer]
        loads = [a for a in [*nest.loads.values(), *nest.extra] if a.buffer is buffer]
        (store,) = stores
        return all(a.place == store.place for a in loads) and one_pass(task.kernel, self.stored)

    def _write_aside(self, waiting: Iterable[Task]) -> bool:
        """Gives new states of waiting tasks memory of their own, and copies them at the end. Whether there were any."""
        changed = False
        for task in list(waiting):
            for root in list(task.kernel.roots):
                target = task.targets.get(root) or self.places[root]
                if target.buffer.kind != "state":
                    continue
                aside = _temporary(root)
                if root in task.targets:
                    task.targets[root] = aside
                else:
                    self.places[root] = aside
                copy = self._copy(root, target, aside.buffer)
                copy.after.add(task)
                self.tasks.append(copy)
                changed = True
        for task in self.tasks:
            task.nest = None
        return changed

    # --- memory -------------------------------------------------------------------------------------------------------

    def _write_over(self) -> None:
        """Large values take the place of those that they replace."""
        for task in self.tasks:
            self._nest(task)
        into = written_over([task for task in self.tasks if one_pass(task.kernel, self.stored)], self.tasks)
        if not into:
            return
        self.places = {node: _moved(place, into) for node, place in self.places.items()}
        for task in self.tasks:
            task.targets = {node: _moved(place, into) for node, place in task.targets.items()}
            task.aside = task.aside and into.get(task.aside, task.aside)
            task.nest = None
            self._nest(task)

    def _place_buffers(self) -> int:
        """Gives every temporary buffer its place in the arena; the arena's size in bytes."""
        lives: dict[Buffer, Lifetime] = {}
        for task in self.tasks:
            assert task.nest is not None, "tasks are resolved"
            for buffer in task.nest.buffers:
                if buffer.kind == "temporary":
                    life = lives.setdefault(buffer, Lifetime(task.stage, task.stage, buffer.nbytes))
                    life.first, life.last = min(life.first, task.stage), max(life.last, task.stage)
        offsets, total = assign(list(lives.values()))
        for buffer, offset in zip(lives, offsets, strict=True):
            buffer.offset = offset
        return total


def _along(steps: Strides, axes: Sequence[int | None]) -> Strides:
    """The steps along other axes, of which some may be new."""
    return tuple(0 if a is None else steps[a] for a in axes)


def _lowered(graph: Graph) -> Graph:
    """The graph simplified, and of operations that there is code for. Raises ExecutorError if there is none."""
    graph = simplify(graph, supported)
    check_supported(graph, supported, "native")
    return graph


def _cheap(node: Node) -> bool:
    return is_cheap(node.op)


def _temporary(node: Node, even: bool = False) -> View:
    """Memory of a stored value's own. Matrices have their rows apart like states where columns would collide."""
    apart = node.rank == 2 and not even and dense_strides(node.shape)[0] * ITEMSIZE[node.dtype] % PAGE_BYTES == 0
    strides = state_strides(node.type) if apart else dense_strides(node.shape)
    return whole(Buffer(f"{node.op.name} of {node.layer}", "temporary", node.type, strides))


def _moved(place: View, into: Mapping[Buffer, Buffer]) -> View:
    """The same place in the buffer that is used instead."""
    return replace(place, buffer=into.get(place.buffer, place.buffer))


def _part(whole: View, box: Sequence[slice]) -> View:
    """A box cut out of a stored value."""
    offset = sum(part.start * stride for part, stride in zip(box, whole.strides, strict=True))
    strides = tuple(part.step * stride for part, stride in zip(box, whole.strides, strict=True))
    return View(whole.buffer, whole.offset + offset, strides)


def _unshaped(x: Node, place: View) -> tuple[Node, View | None]:
    """What x is another shape of, and where that lies when x lies at a place."""
    there: View | None = place
    while isinstance(x.op, Reshape) and there is not None:
        (source,) = x.inputs
        x, there = source, place_of_reshaped(source, x, there)
    return x, there


def _borders(box: Sequence[slice], shape: Sequence[int]) -> list[list[slice]]:
    """What is left around a box, in boxes: for each axis the parts before and after, each element in one of them."""
    found = []
    for axis, n in enumerate(shape):
        for start, stop in ((0, box[axis].start), (box[axis].stop, n)):
            if start < stop:
                rest = [slice(0, m, 1) for m in shape[axis + 1 :]]
                found.append([*box[:axis], slice(start, stop, 1), *rest])
    return found


def _sizes(box: Sequence[slice]) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in box)


def _chain(node: Node) -> Iterator[Node]:
    """A view, and what it looks at."""
    yield node
    while is_view(node):
        (node,) = node.inputs
        yield node
