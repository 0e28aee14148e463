"""Steps that overshoot."""

from __future__ import annotations

import math
from statistics import fmean

from thalweg.doctor.evidence import knocked_out, loss_at_chance, losses, moved, rises, start_loss, unscaled
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "lr_too_high",
    when="short",
    evidence="an overflow; epochs with a loss over the first one's start; epochs that raise it, and by how much;"
    " the way of a kernel; units that die or saturate at once",
    threshold="1.3 times the initial loss; a quarter of the epochs by 8 %, with the loss not small; 20 lengths;"
    " 90 % of a layer out of use",
    change="a learning rate ten times smaller",
)
def lr_too_high(record: Record) -> Finding | None:
    """Noisy small batches raise single losses, not means of epochs; and who arrives in the end did not overshoot."""
    signs = overshooting(record)
    if not signs:
        return None
    share, rise = rises(record)
    rate = record.plan.learning_rate
    numbers = {"learning_rate": rate, "rising_epochs": share, "mean_rise": rise, "moved": moved(record)}
    cause = f"steps with learning rate {rate:.3g} overshoot: " + ", ".join(signs)
    change = f"learning_rate={rate / 10:.2g}"
    return found("lr_too_high", True, cause, change, numbers, None, 0)


def overshooting(record: Record) -> list[str]:
    """The signs, in words."""
    signs = []
    curve, before = losses(record), start_loss(record)
    usual = loss_at_chance(record)
    if record.broken is not None and (record.initial_loss is None or math.isfinite(record.initial_loss)):
        signs.append("a number became NaN or infinite")
    way = moved(record)
    if way is not None and not way <= 20:
        signs.append(f"a kernel moved {way:.2g} times its own length")
    if unscaled(record):
        return signs  # whatever else the loss and the units do, such inputs do alone
    level = max(before or 0.0, usual or 0.0)
    high = level and curve and fmean(curve[-3:]) > 0.3 * level
    # Some begin with a leap and then do well: only a leap that left its mark, or came later, counts.
    if curve and level and max(curve if high else curve[len(curve) // 5 :]) > 1.3 * level:
        signs.append(f"the loss rose to {max(curve):.3g} from {level:.3g}")
    out = knocked_out(record)
    if out is not None and way is not None and way > 1:
        signs.append(f"{out[0]:.0%} of the units of layer {out[1]!r} went out of use")
    share, rise = rises(record)
    if len(curve) >= 5 and share >= 0.25 and rise > 0.08 and high:
        signs.append(f"the loss rose in {share:.0%} of the epochs, by {rise:.0%} on average")
    return signs
