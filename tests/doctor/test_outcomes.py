"""What is made of outputs and targets."""

import math

import numpy as np
import pytest

from thalweg.doctor.outcomes import confident_errors, outcome_of

SHARES = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.05, 0.95]])
TRUTH = np.array([0, 0, 1, 1, 0])


def outcome(task, outputs, targets, from_logits=False):
    return outcome_of(task, 0.5, np.asarray(outputs, np.float32), np.asarray(targets), from_logits, True)


@pytest.mark.parametrize(
    ("outputs", "targets", "from_logits"),
    [
        (SHARES, TRUTH, False),
        (np.log(SHARES), TRUTH[:, None], True),
        (SHARES, np.eye(2)[TRUTH], False),
        (SHARES[:, 1:], TRUTH, False),
        (np.log(SHARES[:, 1:] / SHARES[:, :1]), TRUTH, True),
        (2 * SHARES[:, 1:] - 1, 2 * TRUTH - 1, False),
    ],
)
def test_two_classes_however_they_are_written(outputs, targets, from_logits):
    found = outcome("binary", outputs, targets, from_logits)
    assert (found.rows, found.score, found.constant) == (5, pytest.approx(0.8), False)
    assert found.recalls == pytest.approx((2 / 3, 1))
    # Means of own shares: (.9 + .8 + .05) / 3 = .58 and (.9 + .8) / 2 = .85: rows 0, 1 for 0, rows 2, 4 for 1.
    assert found.confident_errors == pytest.approx(1 / 4)


def test_numbers():
    y = np.array([[1.0, 0], [2, 5], [3, 1]])
    found = outcome("regression", y + np.array([[0.5, 0], [0, 0], [0, 0]]), y)
    whole = np.square(y - y.mean(0)).sum()
    assert found.score == pytest.approx(1 - 0.25 / whole)
    assert (found.recalls, found.confident_errors) == ((), None)
    assert outcome("regression", [[2.0], [2.0], [2.0]], [1.0, 2, 3]).constant
    assert math.isnan(outcome("regression", [[2.0], [2.0]], [1.0, 1.0]).score)


def test_one_unit_for_class_numbers():
    found = outcome("multiclass", [[0.1], [1.2], [1.6], [9.0]], [0, 1, 2, 1])
    assert found.score == 0.75
    assert found.recalls == (1.0, 0.5, 1.0)


def test_outputs_that_are_not_finite():
    assert math.isnan(outcome("binary", [[np.nan], [0.5]], [0, 1]).score)


def test_one_class_alone_contradicts_nothing():
    assert confident_errors(SHARES, np.zeros(5, int)) is None
