"""Gradients that shrink from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.network import BOUNDED
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program

HOT = 0.05
"""A rate that suits bounded activations may be too much for rectifiers; of SGD then at most this one."""


def rectified(program: Program) -> Program:
    """Rectifiers, whose slope is 1, in place of activations whose slope is at most 1/4 or 1."""
    return edits.activated(program, "relu", BOUNDED)


@prescribes("vanishing_gradients")
def cures(patient: Patient) -> Iterator[Group]:
    """Initial weights that keep the size of signals; rectifiers; normalisation; a way around the layers."""
    program = patient.program
    if not program.hidden:
        return
    if patient.finding.numbers.get("gain", 1.0) < 0.5 or "bad_init" in patient.found:
        yield (Change("initial weights of the size that each activation wants", edits.initialised),)
    if edits.smooth(program):
        words = "relu with he_normal: a bounded activation passes on a quarter of the gradient or less"
        own: Group = (Change(words, rectified),)
        if program.optimizer not in edits.ADAPTIVE and program.rate > HOT:
            also = f"{words}; learning rate {HOT:g}, because rectifiers hand on more"
            own = (*own, Change(also, lambda p: rectified(p).with_rate(HOT)))
        yield own
    words = "BatchNormalization behind the hidden layers: signals keep their size"
    yield (Change(words, lambda p: edits.normalised_between(rectified(p))),)
    yield (
        Change("skips around the hidden layers: gradients have a short way", lambda p: edits.skipping(rectified(p))),
    )
    yield edits.adam(program, (0.001, 0.003, 0.01), "its steps do not shrink with the gradients")
