"""Inputs and outputs in lists and mappings inside others: the structure of results, and the names, are Keras's."""

from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import ArgumentError
from thalweg.trees import flatten, unflatten

ROWS = 8
X: list[Any] = [np.ones((ROWS, 2)), [np.ones((ROWS, 3)), np.ones((ROWS, 4))]]
Y = {"x": np.zeros((ROWS, 1)), "more": [np.zeros((ROWS, 2)), np.zeros((ROWS, 1))]}
WEIGHTS = {"x": np.full(ROWS, 2.0), "more": [np.ones(ROWS), np.full(ROWS, 3.0)]}
PARTS = {"more/second_loss": 81.0, "more/third_loss": 81.0, "x_loss": 81.0}

# What keras.Model(...).evaluate(..., return_dict=True) gave, Keras 3.15.1 on JAX.
RECORDED: dict[str, Any] = {
    "one loss": ({"loss": "mse"}, {"loss": 243.0, **PARTS}),
    "metrics": (
        {"loss": "mse", "metrics": {"x": "mae", "more": ["mse", "mae"]}},
        {"loss": 243.0, **PARTS, "first_mae": 9.0, "second_mse": 81.0, "third_mae": 9.0},
    ),
    "one trained": ({"loss": {"x": "mse"}}, {"loss": 81.0}),
    "one left out": (
        {"loss": {"x": "mse", "more": [None, "mae"]}},
        {"loss": 90.0, "more/third_loss": 9.0, "x_loss": 81.0},
    ),
    "loss weights": (
        {"loss": {"x": "mse", "more": ["mse", "mae"]}, "loss_weights": {"x": 1.0, "more": [2.0, 3.0]}},
        {"loss": 270.0, "more/second_loss": 81.0, "more/third_loss": 9.0, "x_loss": 81.0},
    ),
}
WEIGHTED = {"loss": 486.0, "more/second_loss": 81.0, "more/third_loss": 243.0, "x_loss": 162.0}


def parts(library) -> tuple[Any, Any]:
    """Symbols of inputs and outputs, nested."""
    sizes = {"a": 2, "b": 3, "c": 4}
    a, b, c = (library.Input((size,), name=name) for name, size in sizes.items())
    whole = library.layers.Concatenate()([a, b, c])
    y, z, w = (
        library.layers.Dense(units, kernel_initializer="ones", name=name)(whole)
        for name, units in (("first", 1), ("second", 2), ("third", 1))
    )
    return [a, [b, c]], {"x": y, "more": [z, w]}


def model(**options) -> Any:
    made = thalweg.Model(*parts(thalweg))
    made.executor = "numpy"
    made.compile(**({"optimizer": "sgd", "loss": "mse"} | options))
    return made


def shapes(tree):
    leaves, form = flatten(tree)
    return unflatten(form, iter([np.shape(leaf) for leaf in leaves]))


