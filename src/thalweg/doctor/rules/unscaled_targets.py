"""Numbers to be learnt that are far larger than what a network gives at first."""

from __future__ import annotations

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "unscaled_targets",
    needs=("targets", "head"),
    evidence="mean and deviation of the targets of a linear head",
    threshold="either over 20",
    change="train on (y - mean) / deviation, and undo it after `predict`",
)
def unscaled_targets(record: Record) -> Finding | None:
    """A head that begins at their mean and learns is not failing, and so is not named."""
    targets, head = record.targets, record.head
    if targets is None or head is None or record.task != "regression" or not head.linear:
        return None
    size = max(abs(targets.mean), targets.deviation)
    if size <= 20:
        return None
    cause = (
        f"the targets have mean {targets.mean:.3g} and deviation {targets.deviation:.3g}, while a new network gives"
        " numbers around 0 of size 1: it spends its steps on getting there"
    )
    numbers = {"mean": targets.mean, "deviation": targets.deviation}
    change = "train on (y - y.mean()) / y.std() and turn predictions back"
    return found("unscaled_targets", True, cause, change, numbers, head.layer)
