"""From a graph to a plan, in a row of functions from value to value; each says in its module what it decides.

simplify, masks, sink, legalise (graph to graph) -> place (where what must be stored lies) -> fuse (kernels)
-> make_tasks -> in_order (stages) -> written_over -> in_chains (stages again) -> assign (memory).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from thalweg.executors.executor import check_supported
from thalweg.executors.native.host import Host
from thalweg.executors.native.plan.buffer import Buffer, CallerBuffers
from thalweg.executors.native.plan.chains import Stages, in_chains
from thalweg.executors.native.plan.legalise import Legal, legalise
from thalweg.executors.native.plan.order import Order, in_order
from thalweg.executors.native.plan.places import Places, place
from thalweg.executors.native.plan.reuse import written_over
from thalweg.executors.native.plan.sweeps import with_values_kept
from thalweg.executors.native.plan.tasks import make_tasks
from thalweg.executors.native.plan.view import temporary
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node, Op
from thalweg.passes.fuse import Kernel, fuse, stored_in
from thalweg.passes.masks import masks
from thalweg.passes.memory import Lifetime, assign
from thalweg.passes.simplify import simplify
from thalweg.passes.sink import sink


@dataclass(frozen=True)
class Target:
    """What a plan is made for.

    Arguments:
        supported: whether there is code for an operation.
        cheap: whether it is rather computed again than its result kept.
        costly: whether its result is rather kept.
    """

    host: Host
    supported: Callable[[type[Op]], bool]
    cheap: Callable[[Op], bool]
    costly: Callable[[Op], bool]

    def is_cheap(self, node: Node) -> bool:
        """``cheap`` of a node's operation."""
        return self.cheap(node.op)


@dataclass(frozen=True)
class Plan:
    """Everything that the code generator needs, and what a caller has to hand in.

    Arguments:
        stages: the tasks' nests; those of one stage do not depend on each other, except where they are in its chain.
        offsets: where temporary buffers lie in the arena, in bytes.
        batch: rows of the index, if data is gathered.
    """

    stages: Stages
    offsets: Mapping[Buffer, int]
    arena_bytes: int
    callers: CallerBuffers
    batch: int | None


def make_plan(graph: Graph, target: Target, gather: bool) -> Plan:
    """The plan of a graph. Raises ExecutorError for an operation that there is no code for."""
    order = make_order(graph, target, gather)
    into = written_over(order.nests, order.stages)
    stages = in_chains([nest.moved(into) for nest in order.nests], order.stages, target.host)
    offsets, arena_bytes = arena(stages)
    callers = order.tasks.places.callers
    batch = next((buffer.type.shape[0] for buffer in callers.data.values()), 0) if gather else None
    return Plan(stages, offsets, arena_bytes, callers, batch)


def make_order(graph: Graph, target: Target, gather: bool) -> Order:
    """The tasks of a graph and when they run. Raises ExecutorError for an operation that there is no code for."""
    legal = legalise(prepared(graph, target), gather, target.host)
    fused = make_kernels(legal, CallerBuffers.of(graph, gather), target)
    return in_order(make_tasks(fused.graph, fused.kernels, fused.places))


def prepared(graph: Graph, target: Target) -> Graph:
    """The graph simplified, of operations that there is code for. Raises ExecutorError if there is none."""
    graph = simplify(graph, target.supported)
    check_supported(graph, target.supported, "native")
    return sink(masks(graph, target.is_cheap), target.is_cheap)


@dataclass(frozen=True)
class Fused:
    """A graph in kernels, each after those that it reads from, and where all that they store lies."""

    graph: Graph
    kernels: tuple[Kernel, ...]
    places: Places


def make_kernels(legal: Legal, callers: CallerBuffers, target: Target) -> Fused:
    """The kernels of a graph whose operations can all be done."""
    places = place(legal.graph, legal.dense, callers)
    kernels = list(fuse(legal.graph, places.dense, target.is_cheap))
    stored = set(stored_in(kernels))
    lanes = target.host.lanes("float32")
    for number, kernel in enumerate(kernels):
        kernels[number] = with_values_kept(kernel, stored, lanes, target.costly)
        stored.update(kernels[number].roots)
    own = {node: temporary(node) for kernel in kernels for node in kernel.roots if node not in places.of}
    return Fused(legal.graph, tuple(kernels), replace(places, of={**places.of, **own}))


def arena(stages: Stages) -> tuple[dict[Buffer, int], int]:
    """The offset of every temporary buffer, and the bytes of the whole arena."""
    uses: dict[Buffer, list[int]] = {}
    for stage, nests in enumerate(stages):
        for buffer in (buffer for nest in nests for buffer in nest.buffers if buffer.kind == "temporary"):
            uses.setdefault(buffer, []).append(stage)
    offsets, total = assign([Lifetime(min(used), max(used), buffer.nbytes) for buffer, used in uses.items()])
    return dict(zip(uses, offsets, strict=True)), total
