"""Training rows learnt by heart."""

from __future__ import annotations

import math
from statistics import median

from thalweg.doctor.evidence import chance
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "overfitting",
    needs=("train", "validation"),
    when="any",
    evidence="score on training rows less that on validation rows; loss on the latter now against its least",
    threshold="gap over .15, or a rise to 1.6 times with a gap over .1; three times its luck, twice if over .25",
    change="early stopping with the best weights, L2, dropout, a smaller network, more rows",
)
def overfitting(record: Record) -> Finding | None:
    """One bad epoch is none, and few validation rows differ from others by luck. Constants cannot overfit."""
    train, validation = record.train, record.validation
    if train is None or validation is None or train.constant or not math.isfinite(validation.score):
        return None
    up, spike = rise(record)
    reached = validation.score
    if spike > 1.5 and record.best is not None:
        reached = max(reached, record.best.score)
    gap = train.score - max(reached, chance(record) - 0.5)
    if gap < 0.1 and not (up > 1.5 and gap > 0.07):
        return None
    if not validation.loss > 1.3 * train.loss or train.score < chance(record) + 0.1:
        return None
    lucky = gap <= (2 if gap > 0.25 else 3) * luck(record) and (
        record.task != "regression" or validation.loss <= usual_ratio(record) * train.loss
    )
    sure = not lucky and (gap > 0.15 or (up > 1.6 and gap > 0.1))
    name = "R2" if record.task == "regression" else "accuracy"
    cause = f"{name} is {train.score:.3f} on the training rows and {validation.score:.3f} on the validation rows"
    cause += f", whose loss rose to {up:.1f} times its least" if up > 1.2 else ""
    change = "EarlyStopping(restore_best_weights=True), L2 of 1e-3, dropout, a smaller network or more rows"
    numbers = {"gap": gap, "rise": up, "train": train.score, "validation": validation.score}
    return found("overfitting", sure, cause, change, numbers)


def rise(record: Record) -> tuple[float, float]:
    """The validation's loss of the last quarter divided by its least; its last divided by that of the last quarter."""
    curve = [v for v in record.curves.get("val_loss", ()) if v is not None and math.isfinite(v)]
    width = max(1, len(curve) // 12)
    means = [sum(curve[i : i + width]) / width for i in range(len(curve) - width + 1)]
    if not means or min(means) <= 0:
        return 1.0, 1.0
    late = median(curve[-max(3, len(curve) // 4) :])
    return late / min(means), curve[-1] / late


def usual_ratio(record: Record) -> float:
    """By which factor the mean squares of two samples of these sizes may differ: two deviations over 1."""
    rows = [outcome.rows for outcome in (record.train, record.validation) if outcome is not None]
    return 1 + 2 * math.sqrt(sum(2 / max(count, 1) for count in rows))


def luck(record: Record) -> float:
    """Standard error of the gap between two samples of these sizes."""
    train, validation = record.train, record.validation
    if train is None or validation is None:
        return 0.0
    if record.task == "regression":
        return math.sqrt(max(1 - validation.score, 0.0) / max(validation.rows, 1))
    p = min(max(validation.score, 0.01), 0.99)
    return math.sqrt(p * (1 - p) * (1 / max(validation.rows, 1)))
