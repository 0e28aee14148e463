"""A class that is so rare that it is never said."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("class_imbalance")
def cures(patient: Patient) -> Iterator[Group]:
    """Every class counts alike in the loss."""
    words = "class_weight='balanced': rows of rare classes count for more"
    yield (Change(words, lambda p: p.with_fit(class_weight="balanced")),)
