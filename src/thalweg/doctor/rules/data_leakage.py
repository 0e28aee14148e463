"""Validation rows that stand among the training rows."""

from __future__ import annotations

import math

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "data_leakage",
    needs=("repeats",),
    when="any",
    evidence="share of validation rows with an exact or near copy in training, less what repeats within training",
    threshold="3 % exact, or 20 % near, beyond three deviations of their luck",
    change="drop the copies from the training rows, or split by group before training",
)
def data_leakage(record: Record) -> Finding | None:
    """Discrete data repeat themselves: what does so within the training rows is natural."""
    repeats = record.repeats
    if repeats is None:
        return None
    exact = repeats.exact - repeats.exact_within - luck(repeats.exact_within, repeats.rows)
    near = repeats.near - repeats.near_within - luck(repeats.near_within, repeats.rows)
    if exact <= 0 and near <= 0.1:
        return None
    share, kind = (repeats.exact, "copies") if exact > 0 else (repeats.near, "near copies")
    own = repeats.exact_within if exact > 0 else repeats.near_within
    cause = (
        f"{share:.0%} of the validation rows are {kind} of training rows (within the training rows: {own:.0%}), so"
        " their score says little about new data"
    )
    numbers = {"exact": repeats.exact, "near": repeats.near, "exact_within": repeats.exact_within}
    change = "drop these rows from the training data, and split by group"
    return found("data_leakage", exact > 0.03 or near > 0.2, cause, change, numbers)


def luck(share: float, rows: int) -> float:
    """Three deviations of a share among so many rows, whose true value is this or less than half a row."""
    return 3 * math.sqrt(max(share * (1 - share), 0.5 / rows) / rows)
