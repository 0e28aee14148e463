"""The value of a node at once, by the NumPy definitions of the operations: for single numbers and small arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thalweg.graph.node import Node, topological
from thalweg.ops.leaf import input_node


def reference_values(nodes: list[Node], known: Mapping[Node, np.ndarray]) -> list[np.ndarray]:
    """The values of nodes that depend on constants and on nodes with known values alone."""
    values: dict[Node, np.ndarray] = dict(known)
    for node in topological(nodes):
        if node not in values:
            values[node] = node.op.reference(*(values[x] for x in node.inputs))
    return [values[node] for node in nodes]


def on_arrays(function: Callable[..., Mapping[str, Node]], *arrays: Any) -> dict[str, np.ndarray]:
    """What a function of nodes gives for arrays; None stays None."""
    inputs = [
        None if array is None else input_node(f"x{i}", array.shape, array.dtype.name) for i, array in enumerate(arrays)
    ]
    results = function(*inputs)
    known = {node: array for node, array in zip(inputs, arrays, strict=True) if node is not None}
    return dict(zip(results, reference_values(list(results.values()), known), strict=True))
