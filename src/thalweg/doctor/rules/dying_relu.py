"""Units that no row switches on."""

from __future__ import annotations

from thalweg.doctor.evidence import RELU, ends, highest, start
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import LayerInfo, Record
from thalweg.doctor.rule import found, rule


@rule(
    "dying_relu",
    needs=("probes",),
    evidence="share of a layer's units that are 0 on every row looked at, at two moments",
    threshold="half of them",
    change="smaller learning rate, biases from 0, scaled inputs, leaky relu",
)
def dying_relu(record: Record) -> Finding | None:
    """Many zeros are no disease (a sparse code), and some dead units neither."""
    moments = ends(record)
    share, layer = highest(record, moments, "dead", relu)
    if layer is None or len(moments) < 2 or share < 0.35:
        return None
    first = start(record)
    early = highest(record, [first] if first is not None else [], "dead", relu)[0]
    since = None if early >= 0.5 else 0
    cause = f"{share:.0%} of the units of layer {layer!r} give 0 for every row, so they get no gradient and stay so"
    change = "a smaller learning rate, biases that begin at 0, inputs scaled to deviation 1, or leaky_relu"
    numbers = {"dead": share, "dead_before_training": early}
    return found("dying_relu", share >= 0.5, cause, change, numbers, layer, since)


def relu(layer: LayerInfo) -> bool:
    """Whether its units can die."""
    return layer.activation in RELU
