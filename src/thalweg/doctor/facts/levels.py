"""What a loss should be before the first step, and what it is for the best constant."""

from __future__ import annotations

import math

import numpy as np

from thalweg import losses
from thalweg.doctor.facts.head import OF_ANSWERS, OF_CLASSES
from thalweg.doctor.facts.targets import only_goal
from thalweg.doctor.record import Head, Targets
from thalweg.fields import dataclass
from thalweg.training.goals import Goals


@dataclass(frozen=True)
class Levels:
    """Losses to compare with.

    Attributes:
        fresh: of a network that knows nothing: all classes equally likely, or 0 for every number.
        constant: of the best answer that is the same for all rows.
    """

    fresh: float
    constant: float


def levels_of(goals: Goals | None, head: Head | None, targets: Targets | None) -> Levels | None:
    """Of crossentropy ``log(classes)`` and the entropy of the shares; of squared error ``mean(y^2)`` and the variance.

    None for other losses.
    """
    goal = only_goal(goals)
    if goal is None or head is None or targets is None:
        return None
    if isinstance(goal.loss, OF_CLASSES) and targets.shares and head.units > 1:
        return Levels(math.log(head.units), _entropy(targets.shares))
    if isinstance(goal.loss, OF_ANSWERS) and targets.shares:
        shares = targets.shares if targets.one_hot else targets.shares[1:]
        return Levels(math.log(2), float(np.mean([_entropy((share, 1 - share)) for share in shares])))
    if isinstance(goal.loss, losses.MeanSquaredError) and not targets.one_hot:
        center = {"sigmoid": 0.5}.get(head.activation, 0.0)
        return Levels(targets.deviation**2 + (targets.mean - center) ** 2, targets.deviation**2)
    return None


def _entropy(shares: tuple[float, ...]) -> float:
    return -sum(share * math.log(share) for share in shares if share > 0)
