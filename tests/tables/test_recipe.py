"""The plan for a table: sizes of steps, what the network starts from, and that it learns what plain networks do not."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from tests.tables.houses import houses

from thalweg.data.tables.opening import open_table
from thalweg.errors import ArgumentError, NameNotFoundError
from thalweg.tables import Settings, recipe, understand
from thalweg.tables.stopping import LastingPatience

HOUSES = open_table({name: values for name, values in houses().items() if name != "price"})
SCHEMA = understand(HOUSES, "kind")


@pytest.mark.parametrize("rows", [1, 5, 33, 100, 448, 1000, 1025, 9_999, 50_000, 1_000_000])
def test_steps_are_of_one_size_and_few_rows_come_twice(rows):
    plan = recipe.plan(SCHEMA, rows)
    filled = plan.filled(np.arange(rows))
    assert len(filled) % plan.batch_size == 0
    assert sorted(set(filled)) == list(range(rows))
    assert len(filled) - rows < len(filled) // plan.batch_size <= max(4, math.ceil(rows / 256))
    assert plan.batch_size <= 256


def test_more_rows_take_fewer_epochs():
    epochs = [recipe.plan(SCHEMA, rows).epochs for rows in (100, 5_000, 20_000, 1_000_000)]
    assert epochs == sorted(epochs, reverse=True)
    told = recipe.plan(SCHEMA, 100, Settings(epochs=7, members=3, batch_size=9))
    assert (told.epochs, told.members, told.batch_size) == (7, 3, 9)


def test_the_network_starts_from_even_guesses_and_sums_of_deviation_one():
    network = recipe.plan(SCHEMA, 300).build(3)
    x = HOUSES.encoded(SCHEMA.encodings())
    np.testing.assert_allclose(network.predict(x, verbose=0), 0.5, atol=1e-6)
    for layer in network.layers:
        if layer.name.startswith("hidden"):
            kernel, bias = layer.get_weights()
            assert abs(kernel.std() * math.sqrt(len(kernel)) - 1) < 0.1
            assert abs(bias.std() - 1) < 0.3


def test_rates_fit_each_parameter():
    """As from the neural tangent parametrisation: every weight of a sum by the root of how many there are."""
    network = recipe.plan(SCHEMA, 300).build(0)
    factors = dict(network.optimizer.learning_rate_factors)
    assert factors["hidden_1/kernel$"] == pytest.approx(1 / math.sqrt(Settings().units[0]))
    assert (factors["front/"], factors["waves/"], factors["/bias$"]) == (6.0, 0.1, 0.1)


def test_members_differ_and_a_seed_tells_which():
    one, same, other = (recipe.plan(SCHEMA, 300).build(seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_settings_are_what_the_network_is_made_by():
    told = {"units": [24, 16, 8], "activation": "relu", "dropout": 0.5, "waves": 0, "one_hot": 0, "embedding_units": 3}
    told |= {"learning_rate": 0.5, "weight_decay": 0.0, "label_smoothing": 0.25}
    network = recipe.plan(SCHEMA, 300, Settings.of(told, epochs=2, members=None)).build(0)
    layers = {layer.name: layer for layer in network.layers}
    assert "waves" not in layers
    assert [layers[f"hidden_{i}"].units for i in range(3)] == [24, 16, 8]
    assert [layers[f"dropout_{i}"].rate for i in range(3)] == [0.5] * 3
    assert layers["hidden_0"].activation == "relu"
    numbers, embedded = len(SCHEMA.groups["numbers"]), len(SCHEMA.groups["codes"]) * 3
    assert len(layers["front"].get_weights()[0]) >= numbers + embedded
    assert "LogCosineCycles(learning_rate=0.5, total_steps=8.0" in repr(network.optimizer)
    assert network.loss.label_smoothing == 0.25


def test_settings_by_name_are_checked():
    assert Settings.of(None, None, None) == Settings()
    assert Settings.of(Settings(dropout=0.3), 5, None) == Settings(dropout=0.3, epochs=5)
    for wrong in ({"dropout": 1.0}, {"units": []}, {"epochs": 0}, 3):
        with pytest.raises(ArgumentError, match="settings"):
            Settings.of(wrong, None, None)
    with pytest.raises(NameNotFoundError, match="did you mean 'dropout'"):
        Settings.of({"dropouts": 0.1}, None, None)
    with pytest.raises(NameNotFoundError, match="activation"):
        Settings(activation="rellu")


@pytest.mark.parametrize(
    ("best", "last"),
    [(1, 12), (7, 24), (20, 50), (45, 96), (96, 96)],  # each beyond the next rest, at 7, 20, 45 or 96 of 96 epochs
)
def test_training_ends_when_the_rest_after_the_best_was_no_better(best, last):
    weights = []
    watcher = LastingPatience("val_loss", 96)
    watcher.model = SimpleNamespace(
        metric_rises=lambda name: False, get_weights=lambda: [best], set_weights=weights.extend, stop_training=False
    )
    watcher.on_train_begin()
    for epoch in range(96):
        watcher.on_epoch_end(epoch, {"val_loss": abs(epoch + 1 - best)})
        if watcher.model.stop_training:
            break
    watcher.on_train_end()
    assert (epoch + 1, weights) == (last, [best])
