"""The passes of a sweep over its data: which sums a value has to wait for, and what one pass leaves for the next.

A kernel with reductions goes over its data once for all reductions that need no other's result (a maximum), then once
more for those that do (the sum of e^(x - max)), and so on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from thalweg.graph.node import Node, Op
from thalweg.ops.broadcast import Reduction
from thalweg.passes.fuse import Kernel, is_leaf

GROUP = 4
"""Vectors that one turn of the inner loop works on: enough independent sums to hide an addition's latency."""


def passes(kernel: Kernel, stored: Container[Node]) -> dict[Node, int]:
    """For each node of a kernel the number of passes over the data that must be over before its value is known."""
    own = set(kernel.nodes)
    done: dict[Node, int] = {}
    for root in kernel.nodes:
        stack = [root]
        while stack:
            node = stack[-1]
            loaded = is_leaf(node) or (node in stored and node not in own)
            waiting = [] if loaded or node in done else [x for x in node.inputs if x not in done]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            if node not in done:
                before = 0 if loaded else max((done[x] for x in node.inputs), default=0)
                done[node] = before + (isinstance(node.op, Reduction) and not loaded)
    return done


def used_in(kernel: Kernel, done: Mapping[Node, int]) -> dict[Node, set[int]]:
    """For each node that runs over all axes the passes in which its value is asked for; a root's is so at least once.

    A mask of random numbers waits for no sum, but is first asked for where it is applied.

    Arguments:
        done: the kernel's passes.
    """
    used: dict[Node, set[int]] = {node: set() for node in kernel.nodes}
    for node in reversed(kernel.nodes):
        if node in kernel.roots and not used[node]:
            used[node] = {done[node]}
        whole = node.shape == kernel.space
        turns = used[node] if whole and not isinstance(node.op, Reduction) else {done[node] - 1}
        for x in node.inputs:
            used.setdefault(x, set()).update(turns)
    return used


def stored_in_pass(kernel: Kernel, done: Mapping[Node, int]) -> dict[Node, int]:
    """For each root that runs over all axes the pass that stores it: the first in which its value is asked for."""
    used = used_in(kernel, done)
    return {root: min(used[root]) for root in kernel.roots if root.shape == kernel.space}


def in_one_pass(kernel: Kernel, done: Mapping[Node, int]) -> bool:
    """Whether all loops of a kernel are over when its first sums are known: then each element is read once.

    Arguments:
        done: the kernel's passes.
    """
    if kernel.contraction is not None or not kernel.swept:
        return True
    return all(done[node] == 0 for node in kernel.nodes if node.shape == kernel.space)


def with_values_kept(kernel: Kernel, stored: Container[Node], lanes: int, costly: Callable[[Op], bool]) -> Kernel:
    """The kernel with costly values that more than one pass needs among its roots.

    The first pass stores them and the others load them, unless the whole row stays in registers meanwhile.

    Arguments:
        lanes: of a vector.
    """
    if kernel.contraction is not None or not kernel.swept or _rows_fit_registers(kernel, lanes):
        return kernel
    used = used_in(kernel, passes(kernel, stored))
    later = tuple(
        node
        for node in kernel.nodes
        if node.shape == kernel.space and costly(node.op) and node not in kernel.roots and len(used[node]) > 1
    )
    return replace(kernel, roots=(*later, *kernel.roots))


def _rows_fit_registers(kernel: Kernel, lanes: int) -> bool:
    """Whether one row stays in registers from pass to pass, so that nothing is stored in between."""
    last = len(kernel.space) - 1
    swept = math.prod(kernel.space[a] for a in kernel.swept)
    return kernel.swept[-1] == last and 0 < swept <= GROUP * lanes
