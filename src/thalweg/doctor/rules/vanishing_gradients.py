"""Gradients that die on their way to the first layers."""

from __future__ import annotations

import math

from thalweg.doctor.evidence import BOUNDED, ends, gradient_ratio, hidden, start, trained, weighted
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule

LAYERS = 4


@rule(
    "vanishing_gradients",
    needs=("probes", "layers"),
    evidence="norm of the first kernel's gradient divided by that of the head's, before training and after an epoch",
    threshold=".02 on average, in four layers or more",
    change="relu with `he_normal`, residual connections or batch normalization",
)
def vanishing_gradients(record: Record) -> Finding | None:
    """A ratio, because a trained network's gradients are small without any disease; exactly 0 is another one."""
    layers = weighted(record)
    if len(layers) < LAYERS:
        return None
    probes = [probe for probe in (start(record), *trained(record)[:1]) if probe is not None] or list(ends(record))
    ratios = [ratio for ratio in (gradient_ratio(record, probe) for probe in probes) if ratio is not None]
    # Exactly 0 before training is another disease; later it may be what became of this one: units died of it.
    if len(ratios) < 2 or not 0 < ratios[0] < 0.05 or not ratios[-1] < 0.05:
        return None
    usual = math.sqrt(ratios[0] * ratios[-1])
    squashing = next((layer.activation for layer in hidden(record) if layer.activation in BOUNDED), None)
    cause = (
        f"the gradient of the first kernel is {ratios[-1]:.1g} times that of the last: {len(layers)} layers"
        f"{f' of {squashing}' if squashing else ''} shrink it on its way back"
    )
    change = "relu with kernel_initializer='he_normal', or residual connections, or BatchNormalization between"
    numbers = {"ratio_before": ratios[0], "ratio_after_an_epoch": ratios[-1], "layers": float(len(layers))}
    return found("vanishing_gradients", usual < 0.02, cause, change, numbers, layers[0].name)
