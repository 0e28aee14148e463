"""Vectors for categories, in whole models."""

from contextlib import contextmanager

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import DataError, DTypeError, NonFiniteError


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


EXECUTORS = ("native", "numpy")


def looks_up(rows, executor, dtype=None, first=layers.Embedding, **options):
    """A table alone, or a column for each category; without a dtype the data say what the input is."""
    entry = [] if dtype is None else [layers.Input((1,), dtype=dtype)]
    made = thalweg.Sequential([*entry, first(rows, **options)])
    made.executor = thalweg.executors.named(executor)
    return made


@pytest.mark.parametrize("which", EXECUTORS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint32"])
def test_numbers_beyond_the_table_are_no_row_whatever_the_dtype(dtype, which):
    numbers = [2**32 - 1, 3] if dtype == "uint32" else [2**32, 2**32 + 1, 2**31, -(2**32), -1, 3]
    with thalweg_floatx(dtype):
        made = looks_up(3, which, dtype, output_dim=1)
        said = made.predict(np.array([*numbers, 2])[:, None], verbose=0)[:, 0, 0]
    np.testing.assert_array_equal(np.isnan(said), [*(True for _ in numbers), False])


@pytest.mark.parametrize("which", EXECUTORS)
@pytest.mark.parametrize("kind", [layers.Embedding, layers.CategoryEncoding])
def test_nan_is_no_category(kind, which):
    options = {"output_dim": 2} if kind is layers.Embedding else {}
    made = looks_up(3, which, "float32", kind, **options)
    said = made.predict(np.array([[np.nan], [0.0], [np.inf], [-np.inf], [1e30], [2.0]]), verbose=0)
    np.testing.assert_array_equal(np.isnan(said).reshape(6, -1).all(1), [True, False, True, True, True, False])
    assert np.isfinite(said[[1, 5]]).all()


def test_a_number_beyond_32_bits_is_not_trained_as_another():
    for dtype in ("float32", "int64"):
        made = looks_up(3, "native", dtype, output_dim=1)
        made.compile("sgd", "mse")
        before = made.get_weights()[0]
        with pytest.raises(NonFiniteError, match=r"4294967296.* no row in a table of 3"):
            made.fit(np.array([[2**32]]), np.ones((1, 1, 1)), verbose=0)
        np.testing.assert_array_equal(made.get_weights()[0], before)
    made = looks_up(3, "native", "int32", output_dim=1)
    made.compile("sgd", "mse")
    with pytest.raises(DataError, match="4294967296"):
        made.fit(np.array([[2**32]]), np.ones((1, 1, 1)), verbose=0)


def test_numbers_of_categories_are_not_rounded():
    made = looks_up(2**24 + 2, "native", output_dim=1)
    first, second = made.predict(np.array([[2**24], [2**24 + 1]]), verbose=0).ravel()
    table = made.get_weights()[0]
    assert (first, second) == (table[2**24], table[2**24 + 1])
    with pytest.raises(DTypeError, match="dtype='int32'"):
        looks_up(2**24 + 2, "native", "float32", output_dim=1)


@contextmanager
def thalweg_floatx(dtype):
    """float64 where the dtype asks for it: an input of it would be rounded otherwise."""
    before = thalweg.config.floatx()
    thalweg.config.set_floatx(dtype if dtype == "float64" else before)
    yield
    thalweg.config.set_floatx(before)
