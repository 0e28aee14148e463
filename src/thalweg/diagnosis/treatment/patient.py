"""What a prescription gets to see, and the register of prescriptions by disease."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache

from thalweg.diagnosis.treatment.material import Material
from thalweg.diagnosis.treatment.program import Change, Program
from thalweg.doctor.finding import Finding
from thalweg.fields import dataclass

Group = tuple[Change, ...]
"""Changes of one kind, of which the best is wanted: rates, strengths of a penalty."""

Prescription = Callable[["Patient"], Iterator[Group]]


@dataclass(frozen=True, eq=False)
class Patient:
    """A training that a finding was made of.

    Attributes:
        program: as it is now, with what has helped so far.
        finding: what is to be cured.
        material: the rows.
        steps: of an epoch.
        found: the codes of all that is found, suspicions and consequences too.
    """

    program: Program
    finding: Finding
    material: Material
    steps: int
    found: tuple[str, ...] = ()


_PRESCRIPTIONS: dict[str, Prescription] = {}


def prescribes(code: str) -> Callable[[Prescription], Prescription]:
    """Let this function say what is tried against a disease, most promising first."""

    def known(prescription: Prescription) -> Prescription:
        assert code not in _PRESCRIPTIONS, "each disease has one file"
        _PRESCRIPTIONS[code] = prescription
        return prescription

    return known


@cache
def prescriptions() -> dict[str, Prescription]:
    """All of them: every module in ``cures``."""
    package = importlib.import_module("thalweg.diagnosis.treatment.cures")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return _PRESCRIPTIONS


def groups_for(patient: Patient) -> list[Group]:
    """What is tried against the finding, in order; nothing where no cure is known, or none fits the model."""
    prescription = prescriptions().get(patient.finding.code)
    given = () if prescription is None else prescription(patient)
    groups = [tuple(one for one in group if not one.edit(patient.program).is_like(patient.program)) for group in given]
    return [group for group in groups if group]
