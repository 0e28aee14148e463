"""Batches so small that each step follows the luck of one row."""

from __future__ import annotations

from thalweg.doctor.evidence import start_loss
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule
from thalweg.doctor.rules.lr_too_high import overshooting


@rule(
    "batch_too_small",
    when="short",
    evidence="rows of a batch, and steps that overshoot",
    threshold="two rows, with an overflow or the signs of a learning rate that is too high",
    change="`batch_size=32`",
)
def batch_too_small(record: Record) -> Finding | None:
    """Single rows with small steps are healthy: it takes both."""
    size = record.plan.batch_size
    if size > 2 or (record.plan.rows or 0) < 20 or start_loss(record) is None:
        return None
    signs = overshooting(record)
    if not signs:
        return None
    row = "one row" if size == 1 else f"{size} rows"
    cause = f"each step follows {row}, and they overshoot: {', '.join(signs)}"
    numbers = {"batch_size": float(size), "learning_rate": record.plan.learning_rate}
    return found("batch_too_small", True, cause, "batch_size=32", numbers, None, 0)
