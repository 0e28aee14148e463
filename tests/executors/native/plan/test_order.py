"""When tasks run: stages of graphs made by hand, and that tasks of a stage never meet in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.executors import random_programs
from tests.executors.native.plan.memory import assert_tasks_do_not_meet

from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.plan.order import levels, replaces, waited_for
from thalweg.executors.native.plan.plan import make_order, make_plan
from thalweg.graph.node import Graph
from thalweg.ops import broadcast, input_node, reduce_sum, reshape, state_node, transpose

EDGES = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.sets(st.integers(0, n - 1), max_size=4), min_size=n, max_size=n)
)


@given(EDGES)
def test_stages_come_after_those_that_they_wait_for(edges):
    edges = [before - {task} for task, before in enumerate(edges)]
    stages = levels(edges)
    if stages is None:
        waiting = set(waited_for(edges))
        assert waiting
        for task in waiting:  # each waits for one of them and is waited for by one of them
            assert edges[task] & waiting
            assert any(task in edges[other] for other in waiting)
    else:
        assert all(stages[b] < stages[task] for task, before in enumerate(edges) for b in before)
        assert all(stages[task] == 0 or edges[task] for task in range(len(edges)))


@given(EDGES)
def test_tasks_that_wait_only_for_earlier_ones_can_be_ordered(edges):
    stages = levels([{b for b in before if b < task} for task, before in enumerate(edges)])
    assert stages is not None


def order_of(graph: Graph):
    return make_order(graph, target(AVX2), gather=False)


def test_a_state_is_written_in_place_where_each_element_replaces_itself():
    w = state_node("w", (64,))
    order = order_of(Graph({}, {"w": w * 0.5}))
    assert len(order.tasks.tasks) == 1
    (nest,) = order.nests
    (buffer,) = nest.buffers
    assert buffer.kind == "state"
    assert replaces(nest, buffer)


def test_a_state_may_be_replaced_by_a_sum_that_needs_several_passes():
    w, x = state_node("w", (64,)), input_node("x", (32, 64))
    centred = x - broadcast(reduce_sum(x, (0,)), x.shape, (1,))
    (nest,) = order_of(Graph({}, {"w": w * 0.5 + reduce_sum(centred * centred, (0,))})).nests
    assert replaces(nest, nest.stores[nest.kernel.roots[-1]].buffer)


def test_two_states_that_change_places_are_written_aside():
    a, b = state_node("a", (64,)), state_node("b", (64,))
    order = order_of(Graph({}, {"a": b * 2.0, "b": a * 3.0}))
    aside = [task for task in order.tasks.tasks if task.reads_aside]
    assert aside
    assert max(order.stages) == 1


def test_a_state_that_is_read_turned_is_written_aside():
    w = state_node("w", (64, 64))
    order = order_of(Graph({}, {"w": transpose(w) * 2.0}))
    assert [task.reads_aside for task in order.tasks.tasks].count(True) == 1


def test_the_copy_of_a_state_is_made_before_the_state_changes(native):
    """Its rows are apart, so that no strides describe it as a vector: it is copied."""
    w = state_node("w", (40, 512))
    flat = reshape(w, (40 * 512,))
    graph = Graph({"sum": reduce_sum(flat * flat), "first": flat * 1.0}, {"w": w + 1.0})
    program = native.compile(graph, gather=False)
    state = {name: _laid_out(kind, 2.0) for name, kind in program.states.items()}
    results = {"sum": np.zeros((), np.float32), "first": np.zeros(40 * 512, np.float32)}
    for _ in range(3):
        before = state["w"].copy()
        program.run(state, {}, None, results, 2)
        np.testing.assert_array_equal(results["first"], before.reshape(-1))
        np.testing.assert_array_equal(state["w"], before + 1)


def _laid_out(kind, value):
    from thalweg.state import layout

    array = layout.empty(kind)
    array[...] = value
    return array


@pytest.mark.parametrize("first_seed", range(0, 40, 10))
def test_tasks_of_a_stage_do_not_meet_in_memory(first_seed):
    for seed in range(first_seed, first_seed + 10):
        plan = make_plan(random_programs.make(seed).graph, target(AVX2), gather=False)
        assert_tasks_do_not_meet(plan)
