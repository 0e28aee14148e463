"""The thread that reads ahead: parts in their order, cut as is wanted, and an error after all that comes before it."""

import threading

import numpy as np
import pytest

from thalweg import errors
from thalweg.data.source import Rows
from thalweg.data.streams import reading, slots
from thalweg.data.streams.reading import Reader
from thalweg.data.streams.slots import Pool
from thalweg.data.streams.taking_apart import taken_apart


def parts(*rows):
    """Parts of so many rows each, which count on."""
    first = 0
    for count in rows:
        yield np.arange(first, first + count, dtype=np.float32)
        first += count


def chunks_of(given, size=None, most=None, ready=lambda x: Rows({"x": x})):
    reader = Reader(iter(given), 0, size, most, ready, "test")
    try:
        yield from ((chunk.batch, chunk.arrays["x"][chunk.index].copy()) for chunk in reader.chunks())
    finally:
        reader.close()


@pytest.mark.parametrize("slot", [1, 40, 10_000])
def test_batches_stay_what_they_are(slot, monkeypatch):
    monkeypatch.setattr(slots, "SLOT_BYTES", slot)
    seen = []
    for batch, x in chunks_of(parts(4, 4, 4, 2, 4, 6, 6, 1)):
        seen += np.split(x, range(batch, len(x), batch))
    assert [len(x) for x in seen] == [4, 4, 4, 2, 4, 6, 6, 1]
    np.testing.assert_array_equal(np.concatenate(seen), np.arange(31))


@pytest.mark.parametrize("slot", [1, 40, 10_000])
@pytest.mark.parametrize("size", [3, 5, 50])
def test_rows_are_cut_anew(size, slot, monkeypatch):
    monkeypatch.setattr(slots, "SLOT_BYTES", slot)
    given = list(chunks_of(parts(4, 9, 1, 2, 4, 11), size))
    assert all(len(x) % size == 0 for _, x in given[:-1])
    np.testing.assert_array_equal(np.concatenate([x for _, x in given]), np.arange(31))


def test_no_more_rows_are_read_than_wanted():
    read = []

    def counted():
        for part in parts(4, 4, 4, 4):
            read.append(1)
            yield part

    (total,) = [sum(len(x) for _, x in chunks_of(counted(), 3, most=6))]
    assert (total, len(read)) == (6, 2)


def test_a_generator_may_use_its_memory_again():
    def same():
        x = np.zeros(3, np.float32)
        for number in range(50):
            x[:] = number
            yield x

    x = np.concatenate([x for _, x in chunks_of(same())])
    np.testing.assert_array_equal(x, np.repeat(np.arange(50), 3))


def test_what_was_made_before_an_exception_comes_first():
    def fails():
        yield from parts(4, 4)
        raise KeyError("boom")

    seen = []
    with pytest.raises(errors.DataError, match="test failed at batch 2, counted from 0") as caught:
        seen.extend(len(x) for _, x in chunks_of(fails()))
    assert sum(seen) == 8
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("size", [None, 3])
def test_what_comes_before_a_bad_batch_comes_first(size):
    def ready(x):
        if (x == 9).any():
            raise errors.DataError("nine", expected="less", got="9", fix="none")
        return Rows({"x": x})

    seen = []
    with pytest.raises(errors.DataError, match="batch 2 of test, counted from 0: nine"):
        seen.extend(len(x) for _, x in chunks_of(parts(4, 4, 4, 4), size, ready=ready))
    assert sum(seen) == (8 if size is None else 6)


def test_a_step_is_made_as_soon_as_there_is_a_batch(monkeypatch):
    """A slow generator's batches are not collected until a slot is full: neither here nor by the thread."""
    monkeypatch.setattr(reading, "FILL_SECONDS", 0.0)
    monkeypatch.setattr(reading, "WARM_UP", (0, 0))
    monkeypatch.setattr(reading, "LARGEST_SHARE", 0.0)
    go_on = threading.Event()

    def slow():
        yield from parts(2, 2, 2)
        assert go_on.wait(10)
        yield from parts(2)

    read = chunks_of(slow())
    total = 0
    while total < 6:  # after two of these there is a thread
        total += len(next(read)[1])
    go_on.set()
    assert [len(x) for _, x in read] == [2]


@pytest.mark.parametrize("size", [None, 3])
def test_the_thread_gives_what_is_given_without_it(size, monkeypatch):
    monkeypatch.setattr(slots, "SLOT_BYTES", 40)
    here = np.concatenate([x for _, x in chunks_of(parts(4, 9, 1, 2, 4, 11), size)])
    monkeypatch.setattr(reading, "FILL_SECONDS", 0.0)
    monkeypatch.setattr(reading, "WARM_UP", (0, 0))
    monkeypatch.setattr(reading, "LARGEST_SHARE", 0.0)
    reader = Reader(parts(4, 9, 1, 2, 4, 11), 0, size, None, lambda x: Rows({"x": x}), "test")
    beside = np.concatenate([chunk.arrays["x"][chunk.index].copy() for chunk in reader.chunks()])
    reader.close()
    assert reader.has_thread
    np.testing.assert_array_equal(here, beside)


def test_what_nobody_used_is_given_back():
    reader = Reader(parts(2, 2, 2, 2), 0, None, 6, lambda x: Rows({"x": x}), "test")
    next(reader.chunks())
    reader.close()
    assert [x.tolist() for x in reader.unread(1)] == [[2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.float32(3), "one number"),
        ((np.ones(3), np.ones(2)), "equally many rows"),
        (np.ones((0, 2)), "no rows"),
        (("a", "b"), "numbers"),
        ((), "no rows"),
    ],
)
def test_parts_that_are_none(given, message):
    with pytest.raises(errors.ThalwegError, match=message):
        taken_apart(given)


def test_parts_may_be_lists_and_mappings():
    part = taken_apart(({"a": [1, 2], "b": np.ones((2, 3))}, [[0], [1]]))
    assert [leaf.shape for leaf in part.leaves] == [(2,), (2, 3), (2, 1)]
    assert taken_apart([np.ones(2), np.ones(2)]).form.kind is list


def test_memory_is_used_again_when_nobody_holds_it():
    pool = Pool()
    kinds = [((2, 3), np.dtype("float32"))]
    held = pool.take(kinds)[0][:1]
    other = pool.take(kinds)[0]
    assert not np.shares_memory(held, other)
    address = held.base.ctypes.data
    del held
    assert pool.take(kinds)[0].ctypes.data == address
