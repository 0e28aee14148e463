"""Operators and functions of thalweg.ops on the symbols of a functional model."""

import json

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import activations, layers, ops
from thalweg.errors import ArgumentError, DTypeError, GraphError, NameNotFoundError, ShapeError

Input = thalweg.Input
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 6, 4)).astype(np.float32)
W = RNG.normal(size=(4, 3))  # double precision, as NumPy makes it

EXPRESSIONS = {
    "add": lambda x, y, o: x + y,
    "add a number": lambda x, y, o: 2 + x + 1.5,
    "subtract": lambda x, y, o: (x - y) - (1 - x),
    "multiply": lambda x, y, o: x * y * 3,
    "divide": lambda x, y, o: x / (2 + y * y) + 1 / (x**2 + 1),
    "negate": lambda x, y, o: -x,
    "absolute": lambda x, y, o: abs(x),
    "power": lambda x, y, o: x**2 + x**3 + 2**x,
    "matmul": lambda x, y, o: x @ W,
    "array": lambda x, y, o: x * np.array([1, 2, 3, 4]) - np.arange(4.0) * y,
    "NumPy's numbers": lambda x, y, o: x * np.float64(0.5) + np.int64(2),
    "slice": lambda x, y, o: x[:, 1:3] + x[..., ::2],
    "relu": lambda x, y, o: o.relu(x) + o.exp(-x),
    "a column": lambda x, y, o: x * x[:, :1],
}


class Numpy:
    exp = staticmethod(np.exp)

    @staticmethod
    def relu(x):
        return np.maximum(x, 0)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_are_what_numpy_computes(name, tmp_path):
    x, y = Input((4,), name="x"), Input((4,), name="y")
    model = thalweg.Model([x, y], EXPRESSIONS[name](x, y, ops) + 0 * y[:, :1])
    expected = EXPRESSIONS[name](X, Y, Numpy)
    np.testing.assert_allclose(model.predict([X, Y], verbose=0), expected, rtol=1e-5, atol=1e-6)
    model.save(tmp_path / "m")
    for other in (thalweg.load_model(tmp_path / "m"), thalweg.clone_model(model)):
        assert other.to_json() == model.to_json()
        np.testing.assert_array_equal(other.predict([X, Y], verbose=0), model.predict([X, Y], verbose=0))


def test_functions_of_lists_shapes_and_axes():
    x, y = Input((4,)), Input((4,))
    joined = ops.concatenate([x, ops.reshape(y, (-1, 4))], axis=-1)
    model = thalweg.Model([x, y], ops.softmax(ops.transpose(joined[:, None, :], (0, 2, 1)), axis=1))
    e = np.exp(np.concatenate([X, Y], -1))[..., None]
    np.testing.assert_allclose(model.predict([X, Y], verbose=0), e / e.sum(1, keepdims=True), rtol=1e-5)


def test_activations_are_one_operation():
    x = Input((4,))
    model = thalweg.Model(x, activations.gelu(x, approximate=True))
    assert [layer.name for layer in model.operations] == ["input_layer", "gelu"]
    layer = layers.Activation(lambda node: activations.gelu(node, approximate=True))
    other = thalweg.Sequential([Input((4,)), layer])
    np.testing.assert_array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))
    assert json.loads(model.to_json())["config"]["layers"][0]["config"]["function"] == "activations.gelu"


def test_a_residual_network_trains_to_the_same_bits_as_with_layers(tmp_path):
    x_train, y_train = nets.points(64)

    def residual(join):
        thalweg.utils.set_random_seed(3)
        x = Input((4,))
        y = layers.Dense(4, name="a")(x)
        outputs = layers.Dense(3, "softmax", name="b")(join(x, y))
        model = thalweg.Model(x, outputs)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x_train, y_train, epochs=2, verbose=0)
        return model

    with_layers = residual(lambda x, y: layers.ReLU()(layers.Add()([x, y])))
    with_operations = residual(lambda x, y: ops.relu(x + y))
    assert nets.same_bits(with_layers, with_operations)
    with_operations.save(tmp_path / "m")
    again = thalweg.load_model(tmp_path / "m")
    for model in (with_operations, again):
        model.fit(x_train, y_train, epochs=1, verbose=0)
    assert nets.same_bits(with_operations, again)


