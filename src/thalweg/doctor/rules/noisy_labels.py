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
    evidence="share of training rows for which two simple methods, the row left out, name the same other class; share"
    " of validation rows that the network confidently contradicts at its best epoch; which it does better on",
    threshold="14 % of the training rows, luck taken off (of two classes, where methods are bound to agree: 16 % and"
    " 2.5 times; of more, where those that err agree a quarter of the way from luck to always), and 15 % of the"
    " validation rows, or a score there that is better by .1",
    change="look through the rows that both contradict, and correct or drop them",
)
def noisy_labels(record: Record) -> Finding | None:
    """Two witnesses who do not know each other; of few rows the luck is taken off."""
    reference, best = record.reference, record.best or record.validation
    if reference is None or reference.disagreement is None or best is None or fails(record):
        return None
    rows = min(record.plan.rows or reference.rows, reference.rows)
    disagreement = reference.disagreement
    classes = 0 if record.targets is None else len(record.targets.shares)  # two also of a softmax over two units
    times, most = (2.5, 0.16) if classes == 2 else (1.0, 0.14)
    least = disagreement - times * math.sqrt(disagreement * (1 - disagreement) / rows)
    numbers = {"disagreement": disagreement, "confident_errors": best.confident_errors, "errors": 1 - best.score}
    change = "look at these rows and correct or drop them; until then: early stopping, label_smoothing=0.1"
    begin = f"simple methods hold {disagreement:.0%} of the training rows for another class than they are labelled"
    if record.train is not None and best.score - record.train.score > 0.1 and disagreement > 0.1:
        cause = f"{begin}, and the network does better on validation rows than on those"
        return found("noisy_labels", least > 0.12, cause, change, numbers)
    if best.confident_errors is None or min(best.confident_errors, disagreement) <= 0.1:
        return None
    cause = f"{begin}, and so does the network with {best.confident_errors:.0%} of the validation rows"
    told = reference.neighbours - reference.chance > 0.25 * (1 - reference.chance)
    weighed = record.plan.class_weight  # then the network errs on purpose towards the rare classes
    sure = (
        told
        and not weighed
        and unison(disagreement, 1 - reference.neighbours, classes) > 0.25
        and best.confident_errors > 0.15
        and least > most
        and best.confident_errors > 0.6 * (1 - best.score)
    )
    return found("noisy_labels", sure, cause, change, numbers)


def unison(same: float, wrong: float, classes: int) -> float:
    """How far methods that err name the same other class: 0 as by luck, where rows are hard or few to learn from, 1
    always.

    Of two classes there is but one other, so that they cannot differ: 1.

    Arguments:
        same: the share of rows for which they name the same other class.
        wrong: that for which they err.
    """
    if classes <= 2:
        return 1.0
    luck = 1 / (classes - 1)
    return (same / max(wrong, 1e-9) - luck) / (1 - luck)
