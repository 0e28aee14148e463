"""What the tasks of a step do, as it is known before they run, and what they were measured to take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from thalweg.fields import dataclass
from thalweg.graph.node import Node, topological
from thalweg.ops.broadcast import Reduction
from thalweg.ops.contraction import Contraction
from thalweg.ops.lookup import AddRows


@dataclass(frozen=True)
class Work:
    """A task, as it is known before it runs.

    Attributes:
        computes: in words: the operations, the sizes, the states that are written.
        layer: that asked for it; "" for none.
        stage: tasks of one stage do not depend on each other; the threads wait for each other after each stage.
        flops: floating point operations: two for each product of a contraction, one for each number that any other
            operation computes or a reduction sums, also if it takes the processor many instructions.
        read_bytes, written_bytes: of memory, caches included; each place once.
        dtype: in which most of it is computed; a float64 takes twice as long as a float32.
    """

    computes: str
    layer: str
    stage: int
    flops: float
    read_bytes: int
    written_bytes: int
    dtype: str = "float32"


@dataclass(frozen=True)
class Timing:
    """What some steps have taken, in seconds per step: of all threads, divided by their number.

    So the tasks and the barriers add up to the step.
    """

    tasks: Sequence[float]
    barriers: Sequence[float]  # one after each stage; none where a single thread runs

    @property
    def step(self) -> float:
        return sum(self.tasks) + sum(self.barriers)


def flops(node: Node) -> float:
    """Floating point operations of a node, see ``Work``; 0 for what has no numbers to compute."""
    if isinstance(node.op, Contraction):
        sizes: dict[int, int] = {}
        for x, labels in zip(node.inputs, (node.op.x, node.op.y), strict=True):
            sizes |= dict(zip(labels, x.shape, strict=True))
        return 2.0 * math.prod(sizes.values())
    if isinstance(node.op, Reduction):
        return float(node.inputs[0].type.size) if node.inputs[0].type.is_float else 0.0
    if not node.inputs or not any(x.type.is_float for x in (node, *node.inputs)) or is_move(node):
        return 0.0
    if isinstance(node.op, AddRows):
        return float(node.inputs[0].type.size)
    parts = node.op.decompose(*node.inputs)
    if parts is None:
        return float(node.type.size)
    known = set(topological(node.inputs))
    return sum(flops(x) for x in topological([parts]) if x not in known)


def is_move(node: Node) -> bool:
    """Whether an operation only says where numbers are, or carries them there."""
    return node.op.name in _MOVES


_MOVES = {
    *("broadcast", "reshape", "transpose", "slice", "pad", "concatenate"),
    *("windows", "flip", "take", "stop_gradient"),
}
