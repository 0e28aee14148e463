"""Steps of too few rows for their rate."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change


@prescribes("batch_too_small")
def cures(patient: Patient) -> Iterator[Group]:
    """More rows in a step; smaller steps."""
    yield tuple(batch(size, "the noise of a step falls with its rows") for size in (32, 16, 64))
    yield edits.rates(patient.program, (0.1, 0.03), "smaller steps average over more rows")


def batch(size: int, why: str) -> Change:
    """So many rows a step."""
    return Change(f"batches of {size} rows: {why}", lambda p: p.with_fit(batch_size=size))
