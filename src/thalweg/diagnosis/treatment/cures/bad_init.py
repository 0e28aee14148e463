"""Initial weights that are all alike, too large or too small."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("bad_init")
def cures(patient: Patient) -> Iterator[Group]:
    """The initial weights that each activation wants."""
    if patient.program.weighted:
        yield (Change("initial weights of the size that each activation wants, biases of 0", edits.initialised),)
