"""What a kernel reads and writes, as affine addresses over its index space.

Every operand of a kernel lies in a buffer at ``offset + sum of index * stride``: transposed, sliced, repeated and
reshaped tensors differ only in these numbers. Neighbouring axes over which all operands run on evenly are merged, so
the code generators see few, long axes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property

from thalweg.executors.native.host import ITEMSIZE
from thalweg.executors.native.plan.buffer import Buffer, Strides, dense_strides
from thalweg.executors.native.plan.places import Places
from thalweg.executors.native.plan.sweeps import passes
from thalweg.executors.native.plan.view import Border, View
from thalweg.fields import dataclass
from thalweg.graph.node import Kind, Node
from thalweg.ops.broadcast import Broadcast, Reduction
from thalweg.ops.contraction import Contraction
from thalweg.ops.leaf import Constant, Iota
from thalweg.ops.views import Line
from thalweg.passes.fuse import Kernel
from thalweg.state.layout import LINE_BYTES

AxisMap = tuple[int, ...]  # for each axis of a node, the axis of the kernel's space that it runs along
Key = tuple[Node, AxisMap]


@dataclass(frozen=True)
class Dim:
    """One axis of a kernel's index space."""

    size: int
    swept: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """An operand over the axes of a nest; ``buffer`` None is a counter (the value is the address itself)."""

    buffer: Buffer | None
    offset: int
    strides: Strides
    gathered: int | None = None
    borders: tuple[Border, ...] = ()

    @property
    def place(self) -> tuple[int, Strides, int | None]:
        """Which element of the buffer it is at each index; equal for two accesses that go through it alike."""
        return self.offset, self.strides, self.gathered

    @property
    def lines(self) -> list[Strides]:
        """The steps along the axes of everything that is counted: the address, and how far it is to the borders."""
        return [self.strides, *(b.line.steps for b in self.borders)]

    @property
    def dtype(self) -> str:
        return "int64" if self.buffer is None else self.buffer.type.dtype

    def skips(self, axis: int, count: int) -> bool:
        """Whether more than a pair of lines lies between the ``count`` numbers that are read at one place along an axis
        and those at the next: where that is, no processor foresees.
        """
        return (abs(self.strides[axis]) - count) * ITEMSIZE[self.dtype] >= 2 * LINE_BYTES


@dataclass(frozen=True, eq=False)
class Nest:
    """A kernel with its operands resolved: loads and stores as accesses over merged axes.

    Arguments:
        extra: a contraction's two operands; of a lookup the table and the numbers.
        needed: what is computed or loaded on the way to the roots.
        done: for each node the passes over the data that must be over before its value is known.
        copies: whether the kernel's one root exists already, and is stored at another place.
        apart: whether the first axis is that of the kernel's space, which may be the one of images in a batch.
        images: so many units of work can be done one after the other, in a chain of tasks (see chains.py); 0 if the
            nest is not in a chain.
    """

    kernel: Kernel
    dims: tuple[Dim, ...]
    loads: Mapping[Key, Access]
    stores: Mapping[Node, Access]
    extra: tuple[Access, ...] = ()
    needed: frozenset[Node] = frozenset()
    done: Mapping[Node, int] = field(default_factory=dict)
    copies: bool = False
    apart: bool = False
    images: int = 0

    @property
    def accesses(self) -> list[Access]:
        """All that is loaded and stored."""
        return [*self.extra, *self.loads.values(), *self.stores.values()]

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """All buffers, each once, in order of first use."""
        return tuple(dict.fromkeys(a.buffer for a in self.accesses if a.buffer is not None))

    @property
    def read(self) -> list[Access]:
        """All that is loaded."""
        return [*self.loads.values(), *self.extra]

    def moved(self, into: Mapping[Buffer, Buffer]) -> Nest:
        """The same with other buffers in place of some."""
        if not any(buffer in into for buffer in self.buffers):
            return self

        def other(access: Access) -> Access:
            return replace(access, buffer=into.get(access.buffer, access.buffer)) if access.buffer else access

        return replace(
            self,
            loads={key: other(access) for key, access in self.loads.items()},
            stores={root: other(access) for root, access in self.stores.items()},
            extra=tuple(map(other, self.extra)),
        )


