"""Variables and states: reading, writing, copies, names."""

import copy
import pickle

import numpy as np
import pytest

from thalweg.graph.types import TensorType
from thalweg.state import State, Variable, layout, names

ROWS = TensorType((3, 256))  # of a size at which rows are padded
COUNT = TensorType((), "int64")


@pytest.fixture
def state():
    state = State()
    state.add("parameters/a", ROWS, np.arange(768.0).reshape(3, 256))
    state.add("optimizer/iterations", COUNT, 5)
    return state


class TestVariable:
    def test_starts_with_a_number_or_an_array(self):
        assert not Variable(ROWS).read().any()
        assert (Variable(ROWS, 2.0).read() == 2).all()
        np.testing.assert_array_equal(Variable(TensorType((2,)), [1, 2]).read(), np.float32([1, 2]))

    def test_reading_gives_a_copy(self):
        variable = Variable(ROWS, 1.0)
        variable.read()[...] = 7
        assert (variable.read() == 1).all()

    def test_writing_changes_the_memory_in_place_and_casts(self):
        variable = Variable(COUNT)
        memory = variable.memory
        variable.write(3.0)
        assert memory is variable.memory
        assert memory == 3
        assert variable.number() == 3
        assert isinstance(variable.number(), int)

    def test_a_value_of_another_shape(self):
        with pytest.raises(ValueError, match="broadcast"):
            Variable(TensorType((2,))).write(np.zeros(3))

    @pytest.mark.parametrize("other", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
    def test_copies_have_memory_of_their_own_laid_out_alike(self, other):
        """A copy of the array alone would lose the distance between its rows, which compiled steps count on."""
        variable = Variable(ROWS, 4.0)
        found = other(variable)
        assert found.type == ROWS
        assert found.memory.strides == layout.empty(ROWS).strides
        variable.write(0)
        assert (found.read() == 4).all()

    def test_what_is_not_finite(self):
        variable = Variable(ROWS)
        assert variable.non_finite() is None
        variable.write(np.where(np.arange(768).reshape(3, 256) == 300, np.inf, 0))
        assert variable.non_finite() == (1, 44)
        assert Variable(COUNT).non_finite() is None


class TestState:
    def test_by_name(self, state):
        assert "parameters/a" in state
        assert "a" not in state
        assert list(state) == ["parameters/a", "optimizer/iterations"]
        assert state.types() == {"parameters/a": ROWS, "optimizer/iterations": COUNT}
        assert state.number("optimizer/iterations") == 5
        state.write("optimizer/iterations", 6)
        assert state.read("optimizer/iterations") == 6

    def test_adding_what_is_there_changes_nothing(self, state):
        state.add("optimizer/iterations", COUNT, 9)
        assert state.number("optimizer/iterations") == 5

    def test_a_shared_variable_is_one(self, state):
        other = State()
        other.put("parameters/b", state["parameters/a"])
        other.write("parameters/b", 0)
        assert not state.read("parameters/a").any()

    def test_executors_see_every_change_in_the_same_mapping(self, state):
        memory = state.memory
        state.add("random/seed", TensorType((), "uint32"), 3)
        state.write("optimizer/iterations", 8)
        memory["optimizer/iterations"][...] += 1
        assert memory.keys() == set(state)
        assert state.number("optimizer/iterations") == 9
        state.drop("random", "parameters")
        assert memory.keys() == {"optimizer/iterations"}

    def test_levels_are_whole_words(self, state):
        state.add("optimizers/x", COUNT)
        assert state.names("optimizer") == ["optimizer/iterations"]
        state.drop("optimizer")
        assert "optimizers/x" in state

    def test_a_snapshot_does_not_follow_and_comes_back(self, state):
        before = state.snapshot()
        state.write("parameters/a", 0)
        state.write("optimizer/iterations", 0)
        np.testing.assert_array_equal(before["parameters/a"], np.arange(768.0).reshape(3, 256))
        state.restore(before)
        assert state.number("optimizer/iterations") == 5
        assert state.read("parameters/a")[2, 255] == 767

    def test_a_snapshot_of_some(self, state):
        some = state.snapshot(["optimizer/iterations"])
        state.write("optimizer/iterations", 0)
        state.write("parameters/a", 1)
        state.restore(some)
        assert state.number("optimizer/iterations") == 5
        assert (state.read("parameters/a") == 1).all()

    def test_a_snapshot_into_an_older_one_takes_no_memory(self, state):
        older = state.snapshot()
        arrays = dict(older)
        state.write("optimizer/iterations", 7)
        again = state.snapshot(into=older)
        assert again["optimizer/iterations"] == 7
        assert all(again[name] is array for name, array in arrays.items())
        state.add("random/seed", TensorType((), "uint32"))
        assert state.snapshot(into=older).keys() == set(state)


class TestNames:
    def test_users_names_have_levels_of_their_own(self):
        mine = names.parameter_state("optimizer/iterations")
        assert names.level(mine) == names.PARAMETERS
        assert names.within(mine) == "optimizer/iterations"
        assert names.level(names.slot_state("random/seed", "m")) == names.SLOTS

    @pytest.mark.parametrize(
        ("name", "old"),
        [
            ("parameters/a/dense/kernel", "a/dense/kernel"),
            ("slots/dense/kernel/m", "optimizer/dense/kernel/m"),
            ("optimizer/learning_rate", "optimizer/learning_rate"),
            ("random/seed", "random/seed"),
            ("position/epoch", "random/epoch"),
        ],
    )
    def test_in_files_of_format_1(self, name, old):
        assert names.in_format_1(name) == old
