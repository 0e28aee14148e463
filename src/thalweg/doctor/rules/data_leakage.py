"""Validation rows that stand among the training rows."""

from __future__ import annotations

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "data_leakage",
    needs=("repeats",),
    when="any",
    evidence="share of validation rows with an exact or near copy in training, less what repeats within training",
    threshold="5 % exact, or 25 % near",
    change="drop the copies from the training rows, or split by group before training",
)
def data_leakage(record: Record) -> Finding | None:
    """Discrete data repeat themselves: what does so within the training rows is natural."""
    repeats = record.repeats
    if repeats is None:
        return None
    exact = repeats.exact - repeats.exact_within
    near = repeats.near - repeats.near_within
    if exact <= 0.02 and near <= 0.15:
        return None
    share, kind = (repeats.exact, "copies") if exact > 0.02 else (repeats.near, "near copies")
    own = repeats.exact_within if exact > 0.02 else repeats.near_within
    cause = (
        f"{share:.0%} of the validation rows are {kind} of training rows (within the training rows: {own:.0%}), so"
        " their score says little about new data"
    )
    numbers = {"exact": repeats.exact, "near": repeats.near, "exact_within": repeats.exact_within}
    change = "drop these rows from the training data, and split by group"
    return found("data_leakage", exact > 0.05 or near > 0.25, cause, change, numbers)
