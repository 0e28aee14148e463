"""A layer on each part of a sequence."""

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import ShapeError

X = np.random.default_rng(0).normal(size=(6, 4, 3, 5)).astype(np.float32)


def outputs(layer, weights):
    model = thalweg.Sequential([layers.Input(X.shape[1:]), layer])
    model.set_weights(weights)
    return model.predict(X, verbose=0)


@pytest.mark.parametrize(
    ("inner", "same"),
    [
        (lambda: layers.Dense(7, "tanh"), lambda: layers.Dense(7, "tanh")),
        (lambda: layers.LayerNormalization(axis=(1, 2)), lambda: layers.LayerNormalization(axis=(2, 3))),
    ],
    ids=["dense", "layer_normalization"],
)
def test_is_the_layer_on_each_part(inner, same):
    shapes = [w.shape for w in thalweg.Sequential([layers.Input(X.shape[1:]), same()]).get_weights()]
    weights = [np.random.default_rng(1).normal(size=shape).astype(np.float32) for shape in shapes]
    np.testing.assert_allclose(
        outputs(layers.TimeDistributed(inner()), weights), outputs(same(), weights), rtol=1e-6, atol=1e-6
    )


def test_trains_and_is_saved(tmp_path):
    model = thalweg.Sequential([layers.Input((4, 5)), layers.TimeDistributed(layers.Dense(2))])
    model.compile("sgd", "mse")
    before = model.get_weights()[0].copy()
    model.fit(X[:, :, 0], np.ones((6, 4, 2)), epochs=1, verbose=0)
    assert (model.get_weights()[0] != before).any()
    model.save(tmp_path / "net.thalweg")
    again = thalweg.load_model(tmp_path / "net.thalweg")
    np.testing.assert_array_equal(again.predict(X[:, :, 0], verbose=0), model.predict(X[:, :, 0], verbose=0))


def test_needs_parts():
    with pytest.raises(ShapeError, match="no parts to go through"):
        thalweg.Sequential([layers.Input((5,)), layers.TimeDistributed(layers.Dense(2))])
