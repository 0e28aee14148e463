"""What each layer computes."""

import numpy as np
import pytest
from tests.compute import compute, inputs

from thalweg import layers
from thalweg.backprop import gradients
from thalweg.errors import ArgumentError, NameNotFoundError, ShapeError
from thalweg.layers import Dense, Dropout, Flatten, Input, Rescaling, Reshape
from thalweg.layers.tracing import tracing
from thalweg.ops import reduce_sum
from thalweg.state.names import parameter_state

RNG = np.random.RandomState(0)


def run(layer, x, training=False, seed=0, step=0, **weights):
    """The layer's value on ``x``, with the given weights, its others as they start."""
    layer.infer(*(node.type for node in inputs(x=x)))
    parameters = layer.named_parameters()
    values = {path: weights.get(path, p.initial(0, path)).astype(p.dtype) for path, p in parameters.items()}
    state = {parameter_state(path): value for path, value in values.items()}
    state |= {"random/seed": np.uint32(seed), "random/step": np.uint32(step)}
    with tracing(parameters):
        y = layer(*inputs(x=x), training=training)
    return compute(y, {name: np.asarray(value) for name, value in state.items()}, x=x)


class TestDense:
    def test_by_hand(self):
        x, kernel, bias = np.array([[1.0, 2.0]]), np.array([[1.0, -3.0], [0.5, 1.0]]), np.array([0.5, 0.0])
        y = run(Dense(2, dtype="float64"), x, kernel=kernel, bias=bias)
        np.testing.assert_array_equal(y, [[2.5, -1.0]])
        y = run(Dense(2, "relu", dtype="float64"), x, kernel=kernel, bias=bias)
        np.testing.assert_array_equal(y, [[2.5, 0.0]])
        y = run(Dense(2, use_bias=False, dtype="float64"), x, kernel=kernel)
        np.testing.assert_array_equal(y, [[2.0, -1.0]])

    def test_acts_on_the_last_axis(self):
        x, kernel = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((4, 5))
        np.testing.assert_allclose(run(Dense(5, dtype="float64"), x, kernel=kernel), x @ kernel)

    def test_integers_are_cast(self):
        assert run(Dense(3), np.arange(8, dtype=np.uint8).reshape(2, 4)).dtype == np.float32

    def test_another_number_of_features(self):
        layer = Dense(3)
        layer(Input((4,)))
        with pytest.raises(ShapeError, match=r"\(batch, ..., 4\), because the kernel was built as \(4, 3\)"):
            layer(Input((5,)))

    @pytest.mark.parametrize(
        "options", [{"activation": "rel"}, {"kernel_initializer": "glorot"}, {"bias_initializer": "zeroes"}]
    )
    def test_mistyped_names_are_found_at_once(self, options):
        with pytest.raises(NameNotFoundError, match=r"did you mean|known names"):
            Dense(3, **options)

    @pytest.mark.parametrize("units", [0, -1, 2.5, True, "3", None])
    def test_units(self, units):
        with pytest.raises(ArgumentError, match="'units'"):
            Dense(units)


class TestActivation:
    def test_same_as_the_argument(self):
        x = RNG.standard_normal((3, 4)).astype(np.float32)
        for name in ("relu", "sigmoid", "tanh", "softmax", "linear"):
            kernel = np.eye(4)
            np.testing.assert_array_equal(run(layers.Activation(name), x), run(Dense(4, name), x, kernel=kernel))

    def test_a_function(self):
        x = np.ones((2, 2), np.float32)
        np.testing.assert_array_equal(run(layers.Activation(lambda x: x * 3.0), x), x * 3)

    def test_relu_options(self):
        x = np.array([[-2.0, 0.5, 1.0, 3.0]])
        y = run(layers.ReLU(max_value=2.0, negative_slope=0.1, threshold=1.0, dtype="float64"), x)
        np.testing.assert_allclose(y, [[-0.3, -0.05, 0.0, 2.0]])

    def test_softmax_axis(self):
        x = RNG.standard_normal((2, 3, 4)).astype(np.float32)
        np.testing.assert_allclose(run(layers.Softmax(axis=1), x).sum(1), 1.0, rtol=1e-6)


