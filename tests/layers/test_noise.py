"""Layers that draw random numbers: what they do on average, and that they do it in training only."""

import numpy as np
import pytest
from tests.layers.test_layers import run

from thalweg import layers, ops
from thalweg.errors import ShapeError

# 80,000 numbers: means and deviations are known to about 0.4 %, and five times that is asked for
X = np.random.RandomState(0).standard_normal((400, 200)).astype(np.float32)


@pytest.mark.parametrize(
    "layer",
    [
        layers.GaussianNoise(0.5),
        layers.GaussianDropout(0.3),
        layers.AlphaDropout(0.3),
        layers.GaussianNoise(0.0),
        layers.AlphaDropout(0.0),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_off_outside_training(layer):
    np.testing.assert_array_equal(run(layer, X), X)
    if getattr(layer, "rate", getattr(layer, "stddev", 0)) == 0:
        np.testing.assert_array_equal(run(layer, X, training=True), X)


def test_gaussian_noise():
    noise = run(layers.GaussianNoise(0.5), X, training=True) - X
    assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(X.size)
    assert noise.std() == pytest.approx(0.5, rel=0.0125)
    assert abs(np.corrcoef(noise.ravel(), X.ravel())[0, 1]) < 5 / np.sqrt(X.size)


def test_gaussian_dropout_has_the_variance_of_dropout():
    factors = run(layers.GaussianDropout(0.2), np.ones_like(X), training=True)
    assert factors.mean() == pytest.approx(1.0, abs=5 * 0.5 / np.sqrt(X.size))
    assert factors.std() == pytest.approx(np.sqrt(0.2 / 0.8), rel=0.0125)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    y = run(layers.AlphaDropout(rate), X, training=True)
    assert y.mean() == pytest.approx(X.mean(), abs=0.02)
    assert y.std() == pytest.approx(X.std(), rel=0.02)
    most_frequent = np.unique(y, return_counts=True)[1].max()  # the dropped ones, all equal
    assert most_frequent / y.size == pytest.approx(rate, abs=0.01)


@pytest.mark.needs("scipy")
def test_normal_numbers_are_normal():
    z = np.sort(run(layers.GaussianNoise(1.0), np.zeros((1000, 200), np.float32), training=True).ravel())
    from scipy import stats as statistics

    assert statistics.kstest(z, "norm").pvalue > 1e-3
    assert np.abs(z).max() < 6.35


@pytest.mark.parametrize(
    ("layer", "shape", "together"),
    [
        (layers.SpatialDropout1D(0.4), (50, 6, 40), (1,)),
        (layers.SpatialDropout2D(0.4), (50, 3, 4, 40), (1, 2)),
        (layers.SpatialDropout2D(0.4, "channels_first"), (50, 40, 3, 4), (2, 3)),
        (layers.SpatialDropout3D(0.4), (50, 3, 2, 2, 40), (1, 2, 3)),
        (layers.SpatialDropout3D(0.4, "channels_first"), (50, 40, 2, 3, 2), (2, 3, 4)),
    ],
)
def test_spatial_dropout_drops_whole_features(layer, shape, together):
    x = np.ones(shape, np.float32)
    y = run(layer, x, training=True)
    np.testing.assert_array_equal(y.max(together), y.min(together))
    dropped = y.max(together) == 0
    assert dropped.mean() == pytest.approx(0.4, abs=5 * np.sqrt(0.24 / dropped.size))
    np.testing.assert_allclose(y[y != 0], 1 / 0.6, rtol=1e-6)
    np.testing.assert_array_equal(run(layer, x), x)
    with pytest.raises(ShapeError, match="no axis of channels"):
        run(layer, x[0], training=True)


@pytest.mark.needs("scipy")
def test_random_normal_is_symmetric_and_exact_at_known_places():
    """The reference's bits give u; the normal number is the inverse of the distribution function there."""
    from scipy import special
    from tests.compute import compute

    seed, step = (ops.state_node(name, (), "uint32") for name in ("seed", "step"))
    state = {"seed": np.uint32(3), "step": np.uint32(5)}
    bits = compute(ops.random_bits((20000,), 7, seed, step), state)
    z = compute(ops.random_normal((20000,), 7, seed, step), state)
    expected = special.ndtri((bits.astype(np.float64) + 0.5) * 2.0**-32)
    np.testing.assert_allclose(z, expected, rtol=2e-6, atol=1e-7)
