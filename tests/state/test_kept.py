"""Variables whose newest value an executor keeps where it computes."""

import copy
import pickle

import numpy as np
import pytest

from thalweg.graph.types import TensorType
from thalweg.state import State, Variable

KIND = TensorType((3,), "float32")


class Elsewhere:
    """A value on some device; counts how often it is brought home."""

    def __init__(self, *numbers):
        self.numbers = np.array(numbers, "float32")
        self.reads = self.sent = 0

    def send(self):
        self.sent += 1

    def read(self):
        self.reads += 1
        return self.numbers


class Program:
    """Doubles its only state, on the host or in a place of its own."""

    def __init__(self, keeps_state):
        self.keeps_state = keeps_state

    def run(self, state, data, index=None, outputs=None, threads=1):
        if not self.keeps_state:
            state["s"][...] *= 2
            return
        kept = state["s"].kept
        numbers = state["s"].read() if kept is None else kept.numbers
        state["s"].keep(Elsewhere(*(2 * numbers)), newer=True)


def state_of(*numbers):
    state = State()
    state.add("s", KIND, numbers)
    return state


@pytest.fixture
def away():
    """A variable of zeros, and the newer value that is kept of it."""
    variable, kept = Variable(KIND), Elsewhere(1, 2, 3)
    variable.keep(kept, newer=True)
    return variable, kept


def test_the_newest_value_is_what_everybody_reads(away):
    variable, kept = away
    assert variable.read().tolist() == [1, 2, 3]
    assert variable.non_finite() is None
    assert kept.reads == 1, "it is brought home once"
    assert variable.kept is kept, "whoever reads does not change it"


def test_whoever_takes_the_memory_may_change_it(away):
    variable, _ = away
    variable.memory[0] = 7
    assert variable.kept is None
    assert variable.read().tolist() == [7, 2, 3]


def test_what_is_written_is_newer(away):
    variable, kept = away
    variable.write([4, 5, 6])
    assert variable.kept is None
    assert kept.reads == 0
    assert variable.read().tolist() == [4, 5, 6]


def test_a_copy_that_is_no_newer_costs_nothing_to_read():
    variable, kept = Variable(KIND, [1, 2, 3]), Elsewhere(1, 2, 3)
    variable.keep(kept, newer=False)
    assert variable.read().tolist() == [1, 2, 3]
    assert kept.reads == 0


def test_nan_is_found_where_it_is_kept(away):
    variable, kept = away
    kept.numbers[1] = np.nan
    assert variable.non_finite() == (1,)


def test_a_number_kept_elsewhere():
    variable = Variable(TensorType((), "float32"))
    variable.keep(type("Kept", (), {"read": lambda self: np.float32(np.inf)})(), newer=True)
    assert variable.number() == np.inf
    assert variable.non_finite() == ()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_have_the_newest_value(away, copied):
    assert copied(away[0]).read().tolist() == [1, 2, 3]


def test_programs_take_turns_wherever_they_compute():
    state = state_of(1, 2, 3)
    for keeps in (True, False, True, True, False, False, True):
        state.run(Program(keeps), {})
    assert state.read("s").tolist() == [128, 256, 384]


def test_a_shared_variable_is_the_same_in_both_models():
    one, other = state_of(1, 2, 3), State()
    other.put("mine/s", one["s"])
    memory = other.memory
    one.run(Program(True), {})
    assert other.read("mine/s").tolist() == [2, 4, 6]
    assert other.memory is memory
    assert memory["mine/s"].tolist() == [2, 4, 6]


def test_snapshots_are_of_the_newest_values_and_bring_them_back():
    state = state_of(1, 2, 3)
    state.run(Program(True), {})
    kept = state.snapshot()
    state.run(Program(True), {})
    state.restore(kept)
    state.run(Program(True), {})
    assert state.read("s").tolist() == [4, 8, 12]


def test_a_snapshot_into_an_older_one_uses_its_memory():
    state = state_of(1, 2, 3)
    older = state.snapshot()
    array = older["s"]
    state.run(Program(True), {})
    assert state.snapshot(into=older) is older
    assert array.tolist() == [2, 4, 6]


def test_what_is_read_together_is_sent_together():
    state = State()
    for name in "abc":
        state.add(name, KIND)
    kept = {name: Elsewhere(1, 2, 3) for name in "ab"}
    for name, each in kept.items():
        state[name].keep(each, newer=name == "a")
    assert state.snapshot()["a"].tolist() == [1, 2, 3]
    assert [each.sent for each in kept.values()] == [1, 0], "the host has the value of b"
    state.snapshot()
    assert kept["a"].sent == 1
