"""functions.py: values and derivatives of users' functions against NumPy, differences and JAX; what is refused."""

import collections

import numpy as np
import pytest

import thalweg
from thalweg import config, numdiff, ops
from thalweg.errors import ArgumentError, DTypeError, GraphError, ShapeError, ThalwegError
from thalweg.functions import compile_function, grad, hessian_vector_product, value_and_grad
from thalweg.trees import flatten, unflatten

Pair = collections.namedtuple("Pair", "left right")


def array(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def net(p, x):
    return ops.reduce_mean(ops.square(ops.tanh(x @ p["w"] + p["b"]) @ p["v"]))


def parameters(dtype="float64"):
    return {"w": array(3, 4, dtype=dtype), "b": array(4, dtype=dtype, seed=1), "v": array(4, 2, dtype=dtype, seed=2)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_are_numpys(executor, dtype):
    f = compile_function(lambda x, y: ops.tanh(x @ y) * 2 + 1, executor=executor)
    x, y = array(5, 3, dtype=dtype), array(3, 4, dtype=dtype, seed=1)
    result = f(x, y)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, np.tanh(x @ y) * 2 + 1, rtol=1e-5 if dtype == "float32" else 1e-13)


def test_traced_once_for_each_type():
    traced = []

    @compile_function
    def f(x):
        traced.append(x.type)
        return x + 1

    for x in (np.ones(3), np.zeros(3), np.ones(4), np.ones(3, "float32"), np.ones(3)[::1], np.arange(6.0)[::2]):
        np.testing.assert_array_equal(f(x), x + 1)
    assert [str(kind) for kind in traced] == ["float64[3]", "float64[4]", "float32[3]"]
    assert f.__name__ == "f"


def test_trees_go_in_and_come_out():
    def f(a, *, scale):
        return {"sum": a["x"][0] + a["x"][1], "parts": (Pair(a["x"][0] * scale, 3), [None, 2.5, True])}

    result = compile_function(f)({"x": [np.arange(3.0), np.ones(3)], "unused": None}, scale=np.float64(2))
    assert result["sum"].tolist() == [1, 2, 3]
    assert isinstance(result["parts"][0], Pair)
    assert result["parts"][0].left.tolist() == [0, 2, 4]
    assert result["parts"][0].right.dtype == np.int64
    assert result["parts"][1][0] is None
    assert (float(result["parts"][1][1]), bool(result["parts"][1][2])) == (2.5, True)


@pytest.mark.parametrize("tree", [1, [], [1, (2, [3])], {"b": 1, "a": {2: 2, 1: None}}, Pair(1, [2]), None])
def test_a_tree_is_its_leaves_in_its_structure(tree):
    leaves, structure = flatten(tree)
    assert unflatten(structure, iter(leaves)) == tree
    assert hash(structure) == hash(flatten(tree)[1])


def test_numbers_are_as_precise_as_the_arrays_beside_them():
    f = compile_function(lambda x, c: x * c)
    assert f(np.ones(2), 0.1).tolist() == [0.1, 0.1]
    assert f(np.ones(2, "float32"), 0.1).dtype == np.float32
    assert f(2, 3).dtype == np.float32
    config.set_floatx("float64")
    try:
        assert f(2, 3).dtype == np.float64
    finally:
        config.set_floatx("float32")


def test_results_are_the_callers_own():
    f = compile_function(lambda x: (x, x))
    x = np.ones(3)
    first, second = f(x)
    first[:] = 7
    assert x.tolist() == second.tolist() == [1, 1, 1]
    assert f(x)[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_a_net_against_differences(dtype):
    p, x = parameters(dtype), array(6, 3, dtype=dtype, seed=3)
    loss, slopes = value_and_grad(net)(p, x)
    assert loss.shape == ()
    assert loss == compile_function(net)(p, x)
    exact, wide = parameters("float64"), x.astype("float64")
    exact = {name: a.astype(dtype).astype("float64") for name, a in exact.items()}
    f = compile_function(net)

    def with_one(name):
        return lambda changed: f(exact | {name: changed}, wide)

    for name, slope in slopes.items():
        difference = numdiff.richardson(with_one(name), exact[name])
        assert slope.dtype == dtype
        np.testing.assert_allclose(slope, difference, rtol=0, atol=1e-9 if dtype == "float64" else 1e-6)


def test_argnums():
    f = lambda x, y: ops.reduce_sum(x * y * y)  # noqa: E731
    x, y = array(3), array(3, seed=1)
    np.testing.assert_allclose(grad(f)(x, y), y * y)
    np.testing.assert_allclose(grad(f, argnums=1)(x, y), 2 * x * y)
    np.testing.assert_allclose(grad(f, argnums=-1)(x, y), 2 * x * y)
    both = grad(f, argnums=(1, 0))(x, y)
    assert isinstance(both, tuple)
    np.testing.assert_allclose(both[0], 2 * x * y)
    np.testing.assert_allclose(both[1], y * y)


def test_one_array_for_two_arguments():
    """Nodes stand for arguments, not for arrays: the derivative by the first leaves the second alone."""
    x = np.float64(3.0)
    assert grad(lambda a, b: a * a * b)(x, x) == 18
    assert grad(lambda x: grad(lambda a, b: a * a * b)(x, x))(x) == 12  # d/dx of 2 x * x


def test_derivatives_inside_of_derivatives():
    x = np.float64(3.0)
    assert grad(grad(grad(lambda x: x**4)))(x) == pytest.approx(24 * 3, rel=1e-14)
    # the inner derivative is by y alone, though x stands in it; and x is a number there as well
    assert grad(lambda x: x * grad(lambda y: x * y)(x))(x) == 6
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(np.float32(3.0)) == 1


def test_reshaping_an_argument_does_not_lose_it():
    x = array(2, 3)
    np.testing.assert_array_equal(grad(lambda x: ops.reduce_sum(ops.reshape(x, (6,))))(x), np.ones((2, 3)))
    flat = grad(lambda x: grad(lambda y: ops.reduce_sum(ops.reshape(y, (6,)) ** 2))(ops.reshape(x, (3, 2)))[0, 0])
    assert flat(x).tolist() == [[2, 0, 0], [0, 0, 0]]


def test_hessian_vector_products_are_columns_of_the_hessian():
    def f(p):
        return ops.reduce_sum(ops.tanh(p["a"] @ p["b"])) + ops.reduce_sum(p["a"] ** 3)

    p = {"a": array(2, 3), "b": array(3, 2, seed=1)}
    v = {"a": array(2, 3, seed=2), "b": array(3, 2, seed=3)}
    product = hessian_vector_product(f)(v, p)
    slopes = grad(f)
    for name in p:
        along = lambda t, name=name: slopes({k: p[k] + t * v[k] for k in p})[name]  # noqa: E731
        np.testing.assert_allclose(product[name], numdiff.richardson(along, 0.0), rtol=1e-9, atol=1e-10)


@pytest.mark.needs("jax")
def test_against_jax():
    import jax

    p, x = parameters("float32"), array(6, 3, dtype="float32", seed=3)

    def oracle(p, x):
        return jax.numpy.mean(jax.numpy.square(jax.numpy.tanh(x @ p["w"] + p["b"]) @ p["v"]))

    v = {name: array(*a.shape, dtype="float32", seed=9) for name, a in p.items()}
    want_value, want = jax.value_and_grad(oracle)(p, x)
    value, got = thalweg.value_and_grad(net)(p, x)
    np.testing.assert_allclose(value, want_value, rtol=1e-6)
    want_product = jax.jvp(lambda p: jax.grad(oracle)(p, x), (p,), (v,))[1]
    product = thalweg.hessian_vector_product(net)(v, p, x)
    for name in p:  # both round each number once or twice
        np.testing.assert_allclose(got[name], want[name], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(product[name], want_product[name], rtol=1e-4, atol=1e-5)


def test_same_bits_on_any_number_of_threads():
    p, x = parameters("float32"), array(64, 3, dtype="float32")
    one, two = (compile_function(grad(net), threads=n)(p, x) for n in (1, 2))
    assert all(one[name].tobytes() == two[name].tobytes() for name in p)


def test_a_compiled_function_in_a_model():
    """On nodes it is a part of their graph: a loss may call one."""
    distance = compile_function(lambda x, y: ops.reduce_mean(ops.square(x - y), -1))
    model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(1)])
    model.compile("sgd", loss=lambda y_true, y_pred: distance(y_pred, y_true))
    x = array(8, 3)
    assert model.evaluate(x, x.sum(1), verbose=0) == pytest.approx(
        np.mean((model.predict(x, verbose=0)[:, 0] - x.sum(1)) ** 2), rel=1e-5
    )


X = np.ones((3, 4), "float32")
REFUSED = {
    "text": (lambda: compile_function(lambda x: x["a"])({"a": "text"}), DTypeError, "argument 0['a']"),
    "keyword": (lambda: compile_function(lambda x, y: x + y[1])(X, y=[X, "text"]), DTypeError, "argument 'y'[1]"),
    "half": (lambda: compile_function(lambda x: x)(X.astype("float16")), DTypeError, "float16"),
    "ragged": (lambda: compile_function(lambda x: x)({1, 2}), DTypeError, "argument 0"),
    "mixed": (lambda: compile_function(lambda x, y: x + y)(X, X.astype("float64")), DTypeError, "float64"),
    "shapes": (lambda: compile_function(lambda x, y: x + y)(X, X.T), ShapeError, "[4,3]"),
    "matmul by a number": (lambda: compile_function(lambda x: x @ 3)(X), ShapeError, "too few axes"),
    "inner array": (lambda: compile_function(lambda x: grad(ops.reduce_sum)(X) * x)(X), DTypeError, "outside"),
    "if": (lambda: compile_function(lambda x: x if x > 0 else -x)(1.0), GraphError, "neither true nor false"),
    "nothing": (lambda: compile_function(lambda x: None)(X), GraphError, "None"),
    "no node": (lambda: compile_function(lambda x: "y")(X), DTypeError, "'y'"),
    "matrix": (lambda: grad(lambda x: x)(X), GraphError, "float32[3,4]"),
    "one in a row": (lambda: grad(lambda x: ops.reduce_sum(x, keepdims=True))(X), GraphError, "float32[1,1]"),
    "two": (lambda: grad(lambda x: (ops.reduce_sum(x), x))(X), GraphError, "tuple"),
    "whole number": (lambda: grad(lambda x: ops.cast(ops.reduce_sum(x), "int32"))(X), GraphError, "int32"),
    "by integers": (lambda: grad(ops.reduce_sum)(np.arange(3)), DTypeError, "int64"),
    "by nothing": (lambda: grad(lambda x: 1.0)([]), ArgumentError, "nothing to differentiate by"),
    "argnums": (lambda: grad(lambda x, y: x, argnums=1)(1.0, y=2.0), ArgumentError, "argnums=1"),
    "argnums text": (lambda: grad(lambda x, y: x, argnums=("x",)), ArgumentError, "'x'"),
    "vector's shape": (lambda: hessian_vector_product(lambda x: ops.reduce_sum(x))(X.T, X), ShapeError, "[4,3]"),
    "vector's dtype": (
        lambda: hessian_vector_product(lambda x: ops.reduce_sum(x))(X.astype("float64"), X),
        DTypeError,
        "float64[3,4]",
    ),
    "vector's structure": (lambda: hessian_vector_product(lambda x: ops.reduce_sum(x[0]))(X, [X]), ShapeError, "list"),
    "executor": (lambda: compile_function(lambda x: x, executor="nativ"), ArgumentError, "'nativ'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_four_parts(name):
    act, kind, words = REFUSED[name]
    with pytest.raises(kind) as caught:
        act()
    assert isinstance(caught.value, ThalwegError)
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
    assert words in str(caught.value) or words in caught.value.got


def test_a_node_kept_from_another_call_is_refused():
    kept = []

    def keep(x):
        kept.append(x)
        return x

    compile_function(keep)(np.ones(3))
    with pytest.raises(GraphError, match="none of its arguments"):
        compile_function(lambda x: x + kept[0])(np.ones(3))


def test_a_state_is_refused():
    with pytest.raises(GraphError, match="none of its arguments"):
        compile_function(lambda x: x + ops.state_node("w", (3,), "float64"))(np.ones(3))


def test_after_an_error_nothing_is_left_behind():
    f = compile_function(lambda x: ops.reduce_sum(x) if x.rank else x @ x)
    with pytest.raises(ShapeError):
        f(1.0)
    assert f(np.ones(3)) == 3  # runs, and is not taken for a part of the graph that failed
