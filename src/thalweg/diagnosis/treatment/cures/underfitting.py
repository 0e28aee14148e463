"""A network that cannot follow its data."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change

UNITS = 32
"""A hidden layer of fewer units may be what lets nothing through."""


@prescribes("underfitting")
def cures(patient: Patient) -> Iterator[Group]:
    """Activations where there are none; no bottleneck; hidden layers; less regularisation; more units; longer."""
    program = patient.program
    network = program.network
    if network is not None:
        linear = [place for place in program.hidden if edits.acting(program, place) == "linear"]
        if linear:
            words = "relu in the hidden layers: without an activation all of them are one linear layer"
            yield (Change(words, lambda p: edits.activated(p, "relu", ("linear",))),)
        if any(place.size is not None and place.size < UNITS for place in program.hidden):
            words = f"at least {UNITS} units in each hidden layer"
            yield (Change(words, lambda p: edits.resized(p, 1.0, least=UNITS)),)
        if not program.hidden:
            yield tuple(_hidden(units, activation) for units, activation in ((64, "relu"), (64, "tanh")))
        if edits.is_regularised(program):
            yield (Change("no penalty and no Dropout", edits.unpenalised),)
        if program.hidden:
            yield (Change("four times as many units", lambda p: edits.resized(p, 4.0)),)
            yield (Change("a further hidden layer of 64 units", lambda p: edits.deeper(p, 64, "relu", 1)),)
    yield edits.rates(program, (3.0, 10.0), "larger steps, to get further in this time")
    yield tuple(_longer(factor) for factor in (4,))


def _hidden(units: int, activation: str) -> Change:
    words = f"two hidden layers of {units} units ({activation}): a linear layer can only draw a straight line"
    return Change(words, lambda p: edits.deeper(p, units, activation, 2))


def _longer(factor: int) -> Change:
    return Change(f"{factor} times as many epochs", lambda p: p.with_fit(epochs=p.epochs * factor))
