"""A rare class that is not recalled."""

from __future__ import annotations

import math
from statistics import fmean

from thalweg.doctor.evidence import fails
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Outcome, Record
from thalweg.doctor.rule import found, rule


@rule(
    "class_imbalance",
    needs=("targets",),
    when="any",
    evidence="share of a class, and its recall against that of the others",
    threshold="share under .4 / classes (.3 / 2 for two), recall under .65 and .25 below the others",
    change="`class_weight`, or more rows of the class",
)
def class_imbalance(record: Record) -> Finding | None:
    """Rare is no disease where the class is recalled. Where nothing works a very rare class is named by its share."""
    shares = record.targets.shares if record.targets is not None else ()
    if len(shares) < 2 or record.task == "regression":
        return None
    rare = min(range(len(shares)), key=shares.__getitem__)
    if not 0 < shares[rare] < (0.15 if len(shares) == 2 else 0.4 / len(shares)) or by_luck(record, shares[rare]):
        return None
    recalls = both(record.train, record.validation, len(shares))
    own = recalls[rare] if recalls else None
    others = fmean(r for i, r in enumerate(recalls) if i != rare) if recalls else None
    lost = own is not None and others is not None and own < 0.65 and own < others - 0.25
    very_rare = fails(record) and not record.plan.class_weight and shares[rare] * len(shares) < 0.2
    if not (lost or very_rare):
        return None
    level = record.reference.balanced if record.reference is not None else None
    reachable = very_rare or level is None or not recalls or level > fmean(recalls) + 0.03
    recall = "" if own is None else f"; {own:.0%} of them are recognised"
    cause = (
        f"class {rare} has {shares[rare]:.1%} of the training rows{recall}: to ignore it costs the loss nearly nothing"
    )
    numbers = {"class": float(rare), "share": shares[rare], "recall": own, "recall_of_others": others}
    change = f"class_weight with about {1 / (len(shares) * shares[rare]):.2g} for class {rare}, or more of its rows"
    return found("class_imbalance", reachable, cause, change, numbers)


def by_luck(record: Record, share: float) -> bool:
    """Whether a class as common as the others may turn out so rare in as few rows: within four deviations."""
    rows = record.plan.rows or (record.inputs.rows if record.inputs is not None else 0)
    expected = rows / len(record.targets.shares) if record.targets is not None else 0.0
    return expected - share * rows < 4 * math.sqrt(expected)


def both(train: Outcome | None, validation: Outcome | None, classes: int) -> tuple[float, ...]:
    """The recalls on both kinds of rows together: of a rare class each alone has few."""
    known = [o for o in (train, validation) if o is not None and len(o.recalls) == classes]
    return tuple(together([(o.recalls[i], o.rows) for o in known]) for i in range(classes)) if known else ()


def together(recalls: list[tuple[float, int]]) -> float:
    """The mean by rows; of kinds of rows that have some of the class, 1 where none has."""
    there = [(recall, rows) for recall, rows in recalls if math.isfinite(recall)]
    return sum(recall * rows for recall, rows in there) / sum(rows for _, rows in there) if there else 1.0
