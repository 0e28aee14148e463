"""Lines over tensors, and what views make of them; that they agree with the reference is among the contracts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.graph.node import OPS, Kind
from thalweg.ops.broadcast import Broadcast
from thalweg.ops.convolution import Flip, Windows
from thalweg.ops.shape import Reshape, Slice, Transpose
from thalweg.ops.views import Line, View


def test_views_are_of_their_kind():
    for op in OPS.values():
        assert issubclass(op, View) is (op.kind in (Kind.VIEW, Kind.WINDOW)), op


@pytest.mark.parametrize(
    ("op", "shape", "line", "want"),
    [
        (Broadcast((4, 3), (1,)), (3,), Line(5, (7,)), Line(5, (0, 7))),
        (Transpose((1, 0)), (2, 3), Line(0, (3, 1)), Line(0, (1, 3))),
        (Slice((1, 0), (2, 3), (1, 2)), (2, 3), Line(0, (3, 1)), Line(3, (3, 2))),
        (Flip((1,)), (2, 3), Line(0, (3, 1)), Line(2, (3, -1))),
        (Reshape((6,)), (2, 3), Line(4, (3, 1)), Line(4, (1,))),
        (Reshape((3, 2, 1)), (6,), Line(0, (5,)), Line(0, (10, 5, 0))),
        (Reshape((2, 2)), (2, 2, 1), Line(0, (8, 2, 1)), Line(0, (8, 2))),
        (Reshape((0, 7)), (3, 0), Line(9, (1, 1)), Line(9, (0, 0))),
        (Windows((3,), (2,), (1,), ((1, 1),)), (1, 8, 5), Line(0, (40, 5, 1)), Line(-5, (40, 10, 5, 1))),
    ],
)
def test_the_line_of_a_view(op, shape, line, want):
    assert op.follow(line, shape) == want


@pytest.mark.parametrize(
    ("op", "shape", "line"),
    [
        (Reshape((6,)), (2, 3), Line(0, (4, 1))),  # rows apart
        (Reshape((6,)), (2, 3), Line(0, (1, 2))),  # transposed
        (Reshape((2, 3)), (3, 2), Line(0, (1, 3))),
    ],
)
def test_there_is_no_line_where_rows_do_not_follow_each_other(op, shape, line):
    assert op.follow(line, shape) is None


def test_an_axis_of_size_1_counts_if_it_is_kept():
    """A batch of one row, gathered by number: the next row is not where the last number of this one ends."""
    merged = Reshape((3,))
    assert merged.follow(Line(0, (100, 1)), (1, 3)) == Line(0, (1,))
    assert merged.follow(Line(0, (100, 1)), (1, 3), kept=0) is None


@pytest.mark.parametrize(
    ("op", "shape", "axis", "want"),
    [
        (Broadcast((4, 3), (1,)), (3,), 0, 1),
        (Transpose((1, 0)), (2, 3), 0, 1),
        (Slice((0, 1), (2, 3), (1, 1)), (2, 3), 0, 0),
        (Slice((0, 1), (2, 3), (1, 1)), (2, 3), 1, None),
        (Flip((1,)), (2, 3), 1, None),
        (Reshape((2, 6)), (2, 3, 2), 0, 0),
        (Reshape((2, 6)), (2, 3, 2), 1, None),
        (Reshape((6, 2)), (2, 3, 2), 0, None),
        (Reshape((0, 7)), (3, 0), 0, None),
        (Windows((3,), (1,), (1,), ((0, 0),)), (2, 8, 5), 0, 0),
        (Windows((3,), (1,), (1,), ((0, 0),)), (2, 8, 5), 1, None),
    ],
)
def test_which_axis_of_a_view_is_all_of_one(op, shape, axis, want):
    assert op.follow_axis(axis, shape) == want


def test_only_windows_look_beyond_an_edge():
    assert Windows((3, 3), (1, 1), (1, 1), ((0, 0), (0, 1))).bordered_axes() == (2,)
    assert Flip((0,)).bordered_axes() == ()


SIZES = st.lists(st.integers(1, 4), max_size=4)


@st.composite
def reshapes(draw):
    """A tensor in memory, its axes in any order and some of them cut, and another shape for it."""
    shape = draw(SIZES)
    cut = [slice(draw(st.integers(0, 1)), None, draw(st.integers(1, 2))) for _ in shape]
    numbers = np.arange(math.prod(n + 4 for n in shape)).reshape([n + 4 for n in shape])[(..., *cut)]
    numbers = numbers.transpose(draw(st.permutations(range(len(shape)))))
    factors = [p for n in numbers.shape for p in prime_factors(n)]
    new: list[int] = []
    for factor in factors:
        if new and draw(st.booleans()):
            new[-1] *= factor
        else:
            new.append(factor)
    for _ in range(draw(st.integers(0, 2))):
        new.insert(draw(st.integers(0, len(new))), 1)
    return numbers, tuple(new)


def prime_factors(n: int) -> list[int]:
    return next(([p, *prime_factors(n // p)] for p in range(2, n + 1) if n % p == 0), [])


@given(reshapes())
@settings(max_examples=300, deadline=None)
def test_reshapes_are_followed_exactly_where_numpy_needs_no_copy(case):
    numbers, new = case
    line = Line(int(numbers.flat[0]), tuple(step // numbers.itemsize for step in numbers.strides))
    found = Reshape(new).follow(line, numbers.shape)
    want = numbers.reshape(new)
    assert (found is not None) is np.shares_memory(want, numbers)
    if found is not None:
        places = found.start + sum(i * step for i, step in zip(np.indices(new), found.steps, strict=True))
        np.testing.assert_array_equal(places + np.zeros(new, int), want)
