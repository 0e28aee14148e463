"""What a prediction is worth: for classes the accuracy, for numbers R squared, both as points out of 100."""

from __future__ import annotations

import numpy as np


def classes(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy, log loss and (one class against the rest, averaged by frequency) the area under the ROC curve.

    Arguments:
        truth: (rows,), places of the classes. probabilities: (rows, classes).
    """
    right = probabilities.argmax(axis=1) == truth
    sure = np.clip(probabilities[np.arange(len(truth)), truth], 1e-7, 1.0)
    shares = np.bincount(truth, minlength=probabilities.shape[1]) / len(truth)
    areas = [_area(truth == kind, probabilities[:, kind]) for kind in range(probabilities.shape[1])]
    auc = sum(share * area for share, area in zip(shares, areas, strict=True))
    return {"score": 100 * float(right.mean()), "log_loss": float(-np.log(sure).mean()), "auc": 100 * float(auc)}


def numbers(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """R squared and the root mean squared error over the deviation of the truth."""
    share = float(np.mean((truth - predicted) ** 2) / np.var(truth))
    return {"score": 100 * (1 - share), "nrmse": share**0.5}


def _area(positive: np.ndarray, values: np.ndarray) -> float:
    """Under the ROC curve, from mean ranks; 0.5 where one kind is missing."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    yes, no = int(positive.sum()), int((~positive).sum())
    return 0.5 if not yes or not no else float((ranks[positive].sum() - yes * (yes + 1) / 2) / (yes * no))
