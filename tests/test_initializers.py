"""Initializers beyond their values, which are in tests/oracles."""

import json

import numpy as np
import pytest

import thalweg
from thalweg import initializers, layers
from thalweg.errors import ArgumentError, ShapeError

TABLE = np.arange(6.0).reshape(3, 2)


def embedding(start):
    return thalweg.Sequential(
        [thalweg.Input((4,), dtype="int32"), layers.Embedding(3, 2, embeddings_initializer=start)]
    )


class TestConstantArrays:
    def test_a_trained_table(self, tmp_path):
        model = embedding(initializers.Constant(TABLE))
        np.testing.assert_array_equal(model.get_weights()[0], TABLE)
        model.save(tmp_path / "m")
        thalweg.load_model(tmp_path / "m")
        np.testing.assert_array_equal(thalweg.clone_model(model).get_weights()[0], TABLE)

    def test_it_is_a_value(self):
        given = initializers.Constant(TABLE)
        assert given == initializers.Constant(TABLE.tolist())
        assert hash(given) == hash(initializers.Constant(TABLE))
        again = initializers.Constant.from_config(json.loads(json.dumps(given.get_config())))
        assert again == given
        assert initializers.Constant(np.float32(0.5)) == initializers.Constant(0.5)

    def test_rows_are_repeated(self):
        np.testing.assert_array_equal(initializers.Constant([1, 2])((3, 2)), [[1, 2]] * 3)

    def test_a_shape_that_does_not_fit(self):
        with pytest.raises(ShapeError, match=r"layer 'embedding'.*Constant does not fit"):
            embedding(initializers.Constant(TABLE.T))

    @pytest.mark.parametrize("value", [["a"], [np.nan], [[1], [1, 2]]])
    def test_what_is_no_array_of_numbers(self, value):
        with pytest.raises(ArgumentError, match="'value'"):
            initializers.Constant(value)
