"""What every executor refuses, and how the numpy one steps."""

import numpy as np
import pytest

from thalweg.errors import ExecutorError, GraphError
from thalweg.executors.executor import leaf_types
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import TensorType
from thalweg.ops import add, input_node, reduce_sum, relu, state_node
from thalweg.ops.elementwise import Relu
from thalweg.state.layout import empty

BATCH = 4


def step() -> Graph:
    x, y, w = input_node("x", (BATCH, 3)), input_node("y", (BATCH,), "int32"), state_node("w", (3,))
    return Graph({"sum": reduce_sum(x * w), "y": add(y, 1)}, {"w": w + reduce_sum(x, 0), "n": reduce_sum(x)})


def state():
    made = {"w": empty(TensorType((3,))), "n": empty(TensorType(()))}
    made["w"][...] = 1
    return made


def data(rows=BATCH):
    return {"x": np.arange(rows * 3, dtype=np.float32).reshape(rows, 3), "y": np.arange(rows, dtype=np.int32)}


def outputs(*steps):
    return {"sum": np.zeros(steps, np.float32), "y": np.zeros((*steps, BATCH), np.int32)}


def test_one_step(executor):
    s, o = state(), outputs()
    executor.compile(step(), gather=False).run(s, data(), None, o)
    assert (o["sum"], o["y"].tolist(), s["w"].tolist(), s["n"]) == (66, [1, 2, 3, 4], [19, 23, 27], 66)


def test_each_step_goes_on_from_the_last(executor):
    s, o, index = state(), outputs(3), np.array([[0, 1, 2, 3], [9, 9, 9, 9], [4, 0, 4, 0]])
    executor.compile(step(), gather=True).run(s, data(10), index, o)
    x, w, sums = data(10)["x"], np.ones(3), []
    for rows in index:
        sums.append((x[rows] * w).sum())
        w += x[rows].sum(0)
    assert o["sum"].tolist() == sums
    assert o["y"].tolist() == (index + 1).tolist()
    assert s["w"].tolist() == w.tolist()


def test_no_steps(executor):
    s = state()
    executor.compile(step(), gather=True).run(s, data(), np.zeros((0, BATCH), np.int64), outputs(0))
    assert s["w"].tolist() == [1, 1, 1]


def test_more_arrays_than_needed_do_no_harm(executor):
    extra = {"unused": np.zeros(3)}
    s, o = state(), outputs()
    executor.compile(step(), gather=False).run(s | extra, data() | extra, None, o)
    assert o["sum"] == 66


def refused(executor, state, data, index=None, outputs=None):
    before = {name: array.copy() for name, array in state.items()}
    with pytest.raises(ExecutorError) as caught:
        executor.compile(step(), gather=index is not None).run(state, data, index, outputs)
    assert all(np.array_equal(array, before[name]) for name, array in state.items()), "it ran before it refused"
    return str(caught.value)


@pytest.mark.parametrize("name", ["w", "n"])
def test_a_missing_state(name, executor):
    s = state()
    del s[name]
    assert repr(name) in refused(executor, s, data(), None, outputs())


@pytest.mark.parametrize("name", ["x", "y"])
def test_a_missing_input(name, executor):
    d = data()
    del d[name]
    assert repr(name) in refused(executor, state(), d, None, outputs())


BAD_STATES = [np.ones(4, np.float32), np.ones(3), np.ones((1, 3), np.float32), np.ones(3, np.int32)]
BAD_INPUTS = [
    np.ones((BATCH, 4), np.float32),
    np.ones((BATCH, 3)),
    np.ones((BATCH, 3, 1), np.float32),
    np.ones(BATCH * 3, np.float32),
]


@pytest.mark.parametrize("array", BAD_STATES, ids=lambda a: str(TensorType.of(a)))
def test_a_state_that_does_not_fit(array, executor):
    message = refused(executor, state() | {"w": array}, data(), None, outputs())
    assert "float32[3]" in message
    assert str(TensorType.of(array)) in message


