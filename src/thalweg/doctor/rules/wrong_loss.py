"""A head that does not fit the loss or the targets."""

from __future__ import annotations

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "wrong_loss",
    needs=("head",),
    when="short",
    evidence="activation and units of the last layer against loss, `from_logits` and targets",
    threshold="a pair that cannot learn, or learns slowly",
    change="the head and loss that belong together",
)
def wrong_loss(record: Record) -> Finding | None:
    """What ``facts`` found, spoken of where training does not work: some odd pairs do."""
    head = record.head
    if head is None or head.fault is None:
        return None
    return found("wrong_loss", True, head.fault, head.change, {"units": float(head.units)}, head.layer)
