"""The noise scale against the gradients of the single rows, worked out by hand."""

import numpy as np
import pytest
from tests.diagnosis.examining.nets import compiled, regression

from thalweg import diagnosis, layers
from thalweg.errors import DataError


def linear():
    return compiled([layers.Dense(1, use_bias=False)], "mse")


def by_rows(model, x, y):
    """tr(S) and |G|^2 from every row's gradient, ``2 (x.w - y) x``."""
    (w,) = model.get_weights()
    each = 2 * (x @ w - y).astype(float) * x
    variance = float(np.sum(np.var(each, axis=0, ddof=1)))
    return variance, float(np.sum(each.mean(0) ** 2)) - variance / len(x)


def test_with_batches_of_one_row_it_is_that_of_the_single_rows():
    x, y = regression(100)
    model = linear()
    found = diagnosis.noise_scale(model, x, y, batches=100)
    variance, square = by_rows(model, x, y)
    assert (found.small, found.large) == (1, 100)
    assert found.variance == pytest.approx(variance, rel=1e-6)
    assert found.gradient_square == pytest.approx(square, rel=1e-6)
    assert found.scale == pytest.approx(variance / square, rel=1e-6)


def test_larger_batches_tell_the_same_on_average():
    x, y = regression(120)
    model = linear()
    found = [diagnosis.noise_scale(model, x, y, batches=15, seed=seed) for seed in range(12)]
    variance, square = by_rows(model, x, y)
    assert {one.small for one in found} == {8}
    assert np.mean([one.variance for one in found]) == pytest.approx(variance, rel=0.15)
    assert np.mean([one.gradient_square for one in found]) == pytest.approx(square, rel=0.15)


def test_what_follows_for_the_batches():
    """A gradient of 1 in every row, and noise of a known size."""
    random = np.random.default_rng(0)
    x = np.ones((256, 1), np.float32)
    model = compiled([layers.Dense(1, use_bias=False, kernel_initializer="zeros")], "mse", shape=(1,))

    def found(noise, batch):
        return diagnosis.noise_scale(model, x, 1 + noise * random.normal(size=(256, 1)), batch_size=batch)

    assert found(5.0, 32).code == "balanced"
    noisy = found(5.0, 1)
    assert noisy.code == "noisy"
    assert noisy.suggested in (16, 32, 64)
    assert f"batch_size={noisy.suggested}" in noisy.change
    assert found(0.1, 32).code == "more than needed"
    assert found(0.0, 32).scale == pytest.approx(0, abs=1e-6)


def test_targets_of_noise_alone_are_only_noise():
    x, _ = regression(100)
    model = compiled([layers.Dense(1, kernel_initializer="zeros")], "mse")
    noise = np.random.default_rng(1).normal(size=(100, 1))
    whole = np.concatenate([x, np.ones((100, 1))], 1)
    left = noise - whole @ np.linalg.lstsq(whole, noise, rcond=None)[0]  # what no weights explain
    found = diagnosis.noise_scale(model, x, left)
    assert found.code == "only noise"
    assert found.scale == np.inf
    assert "at least 50" in found.verdict


def test_where_every_gradient_is_0_there_is_no_noise():
    model = compiled([layers.Dense(1, kernel_initializer="zeros")], "mse")
    x, _ = regression(20)
    assert "of every row is 0" in diagnosis.noise_scale(model, x, np.zeros((20, 1))).verdict


def test_where_rows_matter_to_each_other_the_batches_are_those_of_the_training():
    x, y = regression(100)
    model = compiled([layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)], "mse")
    found = diagnosis.noise_scale(model, x, y, batch_size=20)
    assert (found.small, found.large) == (20, 100)


def test_a_single_row_tells_nothing():
    x, y = regression(1)
    with pytest.raises(DataError, match="too few rows"):
        diagnosis.noise_scale(linear(), x, y)
