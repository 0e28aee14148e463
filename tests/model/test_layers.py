"""The layers of a model as Keras lists them: inputs among them, in its order."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, Sequential, layers
from thalweg.errors import ArgumentError


def branches():
    """Shared, of unequal length, and with two outputs."""
    a, b = Input((4,), name="a"), Input((5,), name="b")
    shared = layers.Dense(4, name="s")
    h = shared(shared(layers.Dense(4, name="h")(a)))
    g = layers.Dense(4, name="g")(b)
    c = layers.Concatenate(name="c")([h, g, layers.Flatten(name="f")(a)])
    return a, b, layers.Dense(2, name="o1")(c), layers.Dense(2, name="o2")(g)


def test_the_order_is_keras_s():
    """Keras 3.15's answers."""
    a, b, first, second = branches()
    model = Model([a, b], [first, second])
    assert [layer.name for layer in model.layers] == ["a", "h", "s", "b", "g", "f", "c", "o1", "o2"]
    shapes = [(4, 4), (4,), (4, 4), (4,), (5, 4), (4,), (12, 2), (2,), (4, 2), (2,)]
    assert [array.shape for array in model.get_weights()] == shapes
    turned = Model([b, a], [second, first])
    assert [layer.name for layer in turned.layers] == ["a", "h", "b", "s", "g", "f", "c", "o2", "o1"]
    again = thalweg.clone_model(turned)
    assert [layer.name for layer in again.layers] == [layer.name for layer in turned.layers]


def test_a_functional_model_lists_its_inputs_and_a_sequential_does_not(capsys):
    x = Input((4,))
    model = Model(x, layers.Dense(3)(x) + 1.0)
    assert [layer.name for layer in model.layers] == ["input_layer", "dense"]
    assert [layer.name for layer in model.operations] == ["input_layer", "dense", "add"]
    assert model.layers[0] is model.get_layer("input_layer") is model.get_layer(index=0)
    assert isinstance(model.layers[0], layers.InputLayer)
    assert model.layers[0].batch_shape == (None, 4)
    assert model.layers[0].output is x
    model.summary(line_length=60)
    assert "input_layer (InputLayer)   (None, 4)" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match="no such layer"):
        model.get_layer(index=2)
    inner = Sequential([Input((4,)), layers.Dense(3)])
    assert [layer.name for layer in inner.layers] == ["dense"]
    assert [layer.name for layer in Model(x, inner(x)).layers] == ["input_layer", "sequential"]


def test_inputs_without_a_name_are_numbered():
    left, right = Input((2,)), Input((2,))
    model = Model([left, right], layers.Add()([left, right]))
    assert [layer.name for layer in model.layers] == ["input_layer", "input_layer_1", "add"]


@pytest.mark.parametrize(
    "entry",
    [
        lambda: layers.InputLayer(input_shape=(4,)),
        lambda: layers.InputLayer((4,), 8, "float32", name="entry"),
        lambda: layers.InputLayer(batch_input_shape=(8, 4)),
        lambda: layers.InputLayer.from_config(layers.InputLayer((4,), name="entry").get_config()),
    ],
)
def test_an_input_layer_starts_a_model(entry):
    stacked = Sequential()
    stacked.add(entry())
    stacked.add(layers.Dense(3))
    start = entry()
    connected = Model(start.output, layers.Dense(3)(start.output))
    assert connected.layers[0] is start
    for model in (stacked, connected):
        assert model.predict(np.ones((2, 4)), verbose=0).shape == (2, 3)
