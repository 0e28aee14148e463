"""What the tasks of a step do, as it is known before they run, and what they were measured to take."""

from __future__ import annotations

import math
from collections.abc import Sequence

from thalweg.fields import dataclass
from thalweg.graph.node import Kind, Node, topological
from thalweg.ops.contraction import Contraction
from thalweg.ops.lookup import AddRows


@dataclass(frozen=True)
class Work:
    """A task, as it is known before it runs.

    Attributes:
        computes: in words: the operations, the sizes, the states that are written.
        layer: that asked for it; "" for none.
        stage: tasks of one stage do not depend on each other; the threads wait for each other after each stage.
        flops: floating point operations: two for each product of a contraction (those with zeros at the edge of an
            image only if they are done), one for each number that any other operation computes or a reduction sums,
            also if it takes the processor many instructions.
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
        """Of all tasks and barriers."""
        return sum(self.tasks) + sum(self.barriers)


def flops(node: Node) -> float:
    """Floating point operations of a node, see ``Work``; 0 for what only says where numbers are, or moves them."""
    if isinstance(node.op, Contraction):
        return 2.0 * node.op.products * math.prod(_sizes(node, node.op).values())
    if node.op.kind is Kind.COMPOSITE and (parts := node.op.decompose(*node.inputs)) is not None:
        known = set(topological(node.inputs))
        return sum(flops(x) for x in topological([parts]) if x not in known)
    if not any(x.type.is_float for x in (node, *node.inputs)):
        return 0.0
    if node.op.kind is Kind.REDUCTION or isinstance(node.op, AddRows):
        return float(node.inputs[0].type.size)
    return float(node.type.size) if node.op.kind in (Kind.ELEMENTWISE, Kind.COMPOSITE) else 0.0


def contraction_words(node: Node) -> str:
    """``contraction 784x512 over 128``: the sizes of the result, and those of what is summed over."""
    op = node.op
    assert isinstance(op, Contraction), "asked for contractions only"
    summed = [n for label, n in _sizes(node, op).items() if label not in op.out]
    pairs = " pairs" if op.products == 2 else ""
    return f"contraction {sizes_words(node.shape)} over {sizes_words(summed)}{pairs}"


def sizes_words(sizes: Sequence[int]) -> str:
    """``784x512``"""
    return "x".join(map(str, sizes)) or "1"


def _sizes(node: Node, op: Contraction) -> dict[int, int]:
    """Of each labelled axis."""
    sizes: dict[int, int] = {}
    for x, labels in zip(node.inputs, (op.x, op.y), strict=True):
        sizes |= dict(zip(labels, x.shape, strict=True))
    return sizes
