"""Rows that are trained on and validated on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change

NEAR = 0.02
"""Deviations of each column within which two rows are copies of each other."""

MOST = 2e9
"""Differences that are taken to find copies that are not exact."""


@prescribes("data_leakage")
def cures(patient: Patient) -> Iterator[Group]:
    """The copies are left out of training, by their places: the arrays stay as they are."""
    kept = unleaked(patient)
    if kept is None:
        return
    count = patient.material.rows - len(kept)
    words = f"{count} training rows that are validation rows too are left out of training: the score is honest then"
    yield (Change(words, lambda p: p.with_rows(kept)),)


def unleaked(patient: Patient) -> np.ndarray | None:
    """The training rows that are no validation rows; None where nothing can be said, or hardly any would be left."""
    material = patient.material
    if material.columns is None:
        return None
    train = material.columns.reshape(material.rows, -1).astype(np.float32)
    held = np.asarray(material.x_val, np.float32).reshape(len(material.x_val), -1)
    known = set(map(bytes, held))
    copies = np.array([bytes(row) in known for row in train])
    if train.size * len(held) <= MOST:
        deviation = np.nanstd(train, axis=0)
        near = NEAR * np.where(deviation > 0, deviation, 1.0)
        for row in held:
            copies |= (np.abs(train - row) <= near).all(1)
    kept = np.flatnonzero(~copies)
    return kept if len(kept) >= max(10, material.classes * 2) else None