def test_arrays_are_kept_and_not_trained():
    x = Input((4,))
    model = thalweg.Model(x, layers.Dense(3)(x) * np.array([1.0, 2.0, 3.0]) + np.ones(3))
    assert list(model.parameters(trainable_only=True)) == ["dense/kernel", "dense/bias"]
    assert [w.shape for w in model.get_weights()] == [(4, 3), (3,), (3,), (3,)]
    model.compile("sgd", "mse")
    model.fit(X, X[:, :3], verbose=0)
    np.testing.assert_array_equal(model.get_weights()[2], [1, 2, 3])


def test_operations_inside_models_inside_models():
    entry = Input((4,))
    inner = thalweg.Model(entry, entry * 2 + 1, name="inner")
    x = Input((4,))
    model = thalweg.Model(x, inner(x) - x)
    np.testing.assert_allclose(model.predict(X, verbose=0), X + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("short", "layer"),
    [
        ("add", layers.Add()),
        ("subtract", layers.Subtract()),
        ("multiply", layers.Multiply()),
        ("average", layers.Average()),
        ("maximum", layers.Maximum()),
        ("minimum", layers.Minimum()),
        ("concatenate", layers.Concatenate()),
        ("dot", layers.Dot(-1)),
    ],
)
def test_short_forms_of_the_merging_layers(short, layer):
    x, y = Input((4,)), Input((4,))
    model = thalweg.Model([x, y], [getattr(layers, short)([x, y], name="short"), layer([x, y])])
    assert model.layers[2].name == "short"
    np.testing.assert_array_equal(*model.predict([X, Y], verbose=0))


class TestErrors:
    def test_functions_that_a_file_cannot_name(self):
        with pytest.raises(ArgumentError, match="'function'"):
            layers.Operation(lambda x: x)
        with pytest.raises(NameNotFoundError, match="did you mean 'relu'"):
            layers.Operation("ops.relo")

    def test_the_batch_is_left_alone(self):
        x = Input((4,))
        for make in (lambda: x[0], lambda: ops.reduce_sum(x), lambda: ops.transpose(x, (1, 0))):
            with pytest.raises(ShapeError, match="another batch axis"):
                make()

    def test_samples_do_not_meet_each_other(self):
        with pytest.raises(ShapeError, match=r"layer 'add' \(Operation\): the result has the batch axis twice"):
            Input((4,)) + Input((1, 4))

    def test_shapes_that_do_not_fit_name_the_operation(self):
        with pytest.raises(ShapeError, match="layer 'matmul'"):
            Input((4,)) @ np.ones((3, 2))

    @pytest.mark.parametrize("other", [object(), np.array(["a"]), np.array([np.nan])])
    def test_what_a_model_cannot_keep(self, other):
        with pytest.raises(ArgumentError, match="cannot keep"):
            ops.add(Input((4,)), other)

    def test_symbols_have_no_truth_and_numpy_no_symbols(self):
        x = Input((4,))
        with pytest.raises(GraphError, match="neither true nor false"):
            assert x > 0
        with pytest.raises(GraphError, match="NumPy's exp cannot be applied"):
            np.exp(x)
        assert (np.ones(4) + x).call.layer.label == "add"

    def test_a_fraction_beside_whole_numbers(self):
        """Not 0 in place of 0.5."""
        with pytest.raises(DTypeError, match="fraction"):
            Input((4,), dtype="int32") * 0.5


def test_whole_numbers_meet_floats_as_in_keras():
    x, n = Input((4,)), Input((4,), dtype="uint8")
    model = thalweg.Model([x, n], [n / 255, x * n, x > n])
    whole = np.arange(24, dtype=np.uint8).reshape(6, 4)
    for got, want in zip(model.predict([X, whole], verbose=0), (whole / 255, X * whole, whole < X), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)
