"""Gradients, and the signal, that grow from layer to layer."""

from __future__ import annotations

from thalweg.doctor.evidence import gradient_norm, hidden, start, unscaled, usual, value, weighted
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Probe, Record
from thalweg.doctor.rule import found, rule


@rule(
    "exploding_gradients",
    needs=("probes", "layers"),
    evidence="gradient norm before training, and how far the signal grows from the first to the last hidden layer",
    threshold="norm over 300, and growth over 20 or kernels of three times the usual size",
    change="`he_normal` or `glorot_uniform`, batch normalization, `clipnorm`",
)
def exploding_gradients(record: Record) -> Finding | None:
    """Before training only: what blows up later was blown up by its steps; and unscaled numbers are another cause."""
    first = start(record)
    if first is None or unscaled(record):
        return None
    norm = gradient_norm(first)
    scale = max(1.0, record.targets.deviation**2) if record.targets is not None and not record.targets.shares else 1.0
    if norm is None or norm / scale < 100:
        return None
    wider, loudest = growth(record, first), max((usual(layer) for layer in weighted(record)), default=1.0)
    if (wider is None or wider < 10) and loudest < 3:
        return None
    sure = norm / scale > 300 and ((wider or 0) > 20 or loudest > 3)
    layer = max(weighted(record), key=usual).name
    cause = f"the gradient has norm {norm:.2g} before the first step" + (
        f", and the signal grows {wider:.2g} times from the first to the last hidden layer" if wider else ""
    )
    change = "kernel_initializer='he_normal' before relu, else 'glorot_uniform'; or BatchNormalization; or clipnorm=1.0"
    return found("exploding_gradients", sure, cause, change, {"gradient_norm": norm, "growth": wider}, layer)


def growth(record: Record, probe: Probe) -> float | None:
    """Deviation before the activation, of the last hidden layer divided by the first's."""
    wide = [value(probe, layer.name, "pre_deviation") for layer in hidden(record) if layer.fan_in is not None]
    known = [number for number in wide if number is not None]
    return known[-1] / known[0] if len(known) > 1 and known[0] > 0 else None
