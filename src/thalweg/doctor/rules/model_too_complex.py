"""Far more weights than rows, used to learn them by heart."""

from __future__ import annotations

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule
from thalweg.doctor.rules.overfitting import overfitting


@rule(
    "model_too_complex",
    needs=("train", "validation"),
    when="any",
    evidence="overfitting, and parameters for each training row",
    threshold="100",
    change="a network of a tenth of the size",
)
def model_too_complex(record: Record) -> Finding | None:
    """Size alone is no disease: very large networks generalise, too."""
    over, rows = overfitting(record), record.plan.rows
    if over is None or not rows:
        return None
    each = record.plan.parameters / rows
    if each < 30:
        return None
    cause = f"{record.plan.parameters:,} parameters for {rows} rows, {each:.0f} for each, and it learnt them by heart"
    numbers = {"parameters": float(record.plan.parameters), "rows": float(rows), "for_each": each}
    sure = each > 100 and over.certainty == "diagnosed"
    return found("model_too_complex", sure, cause, "a network with a tenth of the units", numbers)
