"""What tasks are predicted to cost: for the choice of the number of threads, and of what LLVM optimizes."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

from thalweg.executors.native.host import Host
from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Nest
from thalweg.executors.native.scaling import LINE_SECONDS, Scaling

TASK_SECONDS = 10e-9
"""What a task costs however little it does."""

NEGLIGIBLE = 1e-3
"""The share of a step that may well take some times longer."""


def task_seconds(nest: Nest, host: Host) -> float:
    """About how long a task takes on one thread: multiply-adds at the usual rate, other work by its operations."""
    rate = 1e9 * host.core.gigahertz * host.lanes("float32")
    size = math.prod(dim.size for dim in nest.dims)
    if nest.kernel.contraction is not None:
        return size / (host.core.multiply_adds * rate)
    return size * len(nest.needed) / rate + TASK_SECONDS


def step_seconds(stages: Iterable[Sequence[Nest]], host: Host) -> float:
    """About how long a step takes on one thread."""
    return sum(task_seconds(nest, host) for stage in stages for nest in stage)


def scaling(stages: Sequence[Sequence[Nest]], host: Host) -> Scaling:
    """What a step takes on any number of threads. A product needs all of its first operand, whoever computed it."""
    fetched: list[Buffer] = []
    batches: set[Buffer] = set()
    for nest in (nest for stage in stages for nest in stage):
        sources = [a.buffer for a in nest.loads.values() if a.buffer is not None]
        if nest.kernel.contraction is None and sources and all(b.kind == "data" for b in sources):
            batches |= {a.buffer for a in nest.stores.values() if a.buffer is not None}
        fetched += [a.buffer for a in nest.extra[:1] if a.buffer is not None and a.buffer.kind == "temporary"]
    once = [b for b in fetched if b not in batches] + list(batches & set(fetched))
    lines = sum(b.type.nbytes for b in once) / 64
    return Scaling(step_seconds(stages, host), lines * LINE_SECONDS, len(stages))


def negligible(seconds: Mapping[Hashable, float]) -> frozenset[Hashable]:
    """The cheapest of all, as many as together take at most the share NEGLIGIBLE of the sum."""
    left = NEGLIGIBLE * sum(seconds.values())
    some = []
    for key in sorted(seconds, key=lambda key: seconds[key]):
        left -= seconds[key]
        if left < 0:
            break
        some.append(key)
    return frozenset(some)
