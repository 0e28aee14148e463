"""Inputs of a size that the weights do not expect."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("unscaled_inputs")
def cures(patient: Patient) -> Iterator[Group]:
    """A Normalization in front, which the saved model carries."""
    scaled = edits.scaled_inputs(patient.material)
    if scaled is None or patient.program.network is None:
        return
    words = "a Normalization in front, with mean and deviation of the training rows: the saved model carries it"
    yield (Change(words, scaled),)
    if patient.material.task == "regression" and patient.program.head is not None:
        targets = edits.scaled_targets(patient.material)
        also = f"{words}; and a Rescaling behind the head, because the targets are not scaled either"
        yield (Change(also, lambda p: targets(scaled(p))),)
