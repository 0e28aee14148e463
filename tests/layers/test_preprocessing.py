"""Layers that learn from data before training: what adapt finds, what it refuses. Formulas: tests/oracles."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from tests.oracles.record import installed

import thalweg
from thalweg import layers
from thalweg.errors import ArgumentError, DataError, NonFiniteError, ShapeError

RANDOM = np.random.RandomState(0)


def test_adapted_data_have_mean_0_and_deviation_1():
    x = (RANDOM.standard_normal((5000, 4)) * [1, 10, 1e-3, 5] + [0, 1e4, 3, -2]).astype(np.float32)
    norm = layers.Normalization()
    norm.adapt(x)
    model = thalweg.Sequential([thalweg.Input((4,)), norm])
    y = model.predict(x, verbose=0)
    exact = (x - x.mean(0, dtype=np.float64)) / x.std(0, dtype=np.float64)
    np.testing.assert_allclose(y, exact, atol=2e-3)  # the mean 1e4 as a float32 is off by up to 5e-4
    np.testing.assert_allclose(norm.get_weights()[1], x.var(0, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("axis", [-1, None, (1, 2), 1])
def test_axes(axis):
    x = RANDOM.normal(3.0, 2.0, (300, 2, 3)).astype(np.float32)
    norm = layers.Normalization(axis=axis)
    norm.adapt(x)
    y = thalweg.Sequential([thalweg.Input((2, 3)), norm]).predict(x, verbose=0)
    kept = () if axis is None else tuple(a % 3 for a in np.atleast_1d(axis))
    averaged = tuple(a for a in range(3) if a not in kept)
    np.testing.assert_allclose(y, (x - x.mean(averaged, keepdims=True)) / x.std(averaged, keepdims=True), atol=1e-5)


def test_adapting_again_reaches_the_models_that_have_the_layer():
    norm = layers.Normalization()
    model = thalweg.Sequential([thalweg.Input((1,)), norm])
    x = np.array([[1.0], [3.0]], np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    norm.adapt(x)
    np.testing.assert_array_equal(model.predict(x, verbose=0), [[-1], [1]])
    norm.adapt(x * 2)
    np.testing.assert_array_equal(model.predict(x * 2, verbose=0), [[-1], [1]])


def test_what_was_adapted_is_saved_and_not_trained(tmp_path):
    x = RANDOM.normal(3.0, 2.0, (64, 3)).astype(np.float32)
    norm, bins = layers.Normalization(), layers.Discretization(num_bins=4, output_mode="one_hot")
    norm.adapt(x)
    bins.adapt(x)
    entry = thalweg.Input((3,))
    joined = layers.Concatenate()([norm(entry), layers.Flatten()(bins(entry))])
    model = thalweg.Model(entry, layers.Dense(1)(joined))
    model.compile("adam", "mse")
    before = norm.get_weights(), bins.get_weights()
    model.fit(x, x[:, 0], verbose=0)
    for old, new in zip(before, (norm.get_weights(), bins.get_weights()), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
    model.save(tmp_path / "m")
    again = thalweg.load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_constant_column_becomes_0_and_is_named():
    x = RANDOM.standard_normal((50, 3)).astype(np.float32)
    x[:, 1] = 0.1
    norm = layers.Normalization()
    with pytest.warns(UserWarning, match=r"1 of 3 columns are the same everywhere and become 0: 1$"):
        norm.adapt(x)
    model = thalweg.Sequential([thalweg.Input((3,)), norm])
    assert (model.predict(x, verbose=0)[:, 1] == 0).all()
    other = x.copy()
    other[:, 1] = 1.1
    np.testing.assert_allclose(model.predict(other, verbose=0)[:, 1], 1.0, rtol=1e-6)


@pytest.mark.parametrize("make", [layers.Normalization, lambda: layers.Discretization(num_bins=3)])
def test_missing_values(make):
    x = RANDOM.standard_normal((5, 3))
    x[:, 2] = np.nan
    with pytest.raises(DataError, match=r"all values of a column are missing(\n.*)*column 2"):
        make().adapt(x)
    x[1:, 2] = 0
    with pytest.raises(DataError, match="row 0, column 2"):
        make().adapt(x)
    with pytest.raises(DataError, match="no data"):
        make().adapt(x[:0])


def test_arguments():
    with pytest.raises(ArgumentError, match="go together"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ArgumentError, match="adapt"):
        layers.Normalization(mean=1.0, variance=1.0).adapt(np.zeros((3, 2)))
    with pytest.raises(ShapeError, match="mean and variance"):
        layers.Normalization(mean=(1.0, 2.0), variance=(1.0, 2.0))(thalweg.Input((3,)))
    norm = layers.Normalization()
    norm(thalweg.Input((3,)))
    with pytest.raises(ShapeError, match="adapt"):
        norm.adapt(RANDOM.standard_normal((5, 4)))
    for options in ({}, {"bin_boundaries": (1.0,), "num_bins": 3}, {"bin_boundaries": (2.0, 1.0)}):
        with pytest.raises(ArgumentError, match="Discretization"):
            layers.Discretization(**options)
    with pytest.raises(DataError, match="all the same"):
        layers.Discretization(num_bins=3).adapt(np.ones((5, 1)))
    with pytest.raises(ArgumentError, match="given"):
        layers.Discretization((1.0,)).adapt(np.ones((5, 1)))


@pytest.mark.parametrize("bins", [2, 4, 7])
def test_bins_share_the_data_equally(bins):
    x = RANDOM.exponential(size=(7 * 4 * 50, 1)).astype(np.float32)
    layer = layers.Discretization(num_bins=bins)
    layer.adapt(x)
    found = thalweg.Sequential([thalweg.Input((1,)), layer]).predict(x, verbose=0)
    counts = np.bincount(found.ravel())
    assert len(counts) == bins
    assert np.ptp(counts) <= 2


@pytest.mark.parametrize("mode", ["multi_hot", "one_hot", "count"])
@pytest.mark.parametrize("number", [-1, 3])
def test_a_number_without_a_category_stops_training_and_says_so(mode, number):
    size = 1 if mode == "one_hot" else 2
    encoding = layers.CategoryEncoding(3, output_mode=mode)
    model = thalweg.Sequential([thalweg.Input((size,), dtype="int32"), encoding, layers.Dense(1)])
    x = np.tile([0, 2], (6, 1))[:, :size]
    x[4, size - 1] = number
    model.compile("sgd", "mse")
    with pytest.raises(NonFiniteError) as caught:
        model.fit(x, np.ones(6), verbose=0)
    text = str(caught.value)
    assert "layer 'category_encoding'" in text
    assert f"the number {number}, which has no row in a table of 3" in text
    assert "num_tokens" in text
    y = thalweg.Sequential([thalweg.Input((size,), dtype="int32"), encoding]).predict(x, verbose=0)
    assert np.isnan(y[4]).all()
    assert np.isfinite(np.delete(y, 4, 0)).all()


@pytest.mark.slow
def test_adapt_against_keras():
    if not installed("keras"):
        pytest.skip("keras is not installed")

    x = RANDOM.normal(3.0, 2.0, (97, 3)).astype(np.float32)
    code = (
        "import sys, json, numpy as np, keras\n"
        "x = np.array(json.loads(sys.stdin.read()), np.float32)\n"
        "n = keras.layers.Normalization(); n.adapt(x)\n"
        "d = keras.layers.Discretization(num_bins=5, epsilon=1e-4); d.update_state(x); d.finalize_state()\n"
        "print(json.dumps([np.asarray(n.mean).ravel().tolist(), np.asarray(n.variance).ravel().tolist(), "
        "d.bin_boundaries]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(x.tolist()),
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        check=True,
    )
    mean, variance, boundaries = json.loads(done.stdout.splitlines()[-1])
    norm, bins = layers.Normalization(), layers.Discretization(num_bins=5)
    norm.adapt(x)
    bins.adapt(x)
    for layer in (norm, bins):
        thalweg.Sequential([thalweg.Input((3,)), layer])
    np.testing.assert_allclose(norm.get_weights()[0], mean, rtol=1e-5)
    np.testing.assert_allclose(norm.get_weights()[1], variance, rtol=1e-5)
    np.testing.assert_allclose(bins.get_weights()[0], boundaries, rtol=1e-5)


def test_large_integers_need_no_copy():
    x = RANDOM.randint(0, 255, (9000, 8)).astype(np.uint8)
    norm = layers.Normalization()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        norm.adapt(x)
    thalweg.Sequential([thalweg.Input((8,), dtype="uint8"), norm])
    np.testing.assert_allclose(norm.get_weights()[0], x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(norm.get_weights()[1], x.astype(float).var(0), rtol=1e-6)


def test_nan_lies_in_no_bin():
    x = np.array([[np.nan], [-1.0], [0.5], [np.inf]])
    for mode, expected in (("int", [-1, 0, 1, 2]), ("one_hot", [np.nan, 0, 1, 2])):
        model = thalweg.Sequential([layers.Input((1,)), layers.Discretization([0.0, 1.0], output_mode=mode)])
        said = model.predict(x, verbose=0)
        if mode == "one_hot":
            assert np.isnan(said[0]).all()
            said, expected = said[1:].argmax(-1), expected[1:]
        np.testing.assert_array_equal(said.ravel(), expected)
