"""The functions that make nodes: NumPy's conventions, and errors with all parts."""

import math

import numpy as np
import pytest
from tests.compute import label

from thalweg.errors import DTypeError, ShapeError, ThalwegError
from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph, scope
from thalweg.ops import (
    add,
    argmax,
    broadcast_to,
    concatenate,
    convolve,
    convolve_transposed,
    filled,
    flip,
    input_node,
    iota,
    log_sum_exp,
    matmul,
    power,
    reduce_mean,
    reduce_sum,
    relu,
    reshape,
    select,
    softmax,
    transpose,
)
from thalweg.ops.convolution import MOST_TURNS
from thalweg.ops.elementwise import Erf
from thalweg.ops.shape import pad

A = np.arange(2 * 3 * 4, dtype=np.float64).reshape(2, 3, 4) / 7
X = input_node("x", A.shape, "float64")


def value(node):
    return evaluate(Graph({"y": node}), {"x": A}, {})[node]


@pytest.mark.parametrize(
    "key",
    [
        np.s_[0],
        np.s_[-1],
        np.s_[:, 1],
        np.s_[..., 2],
        np.s_[1:, ::2],
        np.s_[None],
        np.s_[:, None, 1:3],
        np.s_[0, -1, 3],
        np.s_[..., None],
        np.s_[:, 5:],
        np.s_[:, -2:, 1:-1],
        np.s_[2:1],
        np.s_[0, ..., None, 1],
    ],
    ids=str,
)
def test_indexing_is_as_in_numpy(key):
    np.testing.assert_array_equal(value(X[key]), A[key], strict=True)


@pytest.mark.parametrize("key", [2, -3, (0, 3), (0, 0, 0, 0), np.s_[::-1], "a", 1.5, True, (0, [1, 2])], ids=str)
def test_an_index_that_does_not_fit(key):
    with pytest.raises(ShapeError):
        X[key]


