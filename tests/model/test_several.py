"""Models of several inputs and outputs: lists and mappings, losses, weights and metrics for each, Keras's names."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tests.oracles.record import installed

import thalweg
from thalweg import layers
from thalweg.errors import ArgumentError, DataError

RANDOM = np.random.RandomState(0)
X = {"left": RANDOM.standard_normal((24, 3)), "right": RANDOM.standard_normal((24, 2))}
Y = {"price": RANDOM.standard_normal((24, 1)), "kind": RANDOM.randint(0, 2, 24)}
LOSSES = {"price": "mse", "kind": "sparse_categorical_crossentropy"}
WEIGHTS = [RANDOM.standard_normal(shape) for shape in ((5, 4), (4,), (4, 1), (1,), (4, 2), (2,))]


def model(named=False, **options):
    left, right = thalweg.Input((3,), name="left"), thalweg.Input((2,), name="right")
    shared = layers.Dense(4, "tanh", name="shared")(layers.Concatenate()([left, right]))
    price, kind = layers.Dense(1, name="price")(shared), layers.Dense(2, "softmax", name="kind")(shared)
    made = thalweg.Model([left, right], {"price": price, "kind": kind} if named else [price, kind])
    made.set_weights(WEIGHTS)
    made.compile(thalweg.optimizers.SGD(0.1), **({"loss": LOSSES} | options))
    return made


SETTINGS = {
    "lists": {"loss": list(LOSSES.values()), "loss_weights": [2.0, 0.5], "metrics": [["mse"], ["accuracy"]]},
    "mappings": {"loss": LOSSES, "loss_weights": {"price": 2.0, "kind": 0.5}, "metrics": {"kind": ["accuracy"]}},
    "weighted": {
        "loss": LOSSES,
        "metrics": {"kind": ["accuracy"]},
        "weighted_metrics": {"kind": ["accuracy"], "price": ["mse"]},
    },
    "one each": {"loss": LOSSES, "metrics": ["mse", "accuracy"]},
}


def ours(options, as_mappings):
    made = model(**options)
    x, y = (X, Y) if as_mappings else (list(X.values()), list(Y.values()))
    history = made.fit(x, y, batch_size=8, epochs=3, shuffle=False, validation_data=(x, y), verbose=0).history
    return history, [w.tolist() for w in made.get_weights()]


@pytest.mark.parametrize("setting", SETTINGS)
def test_lists_and_mappings_mean_the_same(setting):
    assert ours(SETTINGS[setting], True) == ours(SETTINGS[setting], False)


@pytest.mark.slow
def test_fit_against_keras_from_equal_weights():
    """Names and values of the History, and the weights, after 9 steps."""
    if not installed("keras"):
        pytest.skip("keras is not installed")
    code = """
import json, sys, numpy as np, keras
given = json.loads(sys.stdin.read())
x, y = [np.array(v) for v in given["x"]], [np.array(v) for v in given["y"]]
results = {}
for name, options in given["settings"].items():
    left, right = keras.Input((3,), name="left"), keras.Input((2,), name="right")
    shared = keras.layers.Dense(4, "tanh")(keras.layers.Concatenate()([left, right]))
    outputs = [keras.layers.Dense(1, name="price")(shared)]
    outputs.append(keras.layers.Dense(2, "softmax", name="kind")(shared))
    model = keras.Model([left, right], outputs)
    model.set_weights([np.array(w) for w in given["weights"]])
    model.compile(keras.optimizers.SGD(0.1), **options)
    history = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, validation_data=(x, y), verbose=0).history
    results[name] = [history, [w.tolist() for w in model.get_weights()]]
