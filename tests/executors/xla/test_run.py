"""How the xla executor runs steps: what it brings to where it computes and when, and what happens if that fails."""

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, callbacks, layers, memory
from thalweg.data.staying import Staying
from thalweg.errors import ExecutorError, InsufficientMemoryError, NonFiniteError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.executors.xla import feeding
from thalweg.executors.xla.executor import XlaExecutor, XlaProgram
from thalweg.graph.node import Graph
from thalweg.ops import add, input_node, reduce_sum, state_node

pytestmark = pytest.mark.needs("jax")

ROWS, BATCH = 50, 4


def model(executor):
    made = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(1)])
    made.compile("sgd", "mse")
    made.executor = executor
    return made


def running_sum():
    """Adds up its batches: in the state all of them, as outputs each one and the sum so far."""
    x = input_node("x", (BATCH, 2))
    total = state_node("total", (2,))
    new = add(total, reduce_sum(x, (0,)))
    return Graph({"batch": x, "sum": new}, {"total": new})


def ran(program, data, index):
    state = {"total": np.zeros(2, np.float32)}
    found = {"batch": np.full((len(index), BATCH, 2), -1, "float32"), "sum": np.full((len(index), 2), -1, "float32")}
    program.run(state, data, index, found)
    return [state["total"], found["batch"], found["sum"]]


@pytest.fixture
def brought(monkeypatch):
    """The shapes of all arrays that are copied to where XLA computes."""
    from thalweg.executors.xla.placement import Placement

    shapes, put = [], Placement.put

    def noted(self, array, sharding, **how):
        shapes.append(array.shape)
        return put(self, array, sharding, **how)

    monkeypatch.setattr(Placement, "put", noted)
    return shapes


