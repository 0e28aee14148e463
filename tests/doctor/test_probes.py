"""Statistics of a network at a moment: right numbers, of whatever layers there are, on both executors."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.doctor import probes
from thalweg.doctor.probes import Prober
from thalweg.doctor.watch import Moment
from thalweg.state.names import PARAMETERS

RNG = np.random.default_rng(0)
X, Y = nets.points(40)


def parameters_of(model):
    state = model.runner.state
    return state.snapshot(state.names(PARAMETERS))


def prober(model, x=X, y=Y, task="multiclass"):
    rows = model.runner.prepare(x, y)
    return Prober(model.runner.net(rows), model.runner.goals(rows), task, rows.ready())


def net(*parts, x=X, loss="sparse_categorical_crossentropy", dtype="float32"):
    thalweg.utils.set_random_seed(3)
    model = Sequential([Input(x.shape[1:], dtype=dtype), *parts])
    model.compile("sgd", loss)
    return model


def look(model, x=X, y=Y):
    return prober(model, x, y).look(parameters_of(model))


def head(units=3, **options):
    return layers.Dense(units, activation="softmax", name="head", **options)


def test_norms_of_gradients_against_differences():
    x = X.astype(np.float64)
    parts = [layers.Dense(4, "tanh", dtype="float64"), layers.Dense(1, dtype="float64")]
    model = net(*parts, x=x, loss="mse", dtype="float64")
    probe = prober(model, x, X[:, :1].astype(np.float64), "regression")
    values = parameters_of(model)

    def slope(name):
        found = np.empty(values[name].size)
        for place in range(found.size):
            ends = []
            for move in (-1e-5, 1e-5):
                moved = {**values, name: values[name].copy()}
                moved[name].flat[place] += move
                ends.append(probe.look(moved).loss)
            found[place] = (ends[1] - ends[0]) / 2e-5
        return found

    kernel, bias = slope("parameters/dense/kernel"), slope("parameters/dense/bias")
    found = probe.look(values).layers["dense"]
    assert found["kernel_gradient"] == pytest.approx(np.linalg.norm(kernel), rel=1e-6)
    assert found["gradient_norm"] == pytest.approx(np.hypot(np.linalg.norm(kernel), np.linalg.norm(bias)), rel=1e-6)


def test_both_executors_agree(monkeypatch):
    x = RNG.normal(size=(24, 8, 8, 2)).astype(np.float32)
    own = [
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.SeparableConv2D(4, 3, activation="tanh"),
    ]
    model = net(*own, layers.Flatten(), head(), x=x)
    with_numpy = prober(model, x, Y[:24])
    monkeypatch.setattr(probes, "PATIENCE_SECONDS", 0.0)
    compiled = prober(model, x, Y[:24])
    by_numpy, by_native = (each.look(parameters_of(model)) for each in (with_numpy, compiled))
    assert by_native.loss == pytest.approx(by_numpy.loss, rel=1e-5)
    assert by_native.layers.keys() == by_numpy.layers.keys()
    assert by_numpy.layers["conv2d"].keys() >= {"dead", "gain", "kernel_gradient", "pre_deviation"}
    for layer, found in by_numpy.layers.items():
        assert by_native.layers[layer] == pytest.approx(found, rel=1e-3, abs=1e-6)


def test_batch_normalization_as_in_training_and_dropout_not():
    parts = [layers.GaussianNoise(1.0), layers.Dense(8), layers.BatchNormalization(), layers.Dropout(0.9), head()]
    loud = X * np.float32(1000)
    model = net(*parts, x=loud)
    found, probe = look(model, loud), prober(model, loud)
    assert found.layers["batch_normalization"]["deviation"] == pytest.approx(1, rel=0.01)
    assert found.layers.keys() == {"dense", "batch_normalization", "head"}
    assert probe.look(parameters_of(model)) == found


def test_products_of_bfloat16_are_made_of_float32():
    """For NumPy takes a second for what training does in ten milliseconds, if it rounds every factor."""
    rounding, plain = (net(layers.Dense(8, "tanh", dtype=policy), head()) for policy in ("mixed_bfloat16", None))
    plain.set_weights(rounding.get_weights())
    assert look(rounding) == look(plain)
    assert prober(rounding).judge(parameters_of(rounding), rounding.runner.prepare(X, Y).ready())[0] == pytest.approx(
        plain.evaluate(X, Y, verbose=0), rel=1e-5
    )


def test_dead_and_saturated_by_construction():
    bias = np.array([-1000, 0, 0, 0], np.float32)
    dead = layers.Dense(4, "relu", kernel_initializer="ones", bias_initializer=lambda shape, dtype: bias)
    loud = layers.Dense(5, "tanh", kernel_initializer=thalweg.initializers.Constant(50.0))
    found = look(net(dead, loud, head())).layers
    assert found["dense"]["dead"] == 0.25
    hidden = np.maximum(X.sum(1), 0) * 150
    assert found["dense_1"]["saturated"] == pytest.approx((hidden > np.arctanh(0.99)).mean())
    assert found["dense"]["gain"] == 0
    assert found["dense"]["zero_gradients"] >= 0.25


@pytest.mark.parametrize("function", ["sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "softsign", ops.tanh])
def test_what_saturates(function):
    found = look(net(layers.Dense(4, kernel_initializer="zeros", bias_initializer="ones"), head()), X)
    assert "saturated" not in found.layers["dense"]
    same = thalweg.initializers.Constant(1e4)
    found = look(net(layers.Dense(4, function, kernel_initializer="zeros", bias_initializer=same), head()))
    assert found.layers["dense"]["saturated"] == 1


class Gate(layers.Layer):
    """A user's own."""

    def build(self, x):
        self.w = self.add_weight(shape=(x.shape[-1], 6), name="w")
        self.strange = self.add_weight(shape=(2, 3), name="strange")

    def call(self, x):
        return ops.relu(ops.matmul(x, self.w))


