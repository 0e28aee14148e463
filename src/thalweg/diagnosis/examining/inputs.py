"""Whether the network uses its inputs: trained with them, and with the same input in every row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from thalweg.checks import Count, checked
from thalweg.data.source import Rows
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.subject import Subject
from thalweg.diagnosis.examining.trial import Trial
from thalweg.fields import dataclass
from thalweg.model import Model

__all__ = ["InputUse", "input_baseline", "inputs_of"]

USED = "used"

MATTERS = 0.03
"""The share of the loss that inputs must be worth."""

LONGER = 4
"""Times as many steps more, where the inputs have made no difference so far: the mean of the targets is learned first.
"""

LOOKED_AT = 1024
"""Rows that the losses are of."""


@dataclass(frozen=True)
class InputUse(Outcome):
    """What ``input_baseline`` found; ``code`` is "used", "unused" or "nothing learned".

    Attributes:
        now: the loss before.
        alike: the loss before, if every row got the mean of the predictions; NaN for steps of the model's own.
        seeing, blind: the losses after training with the inputs, and with the same input in all rows.
        steps: of each.
    """

    now: float
    alike: float
    seeing: float
    blind: float
    steps: int


@checked
def input_baseline(
    model: Model,
    x: Any,
    y: Any,
    *,
    steps: Count = 200,
    batch_size: Count = 32,
    sample_weight: Any = None,
    seed: int = 0,
) -> InputUse:
    """Train with the inputs, and with rows that all have the same input, from the same weights, in equal order.

    What cannot see the inputs learns the mean of the targets at best. The same input is that of the first row, and not
    0: a row that there is fits every layer, as an Embedding that takes 0 for "nothing there".

    Arguments:
        steps: of each; five times as many where the inputs make no difference by then.

    Raises: GraphError, ArgumentError; what ``fit`` raises.
    Source: Karpathy (2019), A Recipe for Training Neural Networks, "input-independent baseline".
    """
    return inputs_of(Subject("input_baseline", model, x, y, sample_weight, batch_size, seed), steps)


def inputs_of(subject: Subject, steps: int = 200) -> InputUse:
    """Of a subject."""
    sample = subject.some(LOOKED_AT)
    seeing = Trial(subject, subject.batch)
    now = seeing.loss(sample)
    same = seeing.loss_alike(sample)
    blind = Trial(subject, subject.batch, _with_inputs(subject.rows, np.zeros(subject.rows.count, np.int64)))
    alike = _with_inputs(sample, np.zeros(sample.count, np.int64))
    order = subject.order((1 + LONGER) * steps, subject.batch)

    def after(part: np.ndarray, done: int) -> InputUse:
        seeing.curve(part, steps)
        blind.curve(part, steps)
        return _judged(now, same, seeing.loss(sample), blind.loss(alike), done)

    found = after(order[:steps], steps)
    return found if found.code == USED else after(order[steps:], len(order))


def _with_inputs(rows: Rows, index: np.ndarray) -> Rows:
    """The rows with the inputs of others; targets and weights stay."""
    return Rows(
        {
            label: np.ascontiguousarray(array[index]) if label.partition("/")[0] == "x" else array
            for label, array in rows.arrays.items()
        },
        rows.form,
    )


def _judged(now: float, alike: float, seeing: float, blind: float, steps: int) -> InputUse:
    size = abs(blind) if math.isfinite(blind) else abs(now)
    worth, fell = _share(blind - seeing, size), _share(now - min(seeing, blind), abs(now))
    known = _share(alike - now, abs(alike))
    if worth > MATTERS or known > MATTERS:
        code, change = USED, ""
        verdict = f"the inputs are used: with them the loss is {seeing:.4g} after {steps} steps, without {blind:.4g}"
    elif not math.isfinite(seeing) or fell < MATTERS:
        code, change = "nothing learned", "look at the learning rate and the curvature first"
        verdict = f"neither with inputs nor without does the loss fall in {steps} steps: {now:.4g} to {seeing:.4g}"
    else:
        code = "unused"
        verdict = f"the inputs make no difference in {steps} steps: the loss is {seeing:.4g}, without them {blind:.4g}"
        change = (
            "check that rows of x and y belong together, and the scale of x; then the gradients of the first layers"
        )
    return InputUse(code, verdict, change, now, alike, seeing, blind, steps)


def _share(difference: float, size: float) -> float:
    if math.isnan(difference):
        return 0.0
    return difference / size if size and math.isfinite(size) else difference
