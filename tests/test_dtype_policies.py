"""Policies for number formats: what they are, where they hold, in files too."""

import json

import numpy as np
import pytest

import thalweg
from thalweg import config, dtype_policies, layers, mixed_precision, ops
from thalweg.dtype_policies import DTypePolicy
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.graph.node import Graph
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution, KernelGradient, TransposedConvolution

MIXED = "mixed_bfloat16"
OF_KERAS = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": MIXED},
    "registered_name": None,
}


@pytest.fixture(autouse=True)
def restored():
    before = vars(config._settings).copy()
    yield
    vars(config._settings).update(before)


def precisions(model: thalweg.Model, batch_size: int = 4) -> set[str]:
    """What the products of a training step are made with."""
    lines = model.explain("graph", batch_size=batch_size).splitlines()
    products = [line for line in lines if "contraction(" in line or "convolution(" in line]
    assert products
    return {"bfloat16" if "precision='bfloat16'" in line else "float32" for line in products}


def dense(**options) -> thalweg.Sequential:
    model = thalweg.Sequential([layers.Input((6,)), layers.Dense(5, "relu", **options), layers.Dense(3, **options)])
    model.compile("adam", "mse")
    return model


def test_a_policy_says_two_formats():
    policy = DTypePolicy(MIXED)
    assert (policy.name, policy.compute_dtype, policy.variable_dtype) == (MIXED, "bfloat16", "float32")
    assert DTypePolicy("float64").compute_dtype == DTypePolicy("float64").variable_dtype == "float64"
    assert DTypePolicy.from_config(policy.get_config()) == policy != DTypePolicy()
    assert len({policy, DTypePolicy(MIXED)}) == 1
    assert dtype_policies.serialize(policy) == OF_KERAS
    assert dtype_policies.get(OF_KERAS) == dtype_policies.get(MIXED) == policy


def test_the_policy_of_the_process_is_that_of_layers_made_later():
    before = layers.Dense(3)
    mixed_precision.set_global_policy(MIXED)
    after, told = layers.Dense(3), layers.Dense(3, dtype="float64")
    assert config.dtype_policy() == mixed_precision.global_policy() == after.dtype_policy == DTypePolicy(MIXED)
    assert [layer.dtype_policy.name for layer in (before, told)] == ["float32", "float64"]
    assert (after.dtype, after.variable_dtype, after.compute_dtype) == ("float32",) * 3
    assert thalweg.Sequential().dtype_policy == DTypePolicy(MIXED)


def test_floatx_is_the_policy_unless_one_is_set():
    config.set_dtype_policy(MIXED)
    config.set_floatx("float64")
    assert layers.Dense(3).dtype == "float32"
    config.set_dtype_policy("float64")
    assert layers.Dense(3).dtype == "float64"
    config.set_floatx("float32")
    assert config.dtype_policy() == DTypePolicy("float32")


@pytest.mark.parametrize("dtype", [MIXED, DTypePolicy(MIXED), OF_KERAS])
def test_all_products_of_a_layer_have_its_policy(dtype):
    assert precisions(dense(dtype=dtype)) == {"bfloat16"}
    assert precisions(dense()) == {"float32"}


def test_convolutions_and_what_a_layer_of_ones_own_multiplies_have_it_too():
    class Squared(layers.Layer):
        def call(self, x):
            return ops.matmul(x, ops.transpose(x))

    config.set_dtype_policy(MIXED)
    model = thalweg.Sequential(
        [layers.Input((6, 6, 2)), layers.Conv2D(3, 3), layers.Conv2DTranspose(3, 2, strides=2), layers.Flatten()]
    )
    model.add(layers.Dense(4))
    model.compile("sgd", "mse")
    assert precisions(model) == {"bfloat16"}
    with thalweg.layers.tracing.tracing():
        made = Squared()(ops.input_node("x", (3, 5)))
    (product,) = (op for op in (n.op for n in Graph({"y": made}).nodes()) if isinstance(op, Contraction))
    assert product.precision == "bfloat16"


