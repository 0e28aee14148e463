"""Regularizers and constraints in training: by hand, and as Keras counts them."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Model, Sequential, constraints, errors, ops
from thalweg.layers import (
    ActivityRegularization,
    BatchNormalization,
    Dense,
    Dropout,
    GroupNormalization,
    LayerNormalization,
    PReLU,
)
from thalweg.optimizers import SGD
from thalweg.regularizers import L1, L1L2, L2

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(10, 3)).astype(np.float32)
Y = RANDOM.normal(size=10).astype(np.float32)


def linear(rate=0.1, **options):
    """One unit, compiled for the mean squared error."""
    thalweg.utils.set_random_seed(1)
    model = Sequential([Input((3,)), Dense(1, **options)])
    model.compile(SGD(rate), "mse", metrics=["mse"])
    return model


def test_penalties_of_parameters_are_part_of_loss_and_gradient():
    model = linear(kernel_regularizer=L2(0.1), bias_regularizer="l1")
    kernel, bias = model.get_weights()
    bias += 0.5
    model.set_weights([kernel, bias])
    error = (X @ kernel)[:, 0] + bias - Y
    penalty = 0.1 * (kernel**2).sum() + 0.01 * np.abs(bias).sum()
    expected = {"loss": (error**2).mean() + penalty, "mse": (error**2).mean()}
    assert model.evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(expected, rel=1e-5)
    history = model.fit(X, Y, batch_size=10, verbose=0).history
    assert {name: values[0] for name, values in history.items()} == pytest.approx(expected, rel=1e-5)
    slope = 2 * (error[:, None] * X).mean(0)[:, None] + 2 * 0.1 * kernel
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * slope, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], bias - 0.1 * (2 * error.mean() + 0.01), rtol=1e-5)


def test_penalties_of_activities_are_per_sample():
    """However the rows are cut into batches, and without the rows that fill up the last piece of an evaluation."""
    model = linear(rate=0.0, activity_regularizer=L1L2(0.2, 0.1), bias_initializer="ones")
    kernel, bias = model.get_weights()
    y = (X @ kernel)[:, 0] + bias
    expected = ((y - Y) ** 2).mean() + (0.2 * np.abs(y) + 0.1 * y**2).mean()
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    for size in (10, 4, 1):
        history = model.fit(X, Y, batch_size=size, verbose=0).history
        assert history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert model.predict(X, verbose=0)[:, 0] == pytest.approx(y, rel=1e-5, abs=1e-6)


def test_activities_have_gradients():
    model = linear(activity_regularizer=L2(0.5))
    kernel, bias = model.get_weights()
    y = (X @ kernel)[:, 0] + bias
    model.fit(X, Y, batch_size=10, verbose=0)
    assert model.get_weights()[1] == pytest.approx(bias - 0.1 * (2 * (y - Y).mean() + 2 * 0.5 * y.mean()), rel=1e-4)


def test_frozen_parameters_are_not_penalized():
    model = linear(kernel_regularizer="l2")
    free = model.evaluate(X, Y, verbose=0)[0]
    model.layers[0].trainable = False
    model.compile(SGD(0.1), "mse", metrics=["mse"])
    loss, mse = model.evaluate(X, Y, verbose=0)
    assert loss == mse < free


def test_a_shared_layer_counts_once_and_its_activities_each_time():
    left, right = Input((3,)), Input((3,))
    shared = Dense(1, kernel_regularizer=L2(0.1), activity_regularizer=L1(0.2))
    model = Model([left, right], [shared(left), shared(right)])
    model.compile("sgd", ["mse", "mse"])
    kernel = model.get_weights()[0]
    both = [X, 2 * X]
    loss, *parts = model.evaluate(both, [Y, Y], verbose=0)
    activities = sum(0.2 * np.abs(x @ kernel).mean() for x in both)
    assert loss == pytest.approx(sum(parts) + 0.1 * (kernel**2).sum() + activities, rel=1e-5)


def test_functions_are_regularizers_and_constraints():
    model = linear(kernel_regularizer=lambda w: ops.reduce_sum(w) * 0.0 + 7.0, kernel_constraint=lambda w: w * 0.0)
    loss, mse = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(mse + 7.0)
    model.fit(X, Y, verbose=0)
    assert not model.get_weights()[0].any()


@pytest.mark.parametrize("loss", ["dice", "root_mean_squared_error", "mse"])
def test_any_loss_takes_a_penalty(loss):
    """Also those that evaluation adds up in a way of their own."""
    x, y = np.abs(X), (Y > 0).astype(np.float32)
    values = []
    for l2 in (0.0, 0.5):
        thalweg.utils.set_random_seed(1)
        model = Sequential([Input((3,)), Dense(1, "sigmoid", kernel_regularizer=L2(l2))])
        model.compile(SGD(0.0), loss)
        values.append([model.evaluate(x, y, verbose=0), model.fit(x, y, verbose=0).history["loss"][0]])
    penalty = 0.5 * (model.get_weights()[0] ** 2).sum()
    np.testing.assert_allclose(np.subtract(*values[::-1]), penalty, rtol=1e-4)


LAYERS = {
    "batch_normalization/gamma": lambda **options: BatchNormalization(**options),
    "layer_normalization/beta": lambda **options: LayerNormalization(beta_initializer="ones", **options),
    "group_normalization/gamma": lambda **options: GroupNormalization(-1, **options),
    "p_re_lu/alpha": lambda **options: PReLU("ones", **options),
}


@pytest.mark.parametrize("path", LAYERS)
def test_parameters_of_other_layers(path):
    """Three ones: a penalty of 0.1 each; and a norm of 1 afterwards."""
    name = path.rpartition("/")[2]
    layer = LAYERS[path](**{f"{name}_regularizer": L2(0.1), f"{name}_constraint": "unit_norm"})
    model = Sequential([Input((3,)), layer, Dense(1)])
    model.compile(SGD(0.01), "mse", metrics=["mse"])
    loss, mse = model.evaluate(X, Y, verbose=0)
    assert loss - mse == pytest.approx(0.3, rel=1e-4)
    model.fit(X, Y, verbose=0)
    assert np.linalg.norm(model.state.read(f"parameters/{path}")) == pytest.approx(1.0, rel=1e-5)


def test_constraints_hold_after_every_step():
    model = linear(kernel_constraint=constraints.NonNeg(), bias_constraint=constraints.MaxNorm(0.01))
    model.fit(X, Y, batch_size=3, epochs=3, verbose=0)
    kernel, bias = model.get_weights()
    assert kernel.min() == 0
    assert np.abs(bias).max() <= 0.01
    unit = Sequential([Input((3,)), Dense(4, kernel_constraint="unit_norm"), Dense(1)])
    unit.compile("adam", "mse")
    unit.fit(X, Y, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(unit.get_weights()[0], axis=0), 1, rtol=1e-5)


def test_they_are_saved(tmp_path):
    model = Sequential(
        [
            Input((3,)),
            Dense(4, kernel_regularizer=L2(0.1), kernel_constraint=constraints.MinMaxNorm(0.1, 0.5)),
            Dropout(0.2),
            Dense(1, activity_regularizer="l1", bias_constraint="non_neg"),
        ]
    )
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(tmp_path / "m.thalweg")
    loaded = thalweg.load_model(tmp_path / "m.thalweg")
    assert loaded.to_json() == model.to_json()
    for each in (model, loaded):
        each.fit(X, Y, epochs=3, initial_epoch=1, verbose=0)
    assert nets.same_bits(model, loaded)
    assert model.history.history == loaded.history.history


def test_mistakes():
    with pytest.raises(errors.NameNotFoundError, match="no regularizer"):
        Dense(3, kernel_regularizer="l3")
    with pytest.raises(errors.NameNotFoundError, match="no constraint"):
        Dense(3, bias_constraint="max_nrm")
    with pytest.raises(errors.ArgumentError, match="min_value"):
        constraints.MinMaxNorm(2.0, 1.0)
    with pytest.raises(errors.ShapeError, match="'dense'") as caught:
        linear(bias_constraint=constraints.UnitNorm(axis=1)).fit(X, Y, verbose=0)
    assert "axis=1" in caught.value.got
    with pytest.raises(errors.ShapeError, match="no matrix"):
        linear(bias_regularizer="orthogonal_regularizer").evaluate(X, Y, verbose=0)


def test_a_penalty_that_overflows_is_found():
    model = linear(rate=1e-30, kernel_regularizer=lambda w: ops.exp(ops.reduce_sum(ops.absolute(w)) + 100.0))
    with pytest.raises(errors.NonFiniteError):
        model.fit(X, Y, verbose=0)


def test_activity_regularization_as_a_layer():
    def fitted(*parts):
        thalweg.utils.set_random_seed(1)
        model = Sequential([Input((3,)), *parts, Dense(1)])
        model.compile(SGD(0.1), "mse")
        return model, model.fit(X, Y, batch_size=5, epochs=2, verbose=0).history

    model, history = fitted(Dense(4), ActivityRegularization(0.02, 0.05))
    other, expected = fitted(Dense(4, activity_regularizer=L1L2(0.02, 0.05)))
    assert history == expected
    assert nets.same_bits(model, other)
    assert model.evaluate(X, Y, verbose=0) == other.evaluate(X, Y, verbose=0)
