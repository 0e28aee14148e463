"""Models inside models, frozen layers, layers that users write."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import layers, ops
from thalweg.errors import ArgumentError

X, Y = nets.points(40)
Input = thalweg.Input


def chain(*units, features=4, name=None):
    return thalweg.Sequential([Input((features,)), *(layers.Dense(n, "tanh") for n in units)], name=name)


def test_two_models_with_layers_of_the_same_names():
    encoder, decoder = chain(3, 2, name="encoder"), chain(3, 4, features=2, name="decoder")
    entry = Input((4,))
    model = thalweg.Model(entry, decoder(encoder(entry)))
    assert list(model.parameters())[:2] == ["encoder/dense/kernel", "encoder/dense/bias"]
    assert model.layers[1:] == [encoder, decoder] == [model.get_layer("encoder"), model.get_layer(index=2)]
    model.compile("sgd", "mse")
    before = encoder.get_weights()
    model.fit(X, X, verbose=0)
    assert not np.array_equal(before[0], encoder.get_weights()[0])
    inside = decoder.predict(encoder.predict(X, verbose=0), verbose=0)
    np.testing.assert_allclose(model.predict(X, verbose=0), inside, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("count", [2, 3])
def test_unnamed_models_are_counted(count):
    parts = [chain(4) for _ in range(count)]
    model = thalweg.Sequential(parts)
    names = ["sequential", "sequential_1", "sequential_2"][:count]
    assert [path.split("/")[0] for path in model.parameters()][::2] == names
    assert model.input_shape == (None, 4)


def test_a_sequential_without_input_is_built_where_it_is_used():
    inner = thalweg.Sequential([layers.Dense(3), layers.Dense(2)])
    entry = Input((4,))
    model = thalweg.Model(entry, inner(entry))
    assert inner.built
    assert model.count_params() == 15 + 8
    outer = thalweg.Sequential([thalweg.Sequential([layers.Dense(3)]), layers.Dense(1)])
    outer.compile("sgd", "mse")
    outer.fit(X, Y, verbose=0, seed=4)
    again = thalweg.Sequential([thalweg.Sequential([layers.Dense(3)]), layers.Dense(1)])
    again.compile("sgd", "mse")
    again.fit(X, Y, verbose=0, seed=4)
    assert nets.same_bits(outer, again)


def test_a_model_used_twice_is_one_layer():
    shared = chain(3)
    left, right = Input((4,), name="left"), Input((4,), name="right")
    model = thalweg.Model([left, right], layers.Concatenate()([shared(left), shared(right)]))
    assert len(model.layers) == 4  # two inputs among them
    assert model.count_params() == shared.count_params()
    a, b = model.predict([X, 2 * X], verbose=0)[:, :3], shared.predict(X, verbose=0)
    np.testing.assert_array_equal(a, b)


def test_models_of_several_inputs_and_outputs_inside_others():
    left, right = Input((4,), name="left"), Input((4,), name="right")
    inner = thalweg.Model(
        {"left": left, "right": right}, {"sum": layers.Add()([left, right]), "less": layers.Subtract()([left, right])}
    )
    a, b = Input((4,)), Input((4,))
    outputs = inner({"right": b, "left": a})
    assert list(outputs) == ["sum", "less"]
    model = thalweg.Model([a, b], outputs["less"])
    np.testing.assert_array_equal(model.predict([3 * X, X], verbose=0), 3 * X - X)
    with pytest.raises(ArgumentError, match="number of symbols"):
        inner(a)


@pytest.mark.parametrize("trained", [False, True])
def test_files_and_copies_hold_the_models_inside(tmp_path, trained):
    entry = Input((4,))
    encoder = chain(3, 2, name="encoder")
    encoder.layers[0].trainable = False
    model = thalweg.Model(entry, layers.Dense(3, "softmax")(encoder(entry, training=False)))
    if trained:
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m")
    for other in (thalweg.load_model(tmp_path / "m"), thalweg.clone_model(model)):
        assert [layer.name for layer in other.layers] == ["input_layer", "encoder", "dense"]
        assert not other.get_layer("encoder").layers[0].trainable
        assert other.to_json() == model.to_json()
    again = thalweg.load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    if trained:
        for each in (model, again):
            each.fit(X, Y, verbose=0)
        assert nets.same_bits(model, again)


def test_the_summary_shows_the_layers_inside():
    model = thalweg.Sequential([chain(3, 2, name="encoder"), layers.Dense(1)])
    lines = []
    model.summary(print_fn=lines.append, line_length=80)
    assert any(line.startswith("encoder (Sequential)") and "23" in line for line in lines)
    assert not any("dense_1" in line for line in lines)
    model.summary(print_fn=lines.append, line_length=80, expand_nested=True)
    assert any(line.startswith("  dense_1 (Dense)") for line in lines)


# Frozen layers


def test_freezing_a_model_freezes_all_inside_and_back():
    inner = thalweg.Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization()], name="inner")
    model = thalweg.Sequential([inner, layers.Dense(1)])
    inner.trainable = False
    assert not any(layer.trainable for layer in inner.layers)
    assert list(model.parameters(trainable_only=True)) == ["dense/kernel", "dense/bias"]
    model.compile("sgd", "mse")
    before = inner.get_weights()
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, inner.get_weights(), strict=True))
    model.trainable = True
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, inner.get_weights(), strict=True))


def test_a_change_of_trainable_waits_for_compile():
    model = thalweg.Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("adam", "mse")
    model.layers[0].trainable = model.layers[1].trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert same == [True] * 6 + [False] * 2


@pytest.mark.parametrize("frozen", [False, True])
def test_files_remember_what_compile_found(tmp_path, frozen):
    """Layers frozen (or thawed) after compile: what is loaded trains on as what was saved, until it is compiled."""
    inner = thalweg.Sequential([Input((4,)), layers.Dense(3), layers.BatchNormalization()], name="inner")
    model = thalweg.Sequential([inner, layers.Dense(1)])
    inner.trainable = frozen
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    inner.trainable = not frozen
    model.save(tmp_path / "m")
    again, copied = thalweg.load_model(tmp_path / "m"), copy.deepcopy(model)
    for each in (model, again, copied):
        assert each.layers[0].layers[1].trainable is not frozen
        each.fit(X, Y, epochs=2, verbose=0)
    assert nets.same_bits(model, again)
    assert nets.same_bits(model, copied)
    for each in (model, again):
        each.compile("adam", "mse")
        before = each.get_weights()[0]
        each.fit(X, Y, verbose=0)
        assert np.array_equal(before, each.get_weights()[0]) is frozen
    assert nets.same_bits(model, again)


def test_a_discriminator_is_trained_alone_and_frozen_in_the_whole():
    """The usual program of adversarial training: compiled, then frozen, then part of another model."""
    judge = chain(3, 1, features=2)
    judge.compile("sgd", "mse")
    judge.trainable = False
    maker = chain(2)
    whole = thalweg.Sequential([maker, judge])
    whole.compile("sgd", "mse")
    before = judge.get_weights()
    whole.train_on_batch(X, np.ones(40))
    assert all(np.array_equal(a, b) for a, b in zip(before, judge.get_weights(), strict=True))
    judge.train_on_batch(X[:, :2], np.ones(40))
    assert not np.array_equal(before[0], judge.get_weights()[0])


def test_a_part_that_is_told_once_and_for_all_not_to_train():
    noisy = thalweg.Sequential([Input((4,)), layers.Dropout(0.9), layers.BatchNormalization()])
    entry = Input((4,))
    model = thalweg.Model(entry, noisy(entry, training=False))
    model.compile(thalweg.optimizers.SGD(0.0), "mse")
    assert model.train_on_batch(X, X / np.sqrt(1.001)) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_array_equal(noisy.layers[1].get_weights()[2], 0)


# Layers that users write


class Scale(layers.Layer):
    """As in Keras's guide: parameters in build, the computation in call, no ``training``."""

    def __init__(self, start=1.0, **options):
        super().__init__(**options)
        self.start = start

    def build(self, x):
        self.factor = self.parameter("factor", x.shape[1:], thalweg.initializers.Constant(self.start))

    def call(self, x):
        return x * self.factor.node


