"""How good a trained model is, by one yardstick for all losses and heads."""

from __future__ import annotations

import numpy as np

from thalweg.diagnosis.treatment.material import Material
from thalweg.fields import dataclass

WORST = 16.0
"""The loss of a row that is said to be of another class for sure: ``-log 1e-7``."""


@dataclass(frozen=True)
class Judgement:
    """On the rows to judge by.

    Attributes:
        score: share of right classes (mean recall of the classes where one is rare), or R2; larger is better.
        loss: ``-log p`` of the right class, or 1 - R2, whatever the model was trained with; smaller is better.
    """

    score: float
    loss: float

    def __lt__(self, other: Judgement) -> bool:
        return (self.score, -self.loss) < (other.score, -other.loss)


NOTHING = Judgement(-np.inf, np.inf)
"""Of a model that gives no numbers."""


def judged(predicted: np.ndarray, material: Material, logits: bool) -> Judgement:
    """Of what a model predicts.

    Shapes: predicted (rows, ...).

    Arguments:
        logits: whether these are what a softmax or sigmoid would get.
    """
    values = np.asarray(predicted, np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        return NOTHING
    if material.task == "regression":
        wanted = np.asarray(material.y_val, np.float64)
        if wanted.size != values.size:  # a head that does not fit, which the doctor says
            return NOTHING
        wanted = wanted.reshape(values.shape)
        spread = float(np.mean((wanted - wanted.mean(0)) ** 2)) or 1.0
        left = float(np.mean((values - wanted) ** 2)) / spread
        return Judgement(1 - left, left)
    rows = values.reshape(len(values), -1)
    right = np.arange(len(rows))
    if rows.shape[1] > 1:
        chosen, shares = rows.argmax(1), _shares(rows, logits)
    elif material.classes <= 2:
        chosen = (rows[:, 0] > (0.0 if logits else 0.5)).astype(np.int64)
        one = 1 / (1 + np.exp(-np.clip(rows[:, 0], -60, 60))) if logits else rows[:, 0]
        shares = np.stack([1 - one, one], 1)
    else:
        chosen = np.rint(rows[:, 0]).astype(np.int64)
        shares = (chosen[:, None] == np.arange(material.classes)).astype(float)
    labels = material.labels
    own = shares[right, np.minimum(labels, shares.shape[1] - 1)]
    losses = np.minimum(-np.log(np.clip(own, 1e-7, 1.0)), WORST)
    hits = chosen == labels
    if not material.balanced:
        return Judgement(float(hits.mean()), float(losses.mean()))
    groups = [labels == k for k in np.unique(labels)]
    means = [float(np.mean([part[group].mean() for group in groups])) for part in (hits, losses)]
    return Judgement(*means)


def _shares(rows: np.ndarray, logits: bool) -> np.ndarray:
    """Probabilities of the classes."""
    if logits:
        rows = np.exp(rows - rows.max(1, keepdims=True))
    rows = np.clip(rows, 1e-7, None)
    return np.asarray(rows / rows.sum(1, keepdims=True))
