"""Rows under the name of another class."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.cures.overfitting import patience
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program


def smoothed(program: Program, share: float) -> Program:
    """Targets that leave a share of the probability to the other classes."""
    settings = {**program.loss_settings, "label_smoothing": share}
    return program.with_loss(program.loss, **settings)


@prescribes("noisy_labels")
def cures(patient: Patient) -> Iterator[Group]:
    """The best epoch, before the wrong labels are learnt by heart; smoothed labels; a penalty."""
    program = patient.program
    wait = patience(program)
    words = f"EarlyStopping(patience={wait}) with the best weights: wrong labels are learnt last"
    yield (Change(words, lambda p: p.with_fit(early_stopping=wait)),)
    if "crossentropy" in program.loss:
        yield tuple(_smoothing(share, wait) for share in (0.1, 0.3))
    if program.weighted:
        yield tuple(_penalty(l2, wait) for l2 in (3e-3, 1e-2, 3e-2))


def _smoothing(share: float, wait: int) -> Change:
    words = f"label_smoothing={share:g}, and EarlyStopping(patience={wait})"
    return Change(words, lambda p: smoothed(p, share).with_fit(early_stopping=wait))


def _penalty(l2: float, wait: int) -> Change:
    words = f"L2({l2:g}) on the kernels, which leaves no room for wrong labels, and EarlyStopping(patience={wait})"
    return Change(words, lambda p: edits.penalised(p, l2).with_fit(early_stopping=wait))
