"""The plan for a table: sizes of steps, what the network starts from, and that it learns what plain networks do not."""

import math

import numpy as np
import pytest
from tests.tables.houses import houses

from thalweg.data.tables.opening import open_table
from thalweg.tables import recipe, understand

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
    assert recipe.plan(SCHEMA, 100, epochs=7, members=3).epochs == 7
    assert recipe.plan(SCHEMA, 100, epochs=7, members=3).members == 3


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
    assert factors["hidden_1/kernel$"] == pytest.approx(1 / math.sqrt(recipe.UNITS[0]))
    assert (factors["front/"], factors["waves/"], factors["/bias$"]) == (6.0, 0.1, 0.1)


def test_members_differ_and_a_seed_tells_which():
    one, same, other = (recipe.plan(SCHEMA, 300).build(seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
