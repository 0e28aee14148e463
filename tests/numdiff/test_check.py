"""check_gradients: right gradients pass on every kind of model, wrong ones are found and named, kinks are neither."""

from dataclasses import dataclass

import numpy as np
import pytest
from tests.nets import classifier, points, regressor

import thalweg
from thalweg import Input, Model, Sequential, check_gradients, layers, numdiff, ops
from thalweg.errors import ArgumentError, GraphError, NonFiniteError, ShapeError
from thalweg.graph.node import Graph, Kind, Op, apply
from thalweg.ops.elementwise import Tanh
from thalweg.passes.precision import in_double


def assert_right(check, kinks=0):
    assert check.passed, str(check)
    assert sum(tensor.kinks for tensor in check.tensors) == kinks, str(check)
    assert "right: all" in str(check)


@pytest.mark.parametrize("per_entry", [False, True])
def test_a_classifier(per_entry):
    model = classifier()
    before = model.get_weights()
    check = check_gradients(model, *points(20), per_entry=per_entry)
    assert_right(check)
    assert [tensor.path for tensor in check.tensors] == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert max(tensor.error for tensor in check.tensors) < 1e-7
    assert [tensor.compared for tensor in check.tensors] == ([32, 8, 24, 3] if per_entry else [3] * 4)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_dropout_draws_the_same_units_every_time():
    assert_right(check_gradients(classifier(dropout=0.5), *points(20)))


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softmax", "linear", "relu"])
def test_activations_and_sample_weights(activation):
    model = Sequential([Input((4,)), layers.Dense(8, activation=activation), layers.Dense(2)])
    model.compile("sgd", "mse")
    x, _ = points(16)
    check = check_gradients(model, x, np.stack([x[:, 0], x[:, 1] ** 2], -1), np.linspace(0, 2, 16))
    assert_right(check)


def test_several_inputs_and_outputs():
    left, right = Input((3,), name="left"), Input((2,), name="right")
    shared = layers.Dense(4, activation="tanh", name="shared")(left)
    outputs = {"a": layers.Dense(1, name="a")(shared), "b": layers.Dense(3, activation="softmax", name="b")(right)}
    model = Model({"left": left, "right": right}, outputs)
    model.compile("sgd", {"a": "mse", "b": "sparse_categorical_crossentropy"}, loss_weights={"a": 0.3, "b": 2.0})
    x, y = numdiff.random_data(model, 8)
    assert [part.shape for part in x] == [(8, 3), (8, 2)]
    assert_right(check_gradients(model, x, y))