def signature(nest: Nest) -> tuple[object, ...]:
    """All that the code of a nest depends on: two nests with equal ones differ only in which buffers they use."""
    kernel = nest.kernel
    stored = {node for (node, _), access in nest.loads.items() if access.buffer is not None}
    order = dict.fromkeys([*(node for node in kernel.nodes if node in nest.needed), *kernel.roots])
    waiting = list(order)
    while waiting:  # what is computed on the way, in an order that does not depend on the nodes themselves
        node = waiting.pop()
        met = [x for x in node.inputs if x in nest.needed and x not in order] if node not in stored else []
        order |= dict.fromkeys(met)
        waiting += met
    numbers = {node: number for number, node in enumerate(order)}
    places = {buffer: number for number, buffer in enumerate(nest.buffers)}

    def told(access: Access) -> tuple[object, ...]:
        place = None if access.buffer is None else places[access.buffer]
        return place, *access.place, access.borders

    def computed(node: Node) -> tuple[object, ...]:
        # repr, because the numbers 0.0 and -0.0 are equal to Python
        inputs = [(x.type, numbers.get(x)) for x in node.inputs]
        return node.type, None if node in stored else (repr(node.op), *inputs)

    return (
        *(kernel.space, kernel.swept, numbers.get(kernel.contraction), nest.dims, nest.copies, nest.images),  # type: ignore[arg-type]
        tuple((buffer.type.dtype, buffer.gathered) for buffer in nest.buffers),
        tuple(map(computed, numbers)),
        tuple((numbers[node], nest.done.get(node)) for node in kernel.nodes if node in numbers),
        tuple((numbers.get(node), mapping, told(access)) for (node, mapping), access in nest.loads.items()),
        tuple((numbers[root], told(access)) for root, access in nest.stores.items()),
        tuple(map(told, nest.extra)),
    )


def nest_of(kernel: Kernel, places: Places, to: View | None = None, origin: View | None = None) -> Nest:
    """A kernel's nest.

    Arguments:
        to: where the kernel's one root goes, if it is only stored at another place than its own.
        origin: where that root lies.
    """
    if to is None and kernel.roots[0].op.kind is Kind.LOOKUP:
        return _lookup(kernel, places)
    operands, summed = _operands(kernel.contraction, places) if kernel.contraction is not None else ([], [])
    dims = [Dim(n, axis in kernel.swept) for axis, n in enumerate(kernel.space)] + [Dim(n, True) for n in summed]
    loads, needed = _collected(kernel, places, len(dims), to is not None, origin)
    stores = {root: _access(to or places.of[root], root_mapping(kernel, root), len(dims)) for root in kernel.roots}
    extra = [Access(v.buffer, v.offset, v.strides, v.gathered, v.borders) for v in operands]
    done = passes(kernel, places.of) if kernel.contraction is None else {}
    nest = Nest(kernel, tuple(dims), loads, stores, tuple(extra), frozenset(needed), done, to is not None)
    return _merged(nest, apart=_has_images(kernel))


def remerged(nest: Nest) -> Nest:
    """The nest with its first axis merged like the others."""
    return _merged(nest, apart=False) if nest.apart else nest


def _has_images(kernel: Kernel) -> bool:
    """Whether the first axis may be that of the images in a batch: many, each of many numbers."""
    size, *of_each = kernel.space or (1,)
    return size >= MANY_IMAGES and 0 not in kernel.swept and math.prod(of_each) >= LARGE_IMAGE


MANY_IMAGES = 16
"""Images that several threads can share without one of them waiting long for the others."""

LARGE_IMAGE = 512
"""Numbers; for fewer, going from task to task takes as long as what they do."""


def _merged(nest: Nest, apart: bool) -> Nest:
    if not all(dim.size for dim in nest.dims):
        return nest
    dims, accesses = merge(nest.dims, nest.accesses, apart)
    first, second = len(nest.extra), len(nest.extra) + len(nest.loads)
    return replace(
        nest,
        dims=tuple(dims),
        loads=dict(zip(nest.loads, accesses[first:second], strict=True)),
        stores=dict(zip(nest.stores, accesses[second:], strict=True)),
        extra=tuple(accesses[:first]),
        apart=apart,
    )


def _lookup(kernel: Kernel, places: Places) -> Nest:
    """Numbers and columns; the rows are found by number, which no strides tell."""
    (root,) = kernel.roots
    rows, index = (places.source(x) for x in root.inputs)
    assert rows is not None and index is not None, "operands are stored"
    place = places.of[root]
    dims = (Dim(root.inputs[1].shape[0], False), Dim(root.shape[1], False))
    extra = (
        Access(rows.buffer, rows.offset, rows.strides, gathered=0),
        Access(index.buffer, index.offset, (*index.strides, 0), gathered=0),
    )
    store = Access(place.buffer, place.offset, place.strides)
    return Nest(kernel, dims, {}, {root: store}, extra, frozenset({root}))


def _operands(contraction: Node, places: Places) -> tuple[list[View], list[int]]:
    """The two operands over the result's axes and then those that are summed; the sizes of these."""
    op = contraction.op
    assert isinstance(op, Contraction), "a contraction kernel has a contraction"
    operands = list(zip(contraction.inputs, (op.x, op.y), strict=True))
    sizes = {label: n for x, labels in operands for label, n in zip(labels, x.shape, strict=True)}
    # Of float32 the order is any, as long as it is always the same; that of bfloat16 is part of what is defined.
    summed = list(op.summed) if op.precision else [label for label in sizes if label not in op.out]
    views = []
    for x, labels in operands:
        view = places.source(x)
        assert view is not None and view.gathered is None, "an operand is stored"
        views.append(view.along([labels.index(n) if n in labels else None for n in (*op.out, *summed)]))
    return views, [sizes[label] for label in summed]