@pytest.mark.parametrize("stays", [True, False])
@pytest.mark.parametrize("counts", [True, False], ids=["counted", "of fixed lengths"])
def test_any_number_of_steps_gives_what_numpy_gives(monkeypatch, stays, counts):
    from thalweg.executors.xla.placement import Placement

    monkeypatch.setattr(Placement, "counts", counts)
    random = np.random.default_rng(0)
    x = random.integers(-9, 9, (ROWS, 2)).astype("float32")  # their sums are exact
    mine, theirs = (executor.compile(running_sum(), gather=True) for executor in (XlaExecutor(), NumpyExecutor()))
    in_order = np.arange(ROWS // BATCH * BATCH).reshape(-1, BATCH)
    for steps in (0, 1, 2, 16, 17, 64, 65, 300):
        for index in (random.integers(0, ROWS, (steps, BATCH)), in_order[:steps], in_order[1 : steps + 1]):
            data = Staying({"x": x}) if stays else {"x": x}
            for one, two in zip(ran(mine, data, index), ran(theirs, {"x": x}, index), strict=True):
                assert np.array_equal(one, two)


def test_calls_are_of_few_lengths():
    assert list(feeding.calls(0, 256, counted=True)) == []
    assert [tuple(call) for call in feeding.calls(5, 3, counted=True)] == [(0, 3, 3), (3, 5, 3)]
    assert [tuple(call) for call in feeding.calls(35, 256, counted=False)] == [
        (0, 16, 16), (16, 32, 16), (32, 33, 1), (33, 34, 1), (34, 35, 1),
    ]  # fmt: skip
    ends = [call.end for call in feeding.calls(4095, 256, counted=False)]
    assert len(ends) == 45
    assert ends[-1] == 4095


def test_arrays_to_be_filled_begin_on_a_line():
    for shape in ((3,), (1, 7, 5)):
        array = feeding.aligned(shape, np.dtype(np.float32))
        assert array.shape == shape
        assert array.ctypes.data % feeding.LINE_BYTES == 0


def test_the_rows_of_a_training_are_brought_once(brought):
    x, y = np.random.default_rng(0).normal(size=(60, 3)).astype("float32"), np.ones((60, 1), "float32")
    model("xla").fit(x, y, batch_size=8, epochs=5, verbose=0)
    assert brought.count((60, 3)) == brought.count((60, 1)) == 1


def test_rows_for_which_there_is_no_room_are_brought_batch_by_batch(monkeypatch, brought):
    from thalweg.executors.xla.placement import Placement

    monkeypatch.setattr(Placement, "room", 100)
    monkeypatch.setattr(feeding, "EXACT_BYTES", 0)
    x, y = np.random.default_rng(0).normal(size=(60, 3)).astype("float32"), np.ones((60, 1), "float32")
    mine, other = model("xla"), model("numpy")
    other.set_weights(mine.get_weights())
    for each in (mine, other):
        each.fit(x, y, batch_size=8, epochs=2, verbose=0, seed=1)
    assert max(shape[0] for shape in brought if len(shape) == 2) < 60
    for one, two in zip(mine.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_an_array_that_is_used_again_for_other_rows_is_brought_again():
    buffer, y = np.zeros((8, 3), "float32"), np.ones((8, 1), "float32")
    mine, other = model("xla"), model("numpy")
    other.set_weights(mine.get_weights())
    for fill in (0.5, -1.0, 2.0):
        buffer[...] = fill
        assert mine.train_on_batch(buffer, y) == pytest.approx(other.train_on_batch(buffer, y), rel=1e-5)
        np.testing.assert_allclose(mine.predict(buffer, verbose=0), other.predict(buffer, verbose=0), rtol=1e-5)


def test_a_buffer_that_a_callback_predicts_on_may_change_between_its_calls():
    """In the middle of a training, whose own rows stay."""
    buffer, found = np.zeros((40, 3), "float32"), []

    class Looks(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            buffer[...] = epoch + 1
            weights = self.model.get_weights()
            hidden = np.maximum(buffer @ weights[0] + weights[1], 0)
            found.append((self.model.predict(buffer, verbose=0), hidden @ weights[2] + weights[3]))

    model("xla").fit(buffer[:8].copy(), np.ones((8, 1), "float32"), epochs=3, verbose=0, callbacks=[Looks()])
    for predicted, computed in found:
        np.testing.assert_allclose(predicted, computed, rtol=1e-5, atol=1e-6)


def failing(monkeypatch, message, calls=1):
    """Let a program fail in its last call of so many, after it has taken the memory of what it changes."""
    import jax

    compiled, left = XlaProgram.compiled, [calls]

    def broken(self, key, arguments):
        program = compiled(self, key, arguments)

        def run(changed, fixed, *others):
            left[0] -= 1
            if left[0] != 0:
                return program(changed, fixed, *others)
            for array in changed.values():
                array.delete()
            raise jax.errors.JaxRuntimeError(message)

        return run

    monkeypatch.setattr(XlaProgram, "compiled", broken)


def test_memory_that_is_used_up_leaves_the_model_as_it_was(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(8, 3)).astype("float32"), np.ones((8, 1), "float32")
    mine = model("xla")
    mine.train_on_batch(x, y)
    before, loss = mine.get_weights(), mine.evaluate(x, y, verbose=0)
    failing(monkeypatch, "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 99999999999 bytes.")
    with pytest.raises(InsufficientMemoryError, match="99999999999") as caught:
        mine.fit(np.tile(x, (2, 1)), np.tile(y, (2, 1)), batch_size=16, verbose=0)
    assert "data" in caught.value.got
    assert "batch_size" in caught.value.fix
    monkeypatch.undo()
    for one, two in zip(mine.get_weights(), before, strict=True):
        assert np.array_equal(one, two)
    assert mine.evaluate(x, y, verbose=0) == loss
    mine.fit(np.tile(x, (2, 1)), np.tile(y, (2, 1)), batch_size=16, verbose=0)
    assert mine.evaluate(x, y, verbose=0) < loss


def test_a_device_that_fails_says_what_failed(monkeypatch):
    mine = model("xla")
    failing(monkeypatch, "INTERNAL: something\nand more")
    with pytest.raises(ExecutorError, match="INTERNAL: something"):
        mine.train_on_batch(np.ones((2, 3), "float32"), np.ones((2, 1), "float32"))


def test_states_that_are_lost_say_so(monkeypatch):
    """A program that has run often fails when nobody has a copy of the states."""
    program = XlaExecutor().compile(running_sum(), gather=True)
    from thalweg.graph.types import TensorType
    from thalweg.state import Variable

    state = {"total": Variable(TensorType((2,), "float32"))}
    data, index = {"x": np.ones((BATCH, 2), "float32")}, np.arange(BATCH)[None]
    program.run(state, data, index)
    failing(monkeypatch, "RESOURCE_EXHAUSTED: no more")
    with pytest.raises(InsufficientMemoryError):
        program.run(state, data, index)
    with pytest.raises(ExecutorError, match="was lost"):
        state["total"].read()
    state["total"].write(0)
    monkeypatch.undo()
    program.run(state, data, index)
    assert state["total"].read().tolist() == [BATCH, BATCH]


def test_compiling_is_no_part_of_the_epochs():
    x, y = np.ones((20, 3), "float32"), np.ones((20, 1), "float32")
    timing = callbacks.Timing()
    history = model("xla").fit(x, y, batch_size=8, epochs=1, verbose=0, callbacks=[timing])
    assert timing.seconds["steps"] < timing.seconds["compiling"] == history.compile_seconds


def test_a_loss_that_is_not_finite_is_traced_to_its_step():
    made = model("xla")
    made.compile(thalweg.optimizers.SGD(50.0), "mse")
    x, y = np.random.default_rng(0).normal(size=(64, 3)).astype("float32"), np.ones((64, 1), "float32")
    with pytest.raises(NonFiniteError) as caught:
        made.fit(x, y, epochs=50, batch_size=8, verbose=0)
    assert f"training step {made.optimizer.iterations + 1} " in caught.value.problem
    assert caught.value.layer is not None
    assert all(np.isfinite(array).all() for array in made.get_weights())


def test_memory_that_the_host_has_not_is_not_asked_for(monkeypatch):
    made = model("xla")
    x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
    made.train_on_batch(x, y)
    before = made.get_weights()
    monkeypatch.setattr(memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(memory, "limits", lambda: iter([(1, "this test")]))
    with pytest.raises(InsufficientMemoryError, match="this test") as caught:
        made.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 1), "float32"))
    assert "the largest of its tensors" in caught.value.got
    monkeypatch.undo()
    for one, two in zip(made.get_weights(), before, strict=True):
        assert np.array_equal(one, two)


def test_nothing_of_the_data_stays_when_a_training_is_over():
    import gc

    import jax

    x, y = np.ones((71, 3), "float32"), np.ones((71, 1), "float32")  # filled up to 72
    model("xla").fit(x, y, batch_size=8, epochs=2, verbose=0)
    gc.collect()
    assert not [array for array in jax.live_arrays() if array.shape and array.shape[0] == feeding.rounded_up(71)]


def test_no_number_of_rows_compiles_anew():
    made, random = model("xla"), np.random.default_rng(0)
    x, y = random.normal(size=(1100, 3)).astype("float32"), np.ones((1100, 1), "float32")
    other = model("numpy")
    other.set_weights(made.get_weights())
    made.predict(x[:40], verbose=0)
    made.evaluate(x[:40], y[:40], verbose=0)
    before = made.runner.programs().compile_seconds
    for rows in (9, 41, 500, 1100):
        found, wanted = (each.predict(x[:rows], verbose=0) for each in (made, other))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        losses = [each.evaluate(x[:rows], y[:rows], verbose=0) for each in (made, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert made.runner.programs().compile_seconds == before
