"""Functions as files of version 0.1 mean them, whose axis is another by default than under their names today."""

from __future__ import annotations

from thalweg.graph.node import Node, Nodes
from thalweg.ops.concatenate import concatenate
from thalweg.ops.lookup import take
from thalweg.ops.reduce import argmax

__all__ = ["argmax_last", "concatenate_last", "take_first"]


def argmax_last(x: Node, axis: int = -1) -> Node:
    """Where along an axis the first largest number stands. Shapes: x (...) -> without the axis, int32."""
    return argmax(x, axis)


def concatenate_last(xs: Nodes, axis: int = -1) -> Node:
    """The tensors one after the other along an axis. Shapes: (..., n_i, ...) -> (..., sum, ...)."""
    return concatenate(xs, axis)


def take_first(x: Node, index: Node, axis: int = 0) -> Node:
    """The parts along an axis that numbers name. Shapes: x (..., n, ...), index (any) -> (..., *index.shape, ...)."""
    return take(x, index, axis)
