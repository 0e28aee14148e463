"""Losses: values by hand, numerics at the edges, shapes and targets refused."""

import math

import numpy as np
import pytest
from tests.compute import compute, evaluated, inputs

import thalweg
from thalweg import activations, losses, ops
from thalweg.backprop import gradients
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.graph.types import TensorType
from thalweg.layers import Activation, Dense, Input
from thalweg.layers.tracing import tracing
from thalweg.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

CROSSENTROPIES = (CategoricalCrossentropy, SparseCategoricalCrossentropy, BinaryCrossentropy)


def value_and_slope(loss, y_true, y_pred, activation="linear"):
    """The loss of ``activation(y_pred)`` and its gradient by y_pred."""
    arrays = {"y_true": np.asarray(y_true), "y_pred": np.asarray(y_pred)}
    target, x = inputs(**arrays)
    value = loss(target, activations.get(activation)(x))
    return compute([value, gradients(value, [x])[0]], **arrays)


class TestByHand:
    def test_mean_squared_error(self):
        assert evaluated(MeanSquaredError(), [[0.0, 1.0], [2.0, 0.0]], [[1.0, 1.0], [0.0, 3.0]]) == (0.5 + 6.5) / 2

    def test_categorical(self):
        p = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
        expected = -(math.log(0.25) + math.log(0.8)) / 2
        assert evaluated(CategoricalCrossentropy(), np.eye(3)[[2, 1]], p) == pytest.approx(expected)
        assert evaluated(SparseCategoricalCrossentropy(), np.array([2, 1]), p) == pytest.approx(expected)

    def test_label_smoothing(self):
        p = np.array([[0.5, 0.25, 0.25]])
        expected = -(0.1 * math.log(0.5) + 0.8 * math.log(0.25) + 0.1 * math.log(0.25))
        loss = CategoricalCrossentropy(label_smoothing=0.3)
        assert evaluated(loss, [[0.0, 1.0, 0.0]], p) == pytest.approx(expected)

    def test_binary(self):
        p = np.array([[0.25], [0.75]])
        expected = -(math.log(0.25) + math.log(0.25)) / 2
        assert evaluated(BinaryCrossentropy(), [[1.0], [0.0]], p) == pytest.approx(expected)

    def test_probabilities_are_clipped(self):
        y = np.array([[1.0, 0.0]])
        wrong = np.array([[0.0, 1.0]])
        assert evaluated(CategoricalCrossentropy(), y, wrong) == pytest.approx(-math.log(1e-7))
        assert evaluated(BinaryCrossentropy(), y, wrong) == pytest.approx(-math.log(1e-7))

    def test_ignored_class_does_not_count(self):
        logits = np.random.RandomState(0).standard_normal((4, 3))
        loss = SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        kept = evaluated(SparseCategoricalCrossentropy(from_logits=True), np.array([0, 2]), logits[[0, 3]])
        assert evaluated(loss, np.array([0, -1, -1, 2]), logits) == pytest.approx(kept)
        assert evaluated(loss, np.full(4, -1), logits) == 0.0


class TestWeights:
    y_true, y_pred = np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]])
    weight = np.array([1.0, 0.0, 0.5])

    @pytest.mark.parametrize(
        ("reduction", "expected"),
        [
            ("sum_over_batch_size", 5.5 / 3),
            ("mean", 5.5 / 3),
            ("sum", 5.5),
            ("mean_with_sample_weight", 5.5 / 1.5),
            ("none", [1.0, 0.0, 4.5]),
            (None, [1.0, 0.0, 4.5]),
        ],
    )
    def test_reductions(self, reduction, expected):
        value = evaluated(MeanSquaredError(reduction=reduction), self.y_true, self.y_pred, self.weight)
        np.testing.assert_allclose(value, expected)

    def test_all_weights_zero(self):
        loss = MeanSquaredError(reduction="mean_with_sample_weight")
        assert evaluated(loss, self.y_true, self.y_pred, np.zeros(3)) == 0.0

    def test_weights_of_samples_with_time(self):
        y_pred = np.arange(12.0).reshape(2, 3, 2)
        per_step = (y_pred**2).mean(-1)
        loss = MeanSquaredError(reduction="none")
        for weight in (np.array([1.0, 2.0]), np.array([[1.0], [2.0]]), np.arange(6.0).reshape(2, 3)):
            value = evaluated(loss, np.zeros_like(y_pred), y_pred, weight)
            wide = weight if weight.ndim == 2 else weight[:, None]
            np.testing.assert_allclose(value, per_step * wide)

    @pytest.mark.parametrize("shape", [(2,), (3, 2), (1,), ()])
    def test_weights_of_another_shape(self, shape):
        with pytest.raises(ShapeError, match="sample weights"):
            evaluated(MeanSquaredError(), self.y_true, self.y_pred, np.ones(shape))


