"""A network much larger than its data can fill."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.cures.overfitting import patience
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program

FEWEST = 3
"""Units of a hidden layer that is made smaller."""


def smaller(program: Program, factor: float, smooth: bool) -> Program:
    """Fewer units; smooth ones, which cannot bend at every row, if so wanted."""
    program = edits.resized(program, factor, least=FEWEST)
    return edits.activated(program, "tanh", ("relu", "leaky_relu", "elu", "selu", "gelu")) if smooth else program


@prescribes("model_too_complex")
def cures(patient: Patient) -> Iterator[Group]:
    """Fewer units, and the best epoch."""
    program = patient.program
    if not program.hidden:
        return
    wait = patience(program)
    yield tuple(_smaller(factor, bends, wait) for factor, bends in ((0.25, False), (0.06, False), (0.06, True)))
    if edits.is_stack(program) and all(place.kind == "dense" for place in program.hidden):
        yield tuple(_shallow(units) for units in (FEWEST, 4 * FEWEST))
    words = f"EarlyStopping(patience={wait}) with the best weights"
    yield (Change(words, lambda p: p.with_fit(early_stopping=wait)),)


def _shallow(units: int) -> Change:
    words = f"one hidden layer of {units} units of tanh: what is left cannot bend at every row"
    return Change(words, lambda p: edits.one_hidden(p, units, "tanh"))


def _smaller(factor: float, smooth: bool, wait: int) -> Change:
    kind = "units, of tanh" if smooth else "units"
    words = f"{factor:g} times as many {kind}, and EarlyStopping(patience={wait}) with the best weights"
    return Change(words, lambda p: smaller(p, factor, smooth).with_fit(early_stopping=wait))
