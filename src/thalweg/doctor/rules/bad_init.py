"""Initial weights from which no training gets away."""

from __future__ import annotations

import math

from thalweg.doctor.evidence import RELU, hidden, start, usual, value, weighted
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import LayerInfo, Record
from thalweg.doctor.rule import found, rule

LOUD, QUIET, BIAS = 3.0, 0.3, 2.0

ENOUGH = 16
"""Weights whose deviation tells how they were drawn."""


@rule(
    "bad_init",
    needs=("layers",),
    evidence="deviation of a kernel against Glorot's for its shape, equal units, mean of a bias; before training",
    threshold="3 times too large or small, all units equal, bias beyond 2",
    change="`he_normal` before relu, else `glorot_uniform`; biases 0",
)
def bad_init(record: Record) -> Finding | None:
    """Small kernels inside of what is added to its own input are meant so."""
    ordinary = [layer for layer in weighted(record) if layer.gain is not None and layer.kind != "Embedding"]
    for layer in ordinary:
        if layer.equal_columns and not layer.residual and layer.fan_out != 1:
            cause = f"all units of layer {layer.name!r} begin the same, get the same gradient and stay the same"
            return found("bad_init", True, cause, change(layer), {"equal_units": layer.fan_out}, layer.name)
    for layer in hidden(record):
        if layer.bias is not None and abs(layer.bias) >= BIAS and layer.activation not in ("linear", None):
            cause = (
                f"the bias of layer {layer.name!r} begins at {layer.bias:.3g}, beyond what its inputs reach:"
                f" its {layer.activation} units all begin off, or at their ends"
            )
            return found("bad_init", True, cause, "bias_initializer='zeros'", {"bias": layer.bias}, layer.name)
    return size(record, ordinary)


def size(record: Record, layers: list[LayerInfo]) -> Finding | None:
    """By the kernels' size: the signal that arrives behind all of them grows or dies away."""
    sizes = {layer.name: relative(layer) for layer in layers if not layer.residual and weights(layer) >= ENOUGH}
    if not sizes:
        return None
    loudest, quietest = max(sizes, key=sizes.__getitem__), min(sizes, key=sizes.__getitem__)
    loud, quiet = sizes[loudest], sizes[quietest]
    total = math.prod(sizes.values())
    if loud <= 2.2 and quiet >= QUIET and 0.05 <= total <= 30:
        return None
    large = loud > 2.2 and (total > 1 or quiet >= QUIET)
    name, number = (loudest, loud) if large else (quietest, quiet)
    layer = next(layer for layer in layers if layer.name == name)
    sure = loud > LOUD or quiet < QUIET or total < 0.03 or total > 60
    cause = (
        f"the kernel of layer {name!r} begins {number:.2g} times as large as usual for its shape; all layers together"
        f" make the signal {total:.2g} times as large"
    )
    return found("bad_init", sure, cause, change(layer), {"size": number, "all_layers": total} | spread(record), name)


def weights(layer: LayerInfo) -> int:
    """Of its kernel."""
    return (layer.fan_in or 0) * (layer.fan_out or 1)


def relative(layer: LayerInfo) -> float:
    """The kernel's deviation divided by the usual one: between Glorot's and He's (LeCun's) all is well."""
    by_inputs = (layer.gain or 0.0) / (math.sqrt(2) if layer.activation in RELU else 1.0)
    low, high = sorted((usual(layer), by_inputs))
    return high if high < 1 else low if low > 1 else 1.0


def spread(record: Record) -> dict[str, float | None]:
    """How wide the signal is in the first and in the last hidden layer."""
    first, names = start(record), [layer.name for layer in hidden(record)]
    if first is None or len(names) < 2:
        return {}
    return {
        "first_deviation": value(first, names[0], "deviation"),
        "last_deviation": value(first, names[-1], "deviation"),
    }


def change(layer: LayerInfo) -> str:
    """What to begin with."""
    return f"kernel_initializer='{'he_normal' if layer.activation in RELU else 'glorot_uniform'}'"
