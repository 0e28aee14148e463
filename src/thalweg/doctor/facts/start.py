"""The layers with their initial weights, and how they are to be trained."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from thalweg import initializers, layers
from thalweg.data.source import Source
from thalweg.doctor.facts.head import activation_name
from thalweg.doctor.facts.network import Network
from thalweg.doctor.record import LayerInfo, Plan
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer
from thalweg.optimizers.optimizer import Optimizer
from thalweg.optimizers.schedules import Schedule
from thalweg.state.names import parameter_state
from thalweg.training.session import FitOptions

ACTIVATIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax)
"""Layers that are nothing else."""

HANDING_ON = (
    *(layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization, layers.RMSNormalization),
    *(layers.Dropout, layers.Reshape, layers.Flatten, layers.Identity),
)
"""Layers that may stand between weights and their activation."""

DROPPING = (layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D)

TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose)


def layers_of(network: Network, parameters: Mapping[str, Any]) -> tuple[LayerInfo, ...]:
    """The layers with weights, and those that are activations, in the order of the data's way.

    Arguments:
        parameters: their values before training, by the names of their states ("parameters/dense/kernel").
    """
    order: dict[str, list[str]] = {}
    for node in network.nodes:
        path = network.layer_of(node)
        if path and isinstance(network.layers.get(path), ACTIVATIONS):
            order.setdefault(path, [])
        for parameter in network.weights_in(node):
            held = order.setdefault(_holder(parameter, network), [])
            if parameter not in held:
                held.append(parameter)
    return tuple(_info(path, held, network, parameters) for path, held in order.items())


def _holder(parameter: str, network: Network) -> str:
    """The layer that a parameter belongs to."""
    path = parameter.rpartition("/")[0]
    return path or parameter


def _info(path: str, held: list[str], network: Network, parameters: Mapping[str, Any]) -> LayerInfo:
    layer = network.layers.get(path)
    values = {name.rpartition("/")[2]: parameters.get(parameter_state(name)) for name in held}
    arrays = {name: np.asarray(value) for name, value in values.items() if value is not None}
    multiplied = network.weights_in(network.weighing[path]) if path in network.weighing else []
    names = [name for name in held if "kernel" in name] or [name for name in held if name in multiplied]
    kernel = next((a for name in names if (a := arrays.get(name.rpartition("/")[2])) is not None and a.ndim >= 2), None)
    bias = next((a for name, a in arrays.items() if "bias" in name and a.size), None)
    columns = None if kernel is None else _columns(kernel, layer)
    return LayerInfo(
        name=path,
        kind=type(layer).__name__ if layer is not None else "",
        activation=_activation(path, layer, network),
        fan_in=None if columns is None else len(columns),
        fan_out=None if kernel is None else _fan_out(kernel, layer),
        parameters=sum(a.size for a in arrays.values()),
        gain=None if columns is None else float(columns.std(dtype=np.float64) * len(columns) ** 0.5),
        bias=None if bias is None else float(bias.mean(dtype=np.float64)),
        equal_columns=columns is not None and columns.shape[1] > 1 and bool((columns == columns[:, :1]).all()),
        residual=path in network.residual,
        trainable=layer is None or bool(layer.trainable),
    )


def _fan_out(kernel: np.ndarray, layer: Layer | None) -> int:
    """How many numbers one of the inputs goes into."""
    into = -2 if isinstance(layer, TRANSPOSED) else -1
    return math.prod(kernel.shape[:-2]) * int(kernel.shape[into])


def _columns(kernel: np.ndarray, layer: Layer | None) -> np.ndarray:
    """A column for each unit.

    Shapes: kernel (*window, in, units) -> (fan in, units); of a depthwise layer (*window, channels, units of each) and
    of a transposed one (*window, units, in).
    """
    if isinstance(layer, layers.DepthwiseConv2D):
        return kernel.reshape(int(np.prod(kernel.shape[:-2])), -1)
    if isinstance(layer, TRANSPOSED):
        return np.moveaxis(kernel, -1, -2).reshape(-1, kernel.shape[-2])
    return kernel.reshape(initializers.fans(kernel.shape)[0], -1)


def _activation(path: str, layer: Layer | None, network: Network) -> str:
    """The layer's own, or that of the layer that follows and is one."""
    own = activation_name(layer)
    if own != "linear" or path not in network.weighing:
        return own
    return next((activation_name(next_) for next_ in _following(network.weighing[path], network)), "linear")


def _following(start: Node, network: Network) -> Iterator[Layer]:
    """The activation that takes what a node gives, through layers that only hand it on."""
    stack, seen, own = [start], {start}, network.maker(start)
    while stack:
        for user in network.users[stack.pop()]:
            layer = network.maker(user)
            if isinstance(layer, ACTIVATIONS):
                yield layer
            elif user not in seen and (layer is own or isinstance(layer, HANDING_ON)):
                seen.add(user)
                stack.append(user)


def plan_of(rule: Optimizer, options: FitOptions, rows: Source, network: Network, class_weight: bool = False) -> Plan:
    """How it is to be trained.

    Arguments:
        rule: of the optimizer.
        options: the arguments of ``fit``.
    """
    rate = rule.learning_rate
    momentum = getattr(rule, "momentum", getattr(rule, "beta_1", 0.0))
    return Plan(
        optimizer=type(rule).__name__.lower(),
        learning_rate=float(rate(0) if isinstance(rate, Schedule) else rate),
        batch_size=options.batch(rows),
        rows=rows.count,
        steps_per_epoch=options.steps(rows),
        epochs=max(options.epochs - options.initial_epoch, 0),
        momentum=float(momentum) if isinstance(momentum, int | float) else 0.0,
        penalty=max(_penalty(rule), *(_factor(layer) for layer in network.layers.values()), 0.0),
        dropout=max(map(_dropout, network.layers.values()), default=0.0),
        clipped=any((rule.clipnorm, rule.clipvalue, rule.global_clipnorm)),
        scheduled=isinstance(rate, Schedule),
        class_weight=class_weight,
        parameters=sum(math.prod(p.shape) for layer in _tops(network) for p in layer.named_parameters().values()),
    )


def _tops(network: Network) -> list[Layer]:
    return [layer for path, layer in network.layers.items() if "/" not in path]


def _penalty(rule: Optimizer) -> float:
    """Decay as the penalty that has the same gradient: ``decay * w`` is that of ``decay / 2 * w^2``."""
    decay = rule.weight_decay
    return float(decay) / 2 if isinstance(decay, int | float) else 0.0


def _factor(layer: Layer) -> float:
    """The largest factor of a penalty on a layer's kernels."""
    found = [getattr(layer, name, None) for name in ("kernel_regularizer", "embeddings_regularizer")]
    factors = [_factor_of(regularizer) for regularizer in found if regularizer is not None]
    return max(factors, default=0.0)


def _factor_of(regularizer: Any) -> float:
    if isinstance(regularizer, str):
        return 0.01  # what all of them have unless told
    if not dataclasses.is_dataclass(regularizer):
        return 0.0
    values = [getattr(regularizer, f.name) for f in dataclasses.fields(regularizer)]
    return max((float(v) for v in values if isinstance(v, int | float)), default=0.0)


def _dropout(layer: Layer) -> float:
    return float(layer.rate) if isinstance(layer, DROPPING) else 0.0
