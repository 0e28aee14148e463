"""Steps that are too large."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change

FACTORS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


@prescribes("lr_too_high")
def cures(patient: Patient) -> Iterator[Group]:
    """Smaller rates; clipping."""
    program = patient.program
    yield edits.rates(program, FACTORS, "smaller steps no longer jump over the valley")
    words = "gradients clipped at a norm of 1, which bounds the steps"
    yield (Change(words, lambda p: p.with_optimizer_settings(clipnorm=None, global_clipnorm=1.0)),)
