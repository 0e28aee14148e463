"""Too few steps, because each takes too many rows."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.cures.batch_too_small import batch
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("batch_too_large")
def cures(patient: Patient) -> Iterator[Group]:
    """Fewer rows in a step; larger steps; more epochs."""
    program = patient.program
    now = patient.material.rows if isinstance(program.batch_size, str) else program.batch_size
    yield tuple(batch(size, "more steps an epoch") for size in (32, 16) if size < now)
    yield edits.rates(program, (3.0, 10.0), "larger steps, as so many rows allow")
    yield (Change(f"{program.epochs * 4} epochs", lambda p: p.with_fit(epochs=program.epochs * 4)),)