@pytest.mark.parametrize("shape", [(2, 3, 4), (4,), (3, 1), (1, 1, 1), (2, 1, 4), ()])
def test_arithmetic_broadcasts_as_in_numpy(shape):
    y = np.arange(1, 1 + np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
    other = input_node("y", shape, "float64")
    for ours, numpys in ((X + other, A + y), (other - X, y - A), (X * other, A * y), (X / other, A / y)):
        got = evaluate(Graph({"z": ours}), {"x": A, "y": y}, {})[ours]
        np.testing.assert_array_equal(got, numpys, strict=True)


def test_numbers_take_the_dtype_of_the_tensor():
    n = input_node("n", (3,), "int32")
    assert (n + 1).dtype == "int32"
    assert (X * 2).dtype == "float64"
    assert (1 - X).dtype == "float64"
    assert (X > 0.5).dtype == "bool"
    assert select(X > 0.5, X, 0.0).dtype == "float64"


@pytest.mark.parametrize(("exponent", "op"), [(2, "multiply"), (0.5, "sqrt"), (-1, "divide"), (3, "power")])
def test_powers_by_the_exact_operation(exponent, op):
    y = power(X + 1.0, exponent)
    assert y.op.name == op
    np.testing.assert_allclose(value(y), (A + 1) ** exponent, rtol=1e-15)
    assert power(X, 1) is X


@pytest.mark.parametrize("axes", [None, 0, -1, (0, 2), (-1, 0), ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_are_as_in_numpy(axes, keepdims):
    np.testing.assert_allclose(value(reduce_mean(X, axes, keepdims)), A.mean(axes, keepdims=keepdims), rtol=1e-14)


def test_softmax_over_several_axes_adds_up_to_1_over_all_of_them():
    e = np.exp(A)
    np.testing.assert_allclose(value(softmax(X, (1, 2))), e / e.sum((1, 2), keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(value(softmax(X, (2,))), value(softmax(X)))


def test_softmax_is_unchanged_by_adding_to_all():
    np.testing.assert_allclose(value(softmax(X + 1e4)), value(softmax(X)), rtol=1e-11)
    np.testing.assert_allclose(value(log_sum_exp(X + 1e4)), value(log_sum_exp(X)) + 1e4, rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "y", "equation"),
    [((5, 3), (3, 4), "ij,jk->ik"), ((2, 5, 3), (3, 4), "bij,jk->bik"), ((2, 5, 3), (2, 3, 4), "bij,bjk->bik")],
)
def test_matmul(x, y, equation):
    r = np.random.default_rng(0)
    a, b = r.standard_normal(x), r.standard_normal(y)
    node = matmul(input_node("a", x, "float64"), input_node("b", y, "float64"))
    got = evaluate(Graph({"z": node}), {"a": a, "b": b}, {})[node]
    np.testing.assert_allclose(got, np.einsum(equation, a, b), rtol=1e-13)


def node(*shape, dtype="float32"):
    return input_node(f"n{shape}{dtype}", shape, dtype)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: add(node(3), node(4)), ShapeError),
        (lambda: add(node(3), node(3, dtype="float64")), DTypeError),
        (lambda: add(node(3, dtype="bool"), node(3, dtype="bool")), DTypeError),
        (lambda: relu(node(3, dtype="int32")), DTypeError),
        (lambda: softmax(node(3, dtype="int32")), DTypeError),
        (lambda: log_sum_exp(node(3, dtype="int32")), DTypeError),
        (lambda: reduce_sum(node(3), 1), ShapeError),
        (lambda: argmax(node(0)), ShapeError),
        (lambda: select(node(3), node(3), node(3)), DTypeError),
        (lambda: matmul(node(2, 3), node(4, 5)), ShapeError),
        (lambda: matmul(node(), node(3, 3)), ShapeError),
        (lambda: matmul(node(2, 5, 3), node(4, 3, 4)), ShapeError),
        (lambda: reshape(node(2, 3), (4,)), ShapeError),
        (lambda: reshape(node(2, 3), (-1, 4)), ShapeError),
        (lambda: transpose(node(2, 3), (0, 0)), ShapeError),
        (lambda: broadcast_to(node(3), (4,)), ShapeError),
        (lambda: broadcast_to(node(2, 3), (3,)), ShapeError),
        (lambda: concatenate((node(2, 3), node(2, 4)), 0), ShapeError),
    ],
)
def test_what_does_not_fit_is_an_error_with_all_parts_and_the_layer(make, kind):
    with pytest.raises(ThalwegError) as caught, scope("dense_1"):
        make()
    error = caught.value
    assert isinstance(error, kind)
    assert all((error.problem, error.expected, error.got, error.fix))
    assert error.layer == "layer 'dense_1'"


def test_iota_and_full():
    np.testing.assert_array_equal(value(iota((2, 3), 1)), [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(value(filled((2,), 1.5)), np.array([1.5, 1.5], np.float32), strict=True)


def test_erf_is_the_c_librarys():
    """To 2 units of the last place in double precision, over both branches and where they meet."""
    x = np.concatenate([np.linspace(-7, 7, 20001), np.logspace(-300, 0, 301), [np.nextafter(1, 0), 1, np.inf]])
    want = np.array([math.erf(t) for t in x])
    assert (np.abs(Erf().reference(x) - want) <= 2 * np.spacing(np.abs(want))).all()
    np.testing.assert_array_equal(Erf().reference(x.astype(np.float32)).dtype, np.float32)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, axis: reduce_sum(x, axis),
        lambda x, axis: reduce_sum(x, (0, axis)),
        lambda x, axis: softmax(x, axis),
        lambda x, axis: log_sum_exp(x, axis),
        lambda x, axis: argmax(x, axis),
        lambda x, axis: concatenate((x, x), axis),
    ],
)
@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_is_not_there(function, axis):
    with pytest.raises(ShapeError, match="does not have these axes") as caught:
        function(filled((2, 3), 1.0), axis)
    assert str(axis) in caught.value.got


def test_an_axis_that_is_there_twice():
    with pytest.raises(ShapeError):
        reduce_sum(filled((2, 3), 1.0), (1, -1))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolutions_of_large_and_small_strides(rank):
    """Whether in turns or all at once, they are what the definition says: a convolution of what strides spread out."""
    r = np.random.default_rng(rank)
    at_once = 0
    for _ in range(40):
        places, size, strides = (tuple(int(n) for n in r.integers(1, most, rank)) for most in (5, 7 - rank, 13 // rank))
        groups, filters, channels = (int(n) for n in r.integers(1, 4, 3))
        ends = [tuple(int(n) for n in r.integers(-1, k + s, 2)) for k, s in zip(size, strides, strict=True)]
        spread = [(n - 1) * s + 1 for n, s in zip(places, strides, strict=True)]
        if any(n + min(a, 0) + min(b, 0) < 0 or n + a + b < k for n, k, (a, b) in zip(spread, size, ends, strict=True)):
            continue
        x = input_node("x", (2, *places, groups * filters), "float64")
        kernel = input_node("kernel", (*size, channels, groups * filters), "float64")
        given = {label(n): r.standard_normal(n.shape) for n in (x, kernel)}
        parts = reshape(flip(kernel, range(rank)), (*size, channels, groups, filters))
        parts = reshape(transpose(parts, (*range(rank), rank + 2, rank + 1, rank)), (*size, filters, groups * channels))
        inserted = pad(x, (0,) * x.rank, (0,) * x.rank, (0, *(s - 1 for s in strides), 0))
        want = convolve(inserted, parts, None, ends, None, groups)
        y = convolve_transposed(x, kernel, strides, ends, None, groups)
        graph = Graph({"want": want, "y": y})
        found = evaluate(graph, given, {})
        np.testing.assert_allclose(found[y], found[want], rtol=1e-9, atol=1e-12, strict=True)
        at_once += math.prod(strides) > MOST_TURNS
    assert at_once > 3


def test_a_transposed_convolution_of_huge_strides_is_a_small_graph():
    """As at the end of FCN-32s: Long, Shelhamer & Darrell (2015), section 4.2."""
    x, kernel = input_node("x", (1, 7, 7, 21)), input_node("kernel", (64, 64, 21, 21))
    y = convolve_transposed(x, kernel, (32, 32), ((63, 63), (63, 63)))
    assert y.shape == (1, 256, 256, 21)
    assert len(Graph({"y": y}).nodes()) < 30
