"""Columns with gaps, against what NumPy makes of them."""

import numpy as np
import pytest

import thalweg
from thalweg import Input, Model, layers
from thalweg.errors import ArgumentError, DataError, ShapeError

X = np.array([[1.0, np.nan, 3.0], [np.inf, 2.0, -5.0], [0.0, 4.0, np.nan]], np.float32)


def test_what_is_missing_or_infinite_becomes_the_column_s_value():
    expected = np.where(np.isfinite(X), X, np.float32([10, 20, 30]))
    np.testing.assert_array_equal(layers.FillMissing((10.0, 20.0, 30.0))(X), expected)


def test_flags_say_where_that_was():
    np.testing.assert_array_equal(layers.MissingFlags((0, 2))(X), (~np.isfinite(X)).astype(np.float32)[:, [0, 2]])
    np.testing.assert_array_equal(layers.MissingFlags((1,))(X), [[1], [0], [0]])


def test_scaling_takes_the_centre_and_divides():
    x = np.array([[1.0, 2.0], [3.0, 1e30]], np.float32)
    np.testing.assert_array_equal(layers.RobustScaling((1.0, 2.0), (2.0, 4.0))(x), [[0, 0], [1, 1e6]])


def test_limits_hold_each_column_between_its_own_ends():
    x = np.array([[1.0, 2.0], [-3.0, 5.0]], np.float32)
    np.testing.assert_array_equal(layers.ColumnLimits((0.0, 3.0), (0.5, 4.0))(x), [[0.5, 3], [0, 4]])


def test_a_scale_of_zero_is_refused():
    with pytest.raises(ArgumentError, match="scale"):
        layers.RobustScaling((0.0,), (0.0,))


@pytest.mark.parametrize(
    "layer", [layers.FillMissing((1.0,)), layers.RobustScaling((1.0,), (1.0,)), layers.MissingFlags((3,))]
)
def test_numbers_for_other_columns_are_refused(layer):
    with pytest.raises(ShapeError):
        layer(X)


def small(*first):
    entry = Input((3,))
    x = layers.Concatenate()([layer(entry) for layer in first]) if len(first) > 1 else first[0](entry)
    model = Model(entry, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    return model


def test_a_model_trains_on_gaps_where_its_layers_know_what_to_do():
    model = small(layers.FillMissing((0.0, 0.0, 0.0)), layers.MissingFlags((0, 1)))
    history = model.fit(X, np.ones((3, 1)), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_and_in_a_model_around_it():
    entry = Input((3,))
    model = Model(entry, small(layers.FillMissing((0.0, 0.0, 0.0)))(entry))
    model.compile("sgd", "mse")
    assert np.isfinite(model.evaluate(X, np.ones((3, 1)), verbose=0))


def test_but_not_where_one_of_them_does_not():
    model = small(layers.FillMissing((0.0, 0.0, 0.0)), layers.Identity())
    with pytest.raises(DataError, match="not finite"):
        model.fit(X, np.ones((3, 1)), verbose=0)


def test_the_values_are_in_the_file(tmp_path):
    model = small(layers.FillMissing((1.0, 2.0, 3.0)), layers.RobustScaling((0.0, 0.0, 0.0), (1.0, 2.0, 4.0)))
    model.predict(np.nan_to_num(X), verbose=0)
    model.save(tmp_path / "m.thalweg")
    again = thalweg.load_model(tmp_path / "m.thalweg")
    known = np.nan_to_num(X, posinf=7)
    np.testing.assert_array_equal(again.predict(known, verbose=0), model.predict(known, verbose=0))
