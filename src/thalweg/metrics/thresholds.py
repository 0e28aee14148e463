"""A score and the class 0 or 1: the curves over all thresholds, the areas under them, and how well it is calibrated.

These take arrays of finished predictions.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, OneOf, check_value, checked
from thalweg.data.arrays import as_array, require_finite
from thalweg.errors import DataError, ShapeError
from thalweg.metrics.metric import divide

__all__ = [
    "average_precision_score",
    "calibration_curve",
    "expected_calibration_error",
    "precision_recall_curve",
    "roc_auc_score",
    "roc_curve",
]


def roc_auc_score(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    """The exact area under the ROC curve: how likely a positive is rated above a negative, ties counted half.

    Shapes: y_true (n,) 0 or 1, y_score (n,), the larger the more likely 1; both may have a last axis of size 1.
    Raises: DataError if there is only one class.
    """
    _, positives, negatives = threshold_steps(y_true, y_score, sample_weight)
    hits = np.concatenate([[0.0], np.cumsum(positives)])
    return float((negatives * (hits[:-1] + hits[1:]) / 2).sum() / (positives.sum() * negatives.sum()))


def average_precision_score(y_true: Any, y_score: Any, sample_weight: Any = None) -> float:
    """The exact area under the PR curve, ``sum((R_i - R_(i-1)) * P_i)`` over the falling thresholds i.

    Shapes and errors: as ``roc_auc_score``.
    """
    _, positives, negatives = threshold_steps(y_true, y_score, sample_weight)
    precision = divide(np.cumsum(positives), np.cumsum(positives + negatives))
    return float((positives * precision).sum() / positives.sum())


def roc_curve(
    y_true: Any, y_score: Any, sample_weight: Any = None, drop_intermediate: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(false positive rate, true positive rate, threshold) of each threshold, as in scikit-learn.

    The first threshold is infinite: nothing is above it. What is at or above a threshold counts as 1.

    Arguments:
        drop_intermediate: leave out points on the straight line between their neighbours.

    Shapes and errors: as ``roc_auc_score``.
    """
    thresholds, positives, negatives = threshold_steps(y_true, y_score, sample_weight)
    hits, alarms = np.cumsum(positives), np.cumsum(negatives)
    if drop_intermediate and len(hits) > 2:
        bend = np.logical_or(np.diff(hits, 2), np.diff(alarms, 2))
        kept = np.flatnonzero(np.concatenate([[True], bend, [True]]))
        thresholds, hits, alarms = thresholds[kept], hits[kept], alarms[kept]
    rates = [np.concatenate([[0.0], counts / counts[-1]]) for counts in (alarms, hits)]
    return rates[0], rates[1], np.concatenate([[np.inf], thresholds])


