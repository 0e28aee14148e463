"""Plans as a whole: the chain of functions on random programs, the arena, and what it is predicted to cost."""

import numpy as np
import pytest
from tests.executors import random_programs

from thalweg.executors.native.code.step import target
from thalweg.executors.native.host import AVX2, AVX512, SSE2
from thalweg.executors.native.plan.buffer import Buffer, CallerBuffers, dense_strides
from thalweg.executors.native.plan.cost import scaling, step_seconds
from thalweg.executors.native.plan.legalise import legalise
from thalweg.executors.native.plan.plan import make_kernels, make_plan, prepared
from thalweg.executors.native.plan.tasks import make_tasks
from thalweg.executors.native.plan.view import View
from thalweg.graph.node import Graph, Kind
from thalweg.graph.types import TensorType
from thalweg.ops import concatenate, input_node, relu, reshape, state_node, transpose
from thalweg.ops.shape import pad

SEEDS = [pytest.param(seed, id=f"{seed}") for seed in range(0, 60, 20)]


def fused(graph: Graph):
    legal = legalise(prepared(graph, target(AVX2)), gather=False, host=AVX2)
    return make_kernels(legal, CallerBuffers.of(graph, gather=False), target(AVX2))


@pytest.mark.parametrize("first_seed", SEEDS)
def test_all_that_kernels_store_has_a_place_of_its_type(first_seed):
    for seed in range(first_seed, first_seed + 20):
        stage = fused(random_programs.make(seed).graph)
        for kernel in stage.kernels:
            for root in kernel.roots:
                place = stage.places.of[root]
                assert len(place.strides) == root.rank
                assert place.buffer.type.dtype == root.dtype
                assert not root.type.size or _last(place, root.shape) < place.buffer.span


def _last(place: View, shape) -> int:
    return place.offset + sum(max(n - 1, 0) * step for n, step in zip(shape, place.strides, strict=True) if step > 0)


@pytest.mark.parametrize("first_seed", SEEDS)
def test_a_plan_is_the_same_every_time(first_seed):
    for seed in range(first_seed, first_seed + 20, 4):
        one, two = (make_plan(random_programs.make(seed).graph, target(AVX2), gather=False) for _ in range(2))
        assert list(one.offsets.values()) == list(two.offsets.values())
        assert [[[str(b) for b in n.buffers] for n in s] for s in one.stages] == [
            [[str(b) for b in n.buffers] for n in s] for s in two.stages
        ]


@pytest.mark.parametrize("first_seed", SEEDS)
def test_every_access_stays_in_its_buffer(first_seed):
    for seed in range(first_seed, first_seed + 20):
        plan = make_plan(random_programs.make(seed).graph, target(AVX2), gather=False)
        for nest in (nest for stage in plan.stages for nest in stage):
            if nest.kernel.roots[0].op.kind is Kind.LOOKUP:
                continue  # rows by number: the code checks them
            for access in [*nest.read, *nest.stores.values()]:
                if access.buffer is None or access.borders or access.gathered is not None:
                    continue
                if any(dim.size == 0 for dim in nest.dims):
                    continue
                ends = [step * (dim.size - 1) for dim, step in zip(nest.dims, access.strides, strict=True)]
                low, high = (
                    access.offset + sum(side) for side in ([min(e, 0) for e in ends], [max(e, 0) for e in ends])
                )
                assert 0 <= low <= high < access.buffer.span, (seed, str(access.buffer))


def places_of(y):
    return fused(Graph({"y": y})).places


def test_what_is_joined_is_made_in_its_place():
    x = input_node("x", (4, 6))
    parts = [relu(x), relu(x * 2.0)]
    joined = concatenate(tuple(parts), 1)
    places = places_of(transpose(joined) @ joined)
    assert len(places.inside) == 2
    views = [places.of[node] for node in places.inside]
    assert len({view.buffer for view in views}) == 1
    assert sorted(view.offset for view in views) == [0, 6]
    assert {view.strides for view in views} == {(12, 1)}


def test_what_is_read_as_a_vector_does_not_lie_inside_another_value():
    x = relu(input_node("x", (4, 6)))
    joined = concatenate((x, x * 2.0), 1)
    graph = fused(Graph({"y": joined, "z": reshape(x, (24,)) + state_node("s", (24,))}))
    (place,) = [place for node, place in graph.places.of.items() if node.op.name == "relu"]
    assert place.strides == (6, 1)
    assert place.buffer.type.shape == (4, 6)


def test_rows_that_would_collide_are_apart_unless_they_are_read_as_one_vector():
    x = input_node("x", (8, 1024))
    apart = places_of(transpose(relu(x)) @ x).of
    assert {p.strides[0] for n, p in apart.items() if n.op.name == "relu"} == {1024 + 16}
    even = places_of(reshape(relu(x), (64, 128)) @ state_node("w", (128, 8))).of
    assert {p.strides[0] for n, p in even.items() if n.op.name == "relu"} == {1024}


def test_zeros_are_put_around_what_is_made_within():
    x = input_node("x", (3, 4))
    graph = Graph({"y": pad(relu(x), (1, 2), (0, 1)) @ state_node("w", (7, 5))})
    stage = fused(graph)
    tasks = make_tasks(stage.graph, stage.kernels, stage.places)
    fills = [task for task in tasks.tasks if task.copy is not None and task.kernel.roots[0].op.name == "broadcast"]
    assert sorted(task.kernel.space for task in fills) == [(1, 7), (3, 1), (3, 2)]


def test_values_that_live_at_different_times_share_the_arena():
    x = input_node("x", (64, 64))
    for layer in range(6):
        x = relu(x @ state_node(f"w{layer}", (64, 64)))
    plan = make_plan(Graph({"y": x}), target(AVX2), gather=False)
    assert plan.arena_bytes == 2 * 64 * 64 * 4
    assert all(offset % 64 == 0 for offset in plan.offsets.values())


def test_wider_vectors_are_predicted_to_be_quicker():
    graph = Graph({"y": input_node("x", (256, 256)) @ state_node("w", (256, 256))})
    seconds = [step_seconds(make_plan(graph, target(host), gather=False).stages, host) for host in (SSE2, AVX2, AVX512)]
    assert seconds == sorted(seconds, reverse=True)
    plan = make_plan(graph, target(AVX2), gather=False)
    predicted = scaling(plan.stages, AVX2)
    assert predicted.seconds(1) == predicted.work_seconds == pytest.approx(seconds[1])
    assert predicted.barriers == len(plan.stages)


def test_callers_buffers_in_the_order_of_the_graph():
    graph = Graph({"y": input_node("a", (4, 3)) @ state_node("w", (3, 1024))}, {"v": state_node("v", (2,)) * 2.0})
    callers = CallerBuffers.of(graph, gather=True)
    assert (list(callers.data), list(callers.states), list(callers.outputs)) == (["a"], ["w", "v"], ["y"])
    assert callers.data["a"].gathered
    assert callers.data["a"].span == 3  # of one row
    assert callers.states["w"].strides == (1040, 1)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4), (0, 3), (3, 0)])
def test_strides_without_gaps(shape):
    array = np.zeros(shape, np.int8)
    assert dense_strides(shape) == array.strides if array.size else len(dense_strides(shape)) == len(shape)
    buffer = Buffer("x", "temporary", TensorType(shape), dense_strides(shape))
    assert buffer.span == array.size
