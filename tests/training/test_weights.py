"""Weights of samples, of time steps and of pixels, and of classes."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, layers, losses, metrics
from thalweg.errors import DataError, ShapeError
from thalweg.executors.numpy import NumpyExecutor

X = np.random.default_rng(1).normal(size=(6, 5, 3)).astype(np.float32)
_random = np.random.default_rng(0)
Y = _random.normal(size=(6, 5, 2)).astype(np.float32)
CLASSES = _random.integers(0, 2, (6, 5))
YES = _random.integers(0, 2, (6, 5, 1)).astype(np.float32)
SAMPLES = _random.random(6).astype(np.float32)
TIMES = _random.random((6, 5)).astype(np.float32)

LABELS = {"loss": "sparse_categorical_crossentropy", "activation": "softmax", "metrics": ["accuracy"]}
BINARY = {"loss": "binary_crossentropy", "activation": "sigmoid", "metrics": ["accuracy"], "units": 1}
CLASS_NUMBERS = {"loss": [0.46667, 0.45951], "accuracy": [0.53333, 0.5], "weighted_accuracy": [0.47051, 0.43759]}
KERAS = {
    "samples": (Y, SAMPLES[:, None], {}, {"loss": [1.78627, 1.55736], "mse": [2.27449, 1.98301]}),
    "times": (
        *(Y, TIMES, {}),
        {
            "loss": [1.42957, 1.234],
            "mae": [1.32057, 1.23721],
            "mse": [2.75303, 2.37642],
            "val_loss": [1.27389, 1.10721],
        },
    ),
    "times in a column": (Y, TIMES[..., None], {}, {"loss": [1.42957, 1.234], "val_mse": [2.45323, 2.13225]}),
    "class numbers": (CLASSES, TIMES, {**LABELS, "weighted": ["accuracy"]}, CLASS_NUMBERS),
    "yes and no": (
        *(YES, TIMES, {**BINARY, "weighted": ["accuracy", "AUC"]}),
        {"loss": [0.40273, 0.39821], "weighted_accuracy": [0.47408, 0.53651], "AUC": [0.72923, 0.7293]},
    ),
    "mean with weights": (
        *(Y, TIMES, {"loss": losses.MeanSquaredError(reduction="mean_with_sample_weight")}),
        {"loss": [2.70988, 2.03939], "mse": [2.68995, 2.02456]},
    ),
}
"""y, weights, arguments, and what Keras 3.15 answers."""


def model(loss="mse", activation=None, metrics=("mae",), weighted=("mse",), units=2, executor=None):
    inputs = Input((5, 3))
    made = Model(inputs, layers.Dense(units, activation)(inputs))
    made.executor = executor or NumpyExecutor()
    made.set_weights([np.cos(np.arange(w.size, dtype="float32")).reshape(w.shape) for w in made.get_weights()])
    made.compile(thalweg.optimizers.SGD(0.1), loss, metrics=list(metrics), weighted_metrics=list(weighted))
    return made


@pytest.mark.parametrize("name", KERAS)
def test_as_in_keras(name):
    y, weight, options, expected = KERAS[name]
    history = model(**options).fit(X, y, 3, 2, 0, None, 0.0, (X, y, weight), False, sample_weight=weight).history
    for key, values in expected.items():
        np.testing.assert_allclose(history[key], values, rtol=2e-5, err_msg=key)


def test_evaluation_adds_up_over_any_batches(native):
    for executor in (NumpyExecutor(), native):
        made = model(executor=executor)
        error = np.square(made.predict(X, verbose=0) - Y).mean(-1)
        for size in (2, 4, 32):
            loss, _, weighted = made.evaluate(X, Y, sample_weight=TIMES, batch_size=size, verbose=0)
            np.testing.assert_allclose(loss, (error * TIMES).mean(), rtol=1e-5)
            np.testing.assert_allclose(weighted, (error * TIMES).sum() / TIMES.sum(), rtol=1e-5)


def test_pixels():
    inputs = Input((4, 4, 1))
    made = Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(inputs))
    made.executor = NumpyExecutor()
    made.compile("sgd", "binary_crossentropy")
    images = np.random.default_rng(0).random((3, 4, 4, 1), np.float32)
    weight = np.random.default_rng(1).random((3, 4, 4), np.float32)
    masks = (images > 0.5).astype(np.float32)
    found = made.predict(images, verbose=0)
    values = -np.log(np.where(masks > 0, found, 1 - found))[..., 0]
    for given in (weight, weight[..., None]):
        got = made.evaluate(images, masks, sample_weight=given, verbose=0)
        np.testing.assert_allclose(got, (values * weight).mean(), rtol=1e-5)
    np.testing.assert_allclose(
        made.train_on_batch(images, masks, sample_weight=weight), (values * weight).mean(), rtol=1e-5
    )


def test_a_weight_of_0_leaves_a_place_out():
    weight = np.ones((6, 5), np.float32)
    weight[:, 3:] = 0
    some, other = Y.copy(), Y.copy()
    other[:, 3:] = 100.0
    histories = [model().fit(X, y, sample_weight=weight, verbose=0).history for y in (some, other)]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-6)
    np.testing.assert_allclose(histories[0]["mse"], histories[1]["mse"], rtol=1e-6)
    assert histories[0]["mae"] != histories[1]["mae"]


def test_each_output_has_its_own():
    inputs = Input((5, 3))
    made = Model(inputs, {"a": layers.Dense(2)(inputs), "b": layers.Dense(1)(layers.Flatten()(inputs))})
    made.executor = NumpyExecutor()
    made.compile("sgd", "mse")
    y, weight = {"a": Y, "b": YES[:, 0]}, {"a": TIMES, "b": SAMPLES}
    found = made.predict(X, verbose=0)
    errors = {name: np.square(found[name] - y[name]).mean(-1) for name in y}
    expected = (errors["a"] * TIMES).mean() + (errors["b"] * SAMPLES).mean()
    for given in (weight, [TIMES, SAMPLES]):
        loss = made.evaluate(X, y, sample_weight=given, verbose=0)[0]
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(made.train_on_batch(X, y, sample_weight=weight)[0], expected, rtol=1e-5)


def test_classes_of_each_time_step():
    y = np.array([[[0], [1], [1]], [[0], [0], [1]]])
    of_classes = {0: 3.0, 1: 100.0}
    inputs = Input((3, 2))
    made = Model(inputs, layers.Dense(2, "softmax")(inputs))
    made.executor = NumpyExecutor()
    made.compile("sgd", "sparse_categorical_crossentropy")
    x = np.zeros((2, 3, 2), np.float32)
    expected = np.log(2.0) * (3 * 3 + 3 * 100) / 6
    for given in (y, y[..., 0]):
        np.testing.assert_allclose(made.train_on_batch(x, given, class_weight=of_classes), expected, rtol=1e-5)
        made.set_weights([np.zeros_like(w) for w in made.get_weights()])
    balanced = made.train_on_batch(x, y, class_weight="balanced")
    np.testing.assert_allclose(balanced, np.log(2.0), rtol=1e-5)


@pytest.mark.parametrize("shape", [(6, 2), (6, 5, 2), (5, 5), (6, 1, 1, 1)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ShapeError) as caught:
        model().fit(X, Y, sample_weight=np.ones(shape), verbose=0)
    assert "(6, 5), one for each place" in caught.value.expected


def test_a_loss_that_is_no_mean_over_places_takes_weights_of_samples_alone():
    made = model(losses.Dice(), "sigmoid", units=1)
    with pytest.raises(ShapeError, match="does not fit"):
        made.fit(X, YES, sample_weight=TIMES, verbose=0)


def test_a_bad_weight_is_named():
    weight = TIMES.copy()
    weight[2, 3] = -1.0
    with pytest.raises(DataError) as caught:
        model().fit(X, Y, sample_weight=weight, verbose=0)
    assert caught.value.got == "-1.0 in row 2, position (3,)"


def test_weights_in_a_column_count_in_metrics_of_arrays():
    said, weight = [0.9, 0.8, 0.2], [1.0, 0.0, 1.0]
    for name in ("Precision", "Recall", "AUC", "BinaryAccuracy", "TruePositives"):
        make = getattr(metrics, name)
        column = make()([[1], [0], [1]], [[s] for s in said], sample_weight=[[w] for w in weight])
        assert column == make()([[1], [0], [1]], [[s] for s in said], sample_weight=weight)


def test_places_mixed_with_those_of_the_next_sample():
    inputs = Input((5, 3))
    made = Model(inputs, layers.Dense(2)(layers.MixUp(0.2, seed=1)(inputs)))
    made.executor = NumpyExecutor()
    made.compile("sgd", "mse")
    alone = made.train_on_batch(X, Y, sample_weight=np.ones((6, 5)))
    assert np.isfinite(alone)