def precision_recall_curve(
    y_true: Any, y_score: Any, sample_weight: Any = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(precision, recall, threshold), the thresholds rising, as in scikit-learn.

    The last point, precision 1 and recall 0, has no threshold.

    Shapes and errors: as ``roc_auc_score``.
    """
    thresholds, positives, negatives = threshold_steps(y_true, y_score, sample_weight)
    hits, said = np.cumsum(positives), np.cumsum(positives + negatives)
    precision = divide(hits, said)[::-1]
    recall = (hits / hits[-1])[::-1]
    return np.append(precision, 1.0), np.append(recall, 0.0), thresholds[::-1]


@checked
def calibration_curve(
    y_true: Any, y_prob: Any, n_bins: Annotated[int, In("[1, inf)")] = 10, strategy: str = "uniform"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(share of 1, mean probability, count) of each bin that is not empty: of what is called 0.8, is 0.8 a 1?

    Differs from scikit-learn's by the third array.

    Arguments:
        strategy: bins of equal width (``"uniform"``) or of equally many probabilities (``"quantile"``).

    Shapes: y_true (n,) 0 or 1, y_prob (n,) in [0, 1].
    Raises: ShapeError or DataError if they are not.
    """
    check_value("calibration_curve", "strategy", Annotated[str, OneOf("uniform", "quantile")], strategy)
    true, probability = _chances(y_true, y_prob)
    places = np.linspace(0.0, 1.0, n_bins + 1)
    edges = np.quantile(probability, places) if strategy == "quantile" else places
    bins = np.searchsorted(edges[1:-1], probability)
    counts = np.bincount(bins, minlength=n_bins)
    filled = counts > 0
    sums = [np.bincount(bins, values, minlength=n_bins)[filled] for values in (true, probability)]
    return sums[0] / counts[filled], sums[1] / counts[filled], counts[filled]


def expected_calibration_error(y_true: Any, y_prob: Any, n_bins: int = 15) -> float:
    """``sum_b n_b / n |share of 1 - mean probability|`` over bins of equal width; 0 is best.

    With few rows it is above 0 by chance alone, the more so the more bins there are.

    Shapes and errors: as ``calibration_curve``.
    Source: Guo et al. (2017), arXiv:1706.04599, equation 3; there y_true is whether the answer is right, and y_prob
        the probability of the answer.
    """
    share, mean, counts = calibration_curve(y_true, y_prob, n_bins)
    return float((counts * np.abs(share - mean)).sum() / counts.sum())


def _chances(y_true: Any, y_prob: Any) -> tuple[np.ndarray, np.ndarray]:
    """Targets of 0 and 1 and probabilities, as many of each. Raises ShapeError or DataError."""
    true = as_array(y_true, "y_true").astype(np.float64).reshape(-1)
    probability = as_array(y_prob, "y_prob").astype(np.float64).reshape(-1)
    if true.shape != probability.shape or not len(true):
        raise ShapeError(
            "targets and probabilities do not fit each other",
            expected="one probability for each target, at least 1",
            got=f"{len(true)} targets and {len(probability)} probabilities",
            fix="pass the probabilities of one class; for several classes, call it for each",
        )
    if not np.isin(true, (0, 1)).all() or not ((probability >= 0) & (probability <= 1)).all():
        outside = probability[~((probability >= 0) & (probability <= 1))]
        raise DataError(
            "a calibration needs targets of 0 and 1, and probabilities",
            expected="0 or 1, and numbers in [0, 1]",
            got=f"targets {np.unique(true)[:5].tolist()}, {len(outside)} probabilities outside of [0, 1]",
            fix="pass y == c for class c and what softmax or sigmoid gives for it, not the logits",
        )
    return true, probability


def threshold_steps(y_true: Any, y_score: Any, sample_weight: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each distinct score, the highest first, and the weight of positives and negatives that have it.

    Shapes and errors: as ``roc_auc_score``.
    """
    true = as_array(y_true, "y_true").astype(np.float64).reshape(-1)
    score = as_array(y_score, "y_score").astype(np.float64).reshape(-1)
    weight = row_weights(sample_weight, len(true))
    if not true.shape == score.shape == weight.shape:
        raise ShapeError(
            "the arrays do not have equally many rows",
            expected="one score (and weight) for each target",
            got=f"{len(true)} targets, {len(score)} scores, {len(weight)} weights",
            fix="pass the scores of one class; for several classes, call it for each",
        )
    if not np.isin(true, (0, 1)).all() or not np.isfinite(score).all():
        raise DataError(
            "an area under a curve needs targets of 0 and 1, and scores that are finite",
            expected="0 or 1, and finite numbers",
            got=f"targets {np.unique(true)[:5].tolist()}, {int((~np.isfinite(score)).sum())} scores not finite",
            fix="pass y == c for class c, and the scores of that class",
        )
    falling, place = np.unique(-score, return_inverse=True)
    positives = np.bincount(place, weight * true)
    negatives = np.bincount(place, weight * (1 - true))
    if not positives.sum() or not negatives.sum():
        raise DataError(
            "there is no curve for one class alone",
            expected="targets of both classes, with weights above 0",
            got=f"only {int(positives.sum() > 0)}",
            fix="use more rows, or a stratified split",
        )
    return -falling, positives, negatives


def row_weights(sample_weight: Any, rows: int) -> np.ndarray:
    """A weight for each row. Raises DTypeError or DataError for what are no numbers, negative or not finite."""
    if sample_weight is None:
        return np.ones(rows)
    weight = as_array(sample_weight, "sample_weight").astype(np.float64).reshape(-1)
    require_finite(weight, "sample_weight")
    if weight.size and weight.min() < 0:
        raise DataError(
            "a sample weight is negative",
            expected="numbers from 0 on",
            got=f"{weight.min()} in row {int(weight.argmin())}",
            fix="use 0 for samples that should not count",
        )
    return weight
