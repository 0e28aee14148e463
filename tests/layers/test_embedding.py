"""Vectors for categories, in whole models."""

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import NonFiniteError


def model(rows, dtype="int32"):
    thalweg.utils.set_random_seed(0)
    made = thalweg.Sequential(
        [layers.Input((3,), dtype=dtype), layers.Embedding(rows, 4), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )
    made.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return made


def data(rows, n=600):
    r = np.random.default_rng(0)
    x, worth = r.integers(0, rows, (n, 3)), r.normal(size=rows)
    return x, (worth[x].sum(1) > 0).astype(np.float32)


def test_learns_what_categories_are_worth():
    x, y = data(20)
    net = model(20)
    history = net.fit(x, y, epochs=60, batch_size=20, verbose=0)
    assert history.history["accuracy"][-1] > 0.95


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_do_not_depend_on_threads_or_on_the_dtype_of_the_numbers(threads):
    x, y = data(50)
    results = []
    for dtype in ("int32", "float32"):
        net = model(50, dtype)
        net.fit(x.astype(dtype), y, epochs=2, verbose=0, threads=threads)
        results.append(net.get_weights())
    reference = model(50)
    reference.fit(x, y, epochs=2, verbose=0, threads=1)
    for weights in results:
        for ours, theirs in zip(weights, reference.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("number", [-1, 20, 2**31 - 1])
def test_a_number_without_a_row_stops_training_and_says_so(number):
    x, y = data(20)
    x[7, 1] = number
    net = model(20)
    before = net.get_weights()
    with pytest.raises(NonFiniteError) as caught:
        net.fit(x, y, epochs=1, batch_size=600, verbose=0)
    text = str(caught.value)
    assert "layer 'embedding'" in text
    assert f"the number {number}, which has no row in a table of 20" in text
    assert "input_dim" in text
    for ours, kept in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, kept)
