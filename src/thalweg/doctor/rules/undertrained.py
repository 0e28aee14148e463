"""A training that was stopped while it was getting better."""

from __future__ import annotations

from thalweg.doctor.evidence import late_gain, moved, shortfall
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "undertrained",
    needs=("reference",),
    when="short",
    evidence="what the second half of the training gained, and how far below neighbours it is (both kinds of rows)",
    threshold="12 % of the loss, and 13 % of the way from chance to neighbours; their product .035",
    change="three times as many epochs",
)
def undertrained(record: Record) -> Finding | None:
    """At the ceiling of the score a loss that still falls is nothing."""
    gain, own, way = late_gain(record), shortfall(record, record.train), moved(record)
    if gain is None or gain < 0.08 or own < 0.06 or record.broken is not None:
        return None
    missing = own if record.validation is None else (own + shortfall(record, record.validation)) / 2
    sure = gain > 0.12 and missing > 0.13 and gain * missing > 0.035 and (way is None or way > 0.03)
    cause = (
        f"after {record.epochs} epoch{'s' * (record.epochs != 1)} the loss was still falling (by {gain:.0%} in the"
        f" second half), and {missing:.0%} of what neighbours reach is missing"
    )
    numbers = {"late_gain": gain, "missing": missing, "epochs": float(record.epochs), "moved": way}
    return found("undertrained", sure, cause, f"epochs={max(3 * record.epochs, 10)}", numbers)
