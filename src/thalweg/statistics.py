"""What a step can measure beside training: sums in its graph, from which the statistics of each layer follow.

A step is compiled with them or without, and the loop chooses for every call which of the two runs. What a layer gives
and the parameters become is the same in both, to the bit. A probe (``doctor.probes``) takes the same sums of a graph
without an update. Docs: docs/diagnosis.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from thalweg import activations, ops
from thalweg.graph.node import Kind, Node, Op, topological
from thalweg.layers.tracing import Activated
from thalweg.ops.cast import Cast
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution, TransposedConvolution
from thalweg.ops.elementwise import Relu, Sigmoid, Tanh

__all__ = ["ALL", "kernels", "parameter_sums", "result_sums", "summary"]

MEAN, DEVIATION, ZEROS = "mean", "deviation", "zeros"
PRE_DEVIATION, DEAD, SATURATED = "pre_deviation", "dead", "saturated"
"""The deviation of what a layer with a kernel makes before its own activation, if it has one. Of an activation like
relu the share of units (the last axis; channels) that are 0 in all rows; of sigmoid, tanh and their like that of
numbers within 0.01 of the ends."""
GRADIENT_NORM, KERNEL_GRADIENT, ZERO_GRADIENTS = "gradient_norm", "kernel_gradient", "zero_gradients"
"""The norm of the gradient of all trained parameters of a layer together, and of the kernel alone, which is what inputs
are multiplied with; the share of numbers of the kernel's that are exactly 0."""
GAIN, UPDATE_RATIO = "gain", "update_ratio"
"""The kernel's deviation times the root of the number of inputs of a unit; the norm of a step's move of all parameters
divided by their own."""
ALL = (
    *(MEAN, DEVIATION, ZEROS, PRE_DEVIATION, DEAD, SATURATED),
    *(GRADIENT_NORM, KERNEL_GRADIENT, ZERO_GRADIENTS, GAIN, UPDATE_RATIO),
)
"""All statistics in the order in which they are shown. A layer has those that mean something of it."""

FIRES = (activations.relu, activations.relu6)
"""Functions that are 0 where a unit is silent, and pass no gradient there."""

ENDS = (
    *(
        (function, (0.0, 1.0))
        for function in (activations.sigmoid, activations.hard_sigmoid, activations.sparse_sigmoid)
    ),
    *((function, (-1.0, 1.0)) for function in (activations.tanh, activations.hard_tanh, activations.softsign)),
)
"""Of functions that saturate: between what they give."""

NEAR = 0.01
"""What is no further from an end than that is saturated."""

_OPERATIONS: dict[type[Op], Any] = {Relu: activations.relu, Sigmoid: activations.sigmoid, Tanh: activations.tanh}
"""By which an activation is known in a layer of the user's own that calls ``ops``."""


def result_sums(results: Iterable[Node], activated: Mapping[Node, Activated] | None = None) -> dict[str, Node]:
    """What a batch adds to the sums of layers by what they give: ``<layer>/<sum>`` -> scalar, float64.

    A tensor that several layers hand on, as it is or in another shape, is counted for the one that made it, and what a
    layer gives that is the activation of another one for that. The model's own inputs are nobody's.

    Arguments:
        activated: what activations gave, as ``Trace.activated``.
    """
    sums: dict[str, Node] = {}
    made = dict.fromkeys(_maker(node) for node in results if node.type.is_float and node.type.size and node.inputs)
    peaks: dict[tuple[str, int], list[Node]] = {}
    for y in made:
        known = _activation(y, activated or {})
        layer = y.layer if known is None else known.layer
        own = {"count": _number(y.type.size), "zeros": _count(ops.equal(y, 0.0)), **_moments(y, "")}
        if known is not None:
            if known.x.layer == layer and known.x not in made:
                own |= {"before": _number(known.x.type.size), **_moments(known.x, "before_")}
            for low, high in (ends for function, ends in ENDS if function is known.function):
                own["bounded"] = _number(y.type.size)
                own["ends"] = _count(y <= low + NEAR) + _count(y >= high - NEAR)
            if any(function is known.function for function in FIRES) and y.rank > 1:
                peaks.setdefault((layer, y.shape[-1]), []).append(ops.reduce_max(y, tuple(range(y.rank - 1))))
        _add(sums, layer, own)
    for (layer, units), uses in peaks.items():  # a unit of a layer that is used twice is dead if it is in both
        silent = functools.reduce(ops.logical_and, [peak <= 0.0 for peak in uses])
        _add(sums, layer, {"units": _number(units), "silent": _count(silent)})
    return sums


def kernels(parameters: Mapping[str, Node], loss: Node) -> dict[str, int]:
    """Those parameters that inputs are multiplied with, by path -> the number of inputs of a unit."""
    paths = {node: path for path, node in parameters.items()}
    found: dict[str, int] = {}
    for node in topological([loss]):
        if not isinstance(node.op, Contraction | Convolution | TransposedConvolution):
            continue
        for place, factor in enumerate(node.inputs):
            path = paths.get(_stored(factor))
            if path is not None and path not in found:
                found[path] = _inputs_of_a_unit(node, place)
    return found


