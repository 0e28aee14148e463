"""Arrays that stay, and what is kept of them."""

import pickle

import numpy as np

from thalweg.data.source import LateRows, Rows
from thalweg.data.staying import Staying


def test_a_copy_is_made_once_for_each_place():
    made = []

    def make(array):
        made.append(array)
        return array.copy()

    arrays = Staying({"x": np.arange(3.0)})
    first = arrays.copy_of("x", "here", make)
    assert arrays.copy_of("x", "here", make) is first
    assert arrays.copy_of("x", "there", make) is not first
    assert len(made) == 2


def test_rows_that_stay_are_the_same_arrays_and_each_time_a_new_mapping():
    rows = Rows({"x": np.arange(3.0)}, form="of its own")
    stays = rows.staying()
    assert stays.arrays["x"] is rows.arrays["x"]
    assert stays.form == "of its own"
    assert isinstance(stays.arrays, Staying)
    assert not isinstance(rows.arrays, Staying)
    assert rows.staying().arrays is not stays.arrays


def test_rows_that_are_converted_late_are_not_kept():
    rows = LateRows({"x": np.arange(3.0)}, {"x": "float32"})
    assert rows.staying() is rows


def test_copies_are_not_pickled():
    arrays = Staying({"x": np.arange(3.0)})
    arrays.copy_of("x", "here", lambda array: lambda: array)  # a function in it cannot be pickled
    again = pickle.loads(pickle.dumps(arrays))
    assert isinstance(again, Staying)
    assert again.keys() == arrays.keys()
    assert np.array_equal(again["x"], arrays["x"])
