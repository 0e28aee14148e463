"""Units that no row switches on."""

from __future__ import annotations

from thalweg.doctor.evidence import RELU, ends, fails, highest, start
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import LayerInfo, Record
from thalweg.doctor.rule import found, rule


@rule(
    "dying_relu",
    when="short",
    needs=("probes",),
    evidence="share of a layer's units that are 0 on every row looked at, and of all its numbers, at two moments, or"
    " at the last one before training broke",
    threshold="half of the units, or 95 % of the numbers, where training fails; else 85 % of the units",
    change="smaller learning rate, biases from 0, scaled inputs, leaky relu",
)
def dying_relu(record: Record) -> Finding | None:
    """Many zeros are no disease (a sparse code), and some dead units neither."""
    moments, enough = ends(record), 2
    if record.broken is not None:  # no later moment can disagree
        moments, enough = record.probes[-1:], 1
    share, layer = highest(record, moments, "dead", relu)
    zeros, sparsest = highest(record, moments, "zeros", relu)
    if layer is None or len(moments) < enough or (share < 0.35 and zeros < 0.95):
        return None
    if share < 0.5 and zeros >= 0.95:
        layer = sparsest
    first = start(record)
    early = highest(record, [first] if first is not None else [], "dead", relu)[0]
    since = None if early >= 0.5 else 0
    what = f"{share:.0%} of the units of layer {layer!r} give 0 for every row"
    if share < 0.5 and zeros >= 0.95:
        what = f"{zeros:.1%} of what layer {layer!r} gives is 0"
    cause = f"{what}, and where a unit gives 0 it gets no gradient"
    change = "a smaller learning rate, biases that begin at 0, inputs scaled to deviation 1, or leaky_relu"
    sure = share >= 0.85 or (fails(record) and (share >= 0.5 or zeros >= 0.95))
    numbers = {"dead": share, "zeros": zeros, "dead_before_training": early}
    return found("dying_relu", sure, cause, change, numbers, layer, since)


def relu(layer: LayerInfo) -> bool:
    """Whether its units can die."""
    return layer.activation in RELU
