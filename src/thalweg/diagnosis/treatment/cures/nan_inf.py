"""Numbers that are none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.cures.exploding_gradients import clipping
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Program


@prescribes("nan_inf")
def cures(patient: Patient) -> Iterator[Group]:
    """Missing inputs filled inside the model; rows without a target left out; clipping and smaller steps."""
    material, program = patient.material, patient.program
    bad_rows = ~np.isfinite(material.numbers.reshape(material.rows, -1)).all(1)
    kept = np.flatnonzero(~bad_rows)
    whole = bool(bad_rows.any())
    if not material.complete and program.network is not None:
        medians = tuple(material.medians())

        def filled(p: Program) -> Program:
            assert p.network is not None, "there is one input"
            p = p.with_network(networks.in_front(p.network, "fill_missing", {"values": medians}))
            return p.with_rows(kept) if whole else p

        words = "a FillMissing in front, with the medians of the training rows, in place of NaN and infinities"
        also = f"; {bad_rows.sum()} rows without a target are left out" if whole else ""
        yield (Change(words + also, filled),)
        return
    if whole:
        words = f"{bad_rows.sum()} rows without a target are left out of training"
        yield (Change(words, lambda p: p.with_rows(kept)),)
        return
    yield edits.rates(program, (0.1, 0.01, 0.001), "smaller steps do not overflow")
    yield clipping(1.0)
