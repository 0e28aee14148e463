"""Where views lie, against the strides that NumPy gives the same views."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.executors.native.plan.buffer import Buffer, dense_strides
from thalweg.executors.native.plan.view import Obstacle, View, place_of_reshaped, seen_through, view_of, whole
from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph, Node, apply
from thalweg.graph.types import TensorType
from thalweg.ops import broadcast, reshape, state_node, transpose
from thalweg.ops.convolution import Flip, Windows
from thalweg.ops.shape import Slice

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


def transposed(draw, x):
    return transpose(x, tuple(draw(st.permutations(range(x.rank)))))


def flipped(draw, x):
    return apply(Flip(tuple(sorted(draw(st.sets(st.integers(0, x.rank - 1)))))), x)


def cut(draw, x):
    starts = tuple(draw(st.integers(0, n)) for n in x.shape)
    stops = tuple(draw(st.integers(start, n)) for start, n in zip(starts, x.shape, strict=True))
    return apply(Slice(starts, stops, tuple(draw(st.integers(1, 3)) for _ in x.shape)), x)


def repeated(draw, x):
    axis = draw(st.integers(0, x.rank))
    shape = (*x.shape[:axis], draw(st.integers(1, 3)), *x.shape[axis:])
    return broadcast(x, shape, tuple(a for a in range(len(shape)) if a != axis))


def reshaped(draw, x):
    sizes, left = [], x.type.size
    while left > 1 and len(sizes) < 4:
        sizes.append(draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= sizes[-1]
    return reshape(x, (*sizes, left) if x.type.size else (0, 2))


@st.composite
def chains(draw):
    """A view of a view of ... a state."""
    x = state_node("x", draw(SHAPES))
    for _ in range(draw(st.integers(1, 5))):
        x = draw(st.sampled_from([transposed, flipped, cut, repeated, reshaped]))(draw, x)
    return x


def leaf_of(node: Node) -> Node:
    while node.inputs:
        (node,) = node.inputs
    return node


def as_it_lies(memory: np.ndarray, place: View, shape: tuple[int, ...]) -> np.ndarray:
    """What is found at the place's addresses."""
    index = np.full(shape, place.offset)
    for axis, step in enumerate(place.strides):
        index = index + step * np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return memory[index] if index.size else np.zeros(shape, memory.dtype)


@settings(deadline=None, max_examples=300)
@given(chains(), st.booleans())
def test_what_lies_there_is_what_numpy_gives(node, apart):
    """Also of a buffer whose rows are apart."""
    leaf = leaf_of(node)
    strides = dense_strides(leaf.shape)
    strides = tuple(2 * s for s in strides[:-1]) + strides[-1:] if apart else strides
    buffer = Buffer("x", "state", leaf.type, strides)
    values = np.arange(leaf.type.size, dtype=np.float32).reshape(leaf.shape)
    memory = np.full(2 * leaf.type.size + 1, np.nan, np.float32)
    for index in np.ndindex(leaf.shape):
        memory[np.dot(index, strides)] = values[index]
    place = view_of(node, lambda n: whole(buffer) if n is leaf else None)
    expected = evaluate(Graph({"y": node}), {}, {"x": values})[node]
    if isinstance(place, View):
        np.testing.assert_array_equal(as_it_lies(memory, place, node.shape), expected)
    else:
        assert no_strides_describe_some_view(node, values, strides)


def no_strides_describe_some_view(node: Node, values: np.ndarray, strides: tuple[int, ...]) -> bool:
    """Whether NumPy, too, has to copy for one of the reshapes on the way."""
    view = np.lib.stride_tricks.as_strided(
        np.zeros(2 * values.size + 1, np.float32), values.shape, [4 * s for s in strides]
    )
    chain = []
    while node.inputs:
        chain.append(node)
        (node,) = node.inputs
    for seen in reversed(chain):
        if seen.op.name == "reshape":
            if view.size and not np.shares_memory(view.reshape(seen.shape), view):
                return True
            view = view.reshape(seen.shape)
        else:
            view = seen.op.reference(view)
    return False


def test_an_obstacle_names_what_cannot_be_seen_through():
    x = state_node("x", (3, 4))
    turned = transpose(x)
    flat = reshape(turned, (12,))
    found = view_of(flat, lambda n: whole(Buffer("x", "state", x.type, (4, 1))) if n is x else None)
    assert found == Obstacle(turned)


@pytest.mark.parametrize("margins", [((1, 1),), ((0, 2),), ((2, 0),)])
def test_beyond_the_borders_of_windows_there_are_zeros(margins):
    x = state_node("x", (2, 5, 3))
    node = apply(Windows((3,), (1,), (1,), margins), x)
    buffer = Buffer("x", "state", x.type, dense_strides(x.shape))
    place = seen_through(node, whole(buffer))
    assert place is not None
    values = np.arange(1, 31, dtype=np.float32).reshape(x.shape)
    expected = evaluate(Graph({"y": node}), {}, {"x": values})[node]
    found = np.zeros(node.shape, np.float32)
    for index in np.ndindex(node.shape):
        lines = [(b.line.start + int(np.dot(index, b.line.steps)), b.size) for b in place.borders]
        if all(0 <= at < size for at, size in lines):
            found[index] = values.reshape(-1)[place.offset + int(np.dot(index, place.strides))]
    np.testing.assert_array_equal(found, expected)


def test_the_rows_of_a_batch_stay_an_axis():
    """A gathered axis can move, but neither be cut nor joined with others."""
    x = state_node("x", (6, 2, 3))
    data = Buffer("x", "data", TensorType((6, 2, 3)), (6, 3, 1), gathered=True)

    def seen(node: Node) -> View | Obstacle:
        return view_of(node, lambda n: whole(data) if n is x else None)

    place = seen(transpose(x, (1, 0, 2)))
    assert isinstance(place, View)
    assert place.gathered == 1
    place = seen(reshape(x, (6, 6)))
    assert isinstance(place, View)
    assert place.gathered == 0
    assert isinstance(seen(reshape(x, (12, 3))), Obstacle)
    assert isinstance(seen(apply(Slice((1, 0, 0), (5, 2, 3), (1, 1, 1)), x)), Obstacle)
    assert isinstance(seen(apply(Flip((0,)), x)), Obstacle)


@given(SHAPES)
def test_where_a_value_has_to_lie_so_that_its_other_shape_lies_there(shape):
    x = state_node("x", shape)
    node = reshape(x, (x.type.size, 1))
    place = View(Buffer("y", "temporary", node.type, (3, 1)), 5, (3, 1))
    there = place_of_reshaped(x, node, place)
    assert there is not None
    memory = np.arange(3 * x.type.size + 6)
    np.testing.assert_array_equal(
        as_it_lies(memory, there, shape).reshape(-1), as_it_lies(memory, place, node.shape)[:, 0]
    )


def test_parts_and_other_axes():
    buffer = Buffer("x", "temporary", TensorType((4, 6)), (6, 1))
    part = whole(buffer).part([slice(1, 3, 1), slice(2, 6, 2)])
    assert (part.offset, part.strides) == (8, (6, 2))
    assert whole(buffer).along([1, None, 0]).strides == (1, 0, 6)
