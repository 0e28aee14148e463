"""All operations that are computed number by number, with how they are written."""

from __future__ import annotations

from thalweg.executors.native.code import bfloat, elementwise, random, reduction, trigonometry
from thalweg.executors.native.code.builder import Builder, Value
from thalweg.executors.native.code.lowerings import Lowering
from thalweg.graph.node import Kind, Op

LOWERINGS: dict[type[Op], Lowering] = {
    **elementwise.LOWERINGS,
    **trigonometry.LOWERINGS,
    **bfloat.LOWERINGS,
    **reduction.LOWERINGS,
    **random.LOWERINGS,
}


def lower(op: Op, build: Builder, *values: Value) -> Value:
    """The operation on values, see Lowering."""
    return LOWERINGS[type(op)].write(op, build, *values)


def is_cheap(op: Op) -> bool:
    """Whether an elementwise operation is rather computed again than its result kept."""
    return op.kind is Kind.ELEMENTWISE and LOWERINGS[type(op)].cheap


def is_costly(op: Op) -> bool:
    """Whether it makes of each number one that is rather kept than computed again."""
    return op.kind in (Kind.ELEMENTWISE, Kind.RANDOM) and not LOWERINGS[type(op)].cheap
