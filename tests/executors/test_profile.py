"""The profile of a step: the same results as without, and rows that add up."""

import time

import numpy as np
import pytest

from thalweg import ops
from thalweg.backprop import gradients
from thalweg.executors.profile import measured
from thalweg.executors.work import flops
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.ops.leaf import state_node
from thalweg.state import layout


def descent(batch=8):
    """A step of gradient descent on a linear model."""
    x, y = ops.input_node("x", (batch, 5)), ops.input_node("y", (batch, 2))
    w = state_node("w", (5, 2), "float32")
    loss = ops.reduce_mean(ops.square(x @ w - y))
    (slope,) = gradients(loss, [w])
    return Graph({"loss": loss}, {"w": w - 0.1 * slope})


def numbers(rows=40):
    random = np.random.default_rng(0)
    return {
        "x": random.normal(size=(rows, 5)).astype(np.float32),
        "y": random.normal(size=(rows, 2)).astype(np.float32),
    }


def weights():
    w = layout.empty(TensorType((5, 2)))
    w[...] = np.arange(10).reshape(5, 2) / 10
    return {"w": w}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_program_with_stamps_computes_the_same_bits(executor, threads):
    index = np.random.default_rng(1).integers(0, 40, (30, 8))
    plain, looked_at = weights(), weights()
    executor.compile(descent(), gather=True).run(plain, numbers(), index)
    timing = executor.profiled(descent(), gather=True).measure(looked_at, numbers(), index, threads)
    assert plain["w"].tobytes() == looked_at["w"].tobytes()
    assert timing.step > 0
    assert all(seconds >= 0 for seconds in (*timing.tasks, *timing.barriers))


def test_without_an_index_it_is_one_step(executor):
    program = executor.profiled(descent(), gather=False)
    state = weights()
    timing = program.measure(state, numbers(8), None, 1)
    assert len(timing.tasks) == len(program.works)
    assert not np.array_equal(state["w"], weights()["w"])


def test_the_measured_step_is_about_as_long_as_the_clock_says(native):
    """Tasks and barriers leave out nothing of a call but its beginning and end."""
    batch = 64
    x = ops.input_node("x", (batch, 200))
    w = state_node("w", (200, 200), "float32")
    graph = Graph({}, {"w": w + 1e-6 * ops.transpose(x) @ ops.tanh(x @ w)})
    program = native.profiled(graph, gather=True)
    data = {"x": np.ones((batch, 200), np.float32)}
    index = np.tile(np.arange(batch), (200, 1))
    state = {"w": layout.empty(TensorType((200, 200)))}
    shares = []
    for _ in range(8):  # another program may come between the clock and the step, but not always
        began = time.perf_counter()
        timing = program.measure(state, data, index, 1)
        shares.append(timing.step * len(index) / (time.perf_counter() - began))
    assert 0.5 < max(shares) < 1.01


def test_the_state_stays_as_it_is_and_missing_ones_are_made(executor):
    state = weights()
    before = state["w"].copy()
    profile = measured(executor, descent(), state, numbers(), 8, what="train", threads=1, seconds=0.01)
    assert np.array_equal(state["w"], before)
    assert profile.steps >= 1
    assert measured(executor, descent(), {}, numbers(), 8, what="train", threads=1, seconds=0.01).seconds > 0


def test_flops_are_counted_by_operation():
    x, w = ops.input_node("x", (6, 4)), ops.input_node("w", (4, 3))
    assert flops(x @ w) == 2 * 6 * 4 * 3
    assert flops(ops.exp(x)) == 24
    assert flops(ops.reduce_sum(x, 0)) == 24
    assert flops(ops.reshape(x, (4, 6))) == 0
    assert flops(x) == 0
    assert flops(ops.input_node("i", (5,), "int32") + 1) == 0
    images, kernel = ops.input_node("images", (2, 8, 8, 3)), ops.input_node("kernel", (3, 3, 3, 5))
    assert flops(ops.convolve(images, kernel)) == 2 * (2 * 6 * 6 * 5) * (3 * 3 * 3)


def test_the_peak_is_that_of_a_real_processor(native):
    one, two = native.peak_flops(1), native.peak_flops(2)
    assert 1e8 < one < 1e12
    assert two > 0.5 * one
