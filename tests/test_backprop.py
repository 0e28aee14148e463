"""backprop.py: the chain rule by hand, what meets is added up, and second derivatives."""

from dataclasses import dataclass

import numpy as np
import pytest

from thalweg.backprop import gradients
from thalweg.errors import GraphError
from thalweg.executors.numpy import evaluate
from thalweg.graph.node import Graph, Kind, Node, Op, apply, scope
from thalweg.graph.verify import verify
from thalweg.ops import (
    cast,
    clip,
    exp,
    filled,
    floor,
    input_node,
    log,
    log_softmax,
    log_sum_exp,
    maximum,
    reduce_max,
    reduce_mean,
    reduce_sum,
    relu,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    square,
    stop_gradient,
    tanh,
)


def value_of(nodes, **inputs):
    graph = Graph({str(i): n for i, n in enumerate(nodes)})
    verify(graph)
    values = evaluate(graph, {k: np.asarray(v, np.float64) for k, v in inputs.items()}, {})
    return [values[n] for n in nodes]


def scalar(name: str) -> Node:
    return input_node(name, (), "float64")


def test_product_and_sum_by_hand():
    x, y = scalar("x"), scalar("y")
    dx, dy = value_of(gradients(x * y + 3.0 * x, [x, y]), x=2.0, y=5.0)
    assert (dx, dy) == (8.0, 2.0)


def test_chain_by_hand():
    x = scalar("x")
    (dx,) = value_of(gradients(exp(square(x)), [x]), x=0.5)
    assert dx == pytest.approx(2 * 0.5 * np.exp(0.25), rel=1e-15)


def test_dense_layer_by_hand():
    """dW = x^T dz, db = sum of dz, dx = dz W^T, with dz = 2 z / n."""
    r = np.random.default_rng(0)
    x, w, b = r.standard_normal((4, 3)), r.standard_normal((3, 2)), r.standard_normal(2)
    nodes = [input_node(name, a.shape, "float64") for name, a in zip("xwb", (x, w, b), strict=True)]
    loss = reduce_mean(square(nodes[0] @ nodes[1] + nodes[2]))
    dx, dw, db = value_of(gradients(loss, nodes), x=x, w=w, b=b)
    dz = 2 * (x @ w + b) / 8
    np.testing.assert_allclose(dw, x.T @ dz, rtol=1e-13)
    np.testing.assert_allclose(db, dz.sum(0), rtol=1e-13)
    np.testing.assert_allclose(dx, dz @ w.T, rtol=1e-13)


def test_softmax_cross_entropy_by_hand():
    """The famous softmax(x) - y."""
    x, y = input_node("x", (5, 3), "float64"), input_node("y", (5, 3), "float64")
    loss = -reduce_sum(y * log_softmax(x))
    r = np.random.default_rng(0)
    a, onehot = r.standard_normal((5, 3)) * 50, np.eye(3)[[0, 1, 2, 0, 1]]
    (dx, probabilities) = value_of([*gradients(loss, [x]), softmax(x)], x=a, y=onehot)
    np.testing.assert_allclose(dx, probabilities - onehot, atol=1e-14)


def test_what_meets_is_added_up():
    x = scalar("x")
    y = square(x)
    (dx,) = value_of(gradients(y * y + y + x, [x]), x=3.0)
    assert dx == 4 * 27 + 2 * 3 + 1


def test_an_input_used_twice_by_one_operation():
    x = scalar("x")
    (dx,) = value_of(gradients(x * x, [x]), x=3.0)
    assert dx == 6.0


def test_by_a_node_in_the_middle():
    x = scalar("x")
    y = exp(x)
    dy, dx = value_of(gradients(square(y), [y, x]), x=1.0)
    assert dy == pytest.approx(2 * np.e)
    assert dx == pytest.approx(2 * np.e**2)


def test_by_itself():
    x = scalar("x")
    assert value_of(gradients(x, [x]), x=7.0) == [1.0]


def test_repeated_in_a_batch_adds_over_it():
    b = input_node("b", (3,), "float64")
    (db,) = value_of(gradients(reduce_sum(filled((4, 3), 0.0, "float64") + b), [b]), b=[1, 2, 3])
    assert db.tolist() == [4, 4, 4]


def test_what_the_loss_does_not_depend_on_has_gradient_zero():
    x, other = scalar("x"), input_node("other", (2, 3))
    d = gradients(square(x), [other])[0]
    assert (d.type, value_of([d], x=1.0, other=np.zeros((2, 3)))[0].tolist()) == (other.type, [[0.0] * 3] * 2)


def test_nothing_passes_a_stop_or_a_step():
    x = scalar("x")
    (dx,) = value_of(gradients(x * stop_gradient(x) + floor(x) + cast(cast(x, "int32"), "float64"), [x]), x=2.5)
    assert dx == 2.5


