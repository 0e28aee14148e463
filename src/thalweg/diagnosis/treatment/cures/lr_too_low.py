"""Steps that are too small."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes

FACTORS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


@prescribes("lr_too_low")
def cures(patient: Patient) -> Iterator[Group]:
    """Larger rates; an optimizer whose steps do not depend on the size of gradients."""
    program = patient.program
    yield edits.rates(program, FACTORS, "larger steps, to get there in this time")
    yield edits.adam(program, (0.001, 0.003, 0.01), "its steps do not depend on the size of gradients")