def test_gradients_multiply_as_what_they_are_gradients_of():
    from thalweg.backprop import gradients
    from thalweg.ops.contraction import products_in

    x, w = ops.input_node("x", (2, 5, 5, 3)), ops.input_node("w", (3, 3, 3, 4))
    with products_in("bfloat16"):
        y = ops.convolve(x, w)
    graph = Graph({str(i): g for i, g in enumerate(gradients(ops.reduce_sum(y * y), [x, w]))})
    products = Contraction | Convolution | KernelGradient | TransposedConvolution
    assert [node.op.precision for node in graph.nodes() if isinstance(node.op, products)] == ["bfloat16"] * 3
    assert precisions_outside() is None


def precisions_outside() -> str | None:
    made = ops.input_node("x", (2, 3)) @ ops.input_node("y", (3, 4))
    assert isinstance(made.op, Contraction)
    return made.op.precision


def test_doubles_are_never_rounded():
    from thalweg.ops.contraction import products_in

    with products_in("bfloat16"):
        made = ops.input_node("x", (2, 3), "float64") @ ops.input_node("y", (3, 4), "float64")
    assert isinstance(made.op, Contraction)
    assert made.op.precision is None


def test_a_saved_model_has_the_policies_of_its_layers(tmp_path):
    model = thalweg.Sequential([layers.Input((6,)), layers.Dense(5, dtype=MIXED), layers.Dense(3)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).standard_normal((8, 6)).astype(np.float32)
    model.fit(x, x[:, :3], verbose=0)
    model.save(tmp_path / "model.thalweg")
    other = thalweg.load_model(tmp_path / "model.thalweg")
    assert [layer.dtype_policy.name for layer in other.layers] == [MIXED, "float32"]
    assert other.predict(x).tobytes() == model.predict(x).tobytes()
    copy = thalweg.Sequential.from_config(json.loads(json.dumps(model.get_config())))
    assert copy.layers[0].get_config() == model.layers[0].get_config()
    assert layers.Dense.from_config({"units": 3, "dtype": OF_KERAS}).dtype_policy == DTypePolicy(MIXED)


def test_a_network_learns_by_it():
    thalweg.utils.set_random_seed(0)
    x = np.random.default_rng(1).standard_normal((200, 6)).astype(np.float32)
    y = np.tanh(x[:, :3])
    model = dense(dtype=MIXED)
    losses = model.fit(x, y, epochs=20, batch_size=10, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    assert model.predict(x).dtype == np.float32


def test_an_array_is_no_policy():
    with pytest.raises(ArgumentError, match="argument 'dtype' does not fit its rule"):
        layers.Dense(2, dtype=np.array([None, 1]))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("mixed_bfloat17", "mixed_bfloat16"),
        ("mixed_float16", "mixed_bfloat16"),
        ("bfloat16", "mixed_bfloat16"),
        (3, "known names"),
        ({"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}, "known names"),
    ],
)
def test_an_unknown_policy(bad, says):
    for attempt in (lambda: config.set_dtype_policy(bad), lambda: layers.Dense(2, dtype=bad)):
        with pytest.raises(ThalwegError) as caught:
            attempt()
        assert caught.value.expected
        assert repr(bad)[:20] in caught.value.got or str(bad) in caught.value.got
        assert says in caught.value.fix or "dtype" in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.IntegerLookup(vocabulary=[1, 2], dtype=MIXED),
        lambda: layers.StringLookup(vocabulary=["a"], dtype=MIXED),
        lambda: layers.Hashing(3, dtype=MIXED),
        lambda: layers.CategoryEncoding(3, dtype=MIXED),
        lambda: layers.Discretization([0.0], dtype=MIXED),
        lambda: layers.Input((2,), dtype=MIXED),
        lambda: layers.Dense(2).add_weight(shape=(3,), dtype=MIXED),
    ],
)
def test_what_has_no_products_has_no_policy(make):
    with pytest.raises(ArgumentError) as caught:
        make()
    assert MIXED in caught.value.got


def test_layers_of_whole_numbers_do_not_mind_the_policy_of_the_process():
    config.set_dtype_policy(MIXED)
    assert layers.CategoryEncoding(3).dtype_policy == DTypePolicy("float32")
    assert layers.Embedding(4, 2).dtype_policy == DTypePolicy(MIXED)
