"""``loss="auto"``: the loss that the last layer and the targets speak for."""

from __future__ import annotations

import numpy as np

from thalweg.graph.node import Node
from thalweg.losses.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from thalweg.losses.likelihood import Poisson
from thalweg.losses.loss import Loss, column
from thalweg.losses.margin import Hinge
from thalweg.losses.regression import MeanSquaredError
from thalweg.ops.elementwise import Exp, Sigmoid, Softplus
from thalweg.ops.shape import unreshaped
from thalweg.ops.softmax import Softmax

AUTO = "auto"


def choose(y: np.ndarray, y_pred: Node) -> tuple[Loss, str]:
    """The loss for these targets and predictions, and a sentence that says which and why.

    =================================  =====================================  =========================================
    last layer                         targets                                loss
    =================================  =====================================  =========================================
    softmax                            class numbers                          sparse categorical crossentropy
    softmax                            one row of shares per sample           categorical crossentropy
    sigmoid                            any (in [0, 1], or an error)           binary crossentropy
    exponential; softplus              whole numbers from 0 on                Poisson
    any other, several units           class numbers below the number of      sparse categorical crossentropy of logits
                                       units, of an integer dtype
    any other, several units           0 and 1, with one 1 in each row        categorical crossentropy of logits
    any other                          0 and 1                                binary crossentropy of logits
    any other, one unit                -1 and 1                               hinge
    any other                          any other                              mean squared error
    =================================  =====================================  =========================================

    Arguments:
        y: the targets as the user gave them, at least one.
        y_pred: the predictions for a batch of any size.
    """
    y_pred = column(y_pred)
    made_by = unreshaped(y_pred)
    units, places = y_pred.shape[-1], y_pred.shape[1:-1]
    labels = y.shape[1:] in (places, (*places, 1)) and units > 1
    last = f"a {made_by.op.name} over {units} units" if isinstance(made_by.op, Softmax) else _last_layer(made_by, units)
    loss, targets = _choice(y, made_by, labels, units)
    logits = " (from_logits=True)" if getattr(loss, "from_logits", False) else ""
    return loss, f"loss='auto' is {loss.name}{logits}: the last layer gives {last}, the targets are {targets}"


def _last_layer(made_by: Node, units: int) -> str:
    known = isinstance(made_by.op, Sigmoid | Exp | Softplus)
    return f"{made_by.op.name if known else 'numbers without bounds'} in {units} unit{'s' if units > 1 else ''}"


def _choice(y: np.ndarray, made_by: Node, labels: bool, units: int) -> tuple[Loss, str]:
    """The loss, and what the targets are, in words."""
    if isinstance(made_by.op, Softmax):
        if labels:
            return SparseCategoricalCrossentropy(), "class numbers"
        return CategoricalCrossentropy(), "a share for each class"
    if isinstance(made_by.op, Sigmoid):
        return BinaryCrossentropy(), "answers between 0 and 1"
    values = np.unique(y)
    if isinstance(made_by.op, Exp | Softplus) and values[0] >= 0 and (values == np.floor(values)).all():
        return Poisson(), "counts"
    if labels and y.dtype.kind in "bui" and values[0] >= 0 and values[-1] < units:
        return SparseCategoricalCrossentropy(from_logits=True), f"class numbers from {values[0]} to {values[-1]}"
    if np.array_equal(values, (0, 1)):
        if units > 1 and (y.sum(-1) == 1).all():
            return CategoricalCrossentropy(from_logits=True), "0 and 1, with one 1 in each row"
        return BinaryCrossentropy(from_logits=True), "0 and 1"
    if np.array_equal(values, (-1, 1)) and units == 1:
        return Hinge(), "-1 and 1"
    return MeanSquaredError(), f"{len(values)} different numbers from {values[0]:g} to {values[-1]:g}"
