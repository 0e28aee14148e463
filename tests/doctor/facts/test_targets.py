"""What the targets are taken for, and the task with them."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers
from thalweg.doctor.facts.head import head_of
from thalweg.doctor.facts.levels import levels_of
from thalweg.doctor.facts.network import Network
from thalweg.doctor.facts.targets import looked_at, targets_of, task_of
from thalweg.training.goals import goals_of

RANDOM = np.random.default_rng(0)
ZERO_ONE = (np.arange(60) % 4 == 0).astype("float32")
LABELS = np.arange(60) % 3
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
NUMBERS = RANDOM.standard_normal((60, 1)).astype("float32")


def goals(units, activation, loss, shape=(4,)):
    model = Sequential([Input(shape), layers.Dense(units, activation)])
    return model, goals_of(model.runner.structure.output_types(), loss, None, None, None)


TASKS = {
    "answers": (1, "sigmoid", "binary_crossentropy", ZERO_ONE, "binary"),
    "answers by squares": (1, "linear", "mse", ZERO_ONE, "binary"),
    "signs": (1, "tanh", "hinge", 2 * ZERO_ONE - 1, "binary"),
    "class numbers": (3, "softmax", "sparse_categorical_crossentropy", LABELS, "multiclass"),
    "one-hot": (3, "softmax", "categorical_crossentropy", ONE_HOT, "multiclass"),
    "one-hot by squares": (3, "softmax", "mse", ONE_HOT, "multiclass"),
    "one-hot, each a question": (3, "sigmoid", "binary_crossentropy", ONE_HOT, "multiclass"),
    "many questions": (3, "sigmoid", "binary_crossentropy", np.ones((60, 3), "f"), None),
    "shares": (1, "sigmoid", "binary_crossentropy", NUMBERS * 0.1 + 0.5, None),
    "numbers": (1, "linear", "mse", NUMBERS, "regression"),
    "several numbers": (2, "linear", "mae", np.hstack([NUMBERS, NUMBERS]), "regression"),
    "counts": (1, "exponential", "poisson", np.arange(60.0), "regression"),
    "always the same": (1, "linear", "mse", np.full((60, 1), 5.0), None),
}


@pytest.mark.parametrize(("units", "activation", "loss", "y", "expected"), TASKS.values(), ids=TASKS)
def test_task(units, activation, loss, y, expected):
    _, wanted = goals(units, activation, loss)
    arrays = {"x": np.zeros((60, 4)), "y": wanted.outputs[0].prepare(y)}
    assert task_of(wanted, targets_of(arrays, wanted), arrays) == expected


def test_shares_and_numbers():
    assert looked_at(LABELS, sparse=True).shares == pytest.approx((1 / 3,) * 3)
    assert looked_at(np.array([0, 2, 2, -1]), sparse=True).shares == pytest.approx((1 / 3, 0, 2 / 3))
    assert looked_at(ONE_HOT).one_hot
    assert looked_at(ZERO_ONE).shares == (0.75, 0.25)
    numbers = looked_at(NUMBERS)
    assert numbers.shares == ()
    assert (numbers.mean, numbers.deviation) == pytest.approx((NUMBERS.mean(), NUMBERS.std()))
    assert (numbers.least, numbers.most) == (NUMBERS.min(), NUMBERS.max())


def test_answers_are_rows_of_ones_and_zeros_that_do_not_add_up_to_one():
    several = np.array([[1, 1, 0], [0, 0, 0]], "float32")
    assert looked_at(several).answers
    assert not looked_at(ONE_HOT).answers
    assert not looked_at(ONE_HOT.reshape(10, 6, 3)).answers, "a class for each place"
    assert not looked_at(2 * several).answers


def test_what_is_missing_is_counted_and_left_out():
    y = np.array([1.0, np.nan, 3.0, np.inf])
    assert looked_at(y).non_finite == 0.5
    assert looked_at(y).mean == 2
    assert looked_at(np.full(3, np.nan)).non_finite == 1


def test_nothing_is_said_of_an_autoencoder_of_places_and_of_several_outputs():
    x = RANDOM.standard_normal((60, 4)).astype("float32")
    _, back = goals(4, "linear", "mse")
    assert task_of(back, targets_of({"x": x, "y": x}, back), {"x": x, "y": x}) is None
    _, places = goals(3, "softmax", "sparse_categorical_crossentropy", shape=(5, 4))
    y = {"y": np.zeros((60, 5), "int32")}
    assert task_of(places, targets_of(y, places), y) is None
    entry = Input((4,))
    two = Model(entry, [layers.Dense(1)(entry), layers.Dense(1)(entry)])
    several = goals_of(two.runner.structure.output_types(), "mse", None, None, None)
    assert targets_of({f"y/{name}": NUMBERS for name in several.names_of_outputs}, several) is None
    assert task_of(several, None) is None
    assert task_of(None, None) is None


LEVELS = {
    "class numbers": (3, "softmax", "sparse_categorical_crossentropy", LABELS, (np.log(3), np.log(3))),
    "answers": (1, "sigmoid", "binary_crossentropy", ZERO_ONE, (np.log(2), 0.5623)),
    "one-hot, each a question": (3, "sigmoid", "binary_crossentropy", ONE_HOT, (np.log(2), 0.6365)),
    "numbers": (1, "linear", "mse", NUMBERS + 5, (25 + 10 * NUMBERS.mean() + np.square(NUMBERS).mean(), NUMBERS.var())),
}


@pytest.mark.parametrize(("units", "activation", "loss", "y", "expected"), LEVELS.values(), ids=LEVELS)
def test_losses_to_compare_with(units, activation, loss, y, expected):
    model, wanted = goals(units, activation, loss)
    targets = targets_of({"y": wanted.outputs[0].prepare(y)}, wanted)
    head = head_of(wanted, Network.of(model.runner.net(), model.runner.structure.layers_by_path()), targets, None)
    levels = levels_of(wanted, head, targets)
    assert (levels.fresh, levels.constant) == pytest.approx(expected, rel=1e-3)
