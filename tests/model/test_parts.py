"""A model from an input to the result of a layer, as in Keras."""

import numpy as np
import pytest
from tests import nets

from thalweg import Input, Model, Sequential, errors, layers


def test_of_a_sequential():
    whole = nets.classifier()
    part = Model(whole.inputs, whole.get_layer("dense").output)
    x, _ = nets.points()
    kernel, bias, *_ = whole.get_weights()
    np.testing.assert_allclose(part.predict(x, verbose=0), np.maximum(x @ kernel + bias, 0), rtol=1e-4, atol=1e-5)
    assert part.layers[1:] == whole.layers[:1]  # shared, not copied


def test_of_a_model_with_a_skip_connection():
    x = Input((4,))
    y = layers.Dense(4, name="beside")(x)
    whole = Model(x, layers.Dense(2)(layers.Add()([x, y])))
    rows = np.ones((3, 4), np.float32)
    added, beside = Model(whole.inputs, [whole.layers[2].output, y]).predict(rows, verbose=0)
    np.testing.assert_allclose(added, rows + beside, rtol=1e-6)
    assert whole.layers[2].input == [x, y]


def test_of_a_sequential_that_grew():
    whole = Sequential([Input((4,)), layers.Dense(3)])
    whole.add(layers.Dense(2))
    whole.add(layers.Dense(1))
    assert Model(whole.inputs, whole.layers[1].output).predict(np.ones((2, 4)), verbose=0).shape == (2, 2)


def test_a_layer_in_no_model_has_no_output():
    with pytest.raises(errors.GraphError, match="layer 'dense'"):
        layers.Dense(3).output  # noqa: B018
    with pytest.raises(errors.GraphError, match="used once between symbols"):
        Sequential([layers.Dense(3)]).layers[0].input  # noqa: B018


def test_symbols_print_on_one_line():
    assert repr(layers.Dense(3)(Input((4,)))) == "<symbol float32 (None, 3) of 'dense'>"
