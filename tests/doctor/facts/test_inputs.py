"""What is said of the training rows: of their size as the weights meet them."""

import numpy as np
import pytest

from thalweg import Input, Model, Sequential, layers
from thalweg.doctor.facts.inputs import inputs_of
from thalweg.doctor.facts.network import Network

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((300, 6)).astype("float32")


def network(*stack, shape=(6,), dtype="float32"):
    model = Sequential([Input(shape, dtype=dtype), *stack])
    return Network.of(model.runner.net(), model.runner.structure.layers_by_path())


def test_columns_of_several_kinds():
    x = X.copy()
    x[:, 1] = 3.0  # constant
    x[:, 2] = x[:, 0]  # a copy
    x[:, 3] *= 500
    x[:, 4] -= 40
    found = inputs_of({"x": x, "y": x[:, 0]})
    assert (found.rows, found.columns) == (300, 6)
    assert found.constant == pytest.approx(1 / 6)
    assert found.repeated == pytest.approx(1 / 6)
    assert found.largest_deviation == pytest.approx(x[:, 3].std(), rel=1e-5)
    assert found.largest_mean == pytest.approx(np.abs(x.mean(axis=0)).max(), rel=1e-5)
    assert found.deviation_ratio == pytest.approx(500, rel=0.2)
    assert not found.scaled_inside


def test_rows_that_are_not_finite_are_counted_among_all_rows():
    x = np.zeros((5000, 3))
    x[7, 1], x[4999, 2], x[4999, 0] = np.nan, np.inf, 1e300
    assert inputs_of({"x": x}).non_finite == pytest.approx(2 / 5000)
    assert inputs_of({"x": x}, finite=True).non_finite == 0
    assert np.isfinite(inputs_of({"x": x}).largest_deviation)
    assert inputs_of({"x": np.full((4, 2), np.nan)}).non_finite == 1


SCALED = {
    "normalized": (layers.Normalization(mean=1.0, variance=4.0), layers.Dense(2)),
    "batch norm after what only hands on": (layers.Dropout(0.1), layers.BatchNormalization(), layers.Dense(2)),
    "layer norm": (layers.LayerNormalization(), layers.Dense(2)),
}


@pytest.mark.parametrize("stack", SCALED.values(), ids=SCALED)
def test_what_the_model_scales_itself(stack):
    assert inputs_of({"x": X * 100}, network(*stack)).scaled_inside


def test_what_it_does_not():
    after = network(layers.Dense(4), layers.BatchNormalization(), layers.Dense(2))
    assert not inputs_of({"x": X}, after).scaled_inside


def test_numbers_are_those_behind_a_rescaling():
    images = RANDOM.integers(0, 256, (100, 4, 4, 1)).astype("uint8")
    stack = (layers.Rescaling(1 / 255), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2))
    found = inputs_of({"x": images}, network(*stack, shape=(4, 4, 1), dtype="uint8"))
    assert found.columns == 16
    assert found.largest_deviation < 0.4
    assert found.largest_mean < 1


def test_numbers_of_words_have_no_size():
    ids = RANDOM.integers(0, 900, (50, 7))
    embedded = network(layers.Embedding(900, 3), layers.Flatten(), layers.Dense(2), shape=(7,), dtype="int32")
    assert inputs_of({"x": ids}, embedded) is None


def test_one_of_two_inputs_is_scaled():
    left, right = Input((6,), name="left"), Input((6,), name="right")
    both = layers.Concatenate()([layers.Dense(2)(layers.BatchNormalization()(left)), layers.Dense(2)(right)])
    model = Model([left, right], layers.Dense(1)(both))
    net = Network.of(model.runner.net(), model.runner.structure.layers_by_path())
    found = inputs_of({"x/left": X * 1000, "x/right": X}, net)
    assert not found.scaled_inside
    assert found.largest_deviation < 2
    assert found.columns == 12


def test_what_cannot_be_looked_at():
    assert inputs_of({}) is None
    assert inputs_of({"x": np.array([["a"], ["b"]], object)}) is None
    assert inputs_of({"x": np.zeros((0, 3))}) is None
    assert inputs_of({"x": np.ones((1, 3))}).constant == 1


def test_large_data_are_not_looked_at_row_by_row(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((20_000, 50), "float32"))
    assert inputs_of({"x": np.load(tmp_path / "x.npy", mmap_mode="r")}, finite=True).rows <= 2000
