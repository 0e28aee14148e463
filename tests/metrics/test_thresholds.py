"""Curves over all thresholds and calibration, beside scikit-learn and by hand."""

import numpy as np
import pytest

from thalweg import metrics
from thalweg.errors import ArgumentError, DataError, ShapeError


def scores(rows=300, seed=0):
    """Targets and probabilities with many ties."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, rows)
    return y, np.round(np.clip(random.normal(0.3 + 0.4 * y, 0.3), 0, 1), 2)


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("dropped", [True, False])
def test_roc_as_in_scikit_learn(dropped):
    from sklearn import metrics as theirs

    y, p = scores()
    weight = np.random.default_rng(1).random(len(y))
    for given in (None, weight):
        ours = metrics.roc_curve(y, p, given, drop_intermediate=dropped)
        wanted = theirs.roc_curve(y, p, sample_weight=given, drop_intermediate=dropped)
        for own, expected in zip(ours, wanted, strict=True):
            np.testing.assert_allclose(own, expected, rtol=1e-12)


@pytest.mark.needs("sklearn")
def test_precision_recall_as_in_scikit_learn():
    from sklearn import metrics as theirs

    y, p = scores(seed=2)
    for own, expected in zip(metrics.precision_recall_curve(y, p), theirs.precision_recall_curve(y, p), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-12)


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_calibration_as_in_scikit_learn(strategy):
    from sklearn.calibration import calibration_curve

    y, p = scores(seed=3)
    share, mean, counts = metrics.calibration_curve(y, p, 7, strategy)
    for own, expected in zip((share, mean), calibration_curve(y, p, n_bins=7, strategy=strategy), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-12)
    assert counts.sum() == len(y)


def test_by_hand():
    y, p = [0, 1, 1, 0], [0.1, 0.9, 0.4, 0.4]
    false, true, thresholds = metrics.roc_curve(y, p)
    assert (false.tolist(), true.tolist()) == ([0, 0, 0.5, 1], [0, 0.5, 1, 1])
    assert thresholds.tolist() == [np.inf, 0.9, 0.4, 0.1]
    precision, recall, thresholds = metrics.precision_recall_curve(y, p)
    assert recall.tolist() == [1, 1, 0.5, 0]
    np.testing.assert_allclose(precision, [0.5, 2 / 3, 1, 1])
    assert thresholds.tolist() == [0.1, 0.4, 0.9]
    # One bin: the mean said is 0.45, and half of it was so.
    assert metrics.expected_calibration_error(y, p, 1) == pytest.approx(0.05)


def test_perfect_probabilities_are_calibrated_and_turned_round_ones_are_not():
    random = np.random.default_rng(0)
    p = random.random(20_000)
    y = random.random(20_000) < p
    assert metrics.expected_calibration_error(y, p) < 0.02
    assert metrics.expected_calibration_error(~y, p) > 0.4


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (DataError, lambda: metrics.roc_curve([1, 1], [0.2, 0.3])),
        (ShapeError, lambda: metrics.precision_recall_curve([1, 0], [0.2])),
        (DataError, lambda: metrics.calibration_curve([1, 0], [1.2, 0.3])),
        (DataError, lambda: metrics.calibration_curve([1, 0], [np.nan, 0.3])),
        (DataError, lambda: metrics.calibration_curve([1, 2], [0.2, 0.3])),
        (ShapeError, lambda: metrics.calibration_curve([], [])),
        (ArgumentError, lambda: metrics.calibration_curve([1, 0], [0.2, 0.3], strategy="even")),
        (ArgumentError, lambda: metrics.calibration_curve([1, 0], [0.2, 0.3], n_bins=0)),
    ],
)
def test_what_cannot_be(error, call):
    with pytest.raises(error) as caught:
        call()
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
