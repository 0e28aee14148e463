"""Outputs of one number a sample, losses of one number a batch, and numbers that NumPy made."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, losses, ops
from thalweg.executors.numpy import NumpyExecutor

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
Y = X[:, 0] - X[:, 1]


def beside_a_column(loss, y, **options):
    """A model of (batch,), and one of (batch, 1) with the same weights."""
    entry = Input((4,))
    units = layers.Dense(1, "sigmoid" if loss == "binary_crossentropy" else None)(entry)
    models = Model(entry, units[:, 0]), Model(entry, units)
    results = []
    for model in models:
        model.executor = NumpyExecutor()
        model.get_layer("dense").set_weights([np.full((4, 1), 0.1, np.float32), np.zeros(1, np.float32)])
        model.compile("sgd", loss, metrics=["accuracy"])
        history = model.fit(X, y, epochs=2, batch_size=8, verbose=0, seed=1, validation_split=0.2, **options).history
        results.append((history, model.evaluate(X, y, verbose=0), model.predict(X, verbose=0).reshape(-1)))
    return results


@pytest.mark.parametrize(
    ("loss", "y", "options"),
    [
        ("mse", Y, {}),
        ("mse", Y[:, None], {"sample_weight": np.linspace(0, 1, 20)}),
        ("binary_crossentropy", (Y > 0).astype(int), {"class_weight": {0: 1.0, 1: 2.0}}),
    ],
)
def test_one_number_a_sample_is_a_column(loss, y, options):
    (first, judged, said), (other, judged_too, said_too) = beside_a_column(loss, y, **options)
    for name, values in first.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-6)
    np.testing.assert_allclose(judged, judged_too, rtol=1e-6)
    np.testing.assert_allclose(said, said_too, rtol=1e-5)


def test_a_distance_is_learned_and_checked():
    a, b = Input((4,)), Input((4,))
    shared = layers.Dense(3)
    model = Model([a, b], ops.reduce_sum(ops.square(shared(a) - shared(b)), -1))
    model.compile("sgd", losses.Huber())
    distances = np.square(X - X[::-1]).sum(1)
    first = model.evaluate([X, X[::-1]], distances, verbose=0)
    model.fit([X, X[::-1]], distances, epochs=5, verbose=0, seed=0)
    assert model.evaluate([X, X[::-1]], distances, verbose=0) < first
    thalweg.check_gradients(model, [X, X[::-1]], distances)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_a_loss_of_one_number_a_batch(reduction):
    class Worst(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.reduce_max(ops.square(y_true - y_pred))

    model = Sequential([Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", Worst(reduction=reduction))
    assert model.test_on_batch(X, Y) == pytest.approx(np.square(Y).max(), rel=1e-5)
    assert model.train_on_batch(X, Y) == pytest.approx(np.square(Y).max(), rel=1e-5)
    worst = np.array([np.square(Y[:10]).max(), np.square(Y[10:]).max()])
    model.set_weights([np.zeros((4, 1), np.float32), np.zeros(1, np.float32)])
    if reduction != "sum":
        assert model.evaluate(X, Y, batch_size=10, verbose=0) == pytest.approx(worst.mean(), rel=1e-5)


def test_numbers_that_numpy_made():
    model = Sequential(
        [
            Input(np.array([4])),
            layers.Dense(np.int64(3), activation="relu", dtype=np.float32),
            layers.Dropout(np.array(0.3)),
            layers.LeakyReLU(np.float32(0.1)),
            layers.Dense(np.array(1)),
        ]
    )
    model.executor = NumpyExecutor()
    rate = thalweg.optimizers.schedules.ExponentialDecay(np.float32(0.1), np.int64(10), np.array(0.9))
    model.compile(thalweg.optimizers.SGD(rate, momentum=np.array(0.9)), losses.Huber(delta=np.array(1.0)))
    history = model.fit(
        X,
        Y,
        batch_size=np.int64(5),
        epochs=np.array(4),
        initial_epoch=np.array(0),
        steps_per_epoch=np.int32(2),
        validation_data=(X, Y),
        validation_freq=np.int64(2),
        validation_batch_size=np.array(4),
        verbose=np.int64(0),
        seed=np.array(3),
    ).history
    assert (len(history["loss"]), len(history["val_loss"])) == (4, 2)
    model.evaluate(X, Y, batch_size=np.array(4), verbose=0, steps=np.int64(1))
    assert model.predict(X, batch_size=np.int64(4), verbose=0, steps=np.array(2)).shape == (8, 1)


def test_a_float64_file_in_a_float32_process(tmp_path):
    thalweg.config.set_floatx("float64")
    try:
        model = Sequential([Input((4,)), layers.Dense(3, "tanh"), layers.BatchNormalization(), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(X, Y, verbose=0)
        model.save(tmp_path / "model.thalweg")
        expected = model.predict(X, verbose=0)
    finally:
        thalweg.config.set_floatx("float32")
    again = thalweg.load_model(tmp_path / "model.thalweg")
    assert {weight.dtype for weight in again.weights} == {"float64"}
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
    again.fit(X, Y, verbose=0)
    assert thalweg.clone_model(again).weights[0].dtype == "float64"


def test_cross_validation_of_named_outputs():
    def build():
        entry = Input((4,))
        model = Model(entry, {"size": layers.Dense(1)(entry), "kind": layers.Dense(2, "softmax")(entry)})
        model.executor = NumpyExecutor()
        model.compile("sgd", {"size": "mse", "kind": "sparse_categorical_crossentropy"})
        return model

    result = thalweg.cross_validate(build, X, {"size": Y, "kind": (Y > 0) * 1}, 2, epochs=1, verbose=0)
    assert {name: array.shape for name, array in result.predictions.items()} == {"size": (20, 1), "kind": (20, 2)}
