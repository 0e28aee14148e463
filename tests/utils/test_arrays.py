"""utils: rows of one length, vectors of length 1. One-hot rows are tried with the losses."""

from typing import Any

import numpy as np
import pytest

from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.utils import normalize, pad_sequences

TEXTS = [[1, 2, 3, 4], [5, 6], [], [7]]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, [[1, 2, 3, 4], [0, 0, 5, 6], [0, 0, 0, 0], [0, 0, 0, 7]]),
        ({"padding": "post", "value": 9}, [[1, 2, 3, 4], [5, 6, 9, 9], [9] * 4, [7, 9, 9, 9]]),
        ({"maxlen": 2}, [[3, 4], [5, 6], [0, 0], [0, 7]]),
        ({"maxlen": 2, "truncating": "post", "padding": "post"}, [[1, 2], [5, 6], [0, 0], [7, 0]]),
    ],
)
def test_rows_of_one_length(options, rows):
    padded = pad_sequences(TEXTS, **options)
    assert padded.dtype == np.int32
    np.testing.assert_array_equal(padded, rows)


def test_rows_of_vectors_and_texts():
    vectors = [np.ones((2, 3)), np.full((1, 3), 2.0)]
    padded = pad_sequences(vectors, dtype="float32")
    assert padded.shape == (2, 2, 3)
    np.testing.assert_array_equal(padded[1], [[0, 0, 0], [2, 2, 2]])
    assert pad_sequences([["a"], ["b", "c"]], dtype=object, value="-").tolist() == [["-", "a"], ["b", "c"]]
    assert pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("sequences", "options", "kind", "says"),
    [
        ([1, 2], {}, DataError, "no sequence"),
        ([[[1, 2]], [[1]]], {}, ShapeError, "differ in shape"),
        (TEXTS, {"padding": "left"}, ArgumentError, "padding"),
        (TEXTS, {"maxlen": 0}, ArgumentError, "maxlen"),
        (TEXTS, {"value": "-"}, DataError, "fit the dtype"),
    ],
)
def test_bad_sequences(sequences, options, kind, says):
    with pytest.raises(kind, match=says):
        pad_sequences(sequences, **options)


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [-1.0, 1.0]])
    np.testing.assert_allclose(np.linalg.norm(normalize(x), axis=-1), [1, 0, 1])
    np.testing.assert_allclose(normalize(x, axis=0, order=1)[:, 0], [0.75, 0, -0.25])
    np.testing.assert_allclose(normalize([2.0, 0.0]), [1, 0])


@pytest.mark.needs("keras")
def test_keras_gives_the_same():
    import keras

    choices: list[dict[str, Any]] = [{}, {"maxlen": 3, "padding": "post"}, {"maxlen": 1, "truncating": "post"}]
    for options in choices:
        np.testing.assert_array_equal(pad_sequences(TEXTS, **options), keras.utils.pad_sequences(TEXTS, **options))
    x = np.random.default_rng(0).normal(size=(3, 4))
    for options in ({}, {"order": 1}):
        np.testing.assert_allclose(normalize(x, **options), keras.utils.normalize(x, **options))
