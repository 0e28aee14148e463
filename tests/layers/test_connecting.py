"""Layers called on symbols: any size of any axis, and samples that never meet each other."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers, ops
from thalweg.errors import ShapeError
from thalweg.graph.types import TensorType
from thalweg.layers import Layer
from thalweg.layers.connecting import BATCHES, without_batch

SIZES = sorted({*BATCHES, 1, 2, 8190, 8192, 14})


class Computes(Layer):
    """A layer of one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, *inputs):
        return self.function(*inputs)


class TestTypesOfOneSample:
    def test_the_batch_goes(self):
        kinds = without_batch(lambda batch: (TensorType((batch, 3)), TensorType((batch,), "int32")))
        assert kinds == (TensorType((3,)), TensorType((), "int32"))

    @pytest.mark.parametrize("size", SIZES)
    def test_any_size_of_an_axis(self, size):
        assert without_batch(lambda batch: (TensorType((batch, size)),)) == (TensorType((size,)),)

    @pytest.mark.parametrize("size", SIZES)
    def test_a_first_axis_of_a_fixed_size(self, size):
        with pytest.raises(ShapeError, match="another batch axis"):
            without_batch(lambda batch: (TensorType((size, 3)),))

    @pytest.mark.parametrize(
        "shape",
        [
            lambda batch: (),
            lambda batch: (3, batch),
            lambda batch: (2 * batch,),
            lambda batch: (batch - 1, 4),
            lambda batch: (-(-batch // 2), 4),
            lambda batch: (1, 4),
        ],
    )
    def test_another_first_axis(self, shape):
        with pytest.raises(ShapeError, match="another batch axis"):
            without_batch(lambda batch: (TensorType(shape(batch)),))

    @pytest.mark.parametrize("shape", [lambda batch: (batch, batch), lambda batch: (batch, 3, batch - 1)])
    def test_an_axis_that_follows_the_batch(self, shape):
        with pytest.raises(ShapeError, match="batch axis twice"):
            without_batch(lambda batch: (TensorType(shape(batch)),))


class TestLayers:
    @pytest.mark.parametrize("size", BATCHES)
    def test_sizes_like_those_that_are_tried(self, size):
        assert layers.Dense(size)(Input((2,))).shape == (None, size)
        assert layers.Flatten()(Input((size, 1))).shape == (None, size)
        assert (Input((size,)) + Input((size,))).shape == (None, size)
        assert layers.Reshape((-1,))(Input((size, size))).shape == (None, size * size)

    def test_a_model_with_as_many_units_as_the_larger_batch(self):
        model = Sequential([Input((3,)), layers.Dense(BATCHES[0], kernel_initializer="ones"), layers.Dense(1)])
        assert model.predict(np.ones((2, 3), np.float32)).shape == (2, 1)
        flat = Sequential([Input((BATCHES[0], 1)), layers.Flatten()])
        x = np.arange(2.0 * BATCHES[0], dtype=np.float32).reshape(2, -1, 1)
        np.testing.assert_array_equal(flat.predict(x), x[..., 0])

    @pytest.mark.parametrize("size", [*BATCHES, 4])
    @pytest.mark.parametrize(
        "mixes",
        [
            lambda x: ops.reshape(x, (-1,)),
            lambda x: ops.reshape(x, (-1, 1)),
            lambda x: ops.transpose(x, (1, 0)),
            lambda x: x[: BATCHES[0]][: BATCHES[1]],
            lambda x: x[1:],
            lambda x: x[::2],
            lambda x: ops.concatenate((x, x), 0),
            lambda x: ops.reduce_mean(x, 0),
            lambda x: ops.matmul(x, ops.transpose(x, (1, 0))),
        ],
    )
    def test_layers_in_which_samples_meet(self, mixes, size):
        with pytest.raises(ShapeError, match="batch axis") as caught:
            Computes(mixes)(Input((size,)))
        assert "Computes" in str(caught.value)

    @pytest.mark.parametrize("size", BATCHES)
    def test_a_size_that_fits_the_batch_by_accident(self, size):
        """(batch, size) + (batch,) is allowed where the batch has this size, and only there."""
        with pytest.raises(ShapeError, match="input 2 came"):
            Input((size,)) + Input(())

    def test_several_results(self):
        both = Computes(lambda x: (x, ops.reduce_sum(x, 1)))(Input((BATCHES[0],)))
        assert [symbol.shape for symbol in both] == [(None, BATCHES[0]), (None,)]


def test_a_layer_shared_by_inputs_of_different_rank_normalises_their_last_axis():
    """By hand: RMS of (3, 4) is sqrt(12.5)."""
    layer = layers.RMSNormalization(epsilon=1e-12)
    flat, deep = Input((2,)), Input((2, 2))
    model = Model([flat, deep], [layer(flat), layer(deep)])
    x = np.array([[3.0, 4.0]], np.float32)
    y = np.array([[[3.0, 4.0], [0.0, 2.0]]], np.float32)
    of_flat, of_deep = model.predict([x, y])
    np.testing.assert_allclose(of_flat, [[3 / 12.5**0.5, 4 / 12.5**0.5]], rtol=1e-6)
    np.testing.assert_allclose(of_deep, [[[3 / 12.5**0.5, 4 / 12.5**0.5], [0, 2**0.5]]], rtol=1e-6)


@pytest.mark.parametrize("kind", [layers.LayerNormalization, layers.BatchNormalization])
def test_other_normalisations_too(kind):
    layer = kind()
    x, y = Input((2,)), Input((3, 2))
    model = Model([x, y], [layer(x), layer(y)])
    alone = kind()
    z = Input((3, 2))
    single = Model(z, alone(z))
    data = np.random.default_rng(0).normal(size=(4, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(model.predict([data[:, 0], data])[1], single.predict(data))


def test_slopes_of_another_rank():
    layer = layers.PReLU()
    layer(Input((2,)))
    with pytest.raises(ShapeError, match="number of axes"):
        layer(Input((2, 2)))


def test_no_layer_has_more_than_four_bases():
    for _, kind in thalweg.layers.registry.items():
        assert isinstance(kind, type)
        bases = [base for base in kind.__mro__[1:] if base.__module__.startswith("thalweg")]
        assert len(bases) <= 4, [base.__name__ for base in bases]


def test_softmax_over_several_axes():
    y = Model(image := Input((2, 3)), layers.Softmax((1, 2))(image)).predict(np.zeros((1, 2, 3), np.float32))
    np.testing.assert_allclose(y, np.full((1, 2, 3), 1 / 6), rtol=1e-6)
