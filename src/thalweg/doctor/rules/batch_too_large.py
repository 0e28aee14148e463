"""Batches so large that there are hardly any steps."""

from __future__ import annotations

from thalweg.doctor.evidence import late_gain, moved, rises, shortfall, straightness
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "batch_too_large",
    when="short",
    evidence="share of the rows in a batch, number of steps, and what the second half of them still gained",
    threshold="half of the rows, fewer than 100 steps, 8 %; fewer than 60 steps, 3 % or evenly",
    change="`batch_size=32`",
)
def batch_too_large(record: Record) -> Finding | None:
    """A full batch with enough steps is healthy."""
    rows, size, steps = record.plan.rows or 0, record.plan.batch_size, record.steps
    if rows < 64 or size < rows / 2 or steps >= 200 or record.epochs < 3:
        return None
    gain, way = late_gain(record), moved(record)
    line = straightness(record)
    evenly = steps < 60 and line is not None and line > 0.3 and rises(record)[0] <= 0.1
    if (
        gain is None
        or (gain < 0.03 and not evenly)
        or shortfall(record, record.train) < 0.08
        or (way is not None and way < 0.03)
    ):
        return None
    cause = (
        f"a batch holds {size / rows:.0%} of the {rows} rows, so {record.epochs} epochs made only {steps} steps;"
        f" the second half of them still lowered the loss by {gain:.0%}"
    )
    numbers = {"batch_size": float(size), "rows": float(rows), "steps": float(steps), "late_gain": gain}
    sure = steps < 60 or (steps < 100 and gain > 0.08)
    return found("batch_too_large", sure, cause, "batch_size=32", numbers)
