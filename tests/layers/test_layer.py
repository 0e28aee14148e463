"""The base of layers: naming, parameters, symbols, messages."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from tests.compute import compute, inputs, label

import thalweg.activations
import thalweg.initializers
from thalweg import layers, ops
from thalweg.errors import ArgumentError, DTypeError, GraphError, ShapeError, ThalwegError
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers import Dense, Dropout, Flatten, Input, Layer
from thalweg.layers.layer import name_layers
from thalweg.layers.tracing import tracing
from thalweg.spelling import SpellingNotice


@dataclass(eq=False)
class Twice(Layer):
    """A layer with layers inside."""

    units: int

    def __post_init__(self):
        super().__post_init__()
        self.first = Dense(self.units, activation="tanh", name="first")
        self.rest = [Dense(self.units, name="second"), Dense(self.units, name="third", trainable=False)]

    def call(self, x: Node, training: bool) -> Node:
        x = self.first(x, training=training)
        for layer in self.rest:
            x = layer(x, training=training)
        return x


@dataclass(eq=False)
class Running(Layer):
    """A layer that keeps a state without training it."""

    def build(self, x: TensorType) -> None:
        self.mean = self.parameter("mean", x.shape[1:], trainable=False)

    def call(self, x: Node, training: bool) -> Node:
        if training:
            self.update(self.mean, self.mean.node * 0.5 + ops.reduce_mean(x, 0) * 0.5)
        return x - self.mean.node


class Plain(Layer):
    """Written without dataclass, as in Keras."""

    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x, training):
        return x * self.factor


class TestSymbols:
    def test_shapes_follow(self):
        x = Input((28, 28), dtype="uint8")
        y = Dense(10)(layers.Rescaling(1 / 255)(Flatten()(x)))
        assert (x.shape, x.dtype) == ((None, 28, 28), "uint8")
        assert (y.shape, y.dtype) == ((None, 10), "float32")
        assert y.call.inputs[0].shape == (None, 784)
        assert y.call.layer.output_shape == (None, 10)
        assert y.type(32) == TensorType((32, 10))

    def test_batch_shape(self):
        assert Input(batch_shape=(32, 5)).shape == (32, 5)
        assert Input(batch_shape=(None, 5)).type(8) == TensorType((8, 5))

    @pytest.mark.parametrize("shape", [None, (-1, 3), (0,), "abc", 3.5])
    def test_missing_or_wrong_shape(self, shape):
        with pytest.raises(ArgumentError, match="shape"):
            Input(shape)

    @pytest.mark.parametrize("option", ["sparse", "ragged", "optional"])
    def test_not_there_yet(self, option):
        with pytest.raises(ArgumentError, match=option):
            Input((3,), **{option: True})

    def test_a_layer_must_keep_the_batch_axis(self):
        class Mixing(Layer):
            def call(self, x, training):
                return ops.reshape(x, (-1,))

        with pytest.raises(ShapeError, match="batch axis"):
            Mixing()(Input((3,)))

    @pytest.mark.parametrize("wrong", [np.array(["a"]), [], "x", None])
    def test_called_on_something_else(self, wrong):
        with pytest.raises(DTypeError, match=r"layer 'dense' \(Dense\)"):
            Dense(3)(wrong)

    def test_written_as_in_keras(self):
        assert Plain(3.0, name="triple")(Input((2,))).shape == (None, 2)


class TestNames:
    def test_count_within_the_model(self):
        for _ in range(2):  # the second model's names do not depend on the first's
            parts = [Dense(1), Dense(1), Dropout(0.1), Dense(1, name="last"), layers.ReLU(), Plain(1.0)]
            name_layers(parts)
            assert [layer.name for layer in parts] == ["dense", "dense_1", "dropout", "last", "re_lu", "plain"]

    def test_given_names_are_left_alone(self):
        parts = [Dense(1), Dense(1, name="dense"), Dense(1)]
        name_layers(parts)
        assert [layer.name for layer in parts] == ["dense_1", "dense", "dense_2"]

    def test_a_shared_layer_has_one_name(self):
        shared = Dense(1)
        name_layers([shared, shared])
        assert shared.name == "dense"

    def test_the_same_name_twice(self):
        with pytest.raises(ArgumentError, match="two layers of one model are called 'a'"):
            name_layers([Dense(1, name="a"), Dropout(0.1, name="a")])


class TestParameters:
    def test_paths(self):
        layer = Twice(3, name="twice")
        layer(Input((2,)))
        paths = ["first/kernel", "first/bias", "second/kernel", "second/bias", "third/kernel", "third/bias"]
        assert list(layer.named_parameters()) == paths
        assert list(layer.named_parameters("twice/", trainable_only=True)) == [f"twice/{path}" for path in paths[:4]]
        layer.trainable = False
        assert layer.named_parameters(trainable_only=True) == {}
        assert layer.count_params() == 3 * 2 + 3 + 2 * (3 * 3 + 3)

    def test_nodes_are_named_after_the_paths(self):
        layer = Twice(3)
        layer(Input((2,)))
        with tracing(layer.named_parameters("outer/")) as trace:
            (x,) = inputs(x=np.zeros((4, 2), np.float32))
            layer(x, training=True)
            layer(x, training=True)  # a second use has the same states
            node = trace.node(layer.first.kernel)
            assert node is layer.first.kernel.node
        assert (label(node), node.shape) == ("parameters/outer/first/kernel", (2, 3))

    def test_a_parameter_outside_the_model(self):
        layer = Dense(3)
        layer(Input((2,)))
        with tracing({}), pytest.raises(GraphError, match="'kernel' belongs to no layer"):
            layer(*inputs(x=np.zeros((4, 2), np.float32)))

    def test_initial_values_depend_on_seed_and_path(self):
        layer = Dense(5)
        layer(Input((4,)))
        kernel = layer.kernel
        first = kernel.initial(1, "dense/kernel")
        assert (first.shape, first.dtype) == ((4, 5), np.float32)
        np.testing.assert_array_equal(first, kernel.initial(1, "dense/kernel"))
        assert (first != kernel.initial(2, "dense/kernel")).any()
        assert (first != kernel.initial(1, "dense_1/kernel")).any()

    def test_weights(self):
        layer = Dense(2)
        layer(Input((3,)))
        assert [array.shape for array in layer.get_weights()] == [(3, 2), (2,)]
        new = [np.ones((3, 2)), np.full(2, 7.0)]
        layer.set_weights(new)
        np.testing.assert_array_equal(layer.get_weights()[1], [7.0, 7.0])
        with pytest.raises(ShapeError, match="do not fit the layer"):
            layer.set_weights(new[:1])

    def test_updates_of_untrained_states_are_collected(self):
        layer = Running()
        layer(Input((3,)))
        assert layer.named_parameters(trainable_only=True) == {}
        x = np.arange(6, dtype=np.float32).reshape(2, 3)
        with tracing(layer.named_parameters("running/")) as trace:
            layer(*inputs(x=x), training=True)
        name = "parameters/running/mean"
        np.testing.assert_allclose(
            compute(trace.updates, {name: np.ones(3, np.float32)}, x=x)[name], 0.5 + 0.5 * x.mean(0)
        )


class TestMessages:
    def test_the_layer_is_named_with_its_class(self):
        with pytest.raises(ThalwegError, match=r"^layer 'wide' \(Dense\): the input"):
            Dense(3, name="wide")(Input(()))

    def test_an_error_of_an_operation_names_the_layer(self):
        class Odd(Layer):
            def call(self, x, training):
                return ops.add(x, ops.filled((3,), 1.0))

        with pytest.raises(ShapeError, match=r"^layer 'odd' \(Odd\): tensors of these shapes do not fit"):
            Odd()(Input((4,)))

    def test_an_inner_layer_is_named(self):
        class Outer(Layer):
            def __post_init__(self):
                super().__post_init__()
                self.inner = Dense(3, name="inner")

            def call(self, x, training):
                return self.inner(x)

        with pytest.raises(ShapeError, match=r"^layer 'inner' \(Dense\)"):
            Outer()(Input(()))

    def test_older_spelling(self):
        with pytest.warns(SpellingNotice, match="alpha= is read as negative_slope="):
            assert layers.ReLU(alpha=0.1).negative_slope == 0.1  # type: ignore[call-arg]

    @pytest.mark.parametrize(("wrong", "right"), [({"drop": 0.5}, "rate"), ({"rat": 0.5}, "rate")])
    def test_other_spellings(self, wrong, right):
        with pytest.raises(ArgumentError, match=right):
            Dropout(**wrong)


def test_objects_among_the_arguments_are_described():
    layer = Dense(3, activation=thalweg.activations.relu, kernel_initializer=thalweg.initializers.Constant(0.5))
    again = Dense.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.activation is thalweg.activations.relu
    assert again.kernel_initializer == thalweg.initializers.Constant(0.5)


def test_an_unregistered_function_cannot_be_described():
    with pytest.raises(ArgumentError, match=r"Dense\.activation cannot be saved"):
        Dense(3, activation=lambda x: x).get_config()


@pytest.mark.parametrize(
    ("cls", "older", "present"),
    [
        (layers.Dense, {"output_dim": 3, "bias": False}, {"units": 3, "use_bias": False}),
        (layers.Dense, {"units": 3, "init": "uniform"}, {"units": 3, "kernel_initializer": "uniform"}),
        (layers.Dense, {"units": 3, "W_regularizer": "l2"}, {"units": 3, "kernel_regularizer": "l2"}),
        (layers.Conv2D, {"nb_filter": 3, "nb_row": 3, "nb_col": 2}, {"filters": 3, "kernel_size": (3, 2)}),
        (layers.MaxPooling1D, {"pool_length": 3, "border_mode": "same"}, {"pool_size": 3, "padding": "same"}),
        (layers.MaxPooling2D, {"dim_ordering": "tf"}, {"data_format": "channels_last"}),
        (layers.Dropout, {"p": 0.3}, {"rate": 0.3}),
    ],
)
def test_arguments_of_the_first_two_versions_of_keras(cls, older, present):
    with pytest.warns(SpellingNotice):
        made = cls(**older)
    assert made.get_config() == cls(**present).get_config()


def test_older_arguments_that_have_no_present_form():
    with pytest.raises(ArgumentError, match="the older argument 'dim_ordering' has no present form"):
        layers.Conv2D(3, 3, dim_ordering="default")  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="argument 'input_shape' is given twice"):
        layers.Dense(3, input_dim=4, input_shape=(4,))  # type: ignore[call-arg]
