"""One yardstick for all losses and heads."""

from __future__ import annotations

import numpy as np
import pytest
from tests.diagnosis.treatment.networks import rows

from thalweg.diagnosis.treatment.judging import NOTHING, judged
from thalweg.diagnosis.treatment.material import Material, labels_of, material, task_of
from thalweg.errors import ArgumentError


def of(task: str, y: list[float]) -> Material:
    x = np.zeros((len(y), 1), np.float32)
    return Material(task, x, np.array(y), None, x, np.array(y), "")


def test_classes() -> None:
    found = judged(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), of("binary", [0, 1, 1]), logits=False)
    assert found.score == pytest.approx(2 / 3)
    assert found.loss == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.4])))


def test_logits_are_the_same_as_their_probabilities() -> None:
    logits = np.array([[0.3, 2.0, -1.0], [1.0, 0.0, 0.5]])
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    several = of("multiclass", [1, 2])
    assert judged(logits, several, True).loss == pytest.approx(judged(shares, several, False).loss)
    one, two = np.array([[2.0], [-1.0]]), of("binary", [1, 1])
    assert judged(one, two, True).loss == pytest.approx(judged(1 / (1 + np.exp(-one)), two, False).loss)


def test_a_class_number_that_is_predicted_as_a_number() -> None:
    assert judged(np.array([[0.2], [1.9], [2.6]]), of("multiclass", [0, 2, 2]), False).score == pytest.approx(2 / 3)


def test_where_a_class_is_rare_all_count_alike() -> None:
    rare = of("binary", [0] * 19 + [1])
    assert judged(np.zeros((20, 1)), rare, False).score == 0.5
    assert judged(np.zeros((20, 1)), of("binary", [0] * 12 + [1] * 8), False).score == 0.6


def test_numbers_by_r2() -> None:
    numbers = of("regression", [1.0, 2.0, 3.0])
    assert judged(np.array([[1.0], [2.0], [3.0]]), numbers, False).score == 1
    assert judged(np.array([[2.0], [2.0], [2.0]]), numbers, False).score == 0


def test_a_head_of_another_size_than_the_targets_is_worst() -> None:
    assert judged(np.zeros((3, 10)), of("regression", [1.0, 2.0, 3.0]), False) == NOTHING


def test_what_is_no_number_is_worst() -> None:
    assert judged(np.array([[np.nan]]), of("binary", [1]), False) == NOTHING


def test_labels() -> None:
    assert labels_of(np.array([-1, 1, 1])).tolist() == [0, 1, 1]
    assert labels_of(np.eye(3)[[2, 0]]).tolist() == [2, 0]
    assert labels_of(np.array([[1.0], [0.0]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("y", "loss", "activation", "task"),
    [
        ([0.3, 1.2, 2.0], "mse", "linear", "regression"),
        ([0, 1, 1], "binary_crossentropy", "sigmoid", "binary"),
        ([0.0, 1.0, 2.0], "mse", "linear", "regression"),
        ([0.0, 1.0, 2.0], "mse", "softmax", "multiclass"),
        ([0, 1, 2], "mse", "linear", "multiclass"),
        ([[0, 1], [1, 0]], "categorical_crossentropy", "softmax", "binary"),
        ([[0, 1, 0], [1, 0, 0]], "mse", "sigmoid", "multiclass"),
    ],
)
def test_the_task_is_worked_out(y: list[float], loss: str, activation: str, task: str) -> None:
    assert task_of(np.array(y), loss, activation, None) == task
    assert task_of(np.array(y), loss, activation, "regression") == "regression"


def test_rows_are_held_out_with_their_share_of_each_class() -> None:
    held = rows("binary", count=100)
    assert len(held.x_val) == 20
    assert abs(held.y.mean() - held.y_val.mean()) < 0.05
    assert len(rows("binary", validation_split=0.25).x_val) == 10


def test_of_few_rows_none_is_held_out() -> None:
    few = rows("binary", count=22)
    assert len(few.x) == len(few.x_val) == 22
    assert few.told == "all 22 rows, too few to hold some out"
    assert len(rows("binary", count=23).x_val) == 5


def test_validation_rows_without_a_target_judge_nothing() -> None:
    x, y = np.zeros((4, 1)), np.array([1.0, 2.0, np.nan, 3.0])
    assert len(material(x, y, "regression", {"validation_data": (x, y)}, 0).y_val) == 3


def test_bad_rows() -> None:
    with pytest.raises(ArgumentError, match="no such task"):
        task_of(np.zeros(3), "mse", "linear", "clustering")
    with pytest.raises(ArgumentError, match="no pair"):
        rows("binary", validation_data=np.zeros(3))
