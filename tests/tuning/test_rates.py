"""find_lr: the rate that it suggests is a good one, and the model stays as it was."""

import numpy as np
import pytest

import thalweg
from thalweg import layers
from thalweg.errors import ArgumentError, GraphError


def data(rows=256):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 4)).astype(np.float32)
    return x, (x @ np.array([[1.0], [-2.0], [0.5], [0.0]]) + random.normal(0, 0.1, (rows, 1))).astype(np.float32)


def linear(optimizer=None):
    with thalweg.config.seeded(1):
        model = thalweg.Sequential([layers.Input((4,)), layers.Dense(1, name="d")])
        model.compile(optimizer or thalweg.optimizers.SGD(0.5), "mse")
    return model


def quick(model, x, y, **given):
    return thalweg.find_lr(model, x, y, **{"steps": 40, "seeds": 2, "verbose": 0, **given})


def test_the_suggestion_trains_better_than_rates_around_it_and_nothing_of_the_model_changes():
    x, y = data()
    model = linear()
    model.fit(x[:64], y[:64], epochs=1, verbose=0)
    before, history = model.get_weights(), model.history
    found = quick(model, x, y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.history is history
    assert float(model.optimizer.learning_rate) == 0.5
    assert found.suggestion is not None

    def end(rate):
        twin = linear(thalweg.optimizers.SGD(rate))
        return twin.fit(x, y, epochs=4, verbose=0, seed=3).history["loss"][-1]

    assert end(found.suggestion) <= 1.1 * min(end(rate) for rate in (1e-4, 1e-3, 1e-2))


def test_the_same_call_finds_the_same():
    x, y = data(64)
    first, second = (quick(linear(), x, y, threads=threads) for threads in (1, 2))
    assert first.suggestion == second.suggestion
    assert np.array_equal(first.losses, second.losses, equal_nan=True)
    assert np.array_equal(first.results, second.results)


def test_a_schedule_does_not_matter():
    x, y = data(64)
    schedule = thalweg.optimizers.schedules.ExponentialDecay(0.5, 10, 0.1)
    assert quick(linear(thalweg.optimizers.SGD(schedule)), x, y).suggestion == quick(linear(), x, y).suggestion


def test_where_nothing_can_be_learned_there_is_no_optimum():
    x, y = data(64)
    found = quick(linear(), np.zeros_like(x), y - y.mean())
    assert found.suggestion is None
    assert "no clear optimum" in found.reason
    assert found.reason in str(found)


def test_a_best_rate_at_the_end_is_none():
    x, y = data(64)
    found = quick(linear(), x, y, low=1e-6, high=1e-5)
    assert found.suggestion is None


def test_it_is_told_as_a_table_and_as_values():
    x, y = data(64)
    found = quick(linear(), x, y)
    assert "suggested" in str(found)
    values = found.to_dict()
    assert values["suggestion"] == found.suggestion
    assert len(values["tried"]) == len(found.tried)


def test_the_curves_are_drawn(pyplot):
    x, y = data(64)
    ax = quick(linear(), x, y).plot()
    assert ax.get_xscale() == "log"
    assert len(ax.get_lines()) >= 4


def test_bad_arguments_are_refused():
    x, y = data(64)
    with pytest.raises(ArgumentError, match="not below"):
        quick(linear(), x, y, low=1.0, high=0.1)
    with pytest.raises(GraphError):
        thalweg.find_lr(thalweg.Sequential([layers.Input((4,)), layers.Dense(1)]), x, y)
