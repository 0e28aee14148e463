"""A network much larger than its data can fill."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.cures.overfitting import patience
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program


def smaller(program: Program, factor: float) -> Program:
    """Fewer units, no more layers than one, and smooth ones: what is left cannot bend at every row."""
    return edits.resized(program, factor, least=3)


@prescribes("model_too_complex")
def cures(patient: Patient) -> Iterator[Group]:
    """Fewer units, and the best epoch."""
    program = patient.program
    if not program.hidden:
        return
    wait = patience(program)
    yield tuple(_smaller(factor, wait) for factor in (0.25, 0.06, 0.01))
    words = f"EarlyStopping(patience={wait}) with the best weights"
    yield (Change(words, lambda p: p.with_fit(early_stopping=wait)),)


def _smaller(factor: float, wait: int) -> Change:
    words = f"{factor:g} times as many units, and EarlyStopping(patience={wait}) with the best weights"
    return Change(words, lambda p: smaller(p, factor).with_fit(early_stopping=wait))
