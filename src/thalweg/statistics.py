"""What a step can measure beside training: sums in its graph, from which the statistics of each layer follow.

A step is compiled with them or without, and the loop chooses for every call which of the two runs. What a layer gives
and the parameters become is the same in both, to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from thalweg import ops
from thalweg.graph.node import Node

__all__ = ["ALL", "parameter_sums", "result_sums", "summary"]

MEAN, DEVIATION, ZEROS = "mean", "deviation", "zeros"
GRADIENT_NORM, UPDATE_RATIO = "gradient_norm", "update_ratio"
ALL = (MEAN, DEVIATION, ZEROS, GRADIENT_NORM, UPDATE_RATIO)
"""Of what a layer gives: mean, standard deviation, share of numbers that are 0. Of its parameters together: the norm
of the gradient; the norm of their move divided by their own."""


def result_sums(results: Iterable[Node]) -> dict[str, Node]:
    """What a batch adds to the sums of layers by what they give: ``<layer>/<sum>`` -> scalar, float64.

    A tensor that several layers hand on is counted for the one that made it.
    """
    sums: dict[str, Node] = {}
    for y in dict.fromkeys(node for node in results if node.type.is_float):
        exact = ops.cast(y, "float64")
        own = {
            "count": ops.constant(float(y.type.size), "float64"),
            "total": ops.reduce_sum(exact),
            "squares": ops.reduce_sum(exact * exact),
            "zeros": ops.reduce_sum(ops.cast(ops.equal(y, 0.0), "float64")),
        }
        _add(sums, y.layer, own)
    return sums


def parameter_sums(path: str, w: Node, g: Node, new: Node | None) -> dict[str, Node]:
    """What a batch adds to the sums of the layer that a parameter belongs to; squared norms.

    Arguments:
        new: what the parameter becomes; None where the step does not move it itself.
    """
    sums = {"weight": _square(w), "gradient": _square(g)}
    if new is not None:
        sums["move"] = _square(new - w)
    return {f"{path.rpartition('/')[0]}/{name}": node for name, node in sums.items()}


def together(parts: Iterable[Mapping[str, Node]]) -> dict[str, Node]:
    """The sums of several parts; what has the same name is added up."""
    sums: dict[str, Node] = {}
    for part in parts:
        for name, node in part.items():
            sums[name] = sums[name] + node if name in sums else node
    return sums


def summary(sums: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Layer -> statistic -> number, from the sums of one step; NaN for what has no meaning, as 0 / 0."""
    layers: dict[str, dict[str, float]] = {}
    for name, value in sums.items():
        layer, _, own = name.rpartition("/")
        layers.setdefault(layer, {})[own] = value
    return {layer: _of_layer(own) for layer, own in layers.items()}


def _of_layer(sums: Mapping[str, float]) -> dict[str, float]:
    values = {}
    if "count" in sums:
        count = sums["count"]
        mean = _ratio(sums["total"], count)
        variance = _ratio(sums["squares"], count) - mean * mean
        values[MEAN] = mean
        values[DEVIATION] = math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan
        values[ZEROS] = _ratio(sums["zeros"], count)
    if "gradient" in sums:
        values[GRADIENT_NORM] = math.sqrt(sums["gradient"])
    if "move" in sums:
        values[UPDATE_RATIO] = math.sqrt(_ratio(sums["move"], sums["weight"]))
    return values


def _add(sums: dict[str, Node], layer: str, own: Mapping[str, Node]) -> None:
    for name, node in own.items():
        key = f"{layer}/{name}"
        sums[key] = sums[key] + node if key in sums else node


def _square(x: Node) -> Node:
    exact = ops.cast(x, "float64")
    return ops.reduce_sum(exact * exact)


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan
