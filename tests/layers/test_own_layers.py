"""Layers as people write them for Keras, after its guide on new layers and models: unchanged but for the import."""

import numpy as np
import pytest

import thalweg as keras
from thalweg import layers, ops
from thalweg.errors import ArgumentError, GraphError, ShapeError

X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)


class Linear(keras.layers.Layer):
    def __init__(self, units=32, input_dim=32):
        super().__init__()
        self.w = self.add_weight(shape=(input_dim, units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


class LazyLinear(keras.layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", shape=[int(input_shape[-1]), self.units])
        self.b = self.add_weight((self.units,), "zeros", name="bias", regularizer=keras.regularizers.L2(0.01))
        super().build(input_shape)

    def call(self, inputs):
        return inputs @ self.kernel + self.b

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class ComputeSum(keras.layers.Layer):
    def __init__(self, input_dim):
        super().__init__()
        self.total = self.add_weight(initializer="zeros", shape=(input_dim,), trainable=False)

    def call(self, inputs):
        self.total.assign_add(ops.sum(inputs, axis=0))
        return self.total


class MLPBlock(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.linear_1 = LazyLinear(8)
        self.linear_2 = LazyLinear(8)
        self.linear_3 = LazyLinear(1)

    def call(self, inputs):
        x = self.linear_1(inputs)
        x = keras.activations.relu(x)
        x = self.linear_2(x)
        x = keras.activations.relu(x)
        return self.linear_3(x)


class ActivityRegularizationLayer(keras.layers.Layer):
    def __init__(self, rate=1e-2):
        super().__init__()
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * ops.mean(inputs**2))
        return inputs


class CustomDropout(keras.layers.Layer):
    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.inner = layers.Dropout(rate)

    def call(self, inputs, training=None):
        if training:
            return self.inner(inputs, training=training)
        return inputs


class CosineAttention(keras.layers.Layer):
    """A list comes in, unpacked in ``build`` and in ``call``."""

    def build(self, input_shape):
        query_shape, value_shape = input_shape
        assert query_shape[-1] == value_shape[-1]
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones", constraint="non_neg")
        self.built = True

    def call(self, inputs, mask=None):
        query, value = inputs
        return self.scale * query * value


class ScaledDense(keras.layers.Dense):
    """Derived from a layer that exists."""

    def __init__(self, units, scale=2.0, **kwargs):
        super().__init__(units, **kwargs)
        self.scale = scale

    def call(self, inputs):
        return self.scale * super().call(inputs, training=False)


class ResidualBlock(keras.layers.Layer):
    """Layers made in ``build``, and explicitly built; ``compute_output_shape`` asks them."""

    def __init__(self, filters, kernel_size=3, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides

    def build(self, input_shape):
        self.conv = layers.Conv2D(self.filters, self.kernel_size, strides=self.strides, padding="same")
        self.conv.build(input_shape)
        self.norm = layers.BatchNormalization()
        self.norm.build(self.conv.compute_output_shape(input_shape))
        self.shortcut = None
        if input_shape[-1] != self.filters or self.strides != 1:
            self.shortcut = layers.Conv2D(self.filters, 1, strides=self.strides)
            self.shortcut.build(input_shape)

    def call(self, inputs, training=False):
        x = self.norm(self.conv(inputs), training=training)
        return keras.activations.relu(x + (inputs if self.shortcut is None else self.shortcut(inputs)))


class Antirectifier(keras.layers.Layer):
    """The example of Keras's gallery."""

    def __init__(self, initializer="he_normal", **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        output_dim = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(output_dim * 2, output_dim), initializer=self.initializer, name="kernel", trainable=True
        )

    def call(self, inputs):
        inputs = inputs - ops.mean(inputs, axis=-1, keepdims=True)
        pos = ops.relu(inputs)
        neg = ops.relu(-inputs)
        return ops.matmul(ops.concatenate([pos, neg], axis=-1), self.kernel)


ONE_INPUT = {
    "Linear": lambda: Linear(3, 4),
    "LazyLinear": lambda: LazyLinear(3, name="lazy"),
    "MLPBlock": MLPBlock,
    "ActivityRegularizationLayer": lambda: ActivityRegularizationLayer(0.1),
    "CustomDropout": lambda: CustomDropout(0.5),
    "ScaledDense": lambda: ScaledDense(3, activation="tanh"),
    "Antirectifier": lambda: Antirectifier("glorot_uniform"),
}


@pytest.mark.parametrize("make", ONE_INPUT.values(), ids=ONE_INPUT)
def test_they_train_and_come_back_from_files(make, tmp_path):
    model = keras.Sequential([keras.Input((4,)), make(), layers.Dense(1)])
    model.executor = keras.executors.named("numpy")
    model.compile(keras.optimizers.SGD(0.05), "mse")
    history = model.fit(X, X[:, 0], epochs=3, batch_size=8, verbose=0, seed=1).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "own.thalweg")
    own = {cls.__name__: cls for cls in (Linear, LazyLinear, MLPBlock, CustomDropout, ScaledDense, Antirectifier)}
    for other in (
        keras.models.load_model(tmp_path / "own.thalweg", custom_objects=own),
        keras.models.clone_model(model),
    ):
        other.set_weights(model.get_weights())
        np.testing.assert_allclose(other.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)


def test_weights_are_there_before_any_model():
    layer = Linear(4, 2)
    y = layer(np.ones((2, 2), np.float32))
    assert layer.weights == [layer.w, layer.b]
    assert layer.trainable_variables == layer.variables == layer.weights
    assert layer.non_trainable_variables == []
    np.testing.assert_allclose(y, np.ones((2, 2)) @ layer.w.numpy() + np.asarray(layer.b), rtol=1e-6)
    block = MLPBlock()
    block(np.ones((3, 6), np.float32))
    assert len(block.weights) == len(block.trainable_weights) == 6
    lazy = LazyLinear(3)
    assert lazy.weights == []
    assert lazy.compute_output_shape((None, 4)) == (None, 3)
    lazy.build((None, 4))
    lazy.set_weights([np.ones((4, 3)), np.zeros(3)])
    assert [weight.path for weight in lazy.weights] == ["lazy_linear/kernel", "lazy_linear/bias"]
    np.testing.assert_array_equal(lazy(np.ones((1, 4), np.float32)), [[4, 4, 4]])


def test_a_state_adds_up():
    total = ComputeSum(2)
    np.testing.assert_array_equal(total(np.ones((2, 2), np.float32)), [2, 2])
    np.testing.assert_array_equal(total(np.ones((2, 2), np.float32)), [4, 4])
    assert total.weights == total.non_trainable_weights == [total.total]
    assert total.trainable_weights == []


def test_a_list_and_images():
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], CosineAttention()([a, b]))
    np.testing.assert_array_equal(model.predict([X, X], verbose=0), X * X)
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype(np.float32)
    block = ResidualBlock(4, strides=2)
    stacked = keras.Sequential([keras.Input((8, 8, 3)), block])
    assert stacked.output_shape == block.compute_output_shape((None, 8, 8, 3)) == (None, 4, 4, 4)
    assert stacked.count_params() == 3 * 9 * 4 + 4 + 4 * 4 + 3 * 4 + 4
    assert stacked.predict(images, verbose=0).shape == (2, 4, 4, 4)


def test_what_add_weight_refuses():
    layer = layers.Layer()
    with pytest.raises(ArgumentError, match="argument 'shape' does not fit"):
        layer.add_weight(shape=3)
    with pytest.raises(ShapeError, match="depends on an axis that is open"):
        layer.add_weight(shape=(None, 3))
    first, second = layer.add_weight(name="w"), layer.add_weight(name="w", dtype="int32")
    assert [first.name, second.name] == ["w", "w_1"]
    np.testing.assert_array_equal(second.numpy(), 0)
    with pytest.raises(ArgumentError, match="there is no argument 'unit'"):
        LazyLinear(3, unit=4)


def test_an_input_spec_is_tried():
    class Images(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = layers.InputSpec(ndim=4, axes={-1: 3})

        def call(self, inputs):
            return inputs

    Images()(keras.Input((8, 8, 3)))
    for wrong, says in (((8, 3), "4 axes"), ((8, 8, 1), "size 3 on axis -1")):
        with pytest.raises(ShapeError, match="does not fit the layer's input_spec") as caught:
            Images()(keras.Input(wrong))
        assert caught.value.expected == says
    kind = ops.input_node("x", (5, 4, 1), "int32").type
    assert keras.InputSpec(shape=(None, 4), allow_last_axis_squeeze=True).broken_rule(kind) is None
    for spec, says in (
        ({"dtype": "float32"}, "dtype float32"),
        ({"min_ndim": 4}, "at least 4 axes"),
        ({"max_ndim": 2}, "at most 2 axes"),
        ({"shape": (None, 3, 1)}, "size 3 on axis 1"),
    ):
        assert layers.InputSpec(**spec).broken_rule(kind) == says
    pair = layers.Add()
    pair.input_spec = [layers.InputSpec(ndim=2)]
    with pytest.raises(ShapeError, match="another number of inputs"):
        pair([X, X])


class WithBuild(keras.Model):
    """Layers and weights of the model itself, made in ``build``."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.calls = 0

    def build(self, input_shape):
        self.calls += 1
        self.hidden = layers.Dense(self.units)
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        super().build(input_shape)

    def call(self, inputs):
        return self.hidden(inputs * self.scale)


@pytest.mark.parametrize("first", [lambda m: m.build((None, 4)), lambda m: m(X), lambda m: m.predict(X, verbose=0)])
def test_a_model_s_own_build_is_called_once(first):
    model = WithBuild()
    first(model)
    assert model.calls == 1
    assert [weight.path for weight in model.weights] == ["with_build_weights/scale", "dense/kernel", "dense/bias"]
    assert [layer.name for layer in model.layers] == ["dense"]
    assert model.trainable_variables == model.variables == model.weights
    expected = X @ model.hidden.get_weights()[0]
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-4, atol=1e-5)
    assert model.compute_output_shape((7, 4)) == (7, 3)


def test_what_models_say_of_themselves():
    photo, facts = keras.Input((4,), name="photo"), keras.Input((2,))
    joined = layers.Concatenate()([photo, facts])
    model = keras.Model([photo, facts], [layers.Dense(1, name="price")(joined), layers.Dense(2, name="kind")(joined)])
    assert model.input_names == ["photo", "input_1"]
    assert model.output_names == ["price", "kind"]
    alone = keras.Model(photo, layers.Dense(1, name="out")(photo))
    assert (alone.input_names, alone.output_names) == (["photo"], ["out"])
    assert [weight.path for weight in alone.trainable_variables] == ["out/kernel", "out/bias"]
    for thing in (alone, layers.Dense(3)):
        with pytest.raises(AttributeError, match="has no stateless_call") as caught:
            _ = thing.stateless_call
        assert "call it on arrays" in caught.value.fix  # type: ignore[attr-defined]
        assert not hasattr(thing, "no_such_thing")
    with pytest.raises(GraphError, match="a model made of layers has no weights of its own"):
        alone.add_weight(shape=(2,))


class Scaled(layers.Layer):
    """With variables as programs for Keras write them."""

    def __init__(self, **options):
        super().__init__(**options)
        self.scale = keras.Variable(np.full(3, 2.0), name="scale")
        self.calls = keras.Variable("zeros", shape=(), trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x * self.scale


class Shifted(keras.Model):
    def __init__(self):
        super().__init__()
        self.shift = keras.Variable(np.ones(3))
        self.scaled = Scaled()

    def call(self, x):
        return self.scaled(x) + self.shift


def test_variables_of_layers_and_of_classes_of_models_are_their_weights(tmp_path):
    model = Shifted()
    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(model.predict(x, verbose=0), 2 * x + 1)
    model.compile("sgd", "mse")
    model.fit(x, 3 * x, batch_size=2, epochs=2, verbose=0)
    assert {weight.name for weight in model.weights} == {"shift", "scale", "calls"}
    assert {weight.name for weight in model.trainable_weights} == {"shift", "scale"}
    assert float(model.scaled.calls.numpy()) == 4
    assert not np.array_equal(model.shift.numpy(), np.ones(3))
    model.save_weights(tmp_path / "weights")
    other = Shifted()
    other.predict(x, verbose=0)
    other.load_weights(tmp_path / "weights")
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_variable_by_itself():
    v = keras.Variable([1, 2, 3])
    v.assign(v + 1)
    np.testing.assert_array_equal(v, [2, 3, 4])
    assert (v.dtype, v.shape, keras.Variable(0.5).dtype) == ("int64", (3,), "float32")
    with pytest.raises(ArgumentError, match="how much it is to make"):
        keras.Variable("zeros")
    tied = layers.Dense(2)
    tied.other = kept = Scaled().scale
    assert kept.is_kept
    assert not tied.own_parameters, "a weight that another layer has stays there"
