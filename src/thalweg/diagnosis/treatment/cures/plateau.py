"""A loss that stands still where there is more to learn."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.cures.vanishing_gradients import rectified
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program

DEEP = 4
"""Hidden layers from which on bounded activations hold gradients back."""


def larger(program: Program) -> Program:
    """Twice as large initial weights, by a wider uniform distribution."""
    given = {"kind": "initializer", "class_name": "variance_scaling", "config": {"scale": 4.0, "mode": "fan_avg"}}
    return program.with_settings({place.name: {"kernel_initializer": given} for place in program.hidden})


@prescribes("plateau")
def cures(patient: Patient) -> Iterator[Group]:
    """Units that begin differently; Adam; momentum; more units; larger initial weights."""
    program = patient.program
    if program.weighted and "bad_init" in patient.found:
        yield (Change("initial weights that are drawn, so that units begin differently", edits.initialised),)
    if edits.is_regularised(program):
        yield (Change("no penalty and no Dropout, which may leave nothing to learn", edits.unpenalised),)
    if len(program.hidden) >= DEEP and edits.smooth(program):
        words = "relu with he_normal: a bounded activation passes on a quarter of the gradient or less"
        yield (Change(words, rectified),)
    yield edits.adam(program, (0.003, 0.01, 0.03), "it takes large steps where gradients are small")
    if program.optimizer == "sgd" and not program.compile["optimizer"]["config"].get("momentum"):
        words = "momentum 0.9 adds up small gradients"
        yield (Change(words, lambda p: p.with_optimizer_settings(momentum=0.9)),)
    yield edits.rates(program, (3.0, 10.0, 30.0), "larger steps, to get off the plateau")
    if program.hidden:
        words = "four times as many units: more ways off the plateau"
        yield (Change(words, lambda p: edits.resized(p, 4.0)),)
        yield (Change("initial weights twice as large", larger),)
        yield (Change("initial weights that are drawn anew", edits.initialised),)