class TestStability:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("size", [1e4, 1e20])
    def test_huge_logits(self, dtype, size):
        logits = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]], dtype) * dtype(size)
        right, wrong = np.array([0, 1], np.int32), np.array([1, 0], np.int32)
        for loss, targets in (
            (SparseCategoricalCrossentropy(from_logits=True), (right, wrong)),
            (CategoricalCrossentropy(from_logits=True), (np.eye(3, dtype=dtype)[right], np.eye(3, dtype=dtype)[wrong])),
        ):
            value, slope = value_and_slope(loss, targets[0], logits)
            assert value == 0
            np.testing.assert_array_equal(slope, 0)
            value, slope = value_and_slope(loss, targets[1], logits)
            assert value == pytest.approx(2 * size, rel=1e-6)
            np.testing.assert_allclose(slope, [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]])

    def test_huge_logits_of_binary(self):
        logits = np.array([[1e4], [-1e4], [1e4], [-1e4]], np.float32)
        value, slope = value_and_slope(BinaryCrossentropy(from_logits=True), [[1.0], [0.0], [0.0], [1.0]], logits)
        assert value == pytest.approx(5e3)
        np.testing.assert_allclose(slope[:, 0], [0, 0, 0.25, -0.25])

    @pytest.mark.parametrize("loss", CROSSENTROPIES)
    def test_unchanged_by_adding_to_all_logits(self, loss):
        if loss is BinaryCrossentropy:
            pytest.skip("its logits are compared with 0, not with each other")
        logits = np.array([[0.5, 0.25, -0.75], [2.0, -1.0, 0.0]], np.float32)  # exact also after adding 8192
        classes = np.array([2, 0], np.int32)
        y = classes if loss.sparse else np.eye(3, dtype=np.float32)[classes]
        here = value_and_slope(loss(from_logits=True), y, logits)
        there = value_and_slope(loss(from_logits=True), y, logits + np.float32(8192))
        for a, b in zip(here, there, strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("x", [-30.0, -5.0, 0.0, 5.0, 30.0])
    def test_small_binary_losses_keep_their_digits(self, x):
        value = evaluated(BinaryCrossentropy(from_logits=True), np.ones((1, 1), np.float32), np.full((1, 1), x, "f4"))
        assert value == pytest.approx(math.log1p(math.exp(-x)), rel=1e-6)

    def test_slope_at_zero(self):
        """Where the network starts if its last kernel is zero; composites of relu and |x| are wrong there."""
        for loss, y in ((BinaryCrossentropy(), [[1.0]]), (BinaryCrossentropy(from_logits=True), [[1.0]])):
            activation = "linear" if loss.from_logits else "sigmoid"
            assert value_and_slope(loss, y, [[0.0]], activation)[1] == -0.5

    @pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
    def test_works_on_the_logits_behind_the_activation(self, activation):
        """At logits where the probabilities are 0 and 1 in float32, where clipped ones would have no gradient."""
        logits = np.array([[200.0, -200.0], [-200.0, 200.0]], np.float32)
        y = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
        loss = CategoricalCrossentropy if activation == "softmax" else BinaryCrossentropy
        value, slope = value_and_slope(loss(), y, logits, activation)
        from_logits = value_and_slope(loss(from_logits=True), y, logits)
        np.testing.assert_array_equal(value, from_logits[0])
        np.testing.assert_array_equal(slope, from_logits[1])
        assert value > 100

    def test_through_a_reshape(self):
        x = np.array([[50.0, -50.0, 0.0, 0.0]])
        (node,) = inputs(x=x)
        loss = CategoricalCrossentropy()
        pairs = ops.reshape(node, (1, 2, 2))
        same_groups = ops.reshape(ops.softmax(pairs), (2, 2))
        assert loss.logits(same_groups, 1) is not None
        assert loss.logits(ops.reshape(ops.softmax(node), (1, 2, 2)), 2) is None  # other groups than the softmax's
        assert BinaryCrossentropy().logits(ops.reshape(ops.sigmoid(node), (4, 1)), 1).shape == (4, 1)
        assert loss.logits(ops.softmax(pairs, 1), 2) is None
        assert loss.logits(ops.sigmoid(node), 1) is None


class TestLastActivation:
    """A loss that does not fit the last activation is an error, not a number."""

    @pytest.mark.parametrize("loss", CROSSENTROPIES)
    @pytest.mark.parametrize("activation", [None, "relu", "tanh"])
    @pytest.mark.parametrize("use_bias", [True, False])
    def test_no_probabilities(self, loss, activation, use_bias):
        with pytest.raises(ArgumentError, match=r"(?s)does not fit the last activation.*from_logits=True"):
            self.loss_of(loss(), Dense(3, activation, use_bias))

    @pytest.mark.parametrize("loss", CROSSENTROPIES)
    @pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
    def test_no_logits(self, loss, activation):
        with pytest.raises(ArgumentError, match=r"(?s)does not fit.*drop from_logits=True"):
            self.loss_of(loss(from_logits=True), Dense(3, activation))

    @pytest.mark.parametrize("loss", CROSSENTROPIES)
    def test_softmax_over_one_unit(self, loss):
        with pytest.raises(ThalwegError, match="sigmoid"):
            self.loss_of(loss(), Dense(1, "softmax"))

    @pytest.mark.parametrize("loss", CROSSENTROPIES)
    def test_what_fits(self, loss):
        for layer in (Dense(3, "softmax"), Dense(3, "sigmoid"), Dense(3, lambda x: ops.exp(-ops.square(x)))):
            self.loss_of(loss(), layer)
        for other in (Dense(3), Dense(3, "relu"), Activation("tanh")):
            self.loss_of(loss(from_logits=True), other)

    @staticmethod
    def loss_of(loss, layer):
        layer(Input((3,)))
        with tracing(layer.named_parameters()):
            y_pred = layer(*inputs(x=np.zeros((2, 3), np.float32)))
            kind = loss.target_type(y_pred.type)
            return loss(ops.input_node("y", kind.shape, kind.dtype), y_pred)


class TestShapes:
    @pytest.mark.parametrize("y_shape", [(4,), (4, 1), (5, 3), (4, 3, 1, 1), (3,), (1, 3)])
    def test_never_broadcast(self, y_shape):
        with pytest.raises(ShapeError, match="targets do not fit the predictions"):
            evaluated(MeanSquaredError(), np.zeros(y_shape), np.zeros((4, 3)))

    @pytest.mark.parametrize(("y_shape", "p_shape"), [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (4,)), ((4, 1), (4, 1))])
    def test_one_number_a_sample(self, y_shape, p_shape):
        y, p = np.arange(4.0), np.array([1.0, 1.0, 2.0, 5.0])
        assert evaluated(MeanSquaredError(), y.reshape(y_shape), p.reshape(p_shape)) == ((y - p) ** 2).mean()

    def test_advice(self):
        with pytest.raises(ShapeError, match="use 'sparse_categorical_crossentropy'"):
            CategoricalCrossentropy().prepare(np.zeros(4), TensorType((1, 3)))
        with pytest.raises(ShapeError, match="use 'categorical_crossentropy'"):
            SparseCategoricalCrossentropy().prepare(np.zeros((4, 3)), TensorType((1, 3)))

    def test_classes_on_another_axis(self):
        x = np.random.RandomState(0).standard_normal((2, 3, 5))
        y = np.array([[0, 1, 2, 2, 1], [1, 1, 0, 0, 2]])
        here = evaluated(SparseCategoricalCrossentropy(from_logits=True, axis=1), y, x)
        there = evaluated(SparseCategoricalCrossentropy(from_logits=True), y, x.transpose(0, 2, 1))
        assert here == pytest.approx(there)


