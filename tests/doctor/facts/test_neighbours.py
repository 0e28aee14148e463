"""The level that simple methods reach: what they can, and what they cannot."""

import numpy as np
import pytest

from thalweg.doctor.facts.neighbours import reference_of

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((400, 4))


def test_classes_that_a_line_parts():
    y = (X[:, 0] > 0.3).astype("float32")
    found = reference_of({"x": X * [1, 100, 1, 1], "y": y}, "binary")
    assert found.chance == pytest.approx(max(y.mean(), 1 - y.mean()))
    assert found.neighbours > 0.92
    assert (found.balanced or 0) > 0.9
    assert (found.disagreement or 0) < 0.08


def test_classes_that_curl_round_each_other():
    turn = RANDOM.uniform(0.5, 3, 600) * np.pi
    y = np.arange(600) % 2
    x = np.c_[turn * np.cos(turn + np.pi * y), turn * np.sin(turn + np.pi * y)]
    assert reference_of({"x": x, "y": y}, "binary").neighbours > 0.95


def test_few_rows_in_many_dimensions():
    x = RANDOM.standard_normal((300, 60))
    y = (x @ RANDOM.standard_normal(60) > 0).astype(int)
    assert reference_of({"x": x, "y": y}, "binary").neighbours > 0.85  # neighbours alone: 0.7


def test_labels_that_are_wrong_disagree():
    y = (X[:, 0] > 0).astype(int)
    flipped = RANDOM.random(400) < 0.3
    noisy = reference_of({"x": X, "y": np.where(flipped, 1 - y, y)}, "binary").disagreement
    assert flipped.mean() - 0.1 < noisy < flipped.mean() + 0.03
    assert (reference_of({"x": X, "y": y}, "binary").disagreement or 0) < 0.05


def test_noise_teaches_nothing():
    y = RANDOM.integers(0, 3, 400)
    found = reference_of({"x": X, "y": y}, "multiclass")
    assert found.neighbours < found.chance + 0.1


def test_one_hot_and_numbers_of_classes_say_the_same():
    y = np.digitize(X[:, 1], [-0.5, 0.5])
    sparse = reference_of({"x": X, "y": y}, "multiclass")
    assert reference_of({"x": X, "y": np.eye(3, dtype="float32")[y]}, "multiclass") == sparse
    assert reference_of({"x": X, "y": y.astype("float32")[:, None]}, "multiclass") == sparse


def test_numbers():
    y = 1000 + 30 * np.sin(X[:, 0]) + 20 * X[:, 1]
    found = reference_of({"x": X, "y": y}, "regression")
    assert found.chance == 0
    assert found.neighbours > 0.95
    assert found.disagreement is None
    assert reference_of({"x": X, "y": RANDOM.standard_normal(400)}, "regression").neighbours < 0.1
    assert reference_of({"x": X, "y": np.ones(400)}, "regression").neighbours == 0


def test_copies_are_no_neighbours():
    y = RANDOM.integers(0, 2, 400)
    copied = reference_of({"x": np.r_[X, X[:300]], "y": np.r_[y, y[:300]]}, "binary")
    assert copied.neighbours < 0.65


@pytest.mark.parametrize(
    ("arrays", "task"),
    [
        ({"x": X, "y": X[:, 0]}, None),
        ({"x": X}, "binary"),
        ({"x": X[:5], "y": X[:5, 0]}, "regression"),
        ({"x": X.astype(object), "y": X[:, 0]}, "regression"),
        ({"x": X, "y/a": X[:, 0], "y/b": X[:, 0]}, "regression"),
    ],
)
def test_nothing_to_say(arrays, task):
    assert reference_of(arrays, task) is None


def test_bad_numbers():
    assert reference_of({"x": X * np.nan, "y": X[:, 0]}, "regression").neighbours < 0.1
    assert reference_of({"x": np.full((20, 3), np.inf), "y": np.zeros(20)}, "binary").neighbours == 1


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_of_all_rows_that_are_known_some_are_predicted(task):
    y = (X[:, 0] > 0) + (X[:, 1] > 0) if task == "multiclass" else X[:, 0] + X[:, 1]
    every, some = (reference_of({"x": X, "y": y}, task, most) for most in (len(X), len(X) // 2))
    assert (every.rows, some.rows) == (len(X), len(X) // 2)
    assert some.neighbours == pytest.approx(every.neighbours, abs=0.05)


def test_rows_that_stand_in_turns_of_classes():
    y = np.arange(400) % 2
    x = np.random.default_rng(0).standard_normal((400, 3)) + 4 * y[:, None]
    balanced = reference_of({"x": x, "y": y}, "binary", 200).balanced
    assert balanced is not None
    assert balanced > 0.95
