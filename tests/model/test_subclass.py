"""Models that a class describes, as Keras's guides write them."""

import copy
import pickle

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import layers, ops
from thalweg.errors import ArgumentError, FileFormatError, GraphError, ShapeError

X, Y = nets.points(64)
REGISTRY = thalweg.models.registry


@REGISTRY.register("tests/net")
class Net(thalweg.Model):
    def __init__(self, units=8, rate=0.5, **options):
        super().__init__(**options)
        self.units, self.rate = units, rate
        self.hidden = layers.Dense(units, "relu")
        self.drop = layers.Dropout(rate)
        self.last = [layers.BatchNormalization(), layers.Dense(3)]

    def call(self, inputs, training=False):
        x = self.hidden(inputs)
        if training:
            x = self.drop(x, training=training)
        for layer in self.last:
            x = layer(x)
        return ops.softmax(x)

    def get_config(self):
        return super().get_config() | {"units": self.units, "rate": self.rate}


class TwoPaths(thalweg.Model):
    """Several inputs by name, several outputs by name, no arguments."""

    def __init__(self):
        super().__init__()
        self.parts = {"left": layers.Dense(4), "right": layers.Dense(4)}
        self.price = layers.Dense(1)

    def call(self, inputs):
        both = self.parts["left"](inputs["a"]) + self.parts["right"](inputs["b"])
        return {"price": self.price(both), "kind": layers.Softmax()(both)}


def trained(model, epochs=2, **options):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, model.fit(X, Y, epochs=epochs, verbose=0, seed=5, **options)


def test_it_trains_to_the_same_bits_as_a_functional_model():
    net, history = trained(Net())
    thalweg.utils.set_random_seed(0)
    parts = [
        *(layers.Dense(8, "relu"), layers.Dropout(0.5), layers.BatchNormalization(), layers.Dense(3)),
        layers.Activation(ops.softmax),
    ]
    other, expected = trained(thalweg.Sequential(parts))
    assert history.history == expected.history
    assert nets.same_bits(net, other)
    np.testing.assert_array_equal(net.predict(X, verbose=0), other.predict(X, verbose=0))
    assert net.evaluate(X, Y, verbose=0) == other.evaluate(X, Y, verbose=0)
    assert [layer.name for layer in net.layers] == ["dense", "dropout", "batch_normalization", "dense_1"]
    assert net.name == "net"
    assert (net.input_shape, net.output_shape) == ((None, 4), (None, 3))


def test_the_summary_shows_the_layers():
    net = Net()
    net.build((None, 4))
    lines = []
    net.summary(print_fn=lines.append, line_length=90)
    assert lines[0] == 'Model: "net"'
    assert any(line.startswith("dense_1 (Dense)") and "(None, 3)" in line and line.endswith(" 27") for line in lines)


