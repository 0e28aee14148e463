"""Which tasks run image by image, one after the other, without a barrier between them.

What normalises images, the convolution of them, and the sums of each image that it makes would each go through all
images of the batch, which then come from memory again and again. As a *chain* of one stage they go through it together:
all of them for one image, then for the next, and what the one has made is still in the cache when the other reads it.
A thread takes whole images; so nobody waits for what another one makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from thalweg.executors.native.host import ITEMSIZE, Host
from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Access, Nest, remerged
from thalweg.executors.native.plan.tiles import tiling_of
from thalweg.fields import dataclass
from thalweg.graph.node import Kind

Stages = tuple[tuple[Nest, ...], ...]

CACHED_BYTES = 256 * 1024
"""What a chain reads and writes at a time: of small images several."""


def in_chains(nests: Sequence[Nest], stages: Sequence[int], host: Host) -> Stages:
    """The nests of each stage; those of a chain come first, in their order, and have ``images``.

    Arguments:
        nests, stages: of each task, in stages of tasks that do not depend on each other.
    """
    able = _by_image(nests, host)
    edges = _edges(nests, stages, able)
    levels = _levels(edges, stages, able)
    chains = {levels[task] for task, before in enumerate(edges) for b in before.beside if levels[b] == levels[task]}
    order = sorted(range(len(nests)), key=lambda t: (not (able[t] and levels[t] in chains), stages[t], t))
    of: list[list[Nest]] = [[] for _ in range(1 + max(levels, default=-1))]
    for task in order:
        nest = nests[task]
        chained = able[task] and levels[task] in chains
        of[levels[task]].append(replace(nest, images=nest.dims[0].size) if chained else remerged(nest))
    return tuple(map(tuple, of))


def images_at_once(chain: Sequence[Nest]) -> int:
    """How many images a chain goes through at a time."""
    slabs = {a.buffer: a.strides[0] * ITEMSIZE[a.dtype] for nest in chain for a in nest.accesses if a.buffer}
    return max(1, CACHED_BYTES // max(1, sum(slabs.values())))


@dataclass
class _Edges:
    """The tasks that must be over before one starts, and those that it may share a chain with."""

    before: set[int]
    beside: set[int]


def _by_image(nests: Sequence[Nest], host: Host) -> list[bool]:
    """Whether the units of a task can be divided by images: the first axis of most such tasks."""
    able = [nest.apart and _is_divided(nest, host) for nest in nests]
    if not any(able):
        return able
    sizes = Counter(nest.dims[0].size for nest, can in zip(nests, able, strict=True) if can)
    ((images, _),) = sizes.most_common(1)
    return [can and nest.dims[0].size == images for nest, can in zip(nests, able, strict=True)]


def _is_divided(nest: Nest, host: Host) -> bool:
    """Whether the units of the first axis follow each other."""
    if len(nest.dims) < 2 or any(dim.size == 0 for dim in nest.dims):
        return False
    if nest.kernel.contraction is not None:
        cut = tiling_of(nest, host)
        return 0 in cut.outer and not cut.block
    if nest.kernel.roots[0].op.kind is Kind.LOOKUP:
        return False
    return all(access.strides[-1] in (0, 1) for access in nest.accesses if access.gathered is None)


def _edges(nests: Sequence[Nest], stages: Sequence[int], able: Sequence[bool]) -> list[_Edges]:
    """What each task waits for, as far as their buffers tell: one of two that use the same writes it."""
    edges = [_Edges(set(), set()) for _ in nests]
    users: dict[Buffer, list[tuple[int, bool, int]]] = {}
    for task in sorted(range(len(nests)), key=lambda t: stages[t]):
        written = {access.buffer for access in nests[task].stores.values()}
        for buffer in nests[task].buffers:
            slab = _slab(nests[task], buffer) if able[task] else 0
            earlier = users.setdefault(buffer, [])
            for other, writes, its in earlier:
                if (writes or buffer in written) and stages[other] < stages[task]:
                    (edges[task].beside if slab and slab == its else edges[task].before).add(other)
            earlier.append((task, buffer in written, slab))
    for edge in edges:
        edge.beside -= edge.before
    return edges


def _slab(nest: Nest, buffer: Buffer) -> int:
    """How far apart what a nest uses of a buffer lies from image to image; 0 if it is not a part for each."""
    own = [access for access in nest.accesses if access.buffer is buffer]
    (slab, *others) = {access.strides[0] for access in own}
    return slab if not others and slab > 0 and all(_within(access, nest, slab) for access in own) else 0


def _within(access: Access, nest: Nest, slab: int) -> bool:
    """Whether all that an access reaches for the first image lies in the first ``slab`` elements."""
    low = high = access.offset
    left = dict(enumerate(access.strides))
    del left[0]
    for border in access.borders:  # the windows' places within the image, from 0 to its size
        along = [d for d, step in enumerate(border.line.steps) if step]
        each, *others = {left.pop(d, 0) // border.line.steps[d] for d in along}
        if 0 in along or others:
            return False
        ends = [-border.line.start * each, (border.size - 1 - border.line.start) * each]
        low, high = low + min(ends), high + max(ends)
    for d, stride in left.items():
        reach = (nest.dims[d].size - 1) * stride
        low, high = low + min(reach, 0), high + max(reach, 0)
    return access.gathered is None and low >= 0 and high < slab


def _levels(edges: Sequence[_Edges], stages: Sequence[int], able: Sequence[bool]) -> list[int]:
    """The stage of each task, as early as it can be; of images that wait for nothing, as late."""
    levels = [0] * len(edges)
    order = sorted(range(len(edges)), key=lambda t: stages[t])
    for task in order:
        after = [levels[b] + 1 for b in edges[task].before] + [levels[b] for b in edges[task].beside]
        levels[task] = max(after, default=0)
    latest: dict[int, int] = {}
    for task, edge in enumerate(edges):
        for b, level in [*((b, levels[task] - 1) for b in edge.before), *((b, levels[task]) for b in edge.beside)]:
            latest[b] = min(latest.get(b, level), level)
    for task in order:
        if able[task] and not edges[task].before and not edges[task].beside:
            levels[task] = latest.get(task, 0)
    return levels
