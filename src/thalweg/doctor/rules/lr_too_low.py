"""Steps too small to get anywhere."""

from __future__ import annotations

from thalweg.doctor.evidence import losses, moved, rises, start_loss, straightness
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "lr_too_low",
    when="short",
    evidence="the longest way of a kernel over the training; a loss that falls on a straight line and not far",
    threshold="3 % of its length; or straight, 2 % to 40 % of the loss, 10 % of its length",
    change="a learning rate ten times larger",
)
def lr_too_low(record: Record) -> Finding | None:
    """A plateau and vanishing gradients do not move the loss; small steps lower it, in nearly every epoch."""
    curve, way = losses(record), moved(record)
    if len(curve) < 2 or way is None or record.steps < 30 or rises(record)[0] > 0.2:
        return None
    # The start is looked at on a few rows, which may be easy ones.
    first = max(start_loss(record) or curve[0], curve[0])
    fallen = (first - curve[-1]) / abs(first) if first else 0.0
    line = straightness(record)
    straight = line is not None and line > 0.25
    crawls = way < 0.03 or (way < 0.1 and straight and 0.02 < fallen < 0.4)
    if not crawls:
        return None
    sure = way < 0.03 or record.steps >= 100
    rate = record.plan.learning_rate
    cause = (
        f"{record.steps} steps with learning rate {rate:.3g} moved no kernel further than {way:.1%} of its length, and"
        f" lowered the loss by {fallen:.0%}"
    )
    numbers = {"learning_rate": rate, "moved": way, "fallen": fallen, "straightness": line}
    return found("lr_too_low", sure, cause, f"learning_rate={rate * 10:.2g}", numbers, None, 0)