class Own(thalweg.Model):
    """Takes and gives nested tensors."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x):
        return {"u": [self.dense(x[0]), self.dense(x[1]["k"])], "v": self.dense(x[0])}


OWN_X = [np.ones((ROWS, 2)), {"k": np.full((ROWS, 2), 3.0)}]


@pytest.mark.parametrize("case", RECORDED)
def test_what_keras_gave(case):
    options, expected = RECORDED[case]
    assert model(**options).evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(expected)


def test_sample_weights_as_keras():
    assert model().evaluate(X, Y, sample_weight=WEIGHTS, verbose=0, return_dict=True) == pytest.approx(WEIGHTED)


@pytest.mark.needs("keras")
@pytest.mark.filterwarnings("ignore")
def test_what_keras_gives(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras

    theirs = keras.Model(*parts(keras))
    assert shapes(model().predict(X, verbose=0)) == shapes(theirs.predict(X, verbose=0))
    for options, expected in RECORDED.values():
        theirs = keras.Model(*parts(keras))
        theirs.compile("sgd", **options)
        assert theirs.evaluate(X, Y, verbose=0, return_dict=True) == pytest.approx(expected)
    theirs.compile("sgd", "mse")
    given = theirs.evaluate(X, Y, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert given == pytest.approx(WEIGHTED)


def test_predictions_are_nested_as_the_outputs(tmp_path):
    made = model()
    expected = {"more": [(ROWS, 2), (ROWS, 1)], "x": (ROWS, 1)}
    assert shapes(made.predict(X, verbose=0)) == shapes(made(X)) == expected
    assert made.predict_on_batch(X)["more"][0][0, 0] == 9
    assert made.output_names == ["second", "third", "first"]
    assert made.input[1][1] is made.inputs[2]
    made.fit(X, Y, validation_data=(X, Y), verbose=0)
    made.save(tmp_path / "m")
    again = thalweg.load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(X, verbose=0)["more"][1], made.predict(X, verbose=0)["more"][1])
    assert set(again.fit(X, Y, verbose=0).history) == {"loss", *PARTS}


def test_flat_data_fit_too():
    made = model()
    by_name = dict(zip("abc", flatten(X)[0], strict=True))
    for x in (flatten(X)[0], by_name):
        np.testing.assert_array_equal(made.predict(x, verbose=0)["x"], made.predict(X, verbose=0)["x"])


def test_a_model_inside_another_one():
    inner = model()
    x, _ = parts(thalweg)
    outputs = inner(x)
    assert shapes(outputs).keys() == {"more", "x"}
    outer = thalweg.Model(x, outputs["more"][1])
    np.testing.assert_array_equal(outer.predict(X, verbose=0), inner.predict(X, verbose=0)["more"][1])


def test_one_row_of_one_nested_output():
    x = thalweg.Input((2,))
    made = thalweg.Model(x, {"only": [layers.Dense(1)(x)]})
    row = np.ones((1, 2), np.float32)
    assert shapes(made.predict(row, verbose=0)) == shapes(made.predict(row, verbose=0)) == {"only": [(1, 1)]}
    made.compile("sgd", "mse")
    made.fit(row, {"only": [np.ones((1, 1))]}, verbose=0)


def test_a_class_of_models():
    made = Own()
    made.executor = "numpy"
    made.compile("sgd", {"u": ["mse", "mae"], "v": "mse"})
    results = made.predict(OWN_X, verbose=0)
    assert (results["u"][0][0, 0], results["u"][1][0, 0], results["v"][0, 0]) == (2, 6, 2)
    targets = {"u": [np.ones((ROWS, 2)), np.ones((ROWS, 2))], "v": np.ones((ROWS, 2))}
    logs = made.evaluate(OWN_X, targets, verbose=0, return_dict=True)
    assert logs == pytest.approx({"loss": 7.0, "u/0_loss": 1.0, "u/1_loss": 5.0, "v_loss": 1.0})


def test_a_class_of_models_on_symbols_and_from_a_file(tmp_path):
    made = Own()
    a, b = thalweg.Input((2,)), thalweg.Input((2,))
    outputs = made([a, {"k": b}])
    assert shapes(outputs) == {"u": [(None, 2), (None, 2)], "v": (None, 2)}
    made.save(tmp_path / "m")
    again = thalweg.load_model(tmp_path / "m", custom_objects={"Own": Own})
    np.testing.assert_array_equal(again.predict(OWN_X, verbose=0)["u"][1], made.predict(OWN_X, verbose=0)["u"][1])


def test_a_step_of_ones_own_gets_data_as_they_are():
    class Watching(thalweg.Model):
        def train_step(self, data: Any) -> Any:
            x, y = data
            seen.append((shapes(x), shapes(y)))
            return super().train_step(data)

    seen = []
    made = Watching(*parts(thalweg))
    made.executor = "numpy"
    made.compile("sgd", "mse")
    assert made.fit(X, Y, verbose=0).history["loss"] == [pytest.approx(243.0)]
    assert seen[-1] == (shapes(X), shapes(Y))


def test_what_does_not_fit():
    with pytest.raises(ArgumentError, match="as many parts"):
        model().predict([X[0], X[1][0]], verbose=0)
    with pytest.raises(ArgumentError, match="names an output"):
        model(loss={"z": "mse"})
    with pytest.raises(ArgumentError, match="does not fit its rule"):
        thalweg.Model([thalweg.Input((2,)), [3]], parts(thalweg)[1])
    described = model().get_config()
    described["outputs_form"] = {"list": ["leaf"]}
    with pytest.raises(ArgumentError, match="other leaves"):
        thalweg.Model.from_config(described)
