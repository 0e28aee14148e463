"""How well a trained network does, from what it gives and what it should give."""

from __future__ import annotations

import numpy as np

from thalweg.doctor.record import Outcome, Task

SAME = 1e-3
"""Outputs that deviate over the rows by less than this share of what they could are as good as constant."""


def outcome_of(
    task: Task, loss: float, outputs: np.ndarray, targets: np.ndarray, from_logits: bool, confident: bool
) -> Outcome:
    """Arguments:
    loss: on these rows.
    outputs: (rows, ...) as the network gives them.
    targets: (rows, ...) as the loss gets them: numbers, class numbers or one-hot rows; of two classes any two
        numbers, the larger one being the positive class.
    from_logits: whether outputs are what a softmax or sigmoid is yet to be taken of.
    confident: whether to look for labels that are confidently contradicted.
    """
    rows = len(outputs)
    outputs = np.asarray(outputs, np.float64)
    if not np.isfinite(outputs).all():
        return Outcome(rows, loss, float("nan"))
    if task == "regression":
        y = np.asarray(targets, np.float64).reshape(outputs.shape)
        spread = _columns(outputs).std(0)
        still = bool((spread <= SAME * np.maximum(_columns(y).std(0), np.finfo(np.float64).tiny)).all())
        return Outcome(rows, loss, explained(outputs, y), constant=still)
    shares, truth = _shares(task, outputs, np.asarray(targets), from_logits)
    answers = shares.argmax(1)
    right = answers == truth
    classes = shares.shape[1]
    recalls = tuple(float(right[truth == c].mean()) if (truth == c).any() else float("nan") for c in range(classes))
    errors = confident_errors(shares, truth) if confident else None
    still = bool(shares.std(0).max() <= SAME)
    return Outcome(rows, loss, float(right.mean()), recalls, errors, still)


def explained(outputs: np.ndarray, targets: np.ndarray) -> float:
    """R2: the share of the targets' variance, of all columns together, that is explained; NaN if they have none."""
    y = _columns(targets)
    whole = float(np.square(y - y.mean(0)).sum())
    return 1.0 - float(np.square(y - _columns(outputs)).sum()) / whole if whole else float("nan")


def confident_errors(shares: np.ndarray, truth: np.ndarray) -> float | None:
    """The share of rows that are held for another class than they are labelled, among those held for any.

    A row is held for the likeliest of the classes whose share is at least the mean share that rows labelled so have.
    Source: Northcutt, Jiang & Chuang (2021), JAIR 70, arXiv:1911.00068, equation 1: the off-diagonal of the confident
    joint, uncalibrated.

    Arguments:
        shares: (rows, classes); truth: (rows,) the labels.
    """
    classes = shares.shape[1]
    there = [c for c in range(classes) if (truth == c).any()]
    limits = np.full(classes, np.inf)
    for c in there:
        limits[c] = shares[truth == c, c].mean()
    held = np.where(shares >= limits, shares, -np.inf)
    sure = np.isfinite(held.max(1))
    if len(there) < 2 or not sure.any():
        return None
    return float((held.argmax(1) != truth)[sure].mean())


def _shares(task: Task, outputs: np.ndarray, targets: np.ndarray, from_logits: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of each class for each row, (rows, classes), adding up to 1 where outputs are shares; and the true classes."""
    units = outputs.shape[-1] if outputs.ndim > 1 else 1
    flat = outputs.reshape(-1, units)
    if units == 1:
        return _of_one_unit(task, flat[:, 0], targets.reshape(-1), from_logits)
    one_hot = targets.shape == outputs.shape
    truth = targets.reshape(-1, units).argmax(1) if one_hot else targets.reshape(-1).astype(np.int64)
    if not from_logits:
        return flat, truth
    shifted = np.exp(flat - flat.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True), truth


def _of_one_unit(task: Task, y: np.ndarray, targets: np.ndarray, from_logits: bool) -> tuple[np.ndarray, np.ndarray]:
    """The unit tells two classes apart, or, where there are more, their numbers are taken for numbers."""
    if task == "multiclass":
        classes = int(targets.max(initial=1)) + 1
        nearness = -np.abs(y[:, None] - np.arange(classes))
        return nearness, targets.astype(np.int64)
    low, high = (-1.0, 1.0) if targets.min(initial=0) < 0 else (0.0, 1.0)
    p = 0.5 * (1.0 + np.tanh(0.5 * y)) if from_logits else (y - low) / (high - low)
    return np.stack([1.0 - p, p], 1), (targets > (low + high) / 2).astype(np.int64)


def _columns(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), -1)