print(json.dumps(results, default=float))
"""
    question = {
        "x": [v.tolist() for v in X.values()],
        "y": [v.tolist() for v in Y.values()],
        "settings": SETTINGS,
        "weights": [w.tolist() for w in WEIGHTS],
    }
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(question), capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    for name, (history, weights) in answers.items():
        our_history, our_weights = ours(SETTINGS[name], False)
        assert set(our_history) == set(history), name
        for what, values in history.items():
            np.testing.assert_allclose(our_history[what], values, rtol=1e-4, err_msg=f"{name}: {what}")
        for one, other in zip(our_weights, weights, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_mapping_of_outputs_predicts_a_mapping_also_from_a_file(tmp_path):
    made = model(named=True)
    made.fit(X, Y, verbose=0)
    results = made.predict(X, verbose=0)
    assert list(results) == ["price", "kind"]
    assert results["kind"].shape == (24, 2)
    made.save(tmp_path / "m")
    again = thalweg.load_model(tmp_path / "m").predict(X, verbose=0)
    for name, values in results.items():
        np.testing.assert_array_equal(again[name], values)


def test_sample_weights_for_each_output():
    made = model(loss_weights={"kind": 0.0})
    weights = {"price": np.arange(24.0), "kind": np.ones(24)}
    logs = made.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
    error = np.square(made.predict(X, verbose=0)[0] - Y["price"])[:, 0]
    assert logs["price_loss"] == pytest.approx((error * np.arange(24)).mean(), rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["price_loss"])


def test_outputs_are_named_after_their_layers():
    entry = thalweg.Input((3,))
    hidden = layers.Dense(4)(entry)
    made = thalweg.Model(entry, [layers.Dense(1)(hidden), layers.Dense(2)(hidden)])
    made.compile("sgd", "mse")
    assert [layer.name for layer in made.layers] == ["input_layer", "dense", "dense_1", "dense_2"]
    assert made.metrics_names == ["loss", "dense_1_loss", "dense_2_loss"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["mse"]}, "'metrics' does not fit"),
        ({"loss": ["mse"]}, "'loss' does not fit"),
        ({"loss": {"prise": "mse"}}, "did you mean 'price'"),
        ({"loss_weights": [1.0]}, "'loss_weights' does not fit"),
        ({"metrics": {"kinds": ["accuracy"]}}, "did you mean 'kind'"),
    ],
)
def test_what_names_no_output(options, message):
    with pytest.raises(ArgumentError, match=message):
        model(**options)


def test_data_that_do_not_fit():
    made = model()
    with pytest.raises(ArgumentError, match="as many parts"):
        made.fit([X["left"]], Y)
    with pytest.raises(ArgumentError, match="add 'kind'"):
        made.fit(X, {"price": Y["price"]})
    with pytest.raises(DataError, match="target"):
        made.fit(X, {**Y, "kind": Y["kind"] + 5})


# Outputs without a loss


def two(loss, metrics=None, **options):
    entry = thalweg.Input((3,))
    outputs = {"price": layers.Dense(1)(entry), "kind": layers.Dense(2, "softmax")(entry)}
    made = thalweg.Model(entry, outputs)
    made.compile("sgd", loss, metrics=metrics, **options)
    return made


def test_an_output_without_a_loss_is_measured_and_not_trained():
    made = two({"price": "mse", "kind": None}, {"price": ["mae"], "kind": ["accuracy"]})
    before = made.get_layer("dense_1").get_weights()
    history = made.fit(X["left"], Y, epochs=2, verbose=0, validation_split=0.25).history
    assert list(history)[:3] == ["loss", "price_mae", "kind_accuracy"]  # Keras's names: one loss has no parts
    logs = made.evaluate(X["left"], Y, verbose=0, return_dict=True)
    predicted = made.predict(X["left"], verbose=0)
    assert logs["loss"] == pytest.approx(np.mean((predicted["price"] - Y["price"]) ** 2), rel=1e-5)
    assert logs["kind_accuracy"] == pytest.approx(np.mean(predicted["kind"].argmax(1) == Y["kind"]))
    for old, new in zip(before, made.get_layer("dense_1").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_it_trains_to_the_same_bits_as_the_part_alone():
    parts = []
    for loss in ({"price": "mse"}, {"price": "mse", "kind": None}):
        thalweg.utils.set_random_seed(1)
        made = two(loss)
        made.fit(X["left"], Y["price"], epochs=2, verbose=0)
        parts.append(made.get_weights())
    entry = thalweg.Input((3,))
    thalweg.utils.set_random_seed(1)
    alone = thalweg.Model(entry, {"price": layers.Dense(1)(entry)})
    alone.compile("sgd", {"price": "mse"})
    alone.fit(X["left"], {"price": Y["price"]}, epochs=2, verbose=0)
    for other in (parts[1], alone.get_weights()):
        for old, new in zip(parts[0], other, strict=False):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ({"price": "mse"}, {"price": Y["price"]}),
        ({"price": "mse"}, Y),
        (["mse", None], [Y["price"], Y["kind"]]),
        (["mse", None], [Y["price"], None]),
        (["mse", None], Y["price"]),
    ],
)
def test_targets_of_an_output_that_nothing_asks_for_may_be_left_out(loss, y):
    made = two(loss)
    assert list(made.fit(X["left"], y, verbose=0).history) == ["loss"]
    made.fit(X["left"], y, sample_weight=np.ones(24), verbose=0)


def test_metrics_of_class_numbers_and_of_one_hot_rows():
    made = two({"price": "mse", "kind": None}, {"kind": ["sparse_categorical_accuracy"]})
    numbers = made.evaluate(X["left"], Y, verbose=0)
    made.compile("sgd", {"price": "mse", "kind": None}, metrics={"kind": ["categorical_accuracy"]})
    rows = made.evaluate(X["left"], Y | {"kind": np.eye(2)[Y["kind"]]}, verbose=0)
    assert numbers == rows


def test_no_loss_at_all_and_unknown_targets():
    for nothing in ({"price": None}, [None, None], {}, None):
        with pytest.raises(ArgumentError, match="no loss"):
            two(nothing)
    with pytest.raises(ArgumentError, match="does not name what the model has"):
        two({"price": "mse"}).fit(X["left"], {"prise": Y["price"]}, verbose=0)


def test_files_of_models_with_an_output_without_a_loss(tmp_path):
    made = two({"price": "mse", "kind": None}, {"kind": ["accuracy"]})
    made.fit(X["left"], Y, verbose=0)
    made.save(tmp_path / "m")
    again = thalweg.load_model(tmp_path / "m")
    assert again.evaluate(X["left"], Y, verbose=0) == made.evaluate(X["left"], Y, verbose=0)
