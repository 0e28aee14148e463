"""Activations: numerics at the ends, derivatives where the pieces meet, every spelling; values are asked of oracles."""

import math
import warnings

import numpy as np
import pytest
from tests.compute import compute, inputs

from thalweg import Input, Sequential, activations, layers, ops
from thalweg.backprop import gradients
from thalweg.errors import ArgumentError, NameNotFoundError, ShapeError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.layers import ELU, Dense, LeakyReLU, PReLU
from thalweg.layers.tracing import tracing
from thalweg.model import clone_model, load_model
from thalweg.spelling import SpellingNotice

NAMES = [name for name, entry in activations.registry.items() if entry.__module__.startswith("thalweg")]


def value_and_slope(name, x, **options):
    (node,) = inputs(x=x)
    value = activations.get(name)(node, **options)
    return compute([value, gradients(ops.reduce_sum(value), [node])[0]], x=x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_at_large_inputs(name, dtype):
    x = np.array([[1e4, -1e4, 0.0, -0.0, 1e-30, 100.0, -100.0]], dtype)
    if name == "exponential":
        x = np.minimum(x, dtype(80))  # e^100 is no float32
    for array in value_and_slope(name, x):
        assert array.dtype == dtype
        assert np.isfinite(array).all()


@pytest.mark.usefixtures("on_all_threads")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_native_computes_the_same(name, dtype, native):
    """Value and gradient, to a few units of the last place of each operation; the same bits on two threads."""
    x = np.concatenate([np.linspace(-9, 9, 2999), [1e4, -1e4, 1e-30, -0.0]]).astype(dtype)
    if name == "exponential":
        x = np.minimum(x, 80).astype(dtype)
    (node,) = inputs(x=x)
    value = activations.get(name)(node)
    graph = Graph({"value": value, "slope": gradients(ops.reduce_sum(value * value), [node])[0]})
    results = []
    for executor, threads in ((NumpyExecutor(), 1), (native, 1), (native, 2)):
        out = {key: np.zeros_like(x) for key in graph.outputs}
        executor.compile(graph, gather=False).run({}, {"x": x}, None, out, threads)
        results.append(out)
    unit = float(np.finfo(dtype).eps)
    for key, array in results[0].items():
        np.testing.assert_allclose(results[1][key], array, rtol=64 * unit, atol=16 * unit)
        assert results[1][key].tobytes() == results[2][key].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays(name):
    assert np.isnan(value_and_slope(name, np.array([[np.nan, 1.0]]))[0][0, 0])


@pytest.mark.parametrize(
    ("name", "at_1e4", "at_minus_1e4"),
    [
        ("softplus", 1e4, 0.0),
        ("mish", 1e4, 0.0),
        ("silu", 1e4, 0.0),
        ("gelu", 1e4, 0.0),
        ("elu", 1e4, -1.0),
        ("selu", 1e4 * 1.0507009873554805, -1.0507009873554805 * 1.6732632423543772),
        ("relu6", 6.0, 0.0),
        ("hard_sigmoid", 1.0, 0.0),
        ("softsign", 1e4 / 10001, -1e4 / 10001),
        ("leaky_relu", 1e4, -2e3),
    ],
)
def test_ends(name, at_1e4, at_minus_1e4):
    value, _ = value_and_slope(name, np.array([1e4, -1e4], np.float32))
    np.testing.assert_allclose(value, [at_1e4, at_minus_1e4], rtol=1e-6)


@pytest.mark.parametrize("axis", [0, -1])
def test_log_softmax_of_large_logits(axis):
    x = np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32)
    np.testing.assert_array_equal(value_and_slope("log_softmax", x, axis=axis)[0], [[0, -2e4], [-2e4, 0]])


@pytest.mark.parametrize(
    ("name", "x", "slope"),
    [
        *(("relu", 0.0, 0.0), ("relu6", 0.0, 0.0), ("relu6", 6.0, 0.0), ("leaky_relu", 0.0, 1.0), ("elu", 0.0, 1.0)),
        *(("hard_sigmoid", -3.0, 0.0), ("hard_sigmoid", 3.0, 0.0), ("softsign", 0.0, 1.0), ("mish", 0.0, 0.6)),
    ],
)
def test_derivative_where_the_pieces_meet(name, x, slope):
    assert value_and_slope(name, np.array([x]))[1][0] == pytest.approx(slope)


def test_gelu_is_the_normal_distribution_function():
    x = np.linspace(-6, 6, 97)
    phi = np.array([(1 + math.erf(t / math.sqrt(2))) / 2 for t in x])
    np.testing.assert_allclose(value_and_slope("gelu", x)[0], x * phi, atol=2e-15)
    assert np.abs(value_and_slope("gelu", x, approximate=True)[0] - x * phi).max() < 5e-4


