"""loss="auto": what is chosen from the last layer and the targets, and what is said about it."""

import numpy as np
import pytest

from thalweg import Input, Sequential, layers, losses
from thalweg.errors import ArgumentError, DataError, DTypeError, ShapeError
from thalweg.layers import Dense
from thalweg.losses import BinaryCrossentropy, CategoricalCrossentropy, Hinge, MeanSquaredError, Poisson
from thalweg.losses import SparseCategoricalCrossentropy as Sparse
from thalweg.model import Model, load_model

X = np.random.RandomState(0).standard_normal((12, 3)).astype(np.float32)
LABELS = np.arange(12) % 3
YES = np.arange(12) % 2
ONE_HOT = np.eye(3)[LABELS]
SEVERAL = np.stack([YES, YES[::-1], YES], 1)
REAL = X.sum(1)


def fitted(layer, y, **options):
    model = Sequential([Input((3,)), layer])
    model.compile("sgd", loss="auto", metrics=["accuracy"] if y.dtype.kind in "iu" else None)
    model.fit(X, y, verbose=0, **options)
    return model


def loss_of(model):
    (goal,) = model.runner.goals().outputs
    return goal.loss


@pytest.mark.parametrize(
    ("layer", "y", "expected"),
    [
        (lambda: Dense(3, "softmax"), LABELS, Sparse()),
        (lambda: Dense(3, "softmax"), LABELS[:, None].astype(np.float32), Sparse()),
        (lambda: Dense(3, "softmax"), ONE_HOT, CategoricalCrossentropy()),
        (lambda: Dense(1, "sigmoid"), YES, BinaryCrossentropy()),
        (lambda: Dense(3, "sigmoid"), SEVERAL, BinaryCrossentropy()),
        (lambda: Dense(3), LABELS, Sparse(from_logits=True)),
        (lambda: Dense(3), ONE_HOT, CategoricalCrossentropy(from_logits=True)),
        (lambda: Dense(3), SEVERAL, BinaryCrossentropy(from_logits=True)),
        (lambda: Dense(1), YES, BinaryCrossentropy(from_logits=True)),
        (lambda: Dense(1), YES.astype(bool), BinaryCrossentropy(from_logits=True)),
        (lambda: Dense(1, "tanh"), 2 * YES - 1, Hinge()),
        (lambda: Dense(1), REAL, MeanSquaredError()),
        (lambda: Dense(1), LABELS, MeanSquaredError()),
        (lambda: Dense(3), X, MeanSquaredError()),
        (lambda: Dense(1, "exponential"), LABELS, Poisson()),
        (lambda: Dense(1, "softplus"), LABELS, Poisson()),
        (lambda: Dense(1, "softplus"), np.exp(REAL), MeanSquaredError()),
    ],
)
def test_choice(layer, y, expected):
    model = fitted(layer(), y)
    assert loss_of(model) == expected
    assert f"loss='auto' is {expected.name}" in model.loss_choice


def test_it_says_so_once(capsys):
    model = Sequential([Input((3,)), Dense(3, "softmax")])
    model.compile("sgd", loss="auto")
    assert model.loss_choice is None
    model.fit(X, LABELS, verbose=2)
    model.fit(X, LABELS, verbose=2)
    said = capsys.readouterr().out
    line = (
        "loss='auto' is sparse_categorical_crossentropy: the last layer gives a softmax over 3 units, "
        "the targets are class numbers"
    )
    assert said.count(line) == 1
    assert model.loss_choice == line


def test_logits_are_named():
    assert "binary_crossentropy (from_logits=True): the last layer gives numbers without bounds in 1 unit, " in (
        fitted(Dense(1), YES).loss_choice
    )


def test_chosen_once_and_checked_from_then_on():
    model = fitted(Dense(3), ONE_HOT)
    with pytest.raises(ShapeError, match="sparse_categorical_crossentropy"):
        model.fit(X, LABELS, verbose=0)


def test_anew_after_compile():
    model = fitted(Dense(1), YES)
    model.compile("sgd", loss="auto")
    model.fit(X, REAL, verbose=0)
    assert loss_of(model) == MeanSquaredError()


def test_without_input_and_on_a_batch():
    model = Sequential([Dense(3, "softmax")])
    model.compile("sgd", loss="auto")
    model.train_on_batch(X, LABELS)
    assert loss_of(model) == Sparse()


def test_evaluate_first():
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", loss="auto")
    assert model.evaluate(X, REAL, verbose=0) > 0
    assert loss_of(model) == MeanSquaredError()


def test_several_outputs():
    x = Input((3,))
    model = Model(x, [Dense(1, name="size")(x), Dense(3, "softmax", name="kind")(x)])
    model.compile("sgd", loss=["auto", "sparse_categorical_crossentropy"])
    model.fit(X, [REAL, LABELS], verbose=0)
    assert model.loss_choice.startswith("output 'size': loss='auto' is mean_squared_error")
    assert [goal.loss for goal in model.runner.goals().outputs] == [MeanSquaredError(), Sparse()]


def test_saved(tmp_path):
    model = fitted(Dense(3, "softmax"), LABELS)
    model.save(tmp_path / "it.thalweg")
    again = load_model(tmp_path / "it.thalweg")
    assert loss_of(again) == Sparse()


def test_too_early():
    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", loss="auto")
    with pytest.raises(ArgumentError, match="not chosen yet"):
        model.metrics_names  # noqa: B018


@pytest.mark.parametrize("y", [np.full(12, np.nan), np.array(["a"] * 12), None])
def test_targets_that_say_nothing(y):
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", loss="auto")
    with pytest.raises((DataError, DTypeError)):
        model.fit(X, y, verbose=0)
    assert model.loss_choice is None


def test_is_no_loss_elsewhere():
    with pytest.raises(LookupError):
        losses.get("auto")