@pytest.mark.parametrize("array", BAD_INPUTS, ids=lambda a: str(TensorType.of(a)))
def test_an_input_that_does_not_fit(array, executor):
    message = refused(executor, state(), data() | {"x": array}, None, outputs())
    assert "'x'" in message
    assert str(TensorType.of(array)) in message
    refused(executor, state(), data(10) | {"x": array}, np.zeros((1, BATCH), np.int64), outputs(1))


def test_an_input_of_another_batch(executor):
    refused(executor, state(), data(BATCH + 1), None, outputs())


@pytest.mark.parametrize("row", [-1, 10, 2**40, -(2**63)])
def test_an_index_outside_the_data(row, executor):
    index = np.zeros((2, BATCH), np.int64)
    index[1, 2] = row
    assert "rows 0 to 9" in refused(executor, state(), data(10), index, outputs(2))


def test_an_index_outside_the_shorter_of_two(executor):
    index = np.full((1, BATCH), 9)
    refused(executor, state(), data(10) | {"y": np.zeros(5, np.int32)}, index, outputs(1))


@pytest.mark.parametrize(
    "index",
    [
        np.zeros((1, BATCH), np.int32),
        np.zeros((1, BATCH)),
        np.zeros((1, BATCH + 1), np.int64),
        np.zeros(BATCH, np.int64),
        np.zeros((1, 1, BATCH), np.int64),
    ],
    ids=lambda a: str(TensorType.of(a)),
)
def test_an_index_of_another_kind(index, executor):
    refused(executor, state(), data(10), index, outputs(1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sum": np.zeros((), np.float64)},
        {"sum": np.zeros(2, np.float32)},
        {"y": np.zeros(BATCH + 1, np.int32)},
        {"y": np.zeros(BATCH - 1, np.int32)},
        {"unknown": np.zeros((), np.float32)},
    ],
    ids=lambda o: next(iter(o)),
)
def test_an_output_that_does_not_fit(wrong, executor):
    refused(executor, state(), data(), None, outputs() | wrong)


def test_an_output_with_too_few_steps(executor):
    refused(executor, state(), data(), np.zeros((3, BATCH), np.int64), outputs(2))


def test_an_input_without_an_axis_of_samples_cannot_be_indexed(executor):
    graph = Graph({"y": input_node("x", ()) * 2.0})
    with pytest.raises(ExecutorError, match="axis of samples"):
        executor.compile(graph, gather=True).run(
            {}, {"x": np.ones((), np.float32)}, np.zeros((1, 4), np.int64), {"y": np.zeros(1, np.float32)}
        )


def test_a_graph_that_is_not_sound_is_not_compiled(executor):
    wrong = Node(Relu(), (input_node("x", (3,)),), TensorType((4,)))
    with pytest.raises(GraphError):
        executor.compile(Graph({"y": wrong}), gather=False)


def test_data_is_not_changed(executor):
    d = data(10)
    kept = {name: array.copy() for name, array in d.items()}
    executor.compile(step(), gather=True).run(state(), d, np.zeros((2, BATCH), np.int64), outputs(2))
    assert all(np.array_equal(array, kept[name]) for name, array in d.items())


def test_a_program_can_run_again(executor):
    program = executor.compile(step(), gather=False)
    results = []
    for _ in range(3):
        s, o = state(), outputs()
        program.run(s, data(), None, o)
        results.append((float(o["sum"]), s["w"].tolist()))
    assert results[0] == results[1] == results[2]


def test_leaf_types_are_in_the_order_of_the_graph():
    inputs, states = leaf_types(step())
    assert list(inputs) == ["x", "y"]
    assert states == {"w": TensorType((3,)), "n": TensorType(())}
    assert leaf_types(Graph({"y": relu(state_node("s", (2,)))}))[1] == {"s": TensorType((2,))}