@dataclass(eq=False)
class Block(layers.Layer):
    """Layers inside a layer, one of which does something else in training."""

    units: int

    def __post_init__(self):
        super().__post_init__()
        self.dense = layers.Dense(self.units, "relu")
        self.parts = [layers.Dropout(0.5), layers.BatchNormalization()]

    def call(self, x):
        y = self.dense(x)
        for part in self.parts:
            y = part(y)  # what the step is for reaches them by itself
        return ops.concatenate((x, y), -1)


def test_a_layer_of_ones_own_trains_like_any_other():
    model = thalweg.Sequential([Input((4,)), Scale(2.0), layers.Dense(3)])
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], [2, 2, 2, 2])
    model.compile("sgd", thalweg.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(X, Y, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert not np.array_equal(model.layers[0].get_weights()[0], [2, 2, 2, 2])


def test_layers_inside_follow_the_training_of_the_one_around():
    model = thalweg.Sequential([Input((4,)), Block(8)])
    assert list(model.parameters()) == [
        *("block/dense/kernel", "block/dense/bias"),
        *(f"block/batch_normalization/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")),
    ]
    assert model.output_shape == (None, 12)
    model.compile(thalweg.optimizers.SGD(0.0), "mse")
    model.train_on_batch(X, np.zeros((40, 12)))
    mean = model.layers[0].get_weights()[4]
    assert mean.any()
    model.evaluate(X, np.zeros((40, 12)), verbose=0)
    np.testing.assert_array_equal(model.layers[0].get_weights()[4], mean)
    np.testing.assert_array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))


