"""What the tasks of a plan compute and move, for a profile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.executors.native.host import ITEMSIZE
from thalweg.executors.native.plan.nest import Access, Dim, Nest
from thalweg.executors.native.plan.plan import Plan
from thalweg.executors.native.plan.view import Border
from thalweg.executors.work import Work, contraction_words, flops, sizes_words
from thalweg.graph.node import Kind, Node
from thalweg.ops.leaf import Input
from thalweg.passes.fuse import Kernel
from thalweg.state.names import PARAMETERS, level

SPELLED_OUT = 2
"""So many operations of a task are named, beside a contraction; the others are counted."""

_COMPUTING = (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.RANDOM, Kind.LOOKUP)


def works(plan: Plan) -> list[Work]:
    """For each task, stage by stage, in the order in which they run."""
    return [_work(nest, place) for place, stage in enumerate(plan.stages) for nest in stage]


def _work(nest: Nest, stage: int) -> Work:
    reads = {access for access in (*nest.loads.values(), *nest.extra) if access.buffer is not None}
    return Work(
        computes=words(nest),
        layer=layer(nest),
        stage=stage,
        flops=0.0 if nest.copies else _flops(nest),
        read_bytes=sum(_bytes(access, nest.dims) for access in reads),
        written_bytes=sum(_bytes(access, nest.dims) for access in nest.stores.values()),
        dtype=nest.kernel.nodes[0].dtype,
    )


def _flops(nest: Nest) -> float:
    loaded = {node for node, _ in nest.loads}
    total = 0.0
    for node in nest.needed - loaded:
        borders = (
            [border for access in nest.extra for border in access.borders] if node is nest.kernel.contraction else []
        )
        total += round(flops(node) * math.prod(_share_inside(border, nest.dims) for border in borders))
    return total


def _share_inside(border: Border, dims: Sequence[Dim]) -> float:
    """Of all places, how many lie where something is: tiles leave out the margins of windows."""
    places = np.full((), border.line.start)
    for dim, step in zip(dims, border.line.steps, strict=True):
        if step:
            places = np.add.outer(places, step * np.arange(dim.size))
    return float(((places >= 0) & (places < border.size)).mean())


def words(nest: Nest) -> str:
    """``contraction 784x512 over 128, subtract, multiply, 11 more -> parameters/dense/kernel``"""
    buffers = [access.buffer for access in nest.stores.values()]
    kept = [buffer.label for buffer in buffers if buffer is not None and buffer.kind in ("state", "output")]
    what = f"copy {sizes_words(nest.kernel.space)}" if nest.copies else _operations(nest.kernel)
    return what + (f" -> {min(kept, key=_prominence)}" if kept else "")


def _prominence(name: str) -> tuple[bool, int]:
    """A parameter comes before its slots, then the shortest name."""
    return level(name) != PARAMETERS, len(name)


def _operations(kernel: Kernel) -> str:
    """The first few, with the sizes that they run over."""
    names = [node.op.name for node in kernel.nodes if node.op.kind in _COMPUTING]
    if kernel.contraction is not None:
        first = contraction_words(kernel.contraction)
    else:
        names = names or [_moved(kernel.roots[0])]
        sizes = f"{sizes_words(kernel.space)} " if kernel.space else ""
        first = sizes + names.pop(0)
    few = len(names) <= SPELLED_OUT + 1  # "1 more" would be no shorter
    return ", ".join([first, *(names if few else [*names[:SPELLED_OUT], f"{len(names) - SPELLED_OUT} more"])])


def _moved(node: Node) -> str:
    """What is done where nothing is computed."""
    return f"rows of {node.op.label}" if isinstance(node.op, Input) else node.op.name


def layer(nest: Nest) -> str:
    """That of the contraction; else that of most of what is computed."""
    kernel = nest.kernel
    if kernel.contraction is not None:
        return kernel.contraction.layer
    names = [node.layer for node in kernel.nodes]
    return max(dict.fromkeys(names), key=names.count)


def _bytes(access: Access, dims: Sequence[Dim]) -> int:
    """Of the different places that an access goes to, but no more than there are: windows overlap."""
    assert access.buffer is not None, "counters are not in memory"
    moving = [stride or d == access.gathered for d, stride in enumerate(access.strides)]
    count = math.prod(dim.size for dim, moves in zip(dims, moving, strict=True) if moves)
    return min(count, access.buffer.type.size) * ITEMSIZE[access.buffer.type.dtype]
