"""Rectifiers that are zero for every row."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("dying_relu")
def cures(patient: Patient) -> Iterator[Group]:
    """Initial weights and biases; inputs around 0; smaller steps; a slope below 0."""
    program = patient.program
    if program.weighted:
        yield (Change("biases that begin at 0, and weights of the size that the activation wants", edits.initialised),)
    scaled = edits.scaled_inputs(patient.material)
    if scaled is not None and program.network is not None and not edits.has_scaling(program):
        yield (Change("a Normalization in front: inputs around 0 leave no layer below it", scaled),)
    yield edits.rates(program, (0.1, 0.01, 0.001), "a step that is too large pushes units below 0 for good")
    if program.hidden:
        words = "leaky_relu: units that are below 0 still learn"
        yield (Change(words, lambda p: edits.activated(p, "leaky_relu", ("relu",))),)
