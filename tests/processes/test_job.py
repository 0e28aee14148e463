"""Processes that decide alike: here threads, with a board in memory in place of JAX's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from thalweg.errors import ProcessError, StorageError
from thalweg.processes import job
from thalweg.processes.job import ALONE, BLOCK, Job


class Memory:
    """A board of this process."""

    def __init__(self, count):
        self.notes = {}
        self.changed = threading.Condition()
        self.barrier = threading.Barrier(count)

    def put(self, name, note):
        with self.changed:
            assert name not in self.notes, "a note has a name of its own"
            self.notes[name] = note
            self.changed.notify_all()

    def get(self, name):
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.notes, timeout=20), f"nobody leaves {name}"
            return self.notes[name]

    def wait(self, name):
        self.barrier.wait(timeout=20)

    def remove(self, folder):
        with self.changed:
            self.notes = {name: note for name, note in self.notes.items() if not name.startswith(f"{folder}/")}


def on_all(work, count=3):
    """What ``work(job)`` gives in each of several processes; an error in place of what it would give."""
    board = Memory(count)

    def run(index):
        try:
            return work(Job(index, count, board))
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count))), board


def test_all_have_what_the_first_has():
    found, _ = on_all(lambda job: job.agreed("a number", {"index": job.index, "third": 1 / 3}))
    assert found == 3 * [{"index": 0, "third": 1 / 3}]


def test_an_agreement_on_something_else_is_noticed():
    found, _ = on_all(lambda job: job.agreed("a step" if job.index else "an epoch", 1), count=2)
    assert found[0] == 1
    assert isinstance(found[1], ProcessError)
    assert "an epoch, as in process 0" in found[1].expected
    assert "a step, in process 1" in found[1].got


def test_old_notes_are_taken_away():
    def work(job):
        return [job.agreed("a number", number) for number in range(3 * BLOCK + 5)]

    found, board = on_all(work)
    assert found == 3 * [list(range(3 * BLOCK + 5))]
    assert len(board.notes) <= BLOCK + 5


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (700, 2000)])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_arrays_go_to_all(shape, dtype):
    arrays = {"x": np.random.default_rng(0).integers(0, 9, shape).astype(dtype), "empty/name": np.zeros(2)}
    found, _ = on_all(lambda job: job.shared("arrays", arrays if job.is_first else None))
    for each in found:
        assert each.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(each[name], array, strict=True)


def test_no_arrays_are_none_for_all():
    assert on_all(lambda job: job.shared("arrays", None))[0] == [None, None, None]


def test_the_first_gets_the_values_of_all():
    found, _ = on_all(lambda job: job.gathered("index", job.index))
    assert found == [[0, 1, 2], None, None]


def test_what_the_first_does_is_done_once():
    done = []
    found, _ = on_all(lambda job: job.by_the_first("work", lambda: done.append(job.index)))
    assert (found, done) == ([None, None, None], [0])


def test_an_error_of_the_first_is_raised_in_all():
    def fail():
        raise StorageError("the disk is full", expected="room", got="none", fix="make room")

    found, _ = on_all(lambda job: job.by_the_first("work", fail))
    assert [type(error) for error in found] == 3 * [StorageError]
    assert len(set(map(str, found))) == 1


def test_a_foreign_error_of_the_first_is_told_in_all():
    found, _ = on_all(lambda job: job.by_the_first("work", lambda: 1 / 0))
    assert [type(error) for error in found] == [ZeroDivisionError, ProcessError, ProcessError]
    assert found[1].got == "ZeroDivisionError: division by zero"


def test_a_process_alone_agrees_with_itself():
    value = (1, object())
    assert ALONE.agreed("anything", value) is value
    assert ALONE.gathered("anything", value) == [value]
    assert ALONE.shared("anything", None) is None
    with pytest.raises(ZeroDivisionError):
        ALONE.by_the_first("work", lambda: 1 / 0)


def test_only_the_first_speaks(monkeypatch, capsys):
    job.say("alone")
    monkeypatch.setattr(job, "_current", Job(1, 2, Memory(2)))
    job.say("second")
    assert capsys.readouterr().out == "alone\n"


def test_the_clock_is_that_of_the_first():
    board = Memory(2)
    board.put("thalweg/0/0", b'["clock", 12.5]')
    before = job.current()
    job.together(Job(1, 2, board))
    try:
        assert job.clock() == 12.5
    finally:
        job.together(before)