def test_unnamed_layers_inside_are_counted():
    class Two(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.one, self.other = layers.Dense(3), layers.Dense(2)

        def call(self, x):
            return self.other(self.one(x))

    model = thalweg.Sequential([Input((4,)), Two()])
    assert list(model.parameters())[::2] == ["two/dense/kernel", "two/dense_1/kernel"]
    assert model.predict(X, verbose=0).shape == (40, 2)


def test_a_frozen_layer_freezes_what_it_makes():
    model = thalweg.Sequential([Input((4,)), Block(8, trainable=False), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()
    model.fit(X, Y, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.layers[0].get_weights(), strict=True))


def test_dense_on_sequences_is_the_same_layer_at_each_time():
    x = np.random.RandomState(0).standard_normal((20, 7, 4)).astype(np.float32)
    model = thalweg.Sequential([Input((7, 4)), layers.Dense(3, "tanh"), layers.Dense(1)])
    y = model.predict(x, verbose=0)
    assert y.shape == (20, 7, 1)
    each = thalweg.Sequential([Input((4,)), *(layers.Dense(n, a) for n, a in ((3, "tanh"), (1, None)))])
    each.set_weights(model.get_weights())
    np.testing.assert_allclose(y.reshape(140, 1), each.predict(x.reshape(140, 4), verbose=0), rtol=1e-5, atol=1e-6)
    for net, data, target in ((model, x, y * 0), (each, x.reshape(140, 4), np.zeros((140, 1)))):
        net.compile("sgd", "mse")
        net.fit(data, target, batch_size=len(data), epochs=3, verbose=0)
    for a, b in zip(model.get_weights(), each.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_model_thaws_in_the_models_that_it_is_part_of():
    """As in transfer learning: frozen first, then trained on with a small rate."""
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    base = thalweg.Sequential([layers.Input((3,)), layers.Dense(4, "tanh")])
    base.trainable = False
    model = thalweg.Sequential([layers.Input((3,)), base, layers.Dense(1)])
    for trainable in (True, False):
        base.trainable = trainable
        model.compile("sgd", "mse")
        assert len(model.trainable_weights) == (4 if trainable else 2)
        before = base.get_weights()[0]
        model.fit(x, x[:, 0], verbose=0)
        assert np.array_equal(before, base.get_weights()[0]) is not trainable
    model.trainable = True
    assert base.trainable
