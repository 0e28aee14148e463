"""Parts and folds: every row once, shares kept, groups whole, time in order, equal for equal seeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.data.splits import class_numbers, expanding_windows, folds, part_sizes, parts, stretches
from thalweg.errors import ArgumentError, DataError

COUNTS = st.lists(st.integers(1, 30), min_size=1, max_size=5)


def classes_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def each_row_once(found, rows):
    assert sorted(np.concatenate(found).tolist()) == list(range(rows))
    assert all((np.diff(part) > 0).all() for part in found)


@settings(deadline=None, max_examples=60)
@given(COUNTS, st.integers(2, 6), st.integers(0, 99))
def test_folds_are_equal_in_size_and_in_classes(counts, count, seed):
    classes = classes_of(counts)
    found = folds(len(classes), count, classes=classes, seed=seed)
    each_row_once(found, len(classes))
    sizes = [len(fold) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    for number in range(len(counts)):
        held = [(classes[fold] == number).sum() for fold in found]
        assert max(held) - min(held) <= 1


@settings(deadline=None, max_examples=60)
@given(COUNTS, st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 99))
def test_parts_have_their_share_of_each_class(counts, validation, test, seed):
    classes = classes_of([10 * n for n in counts])
    rows = len(classes)
    sizes = part_sizes(rows, {"validation_size": validation, "test_size": test})
    found = parts(rows, sizes, classes=classes, seed=seed)
    each_row_once(found, rows)
    assert [len(part) for part in found] == sizes
    for number, n in enumerate(counts):
        for part, size in zip(found, sizes, strict=True):
            assert abs((classes[part] == number).sum() - 10 * n * size / rows) <= 2


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.lists(st.integers(0, 45), max_size=4))
def test_stretches_are_those_of_the_sorted_values(values, ends):
    """Equal values in the order in which they stand, as a stable sort has them."""
    ends = sorted(ends)
    places = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    assert stretches(np.array(values), ends).tolist() == np.searchsorted(ends, places, "right").tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(6, 40), st.integers(2, 5), st.integers(0, 99))
def test_groups_stay_whole(many, count, seed):
    random = np.random.default_rng(seed)
    groups = np.concatenate([np.arange(many), random.integers(0, many, 3 * many)])
    for found in (
        folds(len(groups), count, groups=groups, seed=seed),
        parts(len(groups), [len(groups) - 2 * many, many, many], groups=groups, seed=seed),
    ):
        each_row_once(found, len(groups))
        owners = [set(groups[part]) for part in found]
        assert sum(map(len, owners)) == many
        assert all(owners)
    sizes = [len(fold) for fold in folds(len(groups), count, groups=groups, seed=seed)]
    assert max(sizes) - min(sizes) <= np.bincount(groups).max()


def test_grouped_folds_share_the_classes():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    classes = np.repeat((random.random(60) < 0.2).astype(int), 5)
    held = [classes[fold].mean() for fold in folds(300, 5, classes=classes, groups=groups, seed=0)]
    assert max(held) - min(held) < 0.1


def test_time_goes_on():
    time = np.array([5, 1, 1, 3, 2, 2, 4, 4, 4, 5])
    first, second, third = parts(10, [5, 2, 3], time=time, seed=0)
    assert time[first].max() < time[second].min()
    assert time[second].max() < time[third].min()
    each_row_once([first, second, third], 10)


@pytest.mark.needs("sklearn")
@settings(deadline=None, max_examples=60)
@given(st.integers(3, 60), st.integers(2, 8), st.integers(0, 99))
def test_expanding_windows_are_those_of_scikit_learn(rows, count, seed):
    from sklearn import model_selection as selection

    order = np.random.default_rng(seed).permutation(rows)  # the rows by time; scikit-learn takes them as given
    time = np.empty(rows)
    time[order] = np.sort(np.random.default_rng(seed).random(rows))
    if rows <= count:
        with pytest.raises(DataError, match="would be empty"):
            expanding_windows(time, count)
        return
    found = expanding_windows(time, count)
    theirs = list(selection.TimeSeriesSplit(count).split(np.zeros(rows)))
    assert len(found) == len(theirs)
    for (train, held), (their_train, their_held) in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(train, np.sort(order[their_train]))
        np.testing.assert_array_equal(held, np.sort(order[their_held]))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 6), min_size=3, max_size=20), st.integers(0, 99))
def test_expanding_windows_keep_equal_times_together(counts, seed):
    time = classes_of(counts, seed)
    try:
        found = expanding_windows(time, 2)
    except DataError:
        assert len(counts) < 3 or max(counts) > len(time) // 3  # else every border has a change nearby
        return
    for train, held in found:
        assert time[train].max() < time[held].min()
    assert sorted(np.concatenate([found[0][0], *(held for _, held in found)])) == list(range(len(time)))


def test_times_may_be_dates():
    days = np.array(["2024-03-01", "2024-01-01", "2024-02-01"], dtype="datetime64[D]")
    assert [(train.tolist(), held.tolist()) for train, held in expanding_windows(days, 2)] == [
        ([1], [2]),
        ([1, 2], [0]),
    ]


def test_seeds():
    left, same, other = (folds(50, 5, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(left, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(left, other, strict=True))


def test_what_classes_are():
    assert class_numbers([3, 5, 3]).tolist() == [0, 1, 0]
    assert class_numbers([[1.0], [0.0]]).tolist() == [1, 0]
    assert class_numbers(["b", "a"]).tolist() == [1, 0]
    assert class_numbers([[0, 1], [1, 0]]).tolist() == [1, 0]
    assert class_numbers([0.5, 1.0]) is None
    assert class_numbers([[1, 1], [0, 1]]) is None


def test_more_parts_than_groups():
    with pytest.raises(DataError, match="fewer groups than parts"):
        folds(10, 3, groups=np.arange(10) % 2, seed=0)


@pytest.mark.parametrize("share", [1.0, -0.1, True, "half", np.nan, -1])
def test_bad_shares(share):
    with pytest.raises(ArgumentError, match="test_size"):
        part_sizes(10, {"test_size": share})


@pytest.mark.parametrize("share", [0.01, 10, 11])
def test_empty_parts(share):
    with pytest.raises(DataError, match="would be empty"):
        part_sizes(10, {"test_size": share})


def test_rows_of_numbers_are_no_classes():
    assert class_numbers([[0.5, 0.5], [1, 0]]) is None
    assert class_numbers([[1, 1], [1, 0]]) is None
    assert class_numbers(np.zeros((2, 2, 2))) is None
    assert class_numbers(np.array([1, 2], "M8[D]")) is None


def test_one_class_deals_groups_as_several_equal_ones_do():
    """Groups are dealt in plain floats where there is one class; with two classes of equal shares it is the same."""
    groups = np.random.default_rng(0).integers(0, 40, 300)
    alone = parts(300, [200, 60, 40], groups=groups, seed=5)
    twice = parts(600, [400, 120, 80], groups=np.tile(groups, 2), seed=5)
    assert [part.tolist() for part in alone] == [part[part < 300].tolist() for part in twice]
