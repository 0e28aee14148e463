"""Units of sigmoid or tanh that are at their ends for most rows."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.network import BOUNDED
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("saturated_activations")
def cures(patient: Patient) -> Iterator[Group]:
    """Initial weights; inputs of deviation 1; smaller steps; rectifiers."""
    program = patient.program
    if program.weighted:
        yield (Change("initial weights that keep units away from their ends", edits.initialised),)
    scaled = edits.scaled_inputs(patient.material)
    if scaled is not None and program.network is not None and not edits.has_scaling(program):
        yield (Change("a Normalization in front: large inputs drive units to their ends", scaled),)
    yield edits.rates(program, (0.1, 0.01, 0.001), "large steps drive units to their ends")
    if program.hidden:
        yield (Change("relu with he_normal: no upper end", lambda p: edits.activated(p, "relu", BOUNDED)),)