class TestReshaping:
    def test_flatten(self):
        x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        np.testing.assert_array_equal(run(Flatten(), x), x.reshape(2, 12))
        assert run(Flatten(), x).dtype == np.uint8
        assert run(Flatten(), x[:, 0, 0]).shape == (2, 1)

    @pytest.mark.parametrize("target", [(4, 3), (-1,), (2, -1, 3), (12,)])
    def test_reshape(self, target):
        x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        np.testing.assert_array_equal(run(Reshape(target), x), x.reshape(2, *target))

    @pytest.mark.parametrize("target", [(5, 3), (-1, 5), (0, -1)])
    def test_reshape_to_another_number(self, target):
        with pytest.raises(ShapeError, match=r"layer 'reshape' \(Reshape\).*(\n.*)*12 numbers"):
            Reshape(target)(Input((3, 4)))

    def test_reshape_with_two_open_sizes(self):
        with pytest.raises(ArgumentError, match="more than one"):
            Reshape((-1, -1))


def test_rescaling():
    x = np.array([[0, 51, 255]], np.uint8)
    np.testing.assert_allclose(run(Rescaling(1 / 255), x), [[0, 0.2, 1]], rtol=1e-6)
    np.testing.assert_allclose(run(Rescaling(2 / 255, -1), x), [[-1, -0.6, 1]], rtol=1e-6)


class TestDropout:
    x = np.ones((100, 80), np.float32)

    def test_off_outside_training(self):
        np.testing.assert_array_equal(run(Dropout(0.5), self.x), self.x)
        np.testing.assert_array_equal(run(Dropout(0.0), self.x, training=True), self.x)

    @pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
    def test_share_and_scale(self, rate):
        y = run(Dropout(rate), self.x, training=True)
        assert set(np.unique(y)) == {np.float32(0), np.float32(1 / (1 - rate))}
        # 8000 draws: five standard errors
        assert abs((y == 0).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / self.x.size)

    def test_depends_on_seed_step_and_layer(self):
        def mask(layer, **key):
            return run(layer, self.x, training=True, **key) == 0

        first = mask(Dropout(0.5, name="a"))
        np.testing.assert_array_equal(first, mask(Dropout(0.5, name="a")))
        for other in (
            mask(Dropout(0.5, name="b")),
            mask(Dropout(0.5, name="a"), seed=1),
            mask(Dropout(0.5, name="a"), step=1),
            mask(Dropout(0.5, name="a", seed=7)),
        ):
            # Independent masks agree on half of the numbers.
            assert abs((first == other).mean() - 0.5) < 5 * 0.5 / np.sqrt(self.x.size)
        np.testing.assert_array_equal(mask(Dropout(0.5, name="a", seed=7)), mask(Dropout(0.5, name="b", seed=7)))

    def test_two_uses_draw_twice(self):
        layer = Dropout(0.5)
        with tracing():
            (x,) = inputs(x=self.x)
            pair = [layer(x, training=True), layer(x, training=True)]
        first, second = compute(pair, {"random/seed": np.uint32(0), "random/step": np.uint32(0)}, x=self.x)
        assert (first != second).any()

    def test_noise_shape(self):
        y = run(Dropout(0.5, noise_shape=(None, 1)), self.x, training=True)
        assert ((y == 0).all(1) | (y != 0).all(1)).all()
        with pytest.raises(ShapeError, match="noise_shape"):
            run(Dropout(0.5, noise_shape=(None, 3)), self.x, training=True)

    def test_gradient_goes_where_the_value_went(self):
        with tracing():
            (x,) = inputs(x=self.x)
            y = Dropout(0.3)(x, training=True)
            (g,) = gradients(reduce_sum(y), [x])
        value, slope = compute([y, g], {"random/seed": np.uint32(5), "random/step": np.uint32(2)}, x=self.x)
        np.testing.assert_array_equal(value, slope)

    @pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan"), "half"])
    def test_rate(self, rate):
        with pytest.raises(ArgumentError, match="'rate'"):
            Dropout(rate)