def test_frozen_layers_are_left_out():
    model = Sequential([Input((4,)), layers.Dense(3, trainable=False), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, _ = points(8)
    check = check_gradients(model, x, x[:, 0])
    assert [tensor.path for tensor in check.tensors] == ["dense_1/kernel", "dense_1/bias"]


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_badly_scaled_data_are_no_false_alarm(scale):
    x, y = points(32)
    assert check_gradients(classifier(), x * scale, y).passed


@pytest.mark.parametrize("seed", range(8))
def test_wide_relu_layers_are_no_false_alarm(seed):
    """Thousands of units, so that any step crosses kinks of some: smaller steps cross fewer."""
    thalweg.utils.set_random_seed(seed)
    hidden = [layers.Dense(400, activation="relu"), layers.Dense(300, activation="relu")]
    model = Sequential([Input((4,)), *hidden, layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    check = check_gradients(model, *points(64), seed=seed)
    assert check.passed, str(check)


# What is wrong


@dataclass(frozen=True)
class _Scaled(Op, kind=Kind.ELEMENTWISE):
    """The identity, with a vjp that is off by a factor."""

    factor: float

    def infer(self, x):
        return x

    def reference(self, x):
        return x

    def vjp(self, g, inputs, output):
        return (g * self.factor,)


@dataclass(eq=False)
class Wrong(layers.Layer):
    factor: float = 1.0

    def call(self, x, training):
        return apply(_Scaled(self.factor), x)


@pytest.mark.parametrize("factor", [0.0, -1.0, 0.5, 1.001, 1 + 1e-5])
@pytest.mark.parametrize("per_entry", [False, True])
def test_a_wrong_vjp_is_found_and_so_is_where(factor, per_entry):
    """What lies before the fault is wrong, what lies behind it is right."""
    model = Sequential([Input((4,)), layers.Dense(8, "tanh"), Wrong(factor), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    check = check_gradients(model, *points(20), per_entry=per_entry)
    assert not check.passed
    assert check.wrong == ["dense/kernel", "dense/bias"]
    assert "WRONG: dense/kernel, dense/bias" in str(check)


def test_the_same_layer_with_the_right_factor_passes():
    model = Sequential([Input((4,)), layers.Dense(8, "tanh"), Wrong(1.0), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert_right(check_gradients(model, *points(20)))


def test_a_fault_among_relus_is_not_taken_for_a_kink():
    model = Sequential([Input((4,)), layers.Dense(64, "relu"), Wrong(0.9), layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert check_gradients(model, *points(64)).wrong == ["dense/kernel", "dense/bias"]


def test_a_fault_in_one_of_many_entries_is_found(monkeypatch):
    """A slope that is wrong where the unit is nearly saturated only."""
    right = Tanh.vjp

    def wrong(self, g, inputs, output):
        (slope,) = right(self, g, inputs, output)
        assert slope is not None
        return (ops.select(abs(output) > 0.6, slope * 0.5, slope),)

    model = Sequential([Input((4,)), layers.Dense(100, activation="tanh"), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, _ = points(32)
    assert check_gradients(model, x, x[:, 0]).passed
    monkeypatch.setattr(Tanh, "vjp", wrong)
    assert check_gradients(model, x, x[:, 0]).wrong == ["dense/kernel", "dense/bias"]


# Kinks, and gradients too small to see


def dead(bias=0.0):
    """A hidden layer whose units stand exactly at 0 for the data zeros."""
    thalweg.utils.set_random_seed(1)
    model = Sequential([Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(2)])
    model.compile("sgd", "mse")
    weights = model.get_weights()
    weights[1][:] = bias
    model.set_weights(weights)
    return model


def test_a_point_at_kinks_is_told_and_passes():
    check = check_gradients(dead(), np.zeros((5, 3)), np.ones((5, 2)), per_entry=True)
    assert_right(check, kinks=4)
    assert [tensor.verdict for tensor in check.tensors] == ["ok", "kink", "ok", "ok"]
    assert "4 of the comparisons are at a kink" in str(check)


def test_beside_the_kinks_there_are_none():
    assert_right(check_gradients(dead(bias=0.1), np.zeros((5, 3)), np.ones((5, 2)), per_entry=True))


def test_at_a_kink_slopes_outside_of_both_sides_are_wrong():
    model = Sequential([Input((1,)), Steep()])
    model.compile("sgd", "mse")
    check = check_gradients(model, np.zeros((1, 1)), np.full((1, 1), -5.0))
    assert check.wrong == ["steep/bias"]


@dataclass(frozen=True)
class _SteepRelu(Op, kind=Kind.ELEMENTWISE):
    """relu that answers 3 for its slope."""

    def infer(self, x):
        return x

    def reference(self, x):
        return np.maximum(x, 0)

    def vjp(self, g, inputs, output):
        return (g * 3.0,)


@dataclass(eq=False)
class Steep(layers.Layer):
    def build(self, x):
        self.bias = self.parameter("bias", (1,))

    def call(self, x, training):
        return apply(_SteepRelu(), x + self.bias.node)


def test_saturated_units_have_gradients_too_small_to_see():
    model = Sequential([Input((3,)), layers.Dense(4, activation="sigmoid"), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "mse")
    weights = model.get_weights()
    weights[3][:] = 30.0
    model.set_weights(weights)
    x, _ = points(8)
    check = check_gradients(model, x[:, :3], np.zeros(8))
    assert check.passed
    assert {tensor.verdict for tensor in check.tensors} == {"too small"}
    assert "nothing wrong found: 0 of 4" in str(check)
    assert "cannot be told from rounding" in str(check)


# Double precision, data, bad input


def test_in_double_is_the_same_graph_in_float64():
    x = ops.input_node("x", (4, 3))
    w = ops.state_node("w", (3,))
    y = ops.cast(ops.tanh(x * w) * 0.5, "float64") + ops.cast(ops.iota((4, 3), 1, "int32"), "float64")
    graph = in_double(Graph({"y": y}, {"w": w + 1}))
    assert {node.dtype for node in graph.nodes()} == {"float64", "int32"}
    assert [n.op.name for n in graph.nodes()] == [n.op.name for n in Graph({"y": y}, {"w": w + 1}).nodes()]


def test_random_data_fit_every_kind_of_target():
    for loss, units, activation in [
        ("mse", 1, None),
        ("binary_crossentropy", 1, "sigmoid"),
        ("categorical_crossentropy", 3, "softmax"),
        ("sparse_categorical_crossentropy", 3, "softmax"),
    ]:
        model = Sequential([Input((5,), dtype="uint8"), layers.Rescaling(1 / 255), layers.Dense(units, activation)])
        model.compile("sgd", loss)
        x, y = numdiff.random_data(model, 7)
        assert x.shape == (7, 5)
        assert_right(check_gradients(model, x, y))


def test_a_model_that_is_not_built_is_built_for_the_data():
    model = Sequential([layers.Dense(2)])
    model.compile("sgd", "mse")
    assert_right(check_gradients(model, np.ones((4, 3)), np.ones((4, 2))))


@pytest.mark.parametrize(
    "options", [{"directions": 0}, {"tolerance": 0.0}, {"tolerance": 1.5}, {"directions": "many"}], ids=str
)
def test_bad_options(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        check_gradients(classifier(), *points(8), **options)


def test_bad_models_and_data():
    with pytest.raises(GraphError, match="not compiled"):
        check_gradients(Sequential([Input((4,)), layers.Dense(1)]), *points(8))
    with pytest.raises(ShapeError, match="does not fit the model's input"):
        check_gradients(classifier(), np.ones((4, 5)), np.ones(4))
    frozen = Sequential([Input((2,)), layers.Dense(1, trainable=False)])
    frozen.compile("sgd", "mse")
    with pytest.raises(GraphError, match="trains nothing"):
        check_gradients(frozen, np.ones((2, 2)), np.ones(2))
    model = regressor()
    model.state.write("parameters/dense/kernel", np.full((2, 1), np.inf))
    with pytest.raises(NonFiniteError, match="not finite"):
        check_gradients(model, np.ones((2, 2)), np.ones(2))
