"""Whether one training is better than another, by runs from the same seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.diagnosis.treatment.judging import Judgement

LEAST_GAIN = 0.02
"""What a cure has to gain in the score."""

LEAST_FALL = 0.05
"""What a cure of learning by heart has to take off the validation loss, if the score stays."""

NO_LOSS = 0.005
"""What may be lost by leaving a cure out that is not needed."""

LOWEST = -1.0
"""A score below is as bad: how far below 0 an R2 is says nothing."""


def compared(old: Sequence[Judgement], new: Sequence[Judgement], by_loss: bool) -> tuple[bool, str]:
    """Whether the new runs are better, and why: the score gains enough, and twice its deviation over the seeds; where
    those as they were differ much, that of the mean will do if every run gains, or the worst new one is better than the
    best old one.

    Arguments:
        old, new: from the same seeds.
        by_loss: whether a lower validation loss will do, if the score stays.
    """
    before, after = (np.array([judgement.score for judgement in own]) for own in (old, new))
    if not np.isfinite(after).all():
        return False, "its predictions are not finite"
    before, after = np.maximum(before, LOWEST), np.maximum(after, LOWEST)
    gains = after - before
    gain, noise = float(gains.mean()), float(gains.std(ddof=1)) if len(gains) > 1 else 0.0
    apart = after.min() >= before.max() + LEAST_GAIN
    each = gains.min() >= LEAST_GAIN and gain >= 2 * noise / np.sqrt(len(gains))
    if gain >= LEAST_GAIN and (gain >= 2 * noise or apart or each):
        return True, f"gains {gain:.3f}"
    lost, left = mean(old).loss, mean(new).loss
    if by_loss and gain >= -NO_LOSS and left <= (1 - LEAST_FALL) * lost:
        return True, f"takes {1 - left / lost:.0%} off the validation loss" if np.isfinite(lost) else "can be judged"
    return False, f"gains {gain:.3f}, too little" if gain < LEAST_GAIN else f"gains {gain:.3f} +-{noise:.3f}, by chance"


def mean(judgements: Sequence[Judgement]) -> Judgement:
    """Of scores and of losses."""
    return Judgement(float(np.mean([j.score for j in judgements])), float(np.mean([j.loss for j in judgements])))


def smoothed(scores: Sequence[float]) -> list[float]:
    """Each with half of what its neighbours have: what is good only between bad ones is good by luck."""
    own = [max(score, LOWEST) for score in scores]
    padded = [own[0], *own, own[-1]]
    return [(left + 2 * middle + right) / 4 for left, middle, right in zip(padded, own, padded[2:], strict=False)]
