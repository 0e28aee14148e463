"""A training that was stopped while it was getting better."""

from __future__ import annotations

from thalweg.doctor.evidence import late_gain, losses, moved, short_lived, shortfall, start_loss
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "undertrained",
    needs=("reference",),
    when="short",
    evidence="what the second half of the training gained, and how far below neighbours it is (both kinds of rows)",
    threshold="12 % of the loss (8 % in fewer than 10 epochs, any in 200 steps), and 13 % of the way to neighbours",
    change="three times as many epochs",
)
def undertrained(record: Record) -> Finding | None:
    """At the ceiling of the score a loss that still falls is nothing."""
    gain, own, way = late_gain(record), shortfall(record, record.train), moved(record)
    few, curve = short_lived(record), losses(record)
    if gain is None or own < 0.06 or record.broken is not None or (gain < 0.08 and not few):
        return None
    missing = own if record.validation is None else (own + shortfall(record, record.validation)) / 2
    # Where there are few steps, that the loss fell at all is enough: one epoch may hide the next one's gain.
    fell = few and bool(curve) and curve[-1] < 0.97 * max(curve[0], start_loss(record) or curve[0])
    gains = (gain > 0.12 and gain * missing > 0.035) or (record.epochs < 10 and gain > 0.08) or fell
    sure = gains and missing > 0.13 and (way is None or way > 0.03)
    cause = (
        f"after {record.epochs} epoch{'s' * (record.epochs != 1)} the loss was still falling (by {gain:.0%} in the"
        f" second half), and {missing:.0%} of what neighbours reach is missing"
    )
    numbers = {"late_gain": gain, "missing": missing, "epochs": float(record.epochs), "moved": way}
    return found("undertrained", sure, cause, f"epochs={max(3 * record.epochs, 10)}", numbers)
