"""Training rows learnt by heart."""

from __future__ import annotations

import math

from thalweg.doctor.evidence import chance
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "overfitting",
    needs=("train", "validation"),
    when="any",
    evidence="score on training rows less that on validation rows; loss on the latter now against its least",
    threshold="gap over .12 and 2.5 times its luck, or a rise to 1.5 times with a gap over .07",
    change="early stopping with the best weights, L2, dropout, a smaller network, more rows",
)
def overfitting(record: Record) -> Finding | None:
    """One bad epoch is none, and few validation rows differ from others by luck. Constants cannot overfit."""
    train, validation = record.train, record.validation
    if train is None or validation is None or train.constant or not math.isfinite(validation.score):
        return None
    gap = train.score - max(validation.score, chance(record) - 0.5)
    up = rise(record)
    if gap < 0.09 and not (up > 1.5 and gap > 0.05):
        return None
    if not validation.loss > 1.3 * train.loss or train.score < chance(record) + 0.1:
        return None
    sure = (gap > 0.12 and gap > 2.5 * luck(record)) or (up > 1.5 and gap > 0.07 and gap > 2 * luck(record))
    name = "R2" if record.task == "regression" else "accuracy"
    cause = f"{name} is {train.score:.3f} on the training rows and {validation.score:.3f} on the validation rows"
    cause += f", whose loss rose to {up:.1f} times its least" if up > 1.2 else ""
    change = "EarlyStopping(restore_best_weights=True), L2 of 1e-3, dropout, a smaller network or more rows"
    numbers = {"gap": gap, "rise": up, "train": train.score, "validation": validation.score}
    return found("overfitting", sure, cause, change, numbers)


def rise(record: Record) -> float:
    """The validation's last loss divided by its least, means of neighbouring epochs in long trainings."""
    curve = [v for v in record.curves.get("val_loss", ()) if v is not None and math.isfinite(v)]
    width = max(1, len(curve) // 12)
    means = [sum(curve[i : i + width]) / width for i in range(len(curve) - width + 1)]
    return means[-1] / min(means) if means and min(means) > 0 else 1.0


def luck(record: Record) -> float:
    """Standard error of the gap between two samples of these sizes."""
    train, validation = record.train, record.validation
    if train is None or validation is None:
        return 0.0
    if record.task == "regression":
        return math.sqrt(max(1 - validation.score, 0.0) / max(validation.rows, 1))
    p = min(max(validation.score, 0.01), 0.99)
    return math.sqrt(p * (1 - p) * (1 / max(validation.rows, 1)))