def test_selu_keeps_mean_0_and_variance_1():
    y = value_and_slope("selu", np.random.RandomState(0).standard_normal(10**6))[0]
    assert abs(y.mean()) < 4e-3
    assert abs(y.var() - 1) < 6e-3


def test_relu_of_minus_infinity():
    x = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(value_and_slope("relu", x, max_value=6.0)[0], [0, 6])


class TestLayers:
    def value(self, layer, x, **weights):
        layer.infer(*(node.type for node in inputs(x=x)))
        parameters = layer.named_parameters()
        state = {path: weights.get(path, p.initial(0, path)) for path, p in parameters.items()}
        with tracing(parameters):
            y = layer(*inputs(x=x))
        return compute(y, {n: np.asarray(v, "f4") for n, v in state.items()}, x=x)

    def test_leaky(self):
        x = np.array([[-10.0, -5.0, 0.0, 5.0, 10.0]], np.float32)
        np.testing.assert_array_equal(self.value(LeakyReLU(0.5), x), [[-5.0, -2.5, 0.0, 5.0, 10.0]])
        np.testing.assert_allclose(self.value(LeakyReLU(), x), [[-3.0, -1.5, 0.0, 5.0, 10.0]])

    def test_older_spelling(self):
        with pytest.warns(SpellingNotice, match="alpha= is read as negative_slope="):
            assert LeakyReLU(alpha=0.001).negative_slope == 0.001
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ELU(alpha=0.001).alpha == 0.001

    def test_prelu(self):
        x = np.array([[[-1.0, 2.0], [-3.0, -4.0]]], np.float32)
        y = self.value(PReLU(), x, alpha=[[0.1, 0.2], [0.3, 0.4]])
        np.testing.assert_allclose(y, [[[-0.1, 2.0], [-0.9, -1.6]]], rtol=1e-6)
        y = self.value(PReLU(shared_axes=[1]), x, alpha=[[0.1, 0.5]])
        np.testing.assert_allclose(y, [[[-0.1, 2.0], [-0.3, -2.0]]], rtol=1e-6)

    @pytest.mark.parametrize("axes", [0, 3, (1, 1), (1, 5)])
    def test_prelu_axes(self, axes):
        with pytest.raises(ShapeError, match="no such axis"):
            PReLU(shared_axes=axes)(Input((4, 2)))

    def test_prelu_of_another_size(self):
        layer = PReLU()
        layer(Input((1,)))
        with pytest.raises(ShapeError, match="size 1 on axis 1"):
            layer(Input((4,)))


class TestAsArgument:
    """`Dense(512, activation=LeakyReLU(alpha=.001))`, as course material writes it."""

    @pytest.mark.parametrize("activation", [LeakyReLU(0.001), ELU(alpha=0.001), layers.Softmax()])
    def test_same_as_a_layer_of_its_own(self, activation):
        x = np.random.RandomState(0).standard_normal((6, 3)).astype(np.float32)
        inside = Sequential([Input((3,)), Dense(4, activation=activation)])
        after = Sequential([Input((3,)), Dense(4), type(activation).from_config(activation.get_config())])
        after.set_weights(inside.get_weights())
        np.testing.assert_array_equal(inside.predict(x, verbose=0), after.predict(x, verbose=0))

    def test_as_course_material_writes_it(self):
        with pytest.warns(SpellingNotice):
            layer = Dense(512, activation=LeakyReLU(alpha=0.001))
        model = Sequential([Input((3,)), layer, Dense(10, activation=ELU(alpha=0.001)), Dense(1)])
        model.compile("adam", "mse")
        x = np.random.RandomState(0).standard_normal((64, 3)).astype(np.float32)
        losses = model.fit(x, x.sum(1), epochs=5, verbose=0).history["loss"]
        assert losses[-1] < losses[0]

    def test_its_parameters_are_trained_and_saved(self, tmp_path):
        x = np.random.RandomState(0).standard_normal((64, 3)).astype(np.float32)
        model = Sequential([Input((3,)), Dense(4, activation=PReLU()), Dense(1)])
        assert "dense/p_re_lu/alpha" in model.parameters(trainable_only=True)
        model.compile("sgd", "mse")
        model.fit(x, np.abs(x).sum(1), epochs=3, verbose=0)
        alpha = model.parameters()["dense/p_re_lu/alpha"].value
        assert alpha.shape == (4,)
        assert alpha.all()
        model.save(tmp_path / "it.thalweg")
        again = load_model(tmp_path / "it.thalweg")
        np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
        assert len(clone_model(model).get_weights()) == 5

    @pytest.mark.parametrize("wrong", [LeakyReLU, 3, "leaky"])
    def test_refused(self, wrong):
        with pytest.raises((ArgumentError, NameNotFoundError)):
            Dense(4, activation=wrong)
        with pytest.raises((ArgumentError, NameNotFoundError)):
            layers.Activation(wrong)
