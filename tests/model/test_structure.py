"""How layers are connected, as a value: by hand-made symbols and layers."""

from typing import Any

import numpy as np
import pytest
from tests.compute import compute, inputs

from thalweg import Input, layers
from thalweg.errors import ArgumentError, GraphError
from thalweg.layers.tracing import tracing
from thalweg.model.structure import Structure, between, connected, labelled, stacked


class TestConnected:
    def test_calls_stand_after_those_that_they_need(self):
        x = Input((3,))
        first, second, add = layers.Dense(2, name="a"), layers.Dense(2, name="b"), layers.Add(name="sum")
        y = first(x)
        z = add([second(y), y])
        structure = connected({"x": x}, {"": z})
        assert [call.layer for call in structure.calls] == [first, second, add]
        assert structure.layers == (first, second, add)
        assert structure.built

    def test_a_layer_used_twice_is_one_layer_of_two_calls(self):
        x = Input((3,))
        layer = layers.Dense(3)
        structure = between(x, layer(layer(x)))
        assert structure.layers == (layer,)
        assert len(structure.calls) == 2

    def test_what_is_on_no_way_to_an_output_is_left_out(self):
        x = Input((3,))
        used, unused = layers.Dense(1), layers.Dense(1)
        unused(x)
        assert between(x, used(x)).layers == (used,)

    def test_an_input_that_is_none_of_the_models(self):
        x, other = Input((3,)), Input((3,), name="other")
        with pytest.raises(GraphError, match="none of the model's") as caught:
            between(x, layers.Add()([x, other]))
        assert "'other'" in str(caught.value)

    def test_an_input_that_is_an_output(self):
        x = Input((3,))
        assert connected({"x": x}, {"": x}).calls == ()


class TestLabels:
    def test_one_and_several(self):
        x, y = Input((1,), name="left"), Input((1,))
        assert labelled(x, "inputs") == {"x": x}
        assert labelled([x], "outputs") == {"": x}
        assert labelled([x, y], "inputs") == {"x/left": x, "x/input_1": y}
        assert labelled({"a": x}, "outputs") == {"a": x}

    def test_outputs_are_named_after_layers_that_are_named_for_it(self):
        x = Input((1,))
        structure = between(x, [layers.Dense(1)(x), layers.Dense(1)(x)])
        assert list(structure.outputs) == ["dense", "dense_1"]
        assert not structure.named_outputs
        assert between(x, {"y": layers.Dense(1)(x)}).named_outputs

    @pytest.mark.parametrize("given", [None, [], 3, ["x"], {}])
    def test_what_is_no_symbol(self, given):
        with pytest.raises(ArgumentError, match="'inputs'"):
            labelled(given, "inputs")


class TestStacked:
    def test_without_an_entry_it_is_not_built(self):
        structure = stacked(None, [layers.Dense(1), layers.Dense(2)])
        assert not structure.built
        assert [layer.name for layer in structure.layers] == ["dense", "dense_1"]

    def test_with_one(self):
        structure = stacked(Input((3,)), [layers.Dense(2), layers.ReLU()])
        assert structure.built
        assert structure.output_types()[""].shape[1:] == (2,)

    def test_nothing(self):
        assert stacked(Input((3,)), []).layers == ()
        assert not Structure().built


class TestParameters:
    def test_one_that_is_reached_by_two_ways_has_the_first_path(self):
        x = Input((2,))
        shared = layers.Dense(2, name="shared")
        inner = layers.TimeDistributed(shared, name="each")
        y = Input((3, 2))
        structure = between([x, y], [shared(x), inner(y)])
        assert list(structure.parameters()) == ["shared/kernel", "shared/bias"]
        assert list(structure.layers_by_path()) == ["shared", "each", "each/shared"]

    def test_trained_by_one_way_at_least(self):
        x = Input((2,))
        shared = layers.Dense(2, name="shared", use_bias=False)
        other = layers.Dense(2, name="other")
        structure = between(x, other(shared(x)))
        other.trainable = False
        assert structure.trainable_paths() == ["shared/kernel"]


def test_called_on_nodes():
    """y = 3 x + 1, and 2 y; the outputs in the order in which they were named."""
    x = Input((1,))
    y = layers.Rescaling(3.0, offset=1.0)(x)
    structure = connected({"x": x}, {"twice": y + y, "once": y})
    data = np.array([[0.0], [2.0]], np.float32)
    with tracing(structure.parameters()):
        twice, once = structure.call(inputs(x=data), training=False)
    np.testing.assert_array_equal(compute(once, x=data), [[1], [7]])
    np.testing.assert_array_equal(compute(twice, x=data), [[2], [14]])


def test_types():
    x, y = Input((2, 3), name="image"), Input((), dtype="int32", name="number")
    structure = between([x, y], [layers.Flatten()(x), layers.Identity()(y)])
    assert {label: str(kind) for label, kind in structure.input_types().items()} == {
        "x/image": "float32[32,2,3]",
        "x/number": "int32[32]",
    }
    assert [kind.shape[1:] for kind in structure.output_types().values()] == [(6,), ()]


def test_results_of_a_call():
    class Two(layers.Layer):
        def call(self, x):
            return x, x + 1.0

    x = Input((1,))
    first, second = Two()(x)
    only_second = between(x, layers.ReLU()(second))
    assert only_second.results_of(second.call) == [second]
    assert between(x, [first, second]).results_of(first.call) == [first, second]


def test_it_does_not_change():
    x = Input((1,))
    structure: Any = between(x, layers.Dense(1)(x))
    with pytest.raises(AttributeError):
        structure.layers = ()
