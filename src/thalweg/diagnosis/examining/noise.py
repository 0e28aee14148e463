"""How noisy gradients of batches are, and the batch size that follows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from thalweg.checks import Count, checked
from thalweg.diagnosis.examining.objective import Objective
from thalweg.diagnosis.examining.outcome import Outcome
from thalweg.diagnosis.examining.subject import Subject
from thalweg.errors import DataError, NonFiniteError
from thalweg.fields import dataclass
from thalweg.model import Model
from thalweg.training.step import prediction_rows

__all__ = ["NoiseScale", "noise_of", "noise_scale"]

FACTOR = 8
"""Batches that many times smaller or larger than the noise scale are said to be too small, or larger than needed."""


@dataclass(frozen=True)
class NoiseScale(Outcome):
    """What ``noise_scale`` found; ``code`` is "noisy", "balanced", "more than needed" or "only noise".

    Attributes:
        scale: ``tr(S) / |G|^2``, in rows; infinite where the gradient cannot be told from its noise.
        suggested: the power of two nearest to it, as far as there are rows.
        variance: tr(S), the variance of the gradient of one row, over all parameters.
        gradient_square: ``|G|^2``, of the gradient without noise; may come out below 0 where that is all there is.
        batch_size: of the training.
        small, large: rows of the batches that were compared.
    """

    scale: float
    suggested: int
    variance: float
    gradient_square: float
    batch_size: int
    small: int
    large: int


@checked
def noise_scale(
    model: Model,
    x: Any,
    y: Any,
    *,
    batch_size: Count = 32,
    rows: Count = 2048,
    batches: Count = 128,
    sample_weight: Any = None,
    seed: int = 0,
) -> NoiseScale:
    """The gradient noise scale ``B = tr(S) / |G|^2``, from gradients of small batches and of all of them together.

    ``|G_b|^2`` of batches of b rows is ``|G|^2 + tr(S) / b`` on average, so two sizes tell the two apart, without bias.
    With batches much smaller than B a step goes mostly where chance leads, and twice the rows are worth twice the
    steps; with much larger ones more rows hardly make a better step. B grows while a model learns.

    Arguments:
        batch_size: of the training; of the small batches too where the rows of a batch matter to each other.
        rows: that are looked at.
        batches: the small ones, at most.

    Raises: GraphError; DataError for a single row; NonFiniteError.
    Source: McCandlish et al. (2018), arXiv:1812.06162, appendix A.1.
    """
    return noise_of(Subject("noise_scale", model, x, y, sample_weight, batch_size, seed), rows, batches)


def noise_of(subject: Subject, rows: int = 2048, batches: int = 128) -> NoiseScale:
    """Of a subject."""
    sample = subject.some(rows)
    alone = prediction_rows(subject.model.runner.net(sample), training=True) is not None
    small = max(1, sample.count // batches) if alone else min(subject.batch, sample.count // 2)
    count = sample.count // max(small, 1)
    if count < 2:
        raise DataError(
            "there are too few rows for batches of two sizes",
            expected="at least 2",
            got=str(sample.count),
            fix="pass more rows",
        )
    order = np.random.default_rng(subject.seed).permutation(sample.count)[: count * small].reshape(count, small)
    parts = [sample.take(np.sort(index)) for index in order]
    objective = Objective(subject, parts[0])
    mean, square = np.zeros(objective.size), 0.0
    for number, part in enumerate(parts):
        g = objective.on(part, draw=number).gradient()
        mean += g / count
        square += float(g @ g) / count
    if not math.isfinite(square):
        raise NonFiniteError(
            "the gradient is not finite",
            expected="a finite loss of these rows",
            got=str(square),
            fix="go back to weights from before the loss became infinite",
        )
    large = count * small
    whole = float(mean @ mean)
    variance = (square - whole) / (1 / small - 1 / large)
    signal = (large * whole - small * square) / (large - small)
    # A signal below twice its own noise, tr(S) / n, may as well be none.
    clear = signal > 2 * variance / large
    scale = variance / signal if clear else math.inf
    suggested = 2 ** round(math.log2(min(max(scale, 1.0), subject.rows.count)))
    code, verdict, change = _words(scale, whole, variance, suggested, subject.batch, large)
    return NoiseScale(code, verdict, change, scale, suggested, variance, signal, subject.batch, small, large)


def _words(scale: float, whole: float, variance: float, suggested: int, batch: int, rows: int) -> tuple[str, str, str]:
    if not whole and not variance:
        return "only noise", "the gradient of every row is 0", "look at curvature: the model is on a plateau"
    if not math.isfinite(scale):
        return (
            "only noise",
            f"the gradient cannot be told from its noise in {rows} rows: the noise scale is at least {rows // 2}, "
            "as at the end of a training",
            "",
        )
    says = f"the noise scale is {scale:.3g} rows, the batches have {batch}"
    if batch * FACTOR < scale:
        return "noisy", f"{says}: steps go mostly where chance leads", f"batch_size={suggested}, or a smaller rate"
    if batch > FACTOR * scale:
        return (
            "more than needed",
            f"{says}: smaller ones point nearly the same way",
            f"batch_size={suggested} makes more steps of the same rows",
        )
    return "balanced", says, ""