def root_mapping(kernel: Kernel, root: Node) -> AxisMap:
    """The axes of the kernel's space that a root runs along."""
    everything = tuple(range(len(kernel.space)))
    if root.shape == kernel.space:
        return everything
    return tuple(a for a in everything if a not in kernel.swept)


def made_of(kernel: Kernel, node: Node, mapping: AxisMap) -> list[Key]:
    """What the value of a computed node is made of."""
    if node is kernel.contraction:
        return []
    if isinstance(node.op, Reduction):
        return [(node.inputs[0], tuple(range(len(kernel.space))))]
    if isinstance(node.op, Broadcast):
        return [(node.inputs[0], tuple(mapping[a] for a in node.op.axes))]
    if node.op.kind is Kind.RANDOM:
        return [(x, ()) for x in node.inputs]
    return [(x, mapping) for x in node.inputs]


def _collected(
    kernel: Kernel, places: Places, rank: int, copies: bool, origin: View | None
) -> tuple[dict[Key, Access], set[Node]]:
    """Every load that the values of the roots need, and every value on the way."""
    loads: dict[Key, Access] = {}
    visited: set[Key] = set()

    def source(node: Node) -> View | None:
        if node in kernel.roots:
            return origin if copies else places.copied_from(node)
        if isinstance(node.op, Broadcast) and node.inputs[0] in kernel.roots:
            return None  # of this kernel's own: it is in a register, and not yet in memory
        return places.source(node)

    def collect(root: Node) -> None:
        stack = [(root, root_mapping(kernel, root))]
        while stack:
            key = stack.pop()
            node, mapping = key
            if key in visited:
                continue
            visited.add(key)
            if isinstance(node.op, Constant) or node is kernel.contraction:
                continue
            if isinstance(node.op, Iota):
                loads[key] = Access(None, 0, tuple(int(axis == mapping[node.op.axis]) for axis in range(rank)))
                continue
            view = source(node)
            if view is not None:
                loads[key] = _access(view, mapping, rank)
                continue
            if node.op.kind is Kind.RANDOM:
                loads[key] = Access(None, 0, _spread(dense_strides(node.shape), mapping, rank))
            stack.extend(made_of(kernel, node, mapping))

    for root in kernel.roots:
        collect(root)
    return loads, {node for node, _ in visited}


def _access(view: View, mapping: AxisMap, rank: int) -> Access:
    assert not view.borders, "only tiles leave margins out"
    gathered = None if view.gathered is None else mapping[view.gathered]
    return Access(view.buffer, view.offset, _spread(view.strides, mapping, rank), gathered)


def _spread(strides: Strides, mapping: AxisMap, rank: int) -> Strides:
    """Strides over all axes of a kernel."""
    steps = [0] * rank
    for axis, stride in zip(mapping, strides, strict=True):
        steps[axis] += stride
    return tuple(steps)


def merge(dims: Sequence[Dim], accesses: Iterable[Access], apart: bool = False) -> tuple[list[Dim], list[Access]]:
    """The same nest with axes of size 1 dropped and neighbours merged over which every access runs on evenly.

    Arguments:
        apart: whether the first axis stays by itself.
    """
    every = list(accesses)
    fixed = {a.gathered for a in every if a.gathered is not None} | ({0} if apart else set())
    # What a sum leaves out at a border is left out by its loop, also where that has but one turn.
    clipped = [b.line.steps for a in every for b in a.borders]
    fixed |= {axis for axis, dim in enumerate(dims) if dim.swept and any(steps[axis] for steps in clipped)}
    lines = {steps for a in every for steps in a.lines}
    runs: list[list[int]] = []
    for axis, dim in enumerate(dims):
        if dim.size == 1 and axis not in fixed:
            continue
        before = runs[-1][-1] if runs else -1
        joined = (
            bool(runs)
            and not {axis, before} & fixed
            and dims[before].swept == dim.swept
            and all(steps[before] == steps[axis] * dim.size for steps in lines)
        )
        if joined:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    merged = [Dim(math.prod(dims[a].size for a in run), dims[run[0]].swept) for run in runs]
    place = {run[-1]: i for i, run in enumerate(runs)}

    def left(steps: Strides) -> Strides:
        return tuple(steps[run[-1]] for run in runs)

    return merged, [
        replace(
            a,
            strides=left(a.strides),
            gathered=None if a.gathered is None else place[a.gathered],
            borders=tuple(Border(Line(b.line.start, left(b.line.steps)), b.size) for b in a.borders),
        )
        for a in every
    ]
