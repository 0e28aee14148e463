"""Layers in the data's way with their first weights, and the plan of a training."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, initializers, layers, ops, optimizers, regularizers
from thalweg.data.source import Rows
from thalweg.doctor.facts.network import Network
from thalweg.doctor.facts.start import layers_of, plan_of
from thalweg.training.session import FitOptions


def begun(model):
    runner = model.runner
    network = Network.of(runner.net(), runner.structure.layers_by_path())
    runner.give_values()
    return network, {name: runner.state.read(name) for name in runner.state if name.startswith("parameters/")}


def infos(*stack, shape=(50,)):
    return layers_of(*begun(Sequential([Input(shape), *stack])))


def test_gains_and_biases():
    first, second, last = infos(
        layers.Dense(80, "relu", kernel_initializer="he_normal"),
        layers.Dense(60, "tanh", kernel_initializer="lecun_normal", bias_initializer=initializers.Constant(-3.0)),
        layers.Dense(4, "softmax", kernel_initializer="zeros"),
    )
    assert (first.name, first.kind, first.activation, first.fan_in, first.fan_out) == ("dense", "Dense", "relu", 50, 80)
    assert first.parameters == 50 * 80 + 80
    assert first.gain == pytest.approx(2**0.5, rel=0.05)
    assert second.gain == pytest.approx(1, rel=0.05)
    assert (first.bias, second.bias) == (0, -3)
    assert last.gain == 0
    assert last.equal_columns
    assert [info.equal_columns for info in (first, second)] == [False, False]


def test_windows_count_all_that_a_unit_sees():
    conv, depthwise, transposed, dense = infos(
        layers.Conv2D(6, 3),
        layers.DepthwiseConv2D(3),
        layers.Conv2DTranspose(2, 2),
        layers.Flatten(),
        layers.Dense(1, kernel_initializer=initializers.Constant(0.5)),
        shape=(6, 6, 4),
    )
    assert (conv.fan_in, conv.fan_out) == (36, 54)
    assert depthwise.fan_in == 9
    assert (transposed.fan_in, transposed.fan_out) == (24, 8)
    assert not dense.equal_columns  # one unit is like no other


def test_an_activation_that_is_a_layer_belongs_to_the_weights_before_it():
    names = {
        info.name: info.activation
        for info in infos(
            layers.Dense(5), layers.BatchNormalization(), layers.ReLU(), layers.Dense(3), layers.Activation("selu")
        )
    }
    assert names == {
        "dense": "relu",
        "batch_normalization": "linear",
        "re_lu": "relu",
        "dense_1": "selu",
        "activation": "selu",
    }


def test_what_is_added_to_what_went_around_it():
    entry = Input((8,))
    first = layers.Dense(8, "relu", name="first")(entry)
    inside = layers.Dense(8, name="in_2")(layers.Dense(8, "relu", name="in_1")(first))
    last = layers.Dense(2, name="last")(layers.Add()([first, inside]))
    found = {info.name: info.residual for info in layers_of(*begun(Model(entry, last)))}
    assert list(found) == ["first", "in_1", "in_2", "last"]
    assert found == {"first": False, "in_1": True, "in_2": True, "last": False}


def test_two_towers_are_no_residual():
    a, b = Input((3,)), Input((3,))
    model = Model([a, b], layers.Add()([layers.Dense(2)(a), layers.Dense(2)(b)]))
    assert not any(info.residual for info in layers_of(*begun(model)))


def test_layers_inside_of_others_and_frozen_ones():
    inner = Sequential([Input((4,)), layers.Dense(3, "tanh", name="inside")], name="block")
    inner.trainable = False
    model = Sequential([Input((4,)), inner, layers.Dense(1)])
    found = layers_of(*begun(model))
    assert [(info.name, info.trainable, info.activation) for info in found] == [
        ("block/inside", False, "tanh"),
        ("dense", True, "linear"),
    ]


class Product(layers.Layer):
    """A user's own, with names of his own."""

    def build(self, x):
        self.table = self.add_weight(shape=(x[-1], 3), initializer="ones", name="table")

    def call(self, x):
        return ops.matmul(x, self.table)


def test_weights_of_a_layer_of_the_users_own():
    own, _ = infos(Product(), layers.Dense(1))
    assert (own.kind, own.fan_in, own.fan_out, own.gain, own.equal_columns) == ("Product", 50, 3, 0, True)


def plan(rule, batch_size=32, epochs=3, rows=100, stack=(), **more):
    model = Sequential([Input((4,)), *stack, layers.Dense(2)])
    source = Rows({"x": np.zeros((rows, 4), "f"), "y": np.zeros((rows, 2), "f")})
    return plan_of(rule, FitOptions(batch_size, epochs, **more), source, begun(model)[0])


def test_plans():
    found = plan(optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0))
    assert (found.optimizer, found.learning_rate, found.momentum, found.clipped) == ("sgd", 0.1, 0.9, True)
    assert (found.batch_size, found.rows, found.steps_per_epoch, found.epochs, found.parameters) == (32, 100, 4, 3, 10)
    assert (found.scheduled, found.penalty, found.dropout, found.class_weight) == (False, 0, 0, False)
    whole = plan(optimizers.Adam(), "full", initial_epoch=1)
    assert (whole.batch_size, whole.steps_per_epoch, whole.epochs, whole.momentum) == (100, 1, 2, 0.9)


def test_what_holds_a_network_back():
    held = layers.Dense(4, kernel_regularizer=regularizers.L2(0.3))
    found = plan(optimizers.AdamW(weight_decay=0.01), stack=(layers.Dropout(0.2), held, layers.Dropout(0.6)))
    assert (found.penalty, found.dropout) == (0.3, 0.6)
    assert plan(optimizers.AdamW(weight_decay=0.01)).penalty == 0.005
    assert plan(optimizers.SGD(), stack=(layers.Dense(4, kernel_regularizer="l2"),)).penalty == 0.01


def test_a_schedule_begins_where_it_begins():
    found = plan(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)))
    assert (found.learning_rate, found.scheduled) == (0.5, True)
