"""Rows learnt by heart."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program

PATIENCE = 5


def patience(program: Program) -> int:
    """Epochs without a better validation loss: more of a long training."""
    return max(PATIENCE, program.epochs // 20)


@prescribes("overfitting")
def cures(patient: Patient) -> Iterator[Group]:
    """The best epoch instead of the last; a penalty; dropout; fewer units; and two of them together."""
    program = patient.program
    wait = patience(program)
    stop = f"EarlyStopping(patience={wait}) with the best weights"
    yield (Change(stop, lambda p: p.with_fit(early_stopping=wait)),)
    if program.weighted:
        yield tuple(_penalty(l2, wait) for l2 in (1e-3, 3e-3, 1e-2))
    if program.hidden:
        yield tuple(_dropout(rate, wait) for rate in (0.3, 0.5))
        yield tuple(_smaller(factor, wait) for factor in (0.25, 0.0625))


def _penalty(l2: float, wait: int) -> Change:
    words = f"L2({l2:g}) on the kernels, and EarlyStopping(patience={wait})"
    return Change(words, lambda p: edits.penalised(p, l2).with_fit(early_stopping=wait))


def _dropout(rate: float, wait: int) -> Change:
    words = f"Dropout({rate:g}) behind the hidden layers, and EarlyStopping(patience={wait})"
    return Change(words, lambda p: edits.dropping(p, rate).with_fit(early_stopping=wait))


def _smaller(factor: float, wait: int) -> Change:
    words = f"{factor:g} times as many units, and EarlyStopping(patience={wait})"
    return Change(words, lambda p: edits.resized(p, factor, least=3).with_fit(early_stopping=wait))
