"""Sigmoids and tanhs that stand at their ends."""

from __future__ import annotations

from thalweg.doctor.evidence import BOUNDED, highest, start, trained
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import LayerInfo, Record
from thalweg.doctor.rule import found, rule
from thalweg.doctor.rules.lr_too_high import overshooting


@rule(
    "saturated_activations",
    needs=("probes",),
    evidence="share of a hidden layer's outputs within 1 % of the ends of its sigmoid or tanh, before training or"
    " after the first epoch",
    threshold="40 %",
    change="`glorot_uniform`, scaled inputs, or relu",
)
def saturated_activations(record: Record) -> Finding | None:
    """Before training, or by steps that overshoot: a network that has learnt well, or a narrow one, may saturate."""
    first, later = start(record), trained(record)
    at_start = highest(record, [first] if first is not None else [], "saturated", bounded)
    after = highest(record, later[:1], "saturated", bounded)
    stays = highest(record, [*later[:1], *later[-1:]], "saturated", bounded)
    share, layer = max(at_start, stays, key=lambda h: h[0])
    if layer is None or share < 0.25:
        return None
    since = None if at_start[0] >= 0.4 else 0
    cause = f"{share:.0%} of what layer {layer!r} gives lies at the ends of its activation, where its slope is near 0"
    change = "smaller initial weights (glorot_uniform), inputs scaled to deviation 1, or relu"
    numbers = {"saturated_before": at_start[0], "saturated_after_an_epoch": after[0]}
    sure = at_start[0] >= 0.4 or (share >= 0.4 and bool(overshooting(record)))
    return found("saturated_activations", sure, cause, change, numbers, layer, since)


def bounded(layer: LayerInfo) -> bool:
    """Whether its results have ends."""
    return layer.activation in BOUNDED
