"""Layers for the columns of a table, against their formulas written with NumPy, and what the formulas promise."""

import numpy as np
import pytest

from thalweg import layers
from thalweg.errors import ShapeError

X = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def test_scale_multiplies_each_feature():
    layer = layers.Scale()
    assert np.array_equal(layer(X), X)
    layer.set_weights([np.array([0.0, 2.0, -1.0], np.float32)])
    assert np.array_equal(layer(X), X * np.array([0.0, 2.0, -1.0], np.float32))


def test_smooth_clipping_is_x_in_the_middle_and_the_limit_far_out():
    layer = layers.SmoothClipping(2.0)
    np.testing.assert_allclose(layer(X), X / np.sqrt(1 + (X / 2) ** 2), rtol=1e-6)
    y = layer(np.array([[-1e9, -1e-4, 0.0, 1e-4, 5.0, 50.0, 1e9]], np.float32))[0]
    np.testing.assert_allclose(y[[0, 1, 2, 3, -1]], [-2, -1e-4, 0, 1e-4, 2], rtol=1e-6)
    assert np.all(np.diff(y) > 0)


def test_periodic_embedding_is_its_formula():
    layer = layers.PeriodicEmbedding(3, frequencies=5, deviation=0.7)
    y = layer(X).reshape(7, 3, 3)
    frequency, phase, kernel, bias = (p.astype(np.float64) for p in layer.get_weights())
    assert [w.shape for w in (frequency, phase, kernel, bias)] == [(3, 5), (3, 5), (3, 5, 2), (3, 2)]
    waves = np.cos(2 * np.pi * X[:, :, None].astype(np.float64) * frequency + phase)
    np.testing.assert_array_equal(y[:, :, 0], X)
    np.testing.assert_allclose(y[:, :, 1:], np.einsum("bkf,kfu->bku", waves, kernel) + bias, atol=1e-6)


def test_periodic_embedding_starts_with_slow_waves_of_any_phase():
    layer = layers.PeriodicEmbedding(2, frequencies=1000)
    layer(X)
    frequency, phase, kernel, _ = layer.get_weights()
    assert abs(frequency.std() - 0.1) < 0.01
    assert phase.min() < -3 < 3 < phase.max()
    assert np.abs(kernel).max() <= 1000**-0.5


def test_a_column_of_a_periodic_embedding_sees_itself_alone():
    layer = layers.PeriodicEmbedding()
    changed = X.copy()
    changed[:, 1] += 1
    same = layer(X) == layer(changed)
    assert same.reshape(7, 3, 4).all(axis=(0, 2)).tolist() == [True, False, True]


def test_parametric_activation_goes_from_a_line_to_the_function():
    layer = layers.ParametricActivation("tanh")
    np.testing.assert_allclose(layer(X), np.tanh(X), atol=1e-6)
    layer.set_weights([np.array([0.0, 0.5, 1.0], np.float32)])
    np.testing.assert_allclose(layer(X), X + np.array([0.0, 0.5, 1.0]) * (np.tanh(X) - X), atol=1e-6)


@pytest.mark.parametrize("layer", [layers.Scale, layers.PeriodicEmbedding, lambda: layers.ParametricActivation("relu")])
def test_one_number_for_each_sample_has_no_features(layer):
    with pytest.raises(ShapeError, match="the input has no features"):
        layer()(np.zeros(5, np.float32))


@pytest.mark.parametrize("layer", [layers.Scale(), layers.PeriodicEmbedding(), layers.ParametricActivation("relu")])
def test_another_number_of_features_is_refused(layer):
    layer(X)
    with pytest.raises(ShapeError, match="does not fit the parameters"):
        layer(X[:, :2])
