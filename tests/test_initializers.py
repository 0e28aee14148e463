"""Initializers beyond their values, which are in tests/oracles."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


class TestFunctions:
    def test_a_function_of_shape_and_dtype(self):
        calls = []

        def start(shape, dtype=None):
            calls.append((shape, dtype))
            return np.full(shape, 0.5)

        model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, kernel_initializer=start)])
        np.testing.assert_array_equal(model.get_weights()[0], np.full((4, 3), np.float32(0.5)))
        assert calls == [((4, 3), "float32")]

    def test_files_cannot_hold_it(self, tmp_path):
        layer = layers.Dense(3, kernel_initializer=lambda shape, dtype: np.zeros(shape))
        model = thalweg.Sequential([thalweg.Input((4,)), layer])
        with pytest.raises(ArgumentError, match=r"value of Dense\.kernel_initializer cannot be saved"):
            model.save(tmp_path / "m")
        model.save_weights(tmp_path / "w")

    def test_a_registered_one_can_be_saved(self, tmp_path):
        @initializers.registry.register("tests/halves")
        def halves(shape, dtype=None):
            return np.full(shape, 0.5)

        for start in (halves, "tests/halves"):
            model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, kernel_initializer=start)])
            model.save(tmp_path / "m")
            clone = thalweg.clone_model(thalweg.load_model(tmp_path / "m"))
            np.testing.assert_array_equal(clone.get_weights()[0], np.full((4, 3), 0.5))

    @pytest.mark.parametrize("wrong", [lambda s, dtype: np.zeros(3), lambda s, dtype: np.full(s, np.nan)])
    def test_what_it_gives_is_checked(self, wrong):
        with pytest.raises(ArgumentError, match=r"layer 'dense': the function that is an initializer"):
            thalweg.Sequential([thalweg.Input((4,)), layers.Dense(3, kernel_initializer=wrong)])


def test_bounds_the_wrong_way_round():
    with pytest.raises(ArgumentError, match="minval is above maxval") as caught:
        initializers.RandomUniform(minval=1, maxval=-1)
    assert caught.value.fix == "pass RandomUniform(-1, 1)"


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=4).map(tuple), st.sampled_from([1.0, 0.5, -2.0]), st.integers(0, 9)
)
def test_orthogonal_kernels_keep_lengths(shape, gain, seed):
    """Of whichever side is the shorter, all rows or columns are as long as the gain and at right angles."""
    kernel = initializers.Orthogonal(gain)(shape, "float64", seed=seed, path="kernel").reshape(-1, shape[-1])
    short = kernel if kernel.shape[0] <= kernel.shape[1] else kernel.T
    np.testing.assert_allclose(short @ short.T, gain**2 * np.eye(len(short)), atol=1e-12)


def test_identity_lets_everything_through():
    np.testing.assert_array_equal(
        initializers.Identity(2.0)((2, 3), "float32", seed=0, path="k"), [[2, 0, 0], [0, 2, 0]]
    )


@pytest.mark.parametrize(("make", "shape"), [(initializers.Orthogonal, (4,)), (initializers.Identity, (2, 3, 3))])
def test_shapes_that_an_initializer_cannot_fill(make, shape):
    with pytest.raises(ShapeError, match="axes") as caught:
        make()(shape, "float32", seed=0, path="kernel")
    assert str(shape) in caught.value.got


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 5), (3, 5)), ((2, 2, 3, 5), (12, 20)), ((3, 0, 5), (0, 15))],
)
def test_fans_count_what_goes_in_and_out(shape, expected):
    assert initializers.fans(shape) == expected


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple), st.integers(0, 99))
def test_normal_numbers_are_cut_off_at_two_deviations_and_uniform_ones_at_their_limit(shape, seed):
    truncated = initializers.TruncatedNormal(1.0, 0.5)(shape, "float64", seed=seed, path="k")
    assert np.abs(truncated - 1.0).max() <= 1.0
    uniform = initializers.GlorotUniform()(shape, "float64", seed=seed, path="k")
    assert np.abs(uniform).max() <= np.sqrt(6 / sum(initializers.fans(shape)))
