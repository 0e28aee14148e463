"""Whole numbers: what has an exact meaning is what NumPy gives; what has none is an error."""

import math
import operator

import numpy as np
import pytest

from thalweg import ops
from thalweg.errors import DTypeError
from thalweg.graph.node import Graph, Node
from thalweg.graph.types import SIGNED, UNSIGNED

WHOLE = (*SIGNED, *UNSIGNED)


def computed(executor, function, array):
    """What a function of one tensor gives on an executor."""
    y = function(ops.input_node("x", array.shape, array.dtype.name))
    result = np.zeros(y.shape, y.dtype)
    executor.compile(Graph({"y": y}), gather=False).run({}, {"x": array}, None, {"y": result})
    return result


@pytest.mark.parametrize("dtype", WHOLE)
def test_the_mean_is_numpys(executor, dtype):
    x = np.array([[1, 2, 4], [100, 101, 101]], dtype)
    for axes in (None, 0, 1):
        got = computed(executor, lambda n, axes=axes: ops.reduce_mean(n, axes), x)
        np.testing.assert_allclose(got, x.mean(axes), rtol=1e-15, strict=True)
    assert computed(executor, ops.reduce_mean, np.array([1, 2, 4], dtype)) == pytest.approx(7 / 3, rel=1e-15)


def test_the_mean_of_truth_values_is_their_share(executor):
    x = np.array([True, False, True, True])
    np.testing.assert_array_equal(computed(executor, ops.reduce_mean, x), x.mean(), strict=True)


@pytest.mark.parametrize("dtype", WHOLE)
def test_average_pooling_of_whole_numbers(executor, dtype):
    x = np.arange(8).astype(dtype).reshape(1, 8, 1)
    for strides, want in ((2, [0.5, 2.5, 4.5, 6.5]), (3, [0.5, 3.5, 6.5])):
        got = computed(executor, lambda n, s=strides: ops.average_pool(n, (2,), (s,)), x)
        np.testing.assert_array_equal(got.ravel(), want)


@pytest.mark.parametrize("dtype", WHOLE)
def test_sums_do_not_wrap(executor, dtype):
    largest = np.full((3, 300), np.iinfo(dtype).max if dtype != "int64" else 2**50, dtype)
    for axes in (None, 0, 1):
        got = computed(executor, lambda n, axes=axes: ops.reduce_sum(n, axes), largest)
        np.testing.assert_array_equal(got, largest.astype(np.int64).sum(axes), strict=True)
    assert computed(executor, ops.reduce_sum, np.full(60_000, 200, np.uint8)) == 12_000_000


def test_the_sum_of_truth_values_counts_them(executor):
    x = np.arange(35).reshape(5, 7) % 3 == 0
    np.testing.assert_array_equal(computed(executor, lambda n: ops.reduce_sum(n, 0), x), x.sum(0), strict=True)


COMPARISONS = (operator.lt, operator.le, operator.gt, operator.ge, ops.equal, ops.not_equal)
OF_NUMPY = {ops.equal: operator.eq, ops.not_equal: operator.ne}


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("compare", COMPARISONS)
def test_comparisons_with_numbers_that_the_dtype_does_not_hold(executor, compare, dtype):
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    x = np.array([low, 0, 1, high], dtype)
    numpys = OF_NUMPY.get(compare, compare)
    for number in (int(low) - 1, int(high) + 1, 10**400, -math.inf, math.inf, int(low), int(high)):
        ours = computed(executor, lambda n, number=number: compare(n, number), x)
        np.testing.assert_array_equal(ours, [numpys(int(n), number) for n in x])
        swapped = computed(executor, lambda n, number=number: compare(number, n), x)
        np.testing.assert_array_equal(swapped, [numpys(number, int(n)) for n in x])


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x + 2**31,
        lambda x: x * -(2**31) - 1 + 2**40,
        lambda x: 2.5 * x,
        lambda x: x + math.inf,
        lambda x: x + math.nan,
        lambda x: x < 0.5,
        lambda x: ops.equal(x, math.nan),
        lambda x: ops.select(x > 0, x, 1e10),
        lambda x: ops.clip(x, -(10**10), 0),
        lambda x: ops.maximum(x, 0.5),
        lambda x: ops.constant(256, "uint8"),
        lambda x: ops.constant(-1, "uint32"),
        lambda x: ops.constant(0.5, "bool"),
        lambda x: ops.filled((3,), 2, "bool"),
        lambda x: ops.iota((257,), 0, "uint8"),
        lambda x: ops.surrounded(ops.cast(ops.reshape(x, (1, 3, 1)), "uint8"), [(1, 1)], -1),
    ],
)
def test_a_number_that_the_dtype_does_not_hold_is_an_error(make):
    with pytest.raises(DTypeError, match=r"a fraction meets whole numbers|beyond those that its dtype holds") as caught:
        make(ops.input_node("x", (3,), "int32"))
    assert all((caught.value.expected, caught.value.got, caught.value.fix))


def test_numbers_at_the_ends_are_held(executor):
    x = np.array([-1, 0, 1], np.int32)
    np.testing.assert_array_equal(computed(executor, lambda n: ops.maximum(n, -(2**31)), x), x)
    np.testing.assert_array_equal(computed(executor, lambda n: ops.minimum(n, 2**31 - 1.0), x), x)
    assert ops.iota((256,), 0, "uint8").shape == (256,)


def test_clipping_at_one_end_only(executor):
    x = np.array([-3, 0, 3], np.int32)
    np.testing.assert_array_equal(computed(executor, lambda n: ops.clip(n, low=-1), x), [-1, 0, 3])
    np.testing.assert_array_equal(computed(executor, lambda n: ops.clip(n, high=1), x), [-3, 0, 1])
    assert isinstance(ops.clip(ops.input_node("x", (3,), "int32")), Node)


def test_take_counts_its_axis_from_the_end_too(executor):
    x = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    index = ops.constant(2, "int32")
    got = computed(executor, lambda n: ops.take(n, ops.reshape(index, (1,)), -1), x)
    np.testing.assert_array_equal(got, np.take(x, [2], -1))