def test_layers_of_ones_own():
    found = look(net(Gate(), head())).layers["gate"]
    assert found.keys() >= {"dead", "gain", "kernel_gradient", "zero_gradients", "pre_deviation"}
    assert found["zero_gradients"] < 1  # of the kernel alone, not of the weight that nothing uses


def test_an_activation_that_is_a_layer_belongs_to_the_one_that_has_it():
    found = look(net(layers.Dense(4, activation=layers.ReLU()), layers.Dense(4), layers.ReLU(), head())).layers
    assert list(found) == ["dense", "dense_1", "re_lu", "head"]
    assert found["dense"].keys() >= {"dead", "pre_deviation", "kernel_gradient"}
    assert found["dense_1"]["pre_deviation"] == found["dense_1"]["deviation"]
    assert found["re_lu"].keys() == {"mean", "deviation", "zeros", "dead"}
    assert "dead" not in look(net(layers.Dense(4), layers.ReLU(negative_slope=0.1), head())).layers["re_lu"]


def test_a_shared_layer_and_several_outputs():
    x = Input((4,))
    twice = layers.Dense(4, "relu", name="twice", bias_initializer=lambda shape, dtype: np.float32([-50, 0, 0, 0]))
    inner = Sequential([Input((4,)), layers.Dense(5, "sigmoid", name="deep")], name="inner")
    middle = inner(twice(twice(x)))
    model = Model(x, [layers.Dense(1, name="number")(middle), head()(middle)])
    model.compile("sgd", {"number": "mse", "head": "sparse_categorical_crossentropy"})
    found = look(model, X, {"number": X[:, :1], "head": Y}).layers
    assert found.keys() == {"twice", "inner/deep", "number", "head"}
    assert found["twice"]["dead"] == 0.25
    assert prober(model, X, {"number": X[:, :1], "head": Y}, None).outcome(parameters_of(model), {}) is None


def test_embeddings_and_frozen_layers_have_no_kernel():
    words = RNG.integers(0, 9, (40, 5))
    frozen = layers.Dense(4, trainable=False)
    model = net(layers.Embedding(9, 4), layers.GlobalAveragePooling1D(), frozen, head(), x=words, dtype="int32")
    found = look(model, words)
    assert found.layers["embedding"].keys() == {"mean", "deviation", "zeros", "gradient_norm"}
    assert found.layers["dense"].keys() == {"mean", "deviation", "zeros"}


def test_a_probe_of_a_moment():
    model = nets.classifier()
    probe, first = prober(model), Moment(0, 0.0, parameters_of(model))
    model.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    found = probe.probe(Moment(4, 2.0, parameters_of(model)), first)
    way = model.get_weights()[0] - first.parameters["parameters/dense/kernel"]
    start = np.linalg.norm(first.parameters["parameters/dense/kernel"])
    assert (found.step, found.epoch) == (4, 2.0)
    assert found.moved["dense"] == pytest.approx(np.linalg.norm(way) / start, rel=1e-5)
    assert found.loss == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-5)
    still = {**first.parameters, "parameters/dense/kernel": np.zeros((4, 8), np.float32)}
    assert "dense" not in probe.moved(first.parameters, still)


def test_how_well_it_does():
    model = nets.classifier()
    model.fit(X, Y, epochs=3, verbose=0)
    rows = model.runner.prepare(X, Y).ready()
    found = prober(model).outcome(parameters_of(model), rows, confident=True)
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    answers = model.predict(X, verbose=0).argmax(1)
    assert (found.rows, found.score) == (40, pytest.approx(accuracy))
    assert found.loss == pytest.approx(loss, rel=1e-5)
    assert found.recalls == pytest.approx([(answers == c)[c == Y].mean() for c in range(3)])
