"""Kernels: what is computed together, on graphs made by hand and on random ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.executors import random_programs

from thalweg.graph.node import Graph, Kind
from thalweg.ops import (
    broadcast,
    cast,
    concatenate,
    exp,
    input_node,
    multiply,
    random_bits,
    random_uniform,
    reduce_sum,
    relu,
    reshape,
    select,
    state_node,
    transpose,
)
from thalweg.passes.fuse import behind, fuse, is_copied, is_leaf, is_view, reads, required, stored_in


def cheap(node):
    return node.op.kind is Kind.ELEMENTWISE and node.op.name not in ("exp", "divide")


def kernels_of(*results, dense=()):
    return fuse(Graph({f"y{i}": y for i, y in enumerate(results)}), dense, cheap)


X = input_node("x", (6, 8))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 500))
def test_kernels_store_what_others_read_and_come_after_it(seed):
    graph = random_programs.make(seed).graph
    kernels = fuse(graph, (), cheap)
    stored = stored_in(kernels)
    done = set()
    for kernel in kernels:
        assert kernel.roots
        assert set(kernel.roots) <= set(kernel.nodes)
        assert {root.shape for root in kernel.roots} <= {kernel.space, kernel.kept}
        for node in reads(kernel, stored):
            assert is_leaf(node) or node in done
        assert not done & set(kernel.roots), "each value is stored once"
        done |= set(kernel.roots)
    assert required(graph) <= stored
    assert {node for node in map(behind, graph.roots()) if not is_leaf(node)} <= stored


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 500))
def test_moves_and_contractions_are_kernels_of_their_own(seed):
    for kernel in fuse(random_programs.make(seed).graph, (), cheap):
        kinds = [node.op.kind for node in kernel.nodes]
        assert kinds.count(Kind.CONTRACTION) == (kernel.contraction is not None)
        if any(is_copied(node) for node in kernel.nodes):
            assert len(kernel.nodes) == 1
        assert not any(is_view(node) or is_leaf(node) for node in kernel.nodes)


def test_elementwise_work_follows_a_product_in_its_kernel():
    (kernel,) = kernels_of(exp(X @ state_node("w", (8, 5))) * 2.0)
    assert [node.op.name for node in kernel.nodes] == ["contraction", "exp", "multiply"]


def test_reductions_over_the_same_axes_share_a_sweep():
    y = exp(X)
    (kernel,) = kernels_of(reduce_sum(y * y, (1,)), reduce_sum(y, (1,)))
    assert kernel.swept == (1,)
    assert len(kernel.roots) == 2


def test_reductions_over_other_axes_do_not():
    y = exp(X)
    assert [kernel.swept for kernel in kernels_of(reduce_sum(y, (0,)), reduce_sum(y, (1,)))] == [(0,), (1,)]


def test_what_is_cheap_is_computed_again_rather_than_stored():
    y = X * 2.0
    kernels = kernels_of(reduce_sum(y, (0,)), reduce_sum(y, (1,)))
    assert y not in stored_in(kernels)


def test_what_is_costly_is_stored_for_the_others():
    y = exp(X)
    kernels = kernels_of(reduce_sum(y, (0,)), reduce_sum(y, (1,)))
    assert y in stored_in(kernels)


def test_a_view_that_is_stored_is_a_kernel_that_copies():
    view = transpose(X)
    kernels = kernels_of(multiply(view, state_node("s", (8, 6))), dense=[view])
    assert kernels[0].roots == (view,)
    assert view in reads(kernels[1], stored_in(kernels))


def test_a_leaf_that_is_stored_is_read_by_the_kernel_that_copies_it():
    kernels = kernels_of(X * 2.0, dense=[X])
    assert reads(kernels[0], stored_in(kernels)) == {X}


def test_two_kernels_never_wait_for_each_other():
    """The sum over rows goes back to every element, whose sum over columns the first one needs."""
    rows = reduce_sum(exp(X), (1,))
    y = exp(X) * broadcast(rows, X.shape, (0,))
    columns = reduce_sum(y, (0,))
    z = y + broadcast(columns, X.shape, (1,))
    kernels = kernels_of(z, rows)
    stored = stored_in(kernels)
    made: set = set()
    for kernel in kernels:
        assert all(is_leaf(node) or node in made for node in reads(kernel, stored))
        made |= set(kernel.roots)


def test_joined_values_are_stored_whatever_reads_them():
    joined = concatenate((exp(X), X), 0)
    stored = stored_in(kernels_of(joined * 2.0))
    assert joined in stored


def test_what_a_view_looks_at():
    y = exp(X)
    view = reshape(transpose(y), (48,))
    assert behind(view) is y
    assert behind(view, {view.inputs[0]}) is view.inputs[0]
    assert behind(y) is y


@pytest.mark.parametrize("length", [100, 400])
def test_long_chains_are_grouped_in_reasonable_time(length):
    """As many kernels that read from each other: the check that none waits for itself does not walk through all."""
    x = X
    for turn in range(length):
        x = exp(x) * broadcast(reduce_sum(x, (turn % 2,)), X.shape, (1 - turn % 2,))
    kernels = kernels_of(x)
    assert len(kernels) >= length / 2


def test_random_numbers_are_drawn_where_they_are_used():
    seed, step = (state_node(name, (), "uint32") for name in ("seed", "step"))
    kept = random_bits(X.shape, 1, seed, step) >= 2**31
    mean = broadcast(reduce_sum(X, (0,)) * 0.125, X.shape, (1,))
    (kernel,) = kernels_of(select(kept, X - mean, 0.0))
    assert kernel.swept == (0,)
    product = relu(X @ state_node("w", (8, 8)))
    (kernel,) = kernels_of(select(kept, product, 0.0), dense=(X,))[-1:]
    assert kernel.contraction is not None
    assert not kernels_of(select(kept, X, 0.0), reduce_sum(cast(kept, "float32"), (1,)))[0].contraction


def test_random_numbers_that_what_they_change_waits_for_are_drawn_before_it():
    seed, step = (state_node(name, (), "uint32") for name in ("seed", "step"))
    noise = random_uniform(X.shape, 1, seed, step)
    product = noise @ state_node("w", (8, 8))
    first, second = kernels_of(product * noise)
    assert first.roots == (noise,)
    assert second.contraction is product