class TestPrepare:
    """Targets are checked once, before anything is trained."""

    output = TensorType((1, 10))

    def test_labels(self):
        for y in (np.array([0, 9], np.uint8), [0, 9], np.array([[0.0], [9.0]]), np.array([0, 9], np.int64)):
            prepared = SparseCategoricalCrossentropy().prepare(y, self.output)
            assert (prepared.dtype, prepared.tolist()) == (np.int32, [0, 9])

    @pytest.mark.parametrize("wrong", [10, -1, 255])
    def test_labels_out_of_range(self, wrong):
        y = np.zeros(7, np.int64)
        y[5] = wrong
        with pytest.raises(DataError, match=rf"(?s)0 to 9.*{wrong} in row 5"):
            SparseCategoricalCrossentropy().prepare(y, self.output)

    def test_labels_from_one(self):
        with pytest.raises(DataError, match="y - 1"):
            SparseCategoricalCrossentropy().prepare(np.arange(1, 11), self.output)

    def test_ignored_labels(self):
        loss = SparseCategoricalCrossentropy(ignore_class=255)
        assert loss.prepare(np.array([1, 255], np.uint8), self.output).tolist() == [1, 255]

    def test_labels_that_are_not_whole(self):
        with pytest.raises(DataError, match=r"0\.5 in row 1"):
            SparseCategoricalCrossentropy().prepare(np.array([1.0, 0.5]), self.output)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("loss", [MeanSquaredError, CategoricalCrossentropy, BinaryCrossentropy])
    def test_not_finite(self, loss, value):
        y = np.zeros((4, 10))
        y[2, 3] = value
        with pytest.raises(DataError, match=rf"{value} in row 2, position \(3,\); 1 such in all"):
            loss().prepare(y, self.output)

    @pytest.mark.parametrize("y", [["cat", "dog"], [None, 1], [1 + 2j, 0]])
    def test_not_numbers(self, y):
        with pytest.raises(DataError, match="not numbers"):
            SparseCategoricalCrossentropy().prepare(np.array(y), self.output)

    def test_binary_targets(self):
        loss, output = BinaryCrossentropy(), TensorType((1, 1))
        prepared = loss.prepare([True, False], output)
        assert (prepared.dtype, prepared.shape) == (np.float32, (2, 1))
        with pytest.raises(DataError, match=r"\(y \+ 1\) / 2"):
            loss.prepare(np.array([-1, 1]), output)

    def test_a_scalar(self):
        with pytest.raises(ShapeError):
            MeanSquaredError().prepare(3.0, TensorType((1, 1)))


