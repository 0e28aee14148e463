"""Labels that are wrong."""

from __future__ import annotations

import math

from thalweg.doctor.evidence import fails
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "noisy_labels",
    needs=("reference",),
    when="any",
    evidence="share of training rows whose class simple methods contradict when the row is left out; share of"
    " validation rows that the network confidently contradicts at its best epoch; which of the two it does better on",
    threshold="15.5 % of the training rows, 2.5 deviations of its luck taken off, and 15 % of the validation rows, or a"
    " score that is better by .1",
    change="look through the rows that both contradict, and correct or drop them",
)
def noisy_labels(record: Record) -> Finding | None:
    """Two witnesses who do not know each other; of few rows the luck is taken off."""
    reference, best = record.reference, record.best or record.validation
    if reference is None or reference.disagreement is None or best is None or fails(record):
        return None
    rows = min(record.plan.rows or 2000, 2000)
    disagreement = reference.disagreement
    least = disagreement - 2.5 * math.sqrt(disagreement * (1 - disagreement) / rows)
    numbers = {"disagreement": disagreement, "confident_errors": best.confident_errors, "errors": 1 - best.score}
    change = "look at these rows and correct or drop them; until then: early stopping, label_smoothing=0.1"
    begin = f"simple methods hold {disagreement:.0%} of the training rows for another class than they are labelled"
    if record.train is not None and best.score - record.train.score > 0.1 and disagreement > 0.12:
        cause = f"{begin}, and the network does better on validation rows than on those"
        return found("noisy_labels", least > 0.12, cause, change, numbers)
    if best.confident_errors is None or min(best.confident_errors, disagreement) <= 0.12:
        return None
    cause = f"{begin}, and so does the network with {best.confident_errors:.0%} of the validation rows"
    sure = best.confident_errors > 0.15 and least > 0.155 and best.confident_errors > 0.6 * (1 - best.score)
    return found("noisy_labels", sure, cause, change, numbers)