def parameter_sums(path: str, w: Node, g: Node, new: Node | None, fan_in: int | None = None) -> dict[str, Node]:
    """What a batch adds to the sums of the layer that a parameter belongs to; squared norms.

    Arguments:
        new: what the parameter becomes; None where the step does not move it itself.
        fan_in: of a kernel the number of inputs of a unit; None for any other parameter.
    """
    slope = _square(g)
    sums = {"weight": _square(w), "gradient": slope}
    if fan_in is not None:
        exact = ops.cast(w, "float64")
        mean = ops.reduce_mean(exact)
        variance = ops.reduce_mean(exact * exact) - mean * mean
        sums |= {
            "kernels": _number(1),
            "gains": variance * float(fan_in),
            "slope": slope,
            "slopes": _number(g.type.size),
            "flat": _count(ops.equal(g, 0.0)),
        }
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
        values[MEAN] = _ratio(sums["total"], sums["count"])
        values[DEVIATION] = _deviation(sums["total"], sums["squares"], sums["count"])
        values[ZEROS] = _ratio(sums["zeros"], sums["count"])
    if "before" in sums:
        values[PRE_DEVIATION] = _deviation(sums["before_total"], sums["before_squares"], sums["before"])
    elif "count" in sums and "kernels" in sums:
        values[PRE_DEVIATION] = values[DEVIATION]
    if "units" in sums:
        values[DEAD] = _ratio(sums["silent"], sums["units"])
    if "bounded" in sums:
        values[SATURATED] = _ratio(sums["ends"], sums["bounded"])
    if "gradient" in sums:
        values[GRADIENT_NORM] = math.sqrt(sums["gradient"])
    if "kernels" in sums:
        values[KERNEL_GRADIENT] = math.sqrt(sums["slope"])
        values[ZERO_GRADIENTS] = _ratio(sums["flat"], sums["slopes"])
        values[GAIN] = _root(_ratio(sums["gains"], sums["kernels"]))
    if "move" in sums:
        values[UPDATE_RATIO] = math.sqrt(_ratio(sums["move"], sums["weight"]))
    return values


def _maker(y: Node) -> Node:
    """What a result is that was only given another shape or another order of axes."""
    while y.op.kind is Kind.VIEW and y.inputs and y.inputs[0].type.size == y.type.size and y.inputs[0].inputs:
        y = y.inputs[0]
    return y


def _activation(y: Node, activated: Mapping[Node, Activated]) -> Activated | None:
    """The activation that gave this; the operation that it is says more than the name of a user's own function."""
    known, function = activated.get(y), _OPERATIONS.get(type(y.op))
    if function is None:
        return known
    return Activated(function, y.inputs[0], y.layer if known is None else known.layer)


def _stored(factor: Node) -> Node:
    """What a factor of a product is read from."""
    while factor.inputs and (factor.op.kind is Kind.VIEW or isinstance(factor.op, Cast)):
        factor = factor.inputs[0]
    return factor


def _inputs_of_a_unit(node: Node, place: int) -> int:
    """How many products are added up for one number of the result of a contraction or a convolution."""
    kernel = node.inputs[place]
    if isinstance(node.op, Convolution):
        return math.prod(kernel.shape[:-1])
    if isinstance(node.op, TransposedConvolution):  # those of the taps that have their turn
        taps = (-(-k // s) for k, s in zip(kernel.shape, node.op.strides, strict=False))
        return math.prod(taps) * kernel.shape[-1] // node.op.groups
    assert isinstance(node.op, Contraction), "asked of these only"
    labels = (node.op.x, node.op.y)[place]
    return math.prod(n for label, n in zip(labels, kernel.shape, strict=True) if label not in node.op.out)


def _moments(x: Node, prefix: str) -> dict[str, Node]:
    exact = ops.cast(x, "float64")
    return {f"{prefix}total": ops.reduce_sum(exact), f"{prefix}squares": ops.reduce_sum(exact * exact)}


def _number(value: float) -> Node:
    return ops.constant(float(value), "float64")


def _count(condition: Node) -> Node:
    return ops.reduce_sum(ops.cast(condition, "float64"))


def _add(sums: dict[str, Node], layer: str, own: Mapping[str, Node]) -> None:
    for name, node in own.items():
        key = f"{layer}/{name}"
        sums[key] = sums[key] + node if key in sums else node


def _square(x: Node) -> Node:
    exact = ops.cast(x, "float64")
    return ops.reduce_sum(exact * exact)


def _deviation(total: float, squares: float, count: float) -> float:
    mean = _ratio(total, count)
    return _root(_ratio(squares, count) - mean * mean)


def _root(variance: float) -> float:
    """Of what rounding may have made a little less than 0."""
    return math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan
