"""Gradients that grow from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("exploding_gradients")
def cures(patient: Patient) -> Iterator[Group]:
    """Initial weights that keep the size of signals; normalisation; clipping; smaller steps."""
    program = patient.program
    if program.weighted:
        yield (Change("initial weights of the size that each activation wants", edits.initialised),)
    if program.hidden:
        words = "BatchNormalization behind the hidden layers: signals keep their size"
        yield (Change(words, edits.normalised_between),)
    yield clipping(1.0, 0.1)
    yield edits.rates(program, (0.1, 0.01, 0.001), "smaller steps where gradients are large")


def clipping(*norms: float) -> Group:
    """Gradients made shorter where all of them together are longer than this."""

    def change(norm: float) -> Change:
        words = f"gradients clipped at a norm of {norm:g}"
        return Change(words, lambda p: p.with_optimizer_settings(clipnorm=None, global_clipnorm=norm))

    return tuple(change(norm) for norm in norms)
