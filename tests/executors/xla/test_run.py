"""How the xla executor runs steps: what it brings to where it computes, and when."""

import numpy as np
import pytest

from thalweg import Sequential, layers

pytestmark = pytest.mark.needs("jax")


def model(executor):
    made = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(1)])
    made.compile("sgd", "mse")
    made.executor = executor
    return made


@pytest.fixture
def brought(monkeypatch):
    """The shapes of all arrays that are copied to where XLA computes."""
    from thalweg.executors.xla.placement import Placement

    shapes, put = [], Placement.put

    def noted(self, array, sharding):
        shapes.append(array.shape)
        return put(self, array, sharding)

    monkeypatch.setattr(Placement, "put", noted)
    return shapes


def test_the_rows_of_a_training_are_brought_once(brought):
    x, y = np.random.default_rng(0).normal(size=(64, 3)).astype("float32"), np.ones((64, 1), "float32")
    model("xla").fit(x, y, batch_size=8, epochs=5, validation_data=(x[:40], y[:40]), verbose=0)
    assert brought.count((64, 3)) == brought.count((64, 1)) == 1


def test_an_array_that_is_used_again_for_other_rows_is_brought_again():
    buffer, y = np.zeros((8, 3), "float32"), np.ones((8, 1), "float32")
    mine, other = model("xla"), model("numpy")
    other.set_weights(mine.get_weights())
    for fill in (0.5, -1.0, 2.0):
        buffer[...] = fill
        assert mine.train_on_batch(buffer, y) == pytest.approx(other.train_on_batch(buffer, y), rel=1e-5)
        np.testing.assert_allclose(mine.predict(buffer, verbose=0), other.predict(buffer, verbose=0), rtol=1e-5)
