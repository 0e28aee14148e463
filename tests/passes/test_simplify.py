"""simplify.py: rule by rule."""

import math

import numpy as np
import pytest

from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph, apply, scope
from thalweg.graph.text import to_text
from thalweg.graph.verify import verify
from thalweg.ops import (
    add,
    broadcast,
    concatenate,
    constant,
    divide,
    exp,
    filled,
    input_node,
    iota,
    multiply,
    reduce_sum,
    relu,
    softmax,
    state_node,
    stop_gradient,
    subtract,
    transpose,
)
from thalweg.ops.broadcast import Broadcast
from thalweg.ops.shape import Reshape
from thalweg.passes.simplify import simplify

X = input_node("x", (2, 3))
ROW = input_node("row", (3,))


def everything(op):
    return True


def all_but(*names):
    return lambda op: op.name not in names


def simple(y, supported=everything):
    """The node that ``y`` becomes, and the same values before and after."""
    before = Graph({"y": y})
    after = simplify(before, supported)
    verify(after)
    r = np.random.default_rng(0)
    data = {"x": r.standard_normal((2, 3)).astype(np.float32), "row": r.standard_normal(3).astype(np.float32)}
    np.testing.assert_array_equal(
        evaluate(before, data, {})[y], evaluate(after, data, {})[after.outputs["y"]], strict=True
    )
    return after.outputs["y"]


@pytest.mark.parametrize(
    "y",
    [
        multiply(X, 1.0),
        multiply(1.0, X),
        divide(X, 1.0),
        subtract(X, 0.0),
        stop_gradient(X),
        transpose(transpose(X)),
        (X * 1.0) / 1.0 - 0.0,
        multiply(X, filled((), 2.0) * 0.5),
    ],
)
def test_becomes_its_input(y):
    assert simple(y) == X


def test_a_division_of_one_is_kept():
    assert simple(divide(1.0, X)).op.name == "divide"


def test_a_difference_from_zero_is_kept():
    assert simple(subtract(0.0, X)).op.name == "subtract"


def test_two_repetitions_are_one():
    y = simple(broadcast(broadcast(ROW, (2, 3), (1,)), (5, 2, 3), (1, 2)))
    assert y.op == Broadcast((5, 2, 3), (2,))
    assert y.inputs == (ROW,)


def test_two_reshapes_are_one():
    y = simple(apply(Reshape((6,)), apply(Reshape((3, 2)), X)))
    assert y.op == Reshape((6,))
    assert y.inputs[0] == X


def test_two_reshapes_that_cancel():
    assert simple(apply(Reshape((2, 3)), apply(Reshape((3, 2)), X))) == X


def test_two_transpositions_are_one():
    x = input_node("cube", (2, 3, 4))
    after = simplify(Graph({"y": transpose(transpose(x, (1, 2, 0)), (1, 0, 2))}), everything).outputs["y"]
    assert after.inputs == (x,)
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    want = data.transpose(1, 2, 0).transpose(1, 0, 2)
    np.testing.assert_array_equal(evaluate(Graph({"y": after}), {"cube": data}, {})[after], want)


def test_a_number_in_another_shape_is_that_number_repeated():
    y = simple(transpose(filled((2, 3), 7.0)))
    assert y.op == Broadcast((3, 2), ())


def test_arithmetic_on_numbers_is_done():
    y = simple(exp(constant(1.0)) * 2.0 + 1.0)
    assert y.op.name == "constant"
    assert y.op.value == np.float32(np.float32(np.exp(np.float32(1))) * 2 + 1)


def test_arithmetic_on_numbers_that_is_not_finite_or_wraps():
    assert simple(divide(constant(1.0), 0.0)).op.value == math.inf
    assert math.isnan(simple(divide(constant(0.0), 0.0)).op.value)
    assert simple(add(constant(2**31 - 1, "int32"), 1)).op.value == -(2**31)


def test_computed_once_and_then_repeated():
    y = simple(relu(broadcast(ROW, (2, 3), (1,))))
    assert (y.op.name, y.inputs[0].op.name, y.inputs[0].shape) == ("broadcast", "relu", (3,))


def test_different_repetitions_stay():
    column = X[:, 0]
    y = simple(broadcast(ROW, (2, 3), (1,)) + broadcast(column, (2, 3), (0,)))
    assert y.op.name == "add"


def test_equal_expressions_are_computed_once():
    y = simple(relu(X) * relu(X))
    assert y.inputs[0] is y.inputs[1]


def test_equal_expressions_of_different_layers_too():
    with scope("a"):
        a = relu(X)
    with scope("b"):
        b = relu(X)
    assert sum(n.op.name == "relu" for n in Graph({"y": simple(a + b)}).nodes()) == 1


def test_zero_and_minus_zero_are_two_numbers():
    y = divide(1.0, constant(0.0)) + 0.0 * X
    z = divide(X, filled((2, 3), 0.0)) - divide(X, filled((2, 3), -0.0))
    simple(y)
    simple(z)


def test_equal_numbers_of_different_dtypes_are_two():
    graph = simplify(Graph({"a": constant(1.0, "float32"), "b": constant(1.0, "float64")}), everything)
    assert (graph.outputs["a"].dtype, graph.outputs["b"].dtype) == ("float32", "float64")


@pytest.mark.parametrize("y", [softmax(X), concatenate((X, X), 1), softmax(concatenate((X, X), 0), 0)])
def test_what_is_not_supported_is_decomposed(y):
    able = all_but("softmax", "concatenate")
    after = simplify(Graph({"y": y}), able)
    assert all(able(type(n.op)) for n in after.nodes())


def test_what_has_no_decomposition_is_left():
    assert simple(exp(X), all_but("exp")).op.name == "exp"


def test_parts_made_by_decomposition_are_simplified_and_shared():
    able = all_but("softmax")
    once = simplify(Graph({"y": softmax(X)}), able)
    twice = simplify(Graph({"y": softmax(X), "z": softmax(X) * 1.0}), able)
    assert len(once.nodes()) == len(twice.nodes())


def test_layers_are_kept():
    with scope("dense_1"):
        y = softmax(X)
    after = simplify(Graph({"y": y}), all_but("softmax"))
    assert {n.layer for n in after.nodes() if n.inputs} == {"dense_1"}


def test_simplifying_again_changes_nothing():
    y = softmax(stop_gradient(X) * 1.0 + broadcast(ROW, (2, 3), (1,)) + iota((2, 3), 1, "float32"))
    once = simplify(Graph({"y": y}, {"s": state_node("s", (2, 3)) * reduce_sum(y)}), all_but("softmax"))
    assert to_text(simplify(once, everything)) == to_text(once)


def test_names_of_results_are_kept():
    after = simplify(Graph({"a": X * 1.0, "b": X}, {"s": state_node("s", (3,)) * 1.0}), everything)
    assert after.outputs["a"] is after.outputs["b"]
    assert list(after.updates) == ["s"]


def test_a_long_chain_takes_no_long_time_and_no_deep_stack():
    y = X
    for _ in range(3_000):
        y = relu(y * 1.0)
    assert len(simplify(Graph({"y": y}), everything).nodes()) == 3_001