class TestFunctions:
    def test_values_before_reduction(self):
        y, p = np.zeros((2, 2)), np.array([[1.0, 1.0], [2.0, 0.0]])
        np.testing.assert_array_equal(evaluated(losses.mean_squared_error, y, p), [1.0, 2.0])
        np.testing.assert_array_equal(evaluated(losses.mse, y, p), [1.0, 2.0])

    def test_options(self):
        value = evaluated(
            lambda y, p: losses.binary_crossentropy(y, p, from_logits=True), np.ones((2, 1)), np.zeros((2, 1))
        )
        np.testing.assert_allclose(value, math.log(2))

    def test_unknown(self):
        with pytest.raises(AttributeError, match=r"thalweg\.losses has no 'mean_cubed_error'"):
            losses.mean_cubed_error  # noqa: B018


FUNCTIONS: dict[str, tuple[str, ...]] = {
    "numbers": (
        "mean_squared_error",
        "mse",
        "MAE",
        "mean_absolute_percentage_error",
        "msle",
        "huber",
        "log_cosh",
        "poisson",
    ),
    "signs": ("hinge", "squared_hinge"),
    "shares": (
        *("binary_crossentropy", "categorical_crossentropy", "kl_divergence", "KLD", "categorical_hinge"),
        *("categorical_focal_crossentropy", "binary_focal_crossentropy", "cosine_similarity"),
    ),
    "classes": ("sparse_categorical_crossentropy", "categorical_generalized_cross_entropy"),
}
R = np.random.default_rng(3)
SHARES = R.dirichlet(np.ones(4), 3).astype(np.float32)
GIVEN: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "numbers": (R.uniform(0.2, 2, (3, 4)), R.uniform(0.2, 2, (3, 4))),
    "signs": (np.sign(R.normal(size=(3, 4))), R.normal(size=(3, 4))),
    "shares": (np.eye(4)[[0, 3, 1]], SHARES),
    "classes": (np.array([0, 3, 1]), SHARES),
}


