"""Models of one input and one output take lists and mappings of one part, as in Keras."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers

X = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
Y = X[:, :1]


def connected():
    x = Input((4,), name="photo")
    return Model(x, layers.Dense(1, name="out")(x))


def stacked():
    return Sequential([Input((4,), name="photo"), layers.Dense(1, name="out")])


def open_stack():
    return Sequential([layers.Dense(1, name="out")])


@pytest.mark.parametrize("make", [connected, stacked, open_stack])
@pytest.mark.parametrize("way", ["list", "mapping"])
def test_all_ways_in(make, way):
    model = make()
    model.compile("sgd", "mse")
    named = way == "mapping" and make is not open_stack
    x = {"photo": X} if named else [X]
    y = {"out": Y} if way == "mapping" else [Y]
    weights = {"out": np.ones(8)} if way == "mapping" else [np.ones(8)]
    model.fit(x, y, sample_weight=weights, validation_data=(x, y), verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0))
    assert model.test_on_batch(x, y) == pytest.approx(model.test_on_batch(X, Y))
    expected = model.predict(X, verbose=0)
    for predict in (lambda: model.predict(x, verbose=0), lambda: model.predict_on_batch(x), lambda: model(x)):
        np.testing.assert_array_equal(predict(), expected)
    model.train_on_batch(x, y)
    assert model.input_shape == (None, 4)


def test_a_list_of_one_sample_is_still_one():
    model = stacked()
    np.testing.assert_array_equal(model.predict([X[0]], verbose=0), model.predict(X[:1], verbose=0))
    np.testing.assert_array_equal(model.predict([X[:1]], verbose=0), model.predict(X[:1], verbose=0))
