"""Models from descriptions: the same layers, each once however it is reached; trained, counted, saved, copied once."""

import copy
import json
import pickle

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, clone_model, layers, load_model
from thalweg.errors import ArgumentError
from thalweg.model import restoring
from thalweg.registry import sharing

ONES, ZEROS = np.ones((4, 1), np.float32), np.zeros((4, 1), np.float32)


def shared(**options) -> Model:
    """The same weight in a model inside and beside it: y = w x + w x."""
    x = Input((1,))
    layer = layers.Dense(1, use_bias=False, kernel_initializer="ones", **options)
    inside = Model(x, layer(x), name="inside")
    return Model(x, layers.Add()([inside(x), layer(x)]))


def kernel(model: Model) -> float:
    return float(model.get_weights()[0][0, 0])


def test_it_is_updated_once():
    """By hand: the loss is 4 w^2, its slope 8 w; with momentum v = .9 v - .01 * 8 w and w = w + v: from 1
    .92 (v = -.08), .7744 (v = -.1456), .5814 (v = -.193).
    """
    model = shared()
    model.compile(thalweg.optimizers.SGD(0.01, momentum=0.9), "mse")
    values = []
    for _ in range(3):
        model.train_on_batch(ONES, ZEROS)
        values.append(kernel(model))
    np.testing.assert_allclose(values, [0.92, 0.7744, 0.581408], rtol=1e-6)


def test_it_is_counted_and_penalised_once():
    model = shared(kernel_regularizer=thalweg.regularizers.L2(0.5))
    assert model.count_params() == len(model.weights) == 1
    lines = []
    model.summary(print_fn=lines.append)
    assert any("Total params: 1 " in line for line in lines)
    model.compile("sgd", "mse")
    assert model.evaluate(ONES, ZEROS, verbose=0) == pytest.approx(4.0 + 0.5)


def pickled(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def saved(model, tmp_path):
    model.save(tmp_path / "shared.thalweg")
    return load_model(tmp_path / "shared.thalweg")


def by_json(model, tmp_path):
    again = restoring.restored(json.loads(model.to_json()))
    again.set_weights(model.get_weights())
    return again


def cloned(model, tmp_path):
    return clone_model(model)


def from_config(model, tmp_path):
    return Model.from_config(json.loads(json.dumps(model.get_config())))


WAYS = [pickled, saved, by_json, cloned, from_config, lambda model, tmp_path: copy.deepcopy(model)]


@pytest.mark.parametrize("way", WAYS)
def test_it_stays_one_in_copies(way, tmp_path):
    again = way(shared(), tmp_path)
    assert again.count_params() == 1
    inside, beside = again.layers[1:3]
    assert inside.layers[1] is beside
    again.set_weights([np.full((1, 1), 3.0, np.float32)])
    np.testing.assert_array_equal(again.predict(ONES, verbose=0), 6 * ONES)


@pytest.mark.parametrize("way", WAYS)
def test_a_model_inside_two_others(way, tmp_path):
    x = Input((1,))
    inner = Sequential([Input((1,)), layers.Dense(1, kernel_initializer="ones")], name="inner")
    left, right = (Model(x, layers.ReLU()(inner(x)), name=name) for name in ("left", "right"))
    again = way(Model(x, layers.Add()([left(x), right(x)])), tmp_path)
    assert again.count_params() == 2
    assert again.layers[1].layers[1] is again.layers[2].layers[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_in_a_layer_and_beside_it(way, tmp_path):
    x, y = Input((1,)), Input((2, 1))
    layer = layers.Dense(1)
    again = way(Model([x, y], [layers.TimeDistributed(layer)(y), layer(x)]), tmp_path)
    assert again.count_params() == 2
    assert again.get_layer("time_distributed").layer is again.get_layer("dense")


def test_an_argument_given_twice_to_a_class_of_ones_own(tmp_path):
    @thalweg.models.registry.register("twice_the_same")
    class Twice(Model):
        def __init__(self, one, other):
            super().__init__()
            self.one, self.other = one, other

        def call(self, inputs):
            return self.one(inputs) + self.other(inputs)

        def get_config(self):
            return {"one": self.one, "other": self.other}

    layer = layers.Dense(1, name="same")
    model = Twice(layer, layer)
    model.build((None, 1))
    again = saved(model, tmp_path)
    assert again.one is again.other
    assert again.count_params() == 2


def test_weights_alone_are_saved_once(tmp_path):
    model, again = shared(), shared()
    model.set_weights([np.full((1, 1), 5.0, np.float32)])
    model.save_weights(tmp_path / "weights.safetensors")
    again.load_weights(tmp_path / "weights.safetensors")
    assert kernel(again) == 5.0


def test_frozen_by_one_way_is_frozen_by_all():
    model = shared()
    model.layers[1].trainable = False
    assert model.trainable_weights == []


def test_models_without_anything_shared_are_described_as_before():
    x = Input((1,))
    text = Model(x, layers.Dense(1)(layers.Dense(1)(x))).to_json()
    assert "same_as" not in text
    assert '"number"' not in text


class TestDescriptions:
    def test_outside_of_sharing_everything_is_described_in_full(self):
        layer = layers.Dense(1)
        assert layers.registry.config(layer) == layers.registry.config(layer)

    def test_inside_the_second_one_refers_to_the_first(self):
        layer = layers.Dense(1)
        with sharing():
            first, second = layers.registry.config(layer), layers.registry.config(layer)
            other = layers.registry.config(layers.Dense(1))
        assert second == {"kind": "layer", "same_as": 1}
        assert first["number"] == 1
        assert "number" not in other
        with sharing():
            again = [layers.registry.from_config(entry) for entry in (first, second, other)]
        assert again[0] is again[1]
        assert again[0] is not again[2]

    def test_a_number_that_nothing_has(self):
        with sharing(), pytest.raises(ArgumentError, match="not there"):
            layers.registry.from_config({"kind": "layer", "same_as": 7})

    @pytest.mark.parametrize("number", [None, [], {}, "1", 1.5])
    def test_a_number_that_is_none(self, number):
        with sharing(), pytest.raises(ArgumentError):
            layers.registry.from_config({"kind": "layer", "same_as": number})

    def test_a_reference_outside(self):
        with pytest.raises(ArgumentError):
            layers.registry.from_config({"kind": "layer", "same_as": 1})


class TestSeeds:
    """Each model that a program makes draws one seed, and nothing else does."""

    def next_weights(self) -> np.ndarray:
        return Sequential([Input((3,)), layers.Dense(2)]).get_weights()[0]

    def test_a_model_from_a_file_draws_none(self, tmp_path):
        shared().save(tmp_path / "model.thalweg")
        thalweg.utils.set_random_seed(3)
        load_model(tmp_path / "model.thalweg")
        after = self.next_weights()
        thalweg.utils.set_random_seed(3)
        np.testing.assert_array_equal(self.next_weights(), after)

    def test_a_model_of_a_class_of_ones_own_draws_one(self):
        class Own(Model):
            def __init__(self):
                super().__init__()
                self.dense = layers.Dense(1)

            def call(self, inputs):
                return self.dense(inputs)

        thalweg.utils.set_random_seed(3)
        Own()
        after = self.next_weights()
        thalweg.utils.set_random_seed(3)
        self.next_weights()
        np.testing.assert_array_equal(self.next_weights(), after)
