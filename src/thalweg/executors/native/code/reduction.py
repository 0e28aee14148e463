"""How two parts of a reduction are put together."""

from __future__ import annotations

from thalweg.executors.native.code.builder import Builder, Value
from thalweg.executors.native.code.elementwise import extreme
from thalweg.executors.native.code.lowerings import Lowerings
from thalweg.graph.node import Op
from thalweg.ops.broadcast import ReduceSum
from thalweg.ops.reduce import ReduceMax, ReduceMin

LOWERINGS = Lowerings()


@LOWERINGS.lowers(ReduceSum)
def lower_sum(op: Op, build: Builder, x: Value, y: Value) -> Value:
    return build.add(x, y)


@LOWERINGS.lowers(ReduceMax)
def lower_max(op: Op, build: Builder, x: Value, y: Value) -> Value:
    return extreme(build, "ogt", x, y)


@LOWERINGS.lowers(ReduceMin)
def lower_min(op: Op, build: Builder, x: Value, y: Value) -> Value:
    return extreme(build, "olt", x, y)
