"""A network that cannot follow the data."""

from __future__ import annotations

from thalweg.doctor.evidence import bar, has_nonlinearity, late_gain, reach, score, short_lived, shrunk
from thalweg.doctor.finding import Finding
from thalweg.doctor.record import Record
from thalweg.doctor.rule import found, rule


@rule(
    "underfitting",
    needs=("reference", "train"),
    evidence="score on its own rows, at rest, below four fifths of the way from chance to what neighbours reach",
    threshold="the second half of the training gained less than 12 % of the loss",
    change="nonlinear activations, less L2 and dropout, more units or layers",
)
def underfitting(record: Record) -> Finding | None:
    """Against neighbours, not against an absolute number: where classes overlap nobody gets them all."""
    train, gain, level = record.train, late_gain(record), reach(record)
    if train is None or level is None or score(record, train) >= bar(record) or record.broken is not None:
        return None
    why = "" if has_nonlinearity(record) else ": it has no nonlinear layer, so it can only draw straight lines"
    why = ": its penalty has driven the kernels towards 0" if shrunk(record) else why
    name = "R2" if record.task == "regression" else "accuracy"
    cause = f"{name} {score(record, train):.3f} on its own training rows, where five neighbours reach {level:.3f}{why}"
    change = "activation='relu' in hidden layers" if why else "more units or layers; less L2 and dropout"
    change = "a penalty ten times smaller" if shrunk(record) else change
    numbers = {"train": score(record, train), "neighbours": level, "late_gain": gain}
    return found("underfitting", not short_lived(record) and (gain is None or gain < 0.12), cause, change, numbers)
