"""Whatever users call layers, outputs, metrics and weights: no name of theirs means something to us."""

from functools import cache

import numpy as np
import pytest

import thalweg
from thalweg import layers, losses, metrics
from thalweg.errors import ArgumentError
from thalweg.layers import Layer

WORDS = (
    *("parameters", "slots", "optimizer", "random", "position", "metrics", "evaluation", "statistics"),
    *("iterations", "learning_rate", "seed", "step", "epoch", "batch", "total", "samples", "kernel"),
    *("val", "val_loss", "loss", "regularization", "x", "y", "sample_weight", "valid", "prediction", "objective"),
)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def on_numpy(monkeypatch):
    """Names are resolved before anything is compiled; this executor has nothing to compile."""
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")


class Weighted(Layer):
    """A product with a weight of any name."""

    def __init__(self, weight: str, **options):
        super().__init__(**options)
        self.weight = weight

    def build(self, x):
        self.w = self.parameter(self.weight, (3, 4), "glorot_uniform")

    def call(self, x):
        return x @ self.w.node


def trained(model, y):
    """The model after some training: its weights, the history, and what evaluate says."""
    for number, weight in enumerate(model.weights):  # initial values depend on names
        weight.assign(np.cos(np.arange(weight.type.size) + number).reshape(weight.shape))
    history = model.fit(X, y, epochs=3, batch_size=16, validation_split=0.25, seed=1, verbose=0).history
    return model.get_weights(), list(history.values()), model.evaluate(X, y, verbose=0)


@cache
def plainly(kind):
    """What a model of this kind comes to whose names are plain, and its weights after more training; for every word."""
    y = {"plain": Y, "other": -Y} if kind is two_outputs else Y
    model = kind("plain")
    came_to = trained(model, y)
    model.fit(X, y, verbose=0)
    return came_to, model.get_weights()


def same(one, other):
    for left, right in zip(one, other, strict=True):
        np.testing.assert_equal(left, right)


def chain(name):
    model = thalweg.Sequential([thalweg.Input((3,)), layers.Dense(4, "tanh", name=name), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def two_outputs(name):
    x = thalweg.Input((3,))
    hidden = layers.Dense(4, "tanh")(x)
    outputs = {name: layers.Dense(1)(hidden), "other": layers.Dense(1)(hidden)}
    model = thalweg.Model(x, outputs)
    model.compile("adam", "mse", metrics={name: ["mae"], "other": ["mse"]})
    return model


def measured(name):
    model = thalweg.Sequential([thalweg.Input((3,)), layers.Dense(1, kernel_regularizer="l2")])
    model.compile(
        "adam",
        "mse",
        metrics=[metrics.MeanSquaredError(name=name), "mae"],
        weighted_metrics=[metrics.MeanSquaredError(name=f"{name}/{name}")],
    )
    return model


def weighted(name):
    model = thalweg.Sequential([thalweg.Input((3,)), Weighted(name), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def round_trip(model, path):
    model.save(path)
    return thalweg.load_model(path, custom_objects={"Weighted": Weighted})


@pytest.mark.parametrize("name", WORDS)
class TestEveryWord:
    def test_as_a_layer(self, name, tmp_path):
        mine = chain(name)
        before = mine.predict(X, verbose=0)
        mine.compile("adam", "mse", metrics=["mae"])
        np.testing.assert_array_equal(mine.predict(X, verbose=0), before)
        came_to, after = plainly(chain)
        same(trained(mine, Y), came_to)
        again = round_trip(mine, tmp_path / "m")
        for model in (mine, again):
            model.fit(X, Y, verbose=0)
        same(again.get_weights(), mine.get_weights())
        same(again.get_weights(), after)

    def test_as_an_output(self, name, tmp_path):
        mine = two_outputs(name)
        same(trained(mine, {name: Y, "other": -Y}), plainly(two_outputs)[0])
        assert list(mine.predict(X, verbose=0)) == [name, "other"]
        again = round_trip(mine, tmp_path / "m")
        for model in (mine, again):
            model.fit(X, {name: Y, "other": -Y}, verbose=0)
        same(again.get_weights(), mine.get_weights())

    def test_as_a_metric(self, name, tmp_path):
        mine = measured(name)
        same(trained(mine, Y), plainly(measured)[0])
        saved = thalweg.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.thalweg"), save_freq=1)
        mine.fit(X, Y, verbose=0, callbacks=[saved])
        again = thalweg.load_model(tmp_path / "1.thalweg")
        assert len(mine.metrics_names) == len(set(mine.metrics_names)) == 4
        assert again.evaluate(X, Y, verbose=0, return_dict=True).keys() == set(mine.metrics_names)

    def test_as_a_weight(self, name, tmp_path):
        mine = weighted(name)
        same(trained(mine, Y), plainly(weighted)[0])
        mine.save_weights(tmp_path / "w")
        mine.save(tmp_path / "m")
        for file in ("w", "m"):
            other = weighted(name)
            other.load_weights(tmp_path / file)
            same(other.get_weights(), mine.get_weights())


def test_the_loss_of_an_output_called_val_is_not_the_loss_of_the_validation():
    model = two_outputs("val")
    x, y = X[:20], {"val": Y[:20], "other": 10 * Y[:20]}
    history = model.fit(X, {"val": Y, "other": 10 * Y}, validation_data=(x, y), verbose=0).history
    assert history["val_loss"][0] == model.evaluate(x, y, verbose=0, return_dict=True)["loss"]


def test_paths_that_two_weights_would_share():
    inner = thalweg.Sequential([thalweg.Input((3,)), layers.Dense(3, name="dense")], name="enc")
    with pytest.raises(ArgumentError, match="two weights") as caught:
        thalweg.Sequential([inner, layers.Dense(3, name="enc/dense")])
    assert "slashes" in caught.value.fix


def test_a_layer_that_is_reached_in_two_ways_is_trained_once():
    """Worked out by hand: the gradient of (2w)^2 by w is 8w, and the steps are those of one momentum."""
    x = thalweg.Input((1,))
    dense = layers.Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer=None)
    inner = thalweg.Model(x, dense(x))
    model = thalweg.Model(x, layers.Add()([inner(x), dense(x)]))
    model.compile(thalweg.optimizers.SGD(0.01, momentum=0.9), losses.MeanSquaredError())
    assert model.count_params() == 1
    assert len(model.weights) == 1
    seen = []
    for _ in range(3):
        model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
        seen.append(model.get_weights()[0].item())
    np.testing.assert_allclose(seen, [0.92, 0.7744, 0.5814], atol=1e-4)
