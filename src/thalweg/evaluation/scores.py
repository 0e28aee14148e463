"""The scores of finished predictions, as functions of how often each row counts, so that rows can be drawn anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thalweg.evaluation.answers import Answers
from thalweg.evaluation.bootstrap import Score, scored, share_limits
from thalweg.metrics.metric import divide

Statistics = Callable[[np.ndarray], np.ndarray]


def scores(answers: Answers, seed: int = 0, groups: np.ndarray | None = None) -> dict[str, Score]:
    """Name -> score with its interval; of several targets ``"RMSE of a"`` and so on.

    Arguments:
        groups: numbers of groups that belong together, see ``bootstrap.drawn``.
    """
    names, statistics = of_classes(answers) if answers.classes else of_numbers(answers)
    work = len(answers.classes) or len(answers.targets)
    found = dict(zip(names, scored(statistics, answers.rows, seed, groups, work), strict=True))
    if answers.classes and groups is None:  # a share, for which there is better than drawing
        accuracy = found["accuracy"].value
        found["accuracy"] = Score(accuracy, *share_limits(accuracy, answers.rows))
    return found


def of_classes(answers: Answers) -> tuple[list[str], Statistics]:
    """Accuracy and its like. Areas of more than two classes are means over the classes, each against all others.

    Balanced accuracy, F1 and areas are means over the classes that occur.
    """
    truth, said, count = answers.truth, answers.said, len(answers.classes)
    right = answers.answer == truth
    cells = truth * count + answers.answer
    own = np.arange(count) == truth[:, None]
    rows = np.stack([right, answers.losses(), ((said - own) ** 2).sum(1)], 1)
    if count == 2:
        rows[:, 2] /= 2  # of two classes the usual Brier score is that of one of them
    judged = [1] if count == 2 else [number for number in range(count) if own[:, number].any()]
    areas = [_areas(own[:, number], said[:, number]) for number in judged]

    def statistics(weight: np.ndarray) -> np.ndarray:
        accuracy, log_loss, brier = weight @ rows / weight.sum()
        matrix = np.bincount(cells, weight, count * count).reshape(count, count)
        support, given = matrix.sum(1), matrix.sum(0)
        hits = np.diag(matrix)
        balanced = divide(hits, support)[support > 0].mean()
        f1 = divide(2 * hits, support + given)[support + given > 0].mean()
        roc, precision = np.mean([area(weight) for area in areas], axis=0)
        return np.array([accuracy, balanced, f1, roc, precision, log_loss, brier])

    names = ["accuracy", "balanced accuracy", "macro F1", "ROC AUC", "average precision", "log loss", "Brier score"]
    return names, statistics


def _areas(positive: np.ndarray, score: np.ndarray) -> Statistics:
    """(area under the ROC curve, average precision) by how often the rows count; NaN where a class is not there."""
    order = np.argsort(-score, kind="stable")
    falling, mine = score[order], positive[order].astype(np.float64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(falling) != 0]))

    def areas(weight: np.ndarray) -> np.ndarray:
        ordered = weight[order]
        all_here = np.add.reduceat(ordered, starts)
        positives = np.add.reduceat(ordered * mine, starts)
        negatives = all_here - positives
        hits, total = np.cumsum(positives), positives.sum()
        others = negatives.sum()
        if not total or not others:
            return np.array([np.nan, np.nan])
        roc = (negatives * (hits - positives / 2)).sum() / (total * others)
        return np.array([roc, (positives * divide(hits, np.cumsum(all_here))).sum() / total])

    return areas


def of_numbers(answers: Answers) -> tuple[list[str], Statistics]:
    """Root mean squared error, mean absolute error and R2 of each target; of several also the mean R2."""
    truth, said = answers.truth, answers.said
    # Moments about the mean: about 0 those of years or prices would lose their digits.
    centred = truth - truth.mean(0)
    error = said - truth
    rows = np.concatenate([error**2, np.abs(error), centred, centred**2], 1)
    several = len(answers.targets) > 1

    def statistics(weight: np.ndarray) -> np.ndarray:
        squared, absolute, mean, square = np.split(weight @ rows / weight.sum(), 4)
        variance = square - mean**2
        known = variance > 1e-12 * np.maximum(square, np.finfo(float).tiny)
        r2 = np.where(known, 1 - squared / np.where(known, variance, 1), np.nan)
        each = np.stack([np.sqrt(squared), absolute, r2], 1).reshape(-1)
        return np.append(each, r2.mean()) if several else each

    kinds = ("RMSE", "MAE", "R2")
    names = [f"{kind} of {target}" if several else kind for target in answers.targets for kind in kinds]
    return ([*names, "mean R2"] if several else names), statistics


def constant(answers: Answers, train: Answers | None = None) -> Answers:
    """What says the same of every row: the shares of the classes, or the mean; the least that a model must beat."""
    source = answers if train is None else train
    if answers.classes:
        shares = np.bincount(source.truth, minlength=len(answers.classes)) / source.rows
        said = np.tile(shares, (answers.rows, 1))
    else:
        said = np.tile(source.truth.mean(0), (answers.rows, 1))
    return Answers(answers.truth, said, answers.classes, answers.targets)
