"""Targets of a size that an output reaches only after many steps."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("unscaled_targets")
def cures(patient: Patient) -> Iterator[Group]:
    """A Rescaling behind the head, and a loss in its unit; inputs scaled, too."""
    if patient.program.head is None:
        return
    targets = edits.scaled_targets(patient.material)
    words = "a Rescaling behind the head, by mean and deviation of the training targets, and the loss in that unit"
    yield (Change(words, targets),)
    scaled = edits.scaled_inputs(patient.material)
    if scaled is not None and not edits.has_scaling(patient.program):
        also = f"{words}; a Normalization in front"
        yield (Change(also, lambda p: targets(scaled(p))),)
