"""Intervals from held-out errors: what they promise is measured."""

import json

import numpy as np
import pytest

from thalweg.errors import ArgumentError, DataError, FileFormatError, ShapeError
from thalweg.evaluation import Conformal


def test_the_width_is_the_order_statistic_of_the_definition():
    errors = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0, 5.0, 3.5])
    found = Conformal.of(np.zeros(9), errors * np.array([1, -1, 1, 1, -1, 1, 1, 1, 1]))
    assert found.half_width(0.5).tolist() == [3.5]  # ceil(10 x 0.5) = the 5th
    assert found.half_width(0.9).tolist() == [9.0]  # the 9th
    low, high = found.interval(np.array([10.0, 20.0]), 0.5)
    assert (low.tolist(), high.tolist()) == ([6.5, 16.5], [13.5, 23.5])


def test_new_rows_lie_inside_as_often_as_promised():
    """Over many draws the mean is ceil(c (n + 1)) / (n + 1), and the spread that of the Beta distribution."""
    random = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        held, new = random.standard_t(3, size=60), random.standard_t(3, size=500)
        width = Conformal.of(np.zeros(60), held).half_width(0.8)[0]
        shares.append((np.abs(new) <= width).mean())
    assert np.mean(shares) == pytest.approx(49 / 61, abs=0.01)  # ceil(61 x 0.8) = 49
    assert np.std(shares) == pytest.approx(np.sqrt(49 * 12 / 61**2 / 62 + 0.8 * 0.2 / 500), rel=0.15)


def test_several_targets_and_back_from_json():
    random = np.random.default_rng(1)
    y, said = random.normal(size=(50, 2)), random.normal(size=(50, 2)) * [1, 10]
    found = Conformal.of(y, said)
    again = Conformal.from_dict(json.loads(json.dumps(found.to_dict())))
    assert np.array_equal(again.half_width(0.7), found.half_width(0.7))
    assert found.half_width()[1] > 3 * found.half_width()[0]
    assert [side.shape for side in found.interval(said, 0.7)] == [(50, 2)] * 2
    assert "50 held-out rows" in found.promise()


def test_of_many_rows_some_errors_are_kept_and_the_widths_only_grow():
    errors = np.sort(np.random.default_rng(2).exponential(size=30_001))
    found = Conformal.of(np.zeros(30_001), errors)
    assert found.errors.shape[1] == 4000
    for coverage in (0.01, 0.5, 0.9, 0.999, 30_001 / 30_002):
        exact = errors[int(np.ceil(30_002 * coverage - 1e-9)) - 1]
        assert exact <= found.half_width(coverage)[0] <= errors[min(30_000, int(np.ceil(30_002 * coverage)) + 8)]


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (DataError, lambda: Conformal.of(np.zeros(8), np.ones(8)).half_width(0.9)),
        (ArgumentError, lambda: Conformal.of(np.zeros(8), np.ones(8)).half_width(1.0)),
        (ShapeError, lambda: Conformal.of(np.zeros(8), np.ones(9))),
        (DataError, lambda: Conformal.of(np.zeros(8), np.full(8, np.nan))),
        (FileFormatError, lambda: Conformal.from_dict({"errors": [[2.0, 1.0]], "ranks": [1, 2], "rows": 2})),
        (FileFormatError, lambda: Conformal.from_dict({"errors": [[1.0]], "ranks": [1, 2], "rows": 2})),
        (FileFormatError, lambda: Conformal.from_dict({"errors": "no"})),
    ],
)
def test_what_cannot_be(error, call):
    with pytest.raises(error) as caught:
        call()
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
