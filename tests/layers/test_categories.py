"""Several columns of categories at once, against one column after the other."""

import numpy as np
import pytest

from thalweg import layers
from thalweg.errors import ShapeError

CODES = np.array([[0, 2, 3], [1, 0, 0], [2, 1, 5]], np.int32)
SIZES = (3, 3, 6)


def one_hot(codes, size):
    return np.eye(size, dtype=np.float32)[codes]


def test_one_hot_columns_stand_side_by_side():
    expected = np.concatenate([one_hot(CODES[:, i], size) for i, size in enumerate(SIZES)], axis=1)
    np.testing.assert_array_equal(layers.OneHotColumns(SIZES)(CODES), expected)


def test_a_category_without_a_column_is_zero_in_all():
    columns = [np.delete(one_hot(CODES[:, i], size), 1, axis=1) for i, size in enumerate(SIZES)]
    np.testing.assert_array_equal(layers.OneHotColumns(SIZES, without=1)(CODES), np.concatenate(columns, axis=1))


def test_a_number_outside_of_its_column_has_no_column():
    assert not layers.OneHotColumns((2, 2))(np.array([[2, -1]], np.int32)).any()


def test_vectors_are_those_of_an_embedding_for_each_column():
    layer = layers.ColumnEmbedding(SIZES, 2)
    result = layer(CODES)
    table = layer.embeddings.numpy()
    starts = np.array([0, 3, 6])
    np.testing.assert_array_equal(result, table[CODES + starts].reshape(3, 6))
    assert table.shape == (12, 2)


@pytest.mark.parametrize("layer", [layers.OneHotColumns((2, 2)), layers.ColumnEmbedding((2,), 3)])
def test_sizes_for_other_columns_are_refused(layer):
    with pytest.raises(ShapeError, match="sizes"):
        layer(CODES)
