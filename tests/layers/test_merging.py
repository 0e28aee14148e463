"""Layers of several inputs: what they refuse. Values: tests/oracles."""

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import ShapeError, ThalwegError

Input = thalweg.Input


@pytest.mark.parametrize("layer", [layers.Add, layers.Maximum, layers.Concatenate])
def test_shapes_that_do_not_fit_name_the_layer(layer):
    with pytest.raises(ShapeError, match=layer.__name__):
        layer()([Input((3, 4)), Input((2, 5))])


@pytest.mark.parametrize("layer", [layers.Subtract(), layers.Dot(1)])
@pytest.mark.parametrize("count", [1, 3])
def test_layers_of_two_inputs(layer, count):
    with pytest.raises(ShapeError, match="takes two inputs"):
        layer([Input((3,))] * count)


def test_dot_of_axes_that_differ():
    with pytest.raises(ShapeError, match="different sizes"):
        layers.Dot((1, 1))([Input((3, 4)), Input((4, 3))])
    with pytest.raises(ThalwegError, match="batch"):
        layers.Dot(0)([Input((3,)), Input((3,))])


def test_other_dtypes_are_brought_together():
    small, big = Input((2,), dtype="uint8", name="small"), Input((2,), name="big")
    model = thalweg.Model([small, big], [layers.Concatenate()([small, big]), layers.Add()([small, big])])
    x = {"small": np.array([[1, 2]], np.uint8), "big": np.array([[0.5, 0.25]], np.float32)}
    joined, added = model.predict(x, verbose=0)
    np.testing.assert_array_equal(joined, [[1, 2, 0.5, 0.25]])
    np.testing.assert_array_equal(added, [[1.5, 2.25]])


def test_permute_and_repeat_refuse_what_they_cannot():
    with pytest.raises(ThalwegError, match="no order"):
        layers.Permute((1, 3))
    with pytest.raises(ShapeError, match="dims does not fit"):
        layers.Permute((2, 1))(Input((2, 3, 4)))
    with pytest.raises(ShapeError, match="only vectors"):
        layers.RepeatVector(2)(Input((2, 3)))
