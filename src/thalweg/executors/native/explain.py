"""What becomes of a graph at each stage of its compilation, as text: the same for the same graph and host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence

from thalweg.executors.native.code.builder import Module
from thalweg.executors.native.code.contraction import Tiles
from thalweg.executors.native.code.llvm import compile_assembly
from thalweg.executors.native.code.step import Writer, generate, target, writer_of
from thalweg.executors.native.host import Host
from thalweg.executors.native.plan.buffer import Buffer, CallerBuffers
from thalweg.executors.native.plan.cost import scaling, task_seconds
from thalweg.executors.native.plan.legalise import legalise
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.plan.plan import Fused, Plan, make_kernels, make_plan, prepared
from thalweg.executors.native.plan.work import layer, words
from thalweg.graph.node import Graph, Node
from thalweg.graph.text import to_text
from thalweg.passes.fuse import Kernel, is_leaf, reads, stored_in
from thalweg.passes.simplify import simplify


def explain(graph: Graph, host: Host, stage: str, *, gather: bool, checked: bool = False) -> str:
    """The graph at the stage "simplified", "kernels", "plan", "ir" or "assembly"."""
    if stage == "simplified":
        return to_text(simplify(graph, target(host).supported))
    if stage == "kernels":
        legal = legalise(prepared(graph, target(host)), gather, host)
        return kernels_text(make_kernels(legal, CallerBuffers.of(graph, gather), target(host)))
    plan = make_plan(graph, target(host), gather)
    if stage == "plan":
        return plan_text(plan, host)
    parts = generate(plan, host, checked=checked, part_characters=sys.maxsize)
    return "\n".join(part.text if stage == "ir" else compile_assembly(part, host) for part in parts)


def kernels_text(fused: Fused) -> str:
    """Each kernel: the space that it runs over, what it loads, computes and stores, and for which layers.

    Nodes are numbered as in the text of the graph that was fused, which stands first.
    """
    numbers = {node: f"%{number}" for number, node in enumerate(fused.graph.nodes())}
    stored = stored_in(fused.kernels)
    parts = [to_text(fused.graph), f"{len(fused.kernels)} kernels\n"]
    parts += [_kernel_text(i, kernel, fused, stored, numbers) for i, kernel in enumerate(fused.kernels)]
    return "\n".join(parts)


def _kernel_text(number: int, kernel: Kernel, fused: Fused, stored: frozenset[Node], numbers: dict[Node, str]) -> str:
    sizes = " x ".join(f"{n}{' summed' if a in kernel.swept else ''}" for a, n in enumerate(kernel.space)) or "1"
    what = "contraction" if kernel.contraction is not None else "sweep" if kernel.swept else "elementwise"
    loaded = sorted((numbers[node] for node in reads(kernel, stored) if node in numbers), key=lambda n: int(n[1:]))
    lines = [
        f"kernel {number}: {what} over {sizes}{_of_layers(kernel.nodes)}",
        f"  loads   {' '.join(loaded) or 'nothing'}",
        f"  fused   {' '.join(f'{numbers[node]} {node.op.name}' for node in kernel.nodes if node in numbers)}",
    ]
    for root in kernel.roots:
        inside = fused.places.inside.get(root)
        where = f", inside {numbers[inside]}" if inside is not None else ""
        view = ", a copy as it is" if is_leaf(root) or root in fused.places.dense else ""
        lines.append(f"  stores  {numbers[root]} {root.type}{where}{view}")
    return "\n".join(lines) + "\n"


def _of_layers(nodes: Iterable[Node]) -> str:
    layers = dict.fromkeys(node.layer for node in nodes if node.layer)
    return f" @{', '.join(layers)}" if layers else ""


def plan_text(plan: Plan, host: Host) -> str:
    """The stages with their tasks, and the buffers: what each task is predicted to cost, and where its results lie."""
    number = _numbering(plan)
    tasks = [nest for stage in plan.stages for nest in stage]
    predicted = scaling(plan.stages, host)
    others = ", ".join(f"{_microseconds(predicted.seconds(count))} on {count}" for count in (2, 4, 8))
    lines = [
        f"{len(tasks)} tasks in {len(plan.stages)} stages, an arena of {plan.arena_bytes:,} bytes, for {host.name}",
        f"predicted: {_microseconds(predicted.seconds(1))} on one thread, {others}",
    ]
    for place, stage in enumerate(plan.stages):
        linked = sum(nest.images > 0 for nest in stage)
        lines.append(f"\nstage {place}" + (f", {linked} tasks image by image" if linked else ""))
        for nest in stage:
            lines += _task_lines(nest, host, number)
    lines.append("\nbuffers")
    uses = _uses(plan)
    for buffer, (first, last) in uses.items():
        lines.append(f"  {number(buffer)}: {_buffer_words(buffer, plan)}, stages {first} to {last}")
    return "\n".join(lines) + "\n"


def _task_lines(nest: Nest, host: Host, number: Callable[[Buffer], str]) -> list[str]:
    writer = writer_of(nest, Module(host))
    axes = " x ".join(f"{dim.size}{' summed' if dim.swept else ''}" for dim in nest.dims) or "1"
    reads = dict.fromkeys(number(a.buffer) for a in (*nest.extra, *nest.loads.values()) if a.buffer is not None)
    writes = dict.fromkeys(number(a.buffer) for a in nest.stores.values() if a.buffer is not None)
    return [
        f"  {words(nest)}" + (f" @{layer(nest)}" if layer(nest) else ""),
        f"    {_kind(writer)}, axes {axes}, {_counted(writer.units, 'unit')}, "
        f"{_microseconds(task_seconds(nest, host))}",
        f"    {' '.join(reads) or 'nothing'} -> {' '.join(writes)}",
    ]


def _kind(writer: Writer) -> str:
    """The code that a task has: tiles of rows by vectors, for example."""
    if isinstance(writer, Tiles):
        cut = writer.cut
        blocks = f", {cut.block} at a time" if cut.block else ""
        return f"tiles of {cut.rows.longest} rows by {_counted(cut.panels.longest, 'vector')}{blocks}"
    return {"Lookup": "lookup", "TransposedCopy": "transposed copy", "Sweep": "sweep"}[type(writer).__name__]


def _numbering(plan: Plan) -> Callable[[Buffer], str]:
    """Names for buffers, the same for the same plan: the callers' by label, temporary ones by first use."""
    names: dict[Buffer, str] = {}

    def number(buffer: Buffer) -> str:
        if buffer not in names:
            temporary = buffer.kind == "temporary"
            names[buffer] = f"t{sum(b.kind == 'temporary' for b in names)}" if temporary else f"{buffer.label}"
        return names[buffer]

    return number


def _uses(plan: Plan) -> dict[Buffer, tuple[int, int]]:
    """All buffers in the order of their first use, with the first and the last stage."""
    stages: dict[Buffer, list[int]] = {}
    for place, stage in enumerate(plan.stages):
        for nest in stage:
            for buffer in nest.buffers:
                stages.setdefault(buffer, []).append(place)
    return {buffer: (used[0], used[-1]) for buffer, used in stages.items()}


def _buffer_words(buffer: Buffer, plan: Plan) -> str:
    if buffer.kind != "temporary":
        gathered = ", rows by the index" if buffer.gathered else ""
        return f"{buffer.kind} {buffer.type}, strides {_sizes(buffer.strides)}{gathered}"
    start = plan.offsets[buffer]
    where = f"bytes {start:,} to {start + buffer.nbytes:,}"
    return f"{buffer.type} of {buffer.label}, strides {_sizes(buffer.strides)}, {where}"


def _sizes(sizes: Sequence[int]) -> str:
    return " ".join(map(str, sizes)) or "none"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _microseconds(seconds: float) -> str:
    value = 1e6 * seconds
    return f"{value:.3g} us" if value < 1000 else f"{value:,.0f} us"