def test_files_and_copies(tmp_path):
    net, _ = trained(Net(units=5))
    net.hidden.trainable = False
    net.compile("adam", "sparse_categorical_crossentropy")
    net.fit(X, Y, verbose=0)
    net.save(tmp_path / "m")
    for again in (thalweg.load_model(tmp_path / "m"), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert (type(again), again.units, again.built) == (Net, 5, True)
        assert not again.hidden.trainable
        np.testing.assert_array_equal(again.predict(X, verbose=0), net.predict(X, verbose=0))
    again = thalweg.load_model(tmp_path / "m")
    for model in (net, again):
        model.fit(X, Y, epochs=2, verbose=0)
    assert nets.same_bits(net, again)
    clone = thalweg.clone_model(net)
    assert [w.shape for w in clone.get_weights()] == [w.shape for w in net.get_weights()]


def test_weights_alone_need_nothing_of_the_class(tmp_path):
    class Unsaid(Net):
        def __init__(self, units):
            super().__init__(units)

        get_config = thalweg.Model.get_config

    net, _ = trained(Unsaid(6))
    with pytest.raises(ArgumentError, match="nothing says what Unsaid was made with") as caught:
        net.save(tmp_path / "m")
    assert "save_weights()" in caught.value.fix
    net.save_weights(tmp_path / "w")
    other = Unsaid(6)
    with pytest.raises(GraphError, match="not built"):
        other.load_weights(tmp_path / "w")
    other.build((None, 4))
    other.load_weights(tmp_path / "w")
    assert nets.same_bits(net, other)


def test_a_class_that_a_file_cannot_name(tmp_path):
    class Plain(thalweg.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, "softmax")

        def call(self, x):
            return self.dense(x)

    net, _ = trained(Plain())
    net.save(tmp_path / "m")
    with pytest.raises(FileFormatError, match="class of the model is not known") as caught:
        thalweg.load_model(tmp_path / "m")
    assert "custom_objects={'Plain': Plain}" in caught.value.fix
    again = thalweg.load_model(tmp_path / "m", custom_objects={"Plain": Plain})
    assert nets.same_bits(net, again)


def test_several_inputs_and_outputs():
    net = TwoPaths()
    net.compile("sgd", {"price": "mse", "kind": "sparse_categorical_crossentropy"}, metrics={"kind": ["accuracy"]})
    x, y = {"a": X, "b": X[:, :2]}, {"price": X[:, 0], "kind": Y}
    history = net.fit(x, y, epochs=3, verbose=0).history
    assert set(history) == {"loss", "price_loss", "kind_loss", "kind_accuracy"}
    assert history["loss"][-1] < history["loss"][0]
    assert {key: part.shape for key, part in net.predict(x, verbose=0).items()} == {"price": (64, 1), "kind": (64, 4)}


def test_lists_of_inputs_and_outputs():
    class Lists(thalweg.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs):
            a, b = inputs
            return self.dense(a), a - b

    net = Lists()
    first, second = net.predict([X, 2 * X], verbose=0)
    assert first.shape == (64, 2)
    np.testing.assert_array_equal(second, -X)
    net.compile("sgd", ["mse", "mse"])
    net.fit([X, 2 * X], [Y[:, None] * np.ones(2), X], verbose=0)


def test_models_inside_models_of_either_kind(tmp_path):
    class Encoder(thalweg.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, "tanh")

        def call(self, x):
            return self.dense(x)

    class Whole(thalweg.Model):
        def __init__(self):
            super().__init__()
            self.encoder = Encoder()
            self.decoder = thalweg.Sequential([layers.Dense(4)])

        def call(self, x):
            return self.decoder(self.encoder(x))

    net = Whole()
    net.compile("sgd", "mse")
    losses = net.fit(X, X, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert list(net.parameters()) == [
        *("encoder/dense/kernel", "encoder/dense/bias", "sequential/dense/kernel", "sequential/dense/bias")
    ]
    entry = thalweg.Input((4,))
    encoder = Encoder()
    outer = thalweg.Model(entry, layers.Dense(3)(encoder(entry)))
    assert next(iter(outer.parameters())) == "encoder/dense/kernel"
    assert outer.layers[1] is encoder
    sequential = thalweg.Sequential([thalweg.Input((4,)), Encoder(), layers.Dense(1)])
    assert sequential.predict(X, verbose=0).shape == (64, 1)


def test_frozen_and_thawed():
    net = Net()
    net.build((None, 4))
    net.trainable = False
    assert not any(layer.trainable for layer in net.layers)
    net.trainable = True
    net.hidden.trainable = False
    assert next(iter(net.parameters(trainable_only=True))) == "batch_normalization/gamma"


class TestErrors:
    def test_without_call(self):
        class Empty(thalweg.Model):
            pass

        for make in (Empty, thalweg.Model):
            with pytest.raises(ArgumentError, match="without inputs and outputs"):
                make()

    def test_without_super_init(self):
        class Hasty(thalweg.Model):
            def __init__(self):
                self.dense = layers.Dense(1)

            def call(self, x):
                return self.dense(x)

        with pytest.raises(GraphError, match=r"super\(\).__init__\(\)"):
            Hasty().predict(X)
        with pytest.raises(AttributeError, match="object has no attribute 'sumary'"):
            Net().sumary()

    def test_call_gives_no_tensor(self):
        class Odd(Net):
            def call(self, x):
                return np.ones(3)

        with pytest.raises(GraphError, match=r"layer 'odd' \(Odd\): the model's call gives something"):
            Odd().predict(X)

    def test_call_mixes_the_batch(self):
        class Sum(Net):
            def call(self, x):
                return ops.reduce_sum(x, 0)

        with pytest.raises(ShapeError, match="another batch axis"):
            Sum().predict(X)

    def test_an_error_inside_names_the_layer(self):
        class Wrong(Net):
            def call(self, x):
                return layers.Conv2D(3, 3, name="conv")(x)

        with pytest.raises(ShapeError, match="conv"):
            Wrong().predict(X)

    def test_not_built(self):
        with pytest.raises(GraphError, match="not built"):
            Net().get_weights()
