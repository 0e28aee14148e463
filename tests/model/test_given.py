"""What a call was given: arrays whose last rows may be held out, or a stream."""

import numpy as np
import pytest
from tests.model.test_runner import X, Y, line, runner_of, squares

from thalweg.data.source import Rows
from thalweg.errors import ArgumentError
from thalweg.model.given import Given, first, steps_over

ROWS = Rows({"x": np.arange(100.0)})


def batches():
    yield from [(X, Y)] * 3


def test_the_first_batches():
    assert first(ROWS, None, None, "fit") is ROWS
    assert first(ROWS, 2, 10, "fit").count == 20
    assert first(ROWS, 2, None, "fit").count == 64


@pytest.mark.parametrize(("steps", "size"), [(0, 1), (1, 0), (1.5, 1), (1, "x")])
def test_bad_numbers(steps, size):
    with pytest.raises(ArgumentError, match="fit"):
        first(ROWS, steps, size, "fit")


def test_held_out():
    structure = line()
    runner = runner_of(structure)
    runner.compile(squares(structure))
    given = Given.of("fit", np.ones((10, 1)), np.ones((10, 1)))
    train, held = given.divided(runner, None, 0.2, None)
    assert held is not None
    assert (train.count, held.count) == (8, 2)
    train, held = given.divided(runner, None, 0.2, Given.held_out((X, Y), alone=False))
    assert held is not None
    assert (train.count, held.count) == (10, 2)
    train, held = given.divided(runner, None, 0.0, None)
    assert (train.count, held) == (10, None)


def test_a_stream():
    structure = line()
    runner = runner_of(structure)
    runner.compile(squares(structure))
    given = Given.of("fit", batches())
    np.testing.assert_array_equal(given.x, X)
    np.testing.assert_array_equal(given.y, Y)
    stream = given.prepared(runner)
    assert (stream.count, stream.batch, stream.lasting, steps_over(stream, None)) == (None, 2, False, None)
    assert steps_over(first(stream, 2, None, "evaluate"), None) == 2
    with pytest.raises(ArgumentError, match="validation_split for a stream"):
        given.divided(runner, None, 0.2, None)


@pytest.mark.parametrize("beside", [{"y": Y}, {"sample_weight": np.ones(2)}])
def test_nothing_stands_beside_a_stream(beside):
    with pytest.raises(ArgumentError, match="is given beside generator batches"):
        Given.of("fit", batches(), **beside)
