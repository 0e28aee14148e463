"""Numbers in little room are the same numbers, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data.tables.compact import Compact, compacted
from thalweg.data.tables.held import HeldTable
from thalweg.data.tables.opening import open_table

DECIMALS = st.decimals(-(10**7), 10**7, places=3).map(float)


def bits(values):
    return values.view(np.int64).tolist()


def array(values):
    return values.array() if isinstance(values, Compact) else values


@settings(deadline=None, max_examples=60)
@given(st.lists(DECIMALS | st.sampled_from([np.nan, -0.0, 0.0]) | st.floats(), max_size=8))
def test_any_numbers_are_the_same_again(values):
    values = np.array(values, np.float64)
    values[np.isnan(values)] = np.nan  # one of all NaNs: what a table has
    assert bits(array(compacted(values))) == bits(values)


@pytest.mark.parametrize(
    ("values", "divisor"),
    [
        ([1.5, -2.25, np.nan, -0.0], 100.0),
        ([0.1, 0.2, 0.3], 10.0),
        ([3.0, np.nan], 1.0),
        ([np.nan], 1.0),
        ([123.456789, -0.000001], 1e6),
    ],
)
def test_decimal_numbers_take_half_of_the_room(values, divisor):
    compact = compacted(np.array(values))
    assert (compact.whole.dtype, compact.divisor) == (np.int32, divisor)
    assert bits(compact.array()) == bits(np.array(values))
    assert bits(compact[1:].array()) == bits(np.array(values)[1:])


@pytest.mark.parametrize("values", [[1 / 3], [1e300], [np.inf, 1.0], [2.0**31], [1e-9]])
def test_other_numbers_stay_as_they_are(values):
    assert isinstance(compacted(np.array(values)), np.ndarray)


def test_a_number_at_the_end_that_does_not_fit_leaves_the_column_as_it_is():
    values = np.append(np.arange(70_000) / 4, 1 / 3)
    assert compacted(values) is values


@pytest.mark.parametrize(("most", "dtype"), [(100, "i1"), (-129, "i2"), (40_000, "i4"), (2**40, None)])
def test_whole_numbers_take_as_few_bytes_as_they_need(most, dtype):
    compact = compacted(np.array([0, most]))
    assert compact.dtype == np.int64 if dtype is None else compact.whole.dtype == dtype
    assert array(compact).dtype == np.int64
    assert array(compact).tolist() == [0, most]


def test_a_table_says_nothing_of_it(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b,c\n1.25,3,7\n,4,\n-0.0,300,1\n", encoding="utf-8")
    table = open_table(path)
    assert isinstance(table, HeldTable)
    assert all(isinstance(values, Compact) for values in table.arrays.values())
    assert table.types == {"a": "number", "b": "integer", "c": "integer"}
    assert bits(table.values("a")) == bits(np.array([1.25, np.nan, -0.0]))
    assert table.take([2, 0]).copied().values("b").tolist() == [300, 3]
    same = open_table({"a": [1.25, np.nan, 0.0], "b": [3, 4, 300], "c": [7, np.nan, 1]})
    np.testing.assert_array_equal(table.hashes(), same.hashes())
    assert table.facts("b") == same.facts("b")
