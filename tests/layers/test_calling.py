"""What a layer may be called on: lists, mappings, arrays; and how ``call`` and ``build`` get them."""

from typing import Any

import numpy as np
import pytest
from tests.model.test_restoring import by_json, saved

import thalweg
from thalweg import Input, Model, activations, config, layers, ops
from thalweg.errors import ArgumentError, GraphError
from thalweg.layers.signature import InputShape

X = np.arange(8, dtype=np.float32).reshape(2, 4)


@layers.registry.register("weighted_pair")
class WeightedPair(layers.Layer):
    """As Keras's guides write it: a list comes in, and a mapping goes out."""

    def build(self, input_shape):
        assert isinstance(input_shape, list)
        left, right = input_shape
        assert (left, right) == ((None, 4), (None, 4))
        self.w = self.add_weight(shape=(left[-1],), initializer="ones", name="w")

    def call(self, inputs):
        assert isinstance(inputs, list)
        a, b = inputs
        return {"sum": a * self.w.node + b, "rest": [a - b]}


@layers.registry.register("by_name")
class ByName(layers.Layer):
    def build(self, query_shape, key_shape):
        self.seen = (query_shape, key_shape)

    def call(self, query, key=None, negative=False):
        return query - key if negative else query + key


@pytest.mark.parametrize("way", [saved, by_json, lambda model, _: model])
def test_a_list_goes_in_and_a_mapping_comes_out(way, tmp_path):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    made = WeightedPair()([a, b])
    assert made["sum"].shape == made["rest"][0].shape == (None, 4)
    difference = ByName()(made["sum"], key=b, negative=True)
    model = way(Model([a, b], [difference, made["rest"][0]]), tmp_path)
    first, second = model.predict([X, 2 * X], verbose=0)
    np.testing.assert_array_equal(first, X)
    np.testing.assert_array_equal(second, -X)
    if isinstance(model.get_layer("by_name"), ByName):
        assert model.get_layer("by_name").seen == ((None, 4), (None, 4))


def test_tensors_one_by_one_where_call_names_them():
    class Apart(layers.Layer):
        def build(self, x, y):
            self.sizes = (x.shape[-1], y[-1])

        def call(self, x, y):
            return ops.matmul(x, ops.transpose(y, (1, 0)))

    layer = Apart()
    assert layer.infer(*(ops.input_node(name, (3, 4)).type for name in "xy"))[0].shape == (3, 3)
    assert layer.sizes == (4, 4)
    np.testing.assert_array_equal(layers.Add()([X, X]), layers.Add()(X, X))
    np.testing.assert_array_equal(layers.Dense(2, "relu", kernel_initializer="ones")([X]).shape, (2, 2))
    with pytest.raises(ArgumentError, match="layer of one input is called on several"):
        layers.Dense(2)([X, X])


def test_build_takes_a_shape_or_a_type():
    dense = layers.Dense(3)
    dense.build((None, 5))
    assert dense.built
    assert dense.kernel.shape == (5, 3)
    shape: Any = InputShape(ops.input_node("x", (7, 5)).type)
    assert shape == (None, 5)
    assert shape[1:] == (5,)
    assert (shape.rank, shape.dtype, shape.as_list()) == (2, "float32", [None, 5])
    conv = layers.Conv2D(2, 3)
    conv.build([None, 8, 8, 1])
    assert conv.count_params() == 20


class TestOnArrays:
    def test_the_layer_is_built_and_has_values(self):
        dense = layers.Dense(3, "relu")
        y = dense(X)
        kernel, bias = dense.get_weights()
        np.testing.assert_allclose(y, np.maximum(X @ kernel + bias, 0), rtol=1e-6)
        model = thalweg.Sequential([Input((4,)), dense])  # with the values that it has
        np.testing.assert_allclose(model.predict(X, verbose=0), y, rtol=1e-6)

    def test_seeds(self):
        def made():
            thalweg.utils.set_random_seed(3)
            dense, dropout = layers.Dense(50), layers.Dropout(0.5)
            return dense(X), dropout(np.ones((4, 9), np.float32), training=True)

        for first, second in zip(made(), made(), strict=True):
            assert np.ptp(first) > 0
            np.testing.assert_array_equal(first[0], second[0])

    def test_in_training(self):
        dropout, normalize = layers.Dropout(0.5), layers.BatchNormalization(momentum=0.9)
        ones = np.ones((20, 20), np.float32)
        assert not np.array_equal(dropout(ones, training=True), dropout(ones, training=True))
        np.testing.assert_array_equal(dropout(ones), ones)
        normalize(5 * ones)
        np.testing.assert_array_equal(normalize.moving_mean.numpy(), 0)
        normalize(5 * ones, training=True)
        np.testing.assert_allclose(normalize.moving_mean.numpy(), 0.5, rtol=1e-6)

    def test_nested(self):
        made = WeightedPair()([X, X])
        np.testing.assert_array_equal(made["sum"], 2 * X)
        np.testing.assert_array_equal(made["rest"][0], 0 * X)

    def test_while_a_step_is_made(self):
        """The array is a part of the graph then: regular numbers, or few."""

        class Beside(layers.Layer):
            def __init__(self, numbers):
                super().__init__()
                self.inner = layers.Dense(4, use_bias=False)
                self.numbers = numbers

            def call(self, x):
                return x + self.inner(self.numbers)

        layer = Beside(X)
        made = layer(np.ones_like(X))
        np.testing.assert_allclose(made, 1 + X @ layer.get_weights()[0], rtol=1e-6)
        with pytest.raises(GraphError, match="a long array from outside"):
            Beside(np.random.default_rng(0).normal(size=(2, 4000)))(X)


class TestLambda:
    def test_of_one_and_of_several(self):
        a, b = Input((4,)), Input((4,))
        plus = layers.Lambda(lambda x, by: x + by, arguments={"by": 2.0})(a)
        both = layers.Lambda(lambda pair: pair[0] * pair[1], output_shape=(4,), name="both")([plus, b])
        model = Model([a, b], both)
        assert model.get_layer("both").output_shape == (None, 4)
        np.testing.assert_array_equal(model.predict([X, X], verbose=0), (X + 2) * X)
        with pytest.raises(ArgumentError, match=r"Lambda\.function cannot be saved"):
            model.to_json()

    def test_in_training_and_saved(self, tmp_path):
        noisy = layers.Lambda(lambda x, training: x + 1.0 if training else x)
        np.testing.assert_array_equal(noisy(X), X)
        np.testing.assert_array_equal(noisy(X, training=True), X + 1)
        model = saved(thalweg.Sequential([Input((4,)), layers.Lambda(activations.silu)]), tmp_path)
        assert config.floatx() == "float32"
        np.testing.assert_allclose(model.predict(X, verbose=0), X / (1 + np.exp(-X)), rtol=1e-5)


def test_training_by_its_place():
    ones = np.ones((20, 20), np.float32)
    dropout = layers.Dropout(0.5)
    assert (dropout(ones, True) == 0).any()
    np.testing.assert_array_equal(dropout(ones, False), ones)
    with pytest.raises(ArgumentError, match="called on several"):
        dropout({"x": ones})
