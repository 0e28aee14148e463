"""Labels that are wrong."""

from __future__ import annotations

from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "noisy_labels",
    needs=("reference",),
    when="any",
    evidence="share of validation rows that a confident network contradicts at its best epoch, and of training rows"
    " whose neighbours have another class",
    threshold="both over .14 and .2; sure over .17 and .25 where the network contradicts most rows that it gets wrong",
    change="look through the rows that both contradict, and correct or drop them",
)
def noisy_labels(record: Record) -> Finding | None:
    """Two witnesses who do not know each other; few rows alone make one of them unsure, but not both."""
    reference, best = record.reference, record.best or record.validation
    if reference is None or reference.disagreement is None or best is None or best.confident_errors is None:
        return None
    errors, disagreement = best.confident_errors, reference.disagreement
    if errors <= 0.14 or disagreement <= 0.2:
        return None
    wrong = max(1 - best.score, 1e-9)
    sure = errors > 0.17 and disagreement > 0.25 and errors / wrong > 0.6
    cause = (
        f"{errors:.0%} of the validation rows have another class than the network is sure of, and {disagreement:.0%}"
        " of the training rows another one than their neighbours: many labels seem to be wrong"
    )
    numbers = {"confident_errors": errors, "disagreement": disagreement, "errors": wrong}
    change = "look at these rows and correct or drop them; until then: early stopping, label_smoothing=0.1"
    return found("noisy_labels", sure, cause, change, numbers)
