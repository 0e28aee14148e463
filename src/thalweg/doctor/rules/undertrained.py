"""A training that was stopped while it was getting better."""

from __future__ import annotations

from thalweg.doctor.evidence import (
    late_gain,
    loss_at_chance,
    losses,
    moved,
    rises,
    short,
    short_lived,
    shortfall,
    start_loss,
    straightness,
)
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "undertrained",
    when="any",
    evidence="what the second half of the training gained, and how far below neighbours it is (both kinds of rows)",
    threshold="12 % of the loss (8 % in fewer than 10 epochs, any in 200 steps), and 13 % of the way; or a line",
    change="three times as many epochs",
)
def undertrained(record: Record) -> Finding | None:
    """At the ceiling of the score a loss that still falls is nothing."""
    gain, way = late_gain(record), moved(record)
    if gain is None or record.broken is not None:
        return None
    s = "s" * (record.epochs != 1)
    cause = f"after {record.epochs} epoch{s} the loss was still falling (by {gain:.0%} in the second half)"
    change = f"epochs={max(3 * record.epochs, 10)}"
    numbers = {"late_gain": gain, "epochs": float(record.epochs), "moved": way}
    if falls_evenly(record, gain):
        cause += ", evenly, and not far from where it began"
        return found("undertrained", way is None or way > 0.03, cause, change, numbers)
    own = shortfall(record, record.train)
    few, curve = short_lived(record), losses(record)
    if not short(record) or own < 0.06 or (gain < 0.08 and not few):
        return None
    missing = own if record.validation is None else (own + shortfall(record, record.validation)) / 2
    # Where there are few steps, that the loss fell at all is enough: one epoch may hide the next one's gain.
    fell = few and bool(curve) and curve[-1] < 0.97 * max(curve[0], start_loss(record) or curve[0])
    gains = (gain > 0.12 and gain * missing > 0.035) or (record.epochs < 10 and gain > 0.08) or fell
    sure = gains and missing > 0.13 and (way is None or way > 0.03)
    cause += f", and {missing:.0%} of what neighbours reach is missing"
    return found("undertrained", sure, cause, change, numbers | {"missing": missing})


def falls_evenly(record: Record, gain: float) -> bool:
    """Whether a short training's loss falls on a line and is still high: no neighbours are needed to tell that."""
    line, level, train = straightness(record), loss_at_chance(record), record.train
    if not short_lived(record) or line is None or level is None or train is None:
        return False
    return line > 0.6 and gain > 0.04 and rises(record)[0] == 0 and train.loss > 0.7 * level