@pytest.mark.needs("keras", "jax")
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FUNCTIONS.items() for name in names])
def test_functions_of_arrays_are_keras_s(kind, name):
    """Of rows a value for each; of one sample a number."""
    import keras

    y_true, y_pred = GIVEN[kind]
    arguments = (0.7,) if name == "categorical_generalized_cross_entropy" else ()
    theirs = getattr(keras.losses, losses.registry.first_name(losses.registry.find(name)))
    for true, said in ((y_true, y_pred), (y_true[0], y_pred[0])) if kind != "classes" else ((y_true, y_pred),):
        want = np.asarray(theirs(true.astype(np.float32), said.astype(np.float32), *arguments))
        got = getattr(losses, name)(true, said.astype(np.float32), *arguments)
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6, strict=False)
        assert np.shape(got) == want.shape


def test_functions_take_options_by_place():
    logits = np.array([[2.0, -1.0]])
    by_name = losses.binary_crossentropy([[1, 0]], logits, from_logits=True, label_smoothing=0.1)
    np.testing.assert_array_equal(losses.binary_crossentropy([[1, 0]], logits, True, 0.1), by_name)
    assert losses.mse([1.0, 2.0], [1.0, 4.0]) == 2.0


def test_labels_of_sequences():
    with pytest.raises(DataError, match="a target is not what"):
        losses.CTC()(np.array([[4, 1]]), np.zeros((1, 5, 4)))
    with pytest.raises(ShapeError):
        losses.CTC()(np.ones((1, 6), int), np.zeros((1, 5, 4)))
    with pytest.raises(ShapeError, match="no sequences"):
        losses.CTC()(np.ones((1, 2), int), np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="no embeddings"):
        losses.Circle()(np.ones(2, int), np.zeros((2, 5, 3)))


def test_a_network_learns_to_read():
    """The labels are in the data, one after the other, at times that nobody says."""
    random = np.random.default_rng(0)
    labels = np.stack([random.permutation([1, 2, 3])[:2] for _ in range(64)])
    x = np.zeros((64, 6, 3), np.float32)
    for row, (first, second) in zip(x, labels, strict=True):
        one, other = np.sort(random.choice(6, 2, replace=False))
        row[one, first - 1] = row[other, second - 1] = 1
    model = thalweg.Sequential([thalweg.Input((6, 3)), thalweg.layers.Dense(4)])
    model.compile(thalweg.optimizers.Adam(0.1), losses.CTC())
    history = model.fit(x, labels, epochs=30, verbose=0, seed=1).history["loss"]
    assert history[-1] < 0.2 < 2 < history[0]
    assert model.evaluate(x, labels, verbose=0) == pytest.approx(
        losses.CTC()(labels, model.predict(x, verbose=0)), rel=1e-4
    )