def test_the_path_without_a_parameter_needs_no_gradient():
    """Only what lies between the loss and ``wrt`` is asked for its product."""
    x = scalar("x")
    (dx,) = value_of(gradients(x * apply(_Opaque(), scalar("y")), [x]), x=2.0, y=3.0)
    assert dx == 3.0


@dataclass(frozen=True)
class _Opaque(Op, kind=Kind.ELEMENTWISE):
    def infer(self, x):
        return x

    def reference(self, x):
        return x


def test_an_operation_without_a_gradient_is_named():
    x = scalar("x")
    with scope("dense_1"):
        y = apply(_Opaque(), x)
    with pytest.raises(GraphError, match="opaque' has no gradient") as caught:
        gradients(square(y), [x])
    assert caught.value.layer == "dense_1"


@pytest.mark.parametrize(("shape", "dtype"), [((1,), "float32"), ((2, 3), "float64"), ((), "int32")])
def test_only_a_floating_point_scalar_is_a_loss(shape, dtype):
    x = input_node("x", shape, dtype)
    with pytest.raises(GraphError, match="not one number") as caught:
        gradients(x, [x])
    assert caught.value.got == str(x.type)


def test_gradients_carry_the_layer_of_what_they_are_of():
    x = input_node("x", (3, 3), "float64")
    with scope("dense_1"):
        y = tanh(x)
    new = set(Graph({"dx": gradients(reduce_sum(y), [x])[0]}).nodes()) - set(Graph({"y": y}).nodes())
    assert "dense_1" in {n.layer for n in new}


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (relu, 0.0, 0.0),
        (abs, 0.0, 0.0),
        (lambda x: maximum(x, 0.0), 0.0, 0.5),
        (lambda x: x**0.0, 0.0, 0.0),
        (lambda x: x**3.0, 0.0, 0.0),
        (lambda x: clip(x, -1.0, 1.0), 2.0, 0.0),
        (lambda x: clip(x, -1.0, 1.0), 0.5, 1.0),
        (sigmoid, 1000.0, 0.0),
        (sigmoid, -1000.0, 0.0),
        (softplus, 1000.0, 1.0),
        (softplus, -1000.0, 0.0),
        (tanh, 1000.0, 0.0),
    ],
)
def test_slopes_at_kinks_and_far_out(function, at, slope):
    x = scalar("x")
    assert value_of(gradients(function(x), [x]), x=at)[0] == slope


def test_ties_of_a_maximum_share():
    x = input_node("x", (4,), "float64")
    (dx,) = value_of(gradients(reduce_max(x), [x]), x=[1, 3, 3, 2])
    assert dx.tolist() == [0, 0.5, 0.5, 0]


COMPOSITES = {
    "product": lambda x: reduce_sum(square(x) * tanh(x)),
    "logistic": lambda x: reduce_sum(softplus(x) * sigmoid(x)),
    "softmax": lambda x: reduce_sum(square(softmax(x))),
    "cross-entropy": lambda x: reduce_sum(square(log_sum_exp(x))) + reduce_mean(exp(x)),
    "net": lambda x: reduce_mean(square(tanh(x @ filled((5, 2), 0.3, "float64")) @ filled((2, 4), 0.7, "float64"))),
    "norm": lambda x: reduce_sum(x / sqrt(reduce_sum(square(x)) + 1.0) * log(square(x) + 0.5)),
    "power": lambda x: reduce_sum((square(x) + 1.0) ** 1.7),
    "slices": lambda x: reduce_sum(x[1:, ::2] * tanh(x[:-1, ::2])),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_second_derivatives(name):
    """The Hessian is symmetric, and its products are differences of gradients."""
    x, u, v = (input_node(label, (3, 5), "float64") for label in "xuv")
    (g,) = gradients(COMPOSITES[name](x), [x])
    (hu,), (hv,) = (gradients(reduce_sum(g * direction), [x]) for direction in (u, v))
    r = np.random.default_rng(len(name))
    at, du, dv = r.standard_normal((3, 3, 5))
    slope, left, right = value_of([g, hu, hv], x=at, u=du, v=dv)
    assert (left * dv).sum() == pytest.approx((right * du).sum(), rel=1e-9, abs=1e-11)
    h = 1e-5
    (up,), (down,) = (value_of([g], x=at + t * du, u=du, v=dv) for t in (h, -h))
    np.testing.assert_allclose(left, (up - down) / (2 * h), rtol=1e-5, atol=1e-7 * np.abs(slope).max())


def test_a_deep_chain_does_not_exhaust_the_stack():
    x = scalar("x")
    y = x
    for _ in range(5_000):
        y = tanh(y)
    assert np.isfinite(value_of(gradients(y, [x]), x=0.5)[0])
