"""A training that ends while it still gets better."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("undertrained")
def cures(patient: Patient) -> Iterator[Group]:
    """More epochs; larger steps."""
    program = patient.program
    yield (_longer(program.epochs * 4), _longer(program.epochs * 12))
    yield (_longer(program.epochs * 40),)
    yield edits.rates(program, (3.0, 10.0, 30.0), "larger steps, to get there in this time")


def _longer(epochs: int) -> Change:
    return Change(f"{epochs} epochs: the loss was still falling", lambda p: p.with_fit(epochs=epochs))
