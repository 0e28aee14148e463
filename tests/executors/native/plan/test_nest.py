"""Nests: merged axes go through the same addresses, and equal signatures mean equal code."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.executors import random_programs

from thalweg import ops
from thalweg.executors.native.code.builder import Module
from thalweg.executors.native.code.step import call_of, target
from thalweg.executors.native.host import AVX2
from thalweg.executors.native.plan.buffer import Buffer
from thalweg.executors.native.plan.nest import Access, Dim, Nest, merge, signature
from thalweg.executors.native.plan.plan import make_plan
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.ops import input_node, state_node

BUFFER = Buffer("x", "temporary", TensorType((4000,)), (1,))


@st.composite
def nests(draw):
    """Axes, and accesses over them of which some run on evenly from axis to axis."""
    dims = [Dim(draw(st.integers(1, 4)), draw(st.booleans())) for _ in range(draw(st.integers(0, 4)))]
    accesses = []
    for _ in range(draw(st.integers(1, 3))):
        strides, step = [], draw(st.integers(0, 2))
        for dim in reversed(dims):
            strides.append(step if draw(st.booleans()) else draw(st.integers(-3, 3)))
            step = strides[-1] * dim.size
        accesses.append(Access(BUFFER, draw(st.integers(0, 9)), tuple(reversed(strides))))
    return dims, accesses


def addresses(dims, access):
    found = np.array(access.offset)
    for dim, stride in zip(dims, access.strides, strict=True):
        found = np.add.outer(found, stride * np.arange(dim.size))
    return found.reshape(-1).tolist()


@given(nests())
def test_merged_axes_go_through_the_same_addresses_in_the_same_order(nest):
    dims, accesses = nest
    merged, after = merge(dims, accesses)
    for before, access in zip(accesses, after, strict=True):
        assert addresses(dims, before) == addresses(merged, access)
    assert all(dim.size > 1 for dim in merged)
    assert len(merged) <= len(dims)


def test_neighbours_that_run_on_evenly_become_one_axis():
    merged, (access,) = merge([Dim(2, False), Dim(3, False), Dim(4, False)], [Access(BUFFER, 0, (12, 4, 1))])
    assert merged == [Dim(24, False)]
    assert access.strides == (1,)


def test_summed_axes_are_not_merged_with_others():
    merged, _ = merge([Dim(2, False), Dim(3, True)], [Access(BUFFER, 0, (3, 1))])
    assert merged == [Dim(2, False), Dim(3, True)]


def nests_of(graph: Graph) -> list[Nest]:
    return [nest for stage in make_plan(graph, target(AVX2), gather=False).stages for nest in stage]


def text_of(nest: Nest) -> str:
    module = Module(AVX2)
    call_of(nest, module)
    return module.part().text


@pytest.mark.parametrize("first_seed", range(0, 60, 20))
def test_equal_signatures_mean_equal_code(first_seed):
    """Over all tasks of several programs."""
    texts: dict[object, str] = {}
    for seed in range(first_seed, first_seed + 20):
        for nest in nests_of(random_programs.make(seed).graph):
            text = text_of(nest)
            assert texts.setdefault(signature(nest), text) == text, seed


def test_layers_alike_have_equal_signatures():
    x = input_node("x", (32, 48))
    for layer in "abc":
        x = ops.tanh(
            x @ state_node(f"{layer}/kernel", (48, 48))
            + ops.broadcast(state_node(f"{layer}/bias", (48,)), (32, 48), (1,))
        )
    products = [signature(nest) for nest in nests_of(Graph({"y": x})) if nest.kernel.contraction is not None]
    assert len(products) == 3
    assert len(set(products)) <= 2  # the last one writes to the output, which lies as a temporary value does


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x * 3.0,  # another number
        lambda x: x + 2.0,  # another operation
        lambda x: x * -0.0,
        lambda x: ops.transpose(x) * 2.0,
        lambda x: x * x,
    ],
)
def test_what_makes_a_difference_is_in_the_signature(other):
    x = input_node("x", (6, 6))
    (one,), (two,) = (nests_of(Graph({"y": y})) for y in (x * 2.0, other(x)))
    assert signature(one) != signature(two)
    (zero,), (minus,) = (nests_of(Graph({"y": x * value})) for value in (0.0, -0.0))
    assert signature(zero) != signature(minus)


def test_other_buffers_in_the_same_places():
    (nest,) = nests_of(Graph({"y": input_node("x", (5,)) * 2.0}))
    (old, *_) = nest.buffers
    new = Buffer("other", "temporary", old.type, old.strides)
    moved = nest.moved({old: new})
    assert new in moved.buffers
    assert old not in moved.buffers
    assert signature(moved) == signature(nest)
    assert nest.moved({}) is nest
