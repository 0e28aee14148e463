"""Which rows are kept to judge by, and what is said of them."""

import numpy as np
import pytest

from thalweg.errors import ArgumentError, DataError, NameNotFoundError
from thalweg.evaluation import duplicates, hold_out


def table(rows=100):
    random = np.random.default_rng(0)
    return {
        "size": random.normal(size=rows),
        "price": random.normal(size=rows) * 100,
        "kind": np.array(["a", "b", "c", "c"] * (rows // 4), object),
        "owner": np.array([f"owner {number // 7}" for number in range(rows)], object),
        "day": np.datetime64("2024-01-01") + np.arange(rows)[::-1],
    }


def test_classes_keep_their_shares():
    rows = table()
    held = hold_out(rows, "kind", seed=3)
    assert (len(held.train_rows), len(held.test_rows)) == (80, 20)
    assert np.array_equal(np.sort(np.concatenate([held.train_rows, held.test_rows])), np.arange(100))
    assert sorted(rows["kind"][held.test_rows]) == ["a"] * 5 + ["b"] * 5 + ["c"] * 10
    assert held.sentences() == ["Held out to judge by: 20 of 100 rows, stratified by 'kind', seed 3."]
    assert np.array_equal(hold_out(rows, "kind", seed=3).test_rows, held.test_rows)
    assert not np.array_equal(hold_out(rows, "kind", seed=4).test_rows, held.test_rows)


def test_numbers_are_held_out_evenly():
    """Of each tenth of the values two in ten; at random it would not be so."""
    rows = table()
    ranks = np.argsort(np.argsort(rows["price"]))
    held = hold_out(rows, "price")
    assert np.bincount(ranks[held.test_rows] // 10, minlength=10).tolist() == [2] * 10
    loose = hold_out(rows, "price", stratify=False)
    assert np.bincount(ranks[loose.test_rows] // 10, minlength=10).tolist() != [2] * 10
    assert "at random" in loose.how


def test_groups_and_time():
    rows = table()
    held = hold_out(rows, "price", group="owner")
    assert not set(rows["owner"][held.train_rows]) & set(rows["owner"][held.test_rows])
    held = hold_out(rows, "price", time="day", share=0.3)
    assert rows["day"][held.train_rows].max() < rows["day"][held.test_rows].min()
    assert held.how == "the latest by 'day', from 2024-03-11 on"


def test_times_that_are_text_come_in_their_order():
    rows = {**table(), "month": np.array([f"2024-{1 + number % 12:02}" for number in range(100)], object)}
    held = hold_out(rows, "price", time="month", share=0.25)
    assert rows["month"][held.train_rows].max() < rows["month"][held.test_rows].min()
    assert held.how == "the latest by 'month', from 2024-10 on"


def test_text_is_held_out_as_numbers_in_its_order_are():
    rows = table()
    codes = np.searchsorted(np.unique(rows["kind"].astype(str)), rows["kind"].astype(str))
    owners = np.searchsorted(np.unique(rows["owner"].astype(str)), rows["owner"].astype(str))
    assert np.array_equal(hold_out(rows, "kind").test_rows, hold_out({**rows, "kind": codes}, "kind").test_rows)
    by_name, by_number = (hold_out({**rows, "owner": own}, "price", group="owner") for own in (rows["owner"], owners))
    assert np.array_equal(by_name.test_rows, by_number.test_rows)


def test_dates_are_held_out_evenly():
    assert hold_out(table(), "day").how == "evenly over the values of 'day', seed 0"


def test_rows_without_a_target_and_a_class_seen_once():
    rows = table()
    rows["kind"][3:7] = None
    rows["kind"][50] = "rare"
    for seed in range(30):
        held = hold_out(rows, "kind", seed=seed, share=0.5)
        assert not np.isin([3, 4, 5, 6], np.concatenate([held.train_rows, held.test_rows])).any()
        assert 50 in held.train_rows
        assert "4 rows have no target and are left out." in held.notes
        if len(held.notes) == 2:  # this seed would have judged by it
            assert held.notes[1].startswith("1 classes have too few rows to be judged by")
            return
    raise AssertionError("one of 30 seeds puts a row into the held-out half")


def test_duplicates_on_both_sides_are_found():
    rows = table()
    held = hold_out(rows, "kind")
    a, b = held.train_rows[5], held.test_rows[2]
    for values in rows.values():
        values[b] = values[a]
    again = hold_out({**rows, "kind": rows["kind"].copy()}, "kind")
    both = {tuple(v[i] for v in rows.values()) for i in again.train_rows}
    twins = [i for i in again.test_rows if tuple(v[i] for v in rows.values()) in both]
    assert again.duplicates.tolist() == twins
    time = hold_out(rows, "kind", time="day", share=0.5)
    assert len(time.duplicates) == int((a in time.train_rows) and (b in time.test_rows))


def test_duplicates_of_another_table():
    rows = table()
    other = {name: values[10:20] for name, values in reversed(rows.items())}
    other["size"] = np.where(np.arange(10) < 4, other["size"], 9.0)
    assert duplicates(rows, other).tolist() == [0, 1, 2, 3]
    assert duplicates(rows, {"another": np.arange(3)}).tolist() == []


@pytest.mark.parametrize(
    ("error", "target", "options"),
    [
        (NameNotFoundError, "prize", {}),
        (NameNotFoundError, "price", {"group": "owners"}),
        (ArgumentError, "price", {"group": "owner", "time": "day"}),
        (ArgumentError, "price", {"share": 1.0}),
        (ArgumentError, "price", {"seed": -1}),
        (DataError, "empty", {}),
        (DataError, "price", {"group": "empty"}),
        (DataError, "price", {"time": "none"}),
    ],
)
def test_what_cannot_be(error, target, options):
    rows = {**table(), "empty": np.full(100, np.nan), "none": np.array([None] * 100, object)}
    with pytest.raises(error) as caught:
        hold_out(rows, target, **options)
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
