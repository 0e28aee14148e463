"""The other losses at the edges: huge logits, probabilities 0 and 1, nothing to find, nothing but negatives."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.compute import compute, evaluated, inputs
from tests.losses.test_losses import value_and_slope

from thalweg import Input, Sequential, activations, layers, losses, ops
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.graph.types import TensorType
from thalweg.losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    GaussianNegativeLogLikelihood,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanSquaredError,
    OnlineHardExamples,
    Poisson,
    QuantileLoss,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SparseCategoricalFocalCrossentropy,
    SquaredHinge,
    Tversky,
    WeightedSum,
)

ANSWERS = np.array([[1.0], [0.0], [1.0], [0.0]])
LARGE = np.array([[1e4], [-1e4], [-1e4], [1e4]])  # two right, two wrong


def each_and_slope(loss, y_true, y_pred, activation="linear"):
    """The loss of each sample, and their gradients."""
    _, slope = value_and_slope(replace(loss, reduction="sum"), y_true, y_pred, activation)
    each = replace(loss, reduction="none")
    return evaluated(lambda y, x: each(y, activations.get(activation)(x)), y_true, y_pred), slope


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
class TestLargeLogits:
    @pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
    def test_binary_focal(self, dtype, gamma):
        for activation, loss in (
            ("linear", BinaryFocalCrossentropy(gamma=gamma, from_logits=True)),
            ("sigmoid", BinaryFocalCrossentropy(gamma=gamma)),
        ):
            value, slope = each_and_slope(loss, ANSWERS.astype(dtype), LARGE.astype(dtype), activation)
            np.testing.assert_allclose(value, [0, 0, 1e4, 1e4], rtol=1e-6)
            np.testing.assert_allclose(slope[:, 0], [0, 0, -1, 1], atol=1e-6)

    @pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
    def test_categorical_focal(self, dtype, gamma):
        logits = np.array([[1.0, -1.0, 0.0], [1.0, -1.0, 0.0]], dtype) * dtype(1e4)
        classes = np.array([0, 1], np.int32)
        options = {"gamma": gamma, "alpha": 1.0, "from_logits": True}
        for loss, y in (
            (CategoricalFocalCrossentropy(**options), np.eye(3, dtype=dtype)[classes]),
            (SparseCategoricalFocalCrossentropy(**options), classes),
        ):
            value, slope = each_and_slope(loss, y, logits)
            np.testing.assert_allclose(value, [0, 2e4], rtol=1e-6)
            np.testing.assert_allclose(slope, [[0, 0, 0], [1, -1, 0]], atol=1e-6)

    def test_kl_divergence(self, dtype):
        logits = np.array([[1.0, -1.0, 0.0]], dtype) * dtype(1e4)
        for y, expected in (([[1.0, 0.0, 0.0]], 0.0), ([[0.0, 1.0, 0.0]], 2e4)):
            value, slope = value_and_slope(KLDivergence(), np.array(y, dtype), logits, "softmax")
            assert value == pytest.approx(expected, rel=1e-6)
            assert np.isfinite(slope).all()

    @pytest.mark.parametrize("loss", [Dice(), Tversky(), Dice(axis=1), Dice(smooth=1.0), WeightedSum()])
    def test_overlap(self, dtype, loss):
        for y in (ANSWERS, np.zeros_like(ANSWERS), np.ones_like(ANSWERS)):
            for x in (LARGE, -np.abs(LARGE), np.abs(LARGE)):
                for array in value_and_slope(loss, y.astype(dtype), x.astype(dtype), "sigmoid"):
                    assert np.isfinite(array).all()

    @pytest.mark.parametrize(
        ("loss", "y", "expected"),
        [
            (losses.MeanAbsoluteError(), [[0.0]], 1e4),
            (RootMeanSquaredError(), [[0.0]], 1e4),
            (Huber(), [[0.0]], 1e4 - 0.5),
            (LogCosh(), [[0.0]], 1e4 - math.log(2)),
            (Hinge(), [[-1.0]], 1e4 + 1),
            (SquaredHinge(), [[-1.0]], (1e4 + 1) ** 2),
            (QuantileLoss(0.9), [[0.0]], 1e3),
            (CosineSimilarity(), [[-3.0]], 1.0),
        ],
    )
    def test_of_numbers(self, dtype, loss, y, expected):
        value, slope = value_and_slope(loss, np.array(y, dtype), np.array([[1e4]], dtype))
        assert value == pytest.approx(expected, rel=1e-6)
        assert np.isfinite(slope).all()

    def test_gaussian(self, dtype):
        y = np.zeros((1, 1), dtype)
        for variance in ("softplus", "exponential", "linear"):
            for size in (1e4, -1e4):
                loss = GaussianNegativeLogLikelihood(variance)
                value, slope = value_and_slope(loss, y, np.array([[1.0, size]], dtype))
                assert np.isfinite(value)
                assert np.isfinite(slope).all()
                if size < 0:  # held at epsilon: log(epsilon) + 1 / epsilon
                    assert value == pytest.approx((math.log(1e-6) + 1e6) / 2, rel=1e-5)


class TestProbabilitiesThatAreZeroAndOne:
    """Of unknown origin: no softmax or sigmoid stands before them."""

    right = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)

    @pytest.mark.parametrize(
        "loss",
        [
            BinaryFocalCrossentropy(),
            BinaryFocalCrossentropy(gamma=0.5),
            CategoricalFocalCrossentropy(),
            CategoricalFocalCrossentropy(gamma=0.5),
            KLDivergence(),
            Dice(),
            Tversky(),
            Poisson(),
        ],
    )
    def test_finite(self, loss):
        exactly_right = 1.0 if isinstance(loss, Poisson) else 0.0  # 1 - 1 log 1 and 0 - 0 log 0
        for p, expected in ((self.right, exactly_right), (1 - self.right, None)):
            value, slope = value_and_slope(loss, self.right, p)
            assert np.isfinite(value)
            assert np.isfinite(slope).all()
            if expected is None:
                assert value > 0.2
            elif not isinstance(loss, Poisson):
                assert value == pytest.approx(expected, abs=1e-5)

    def test_sparse(self):
        for y in ([0, 1], [1, 0]):
            for array in value_and_slope(SparseCategoricalFocalCrossentropy(), np.array(y, np.int32), self.right):
                assert np.isfinite(array).all()

    @pytest.mark.parametrize("logits", [True, False])
    def test_smoothed_class_numbers_are_smoothed_one_hot_vectors(self, logits):
        y, random = np.array([2, 0], np.int32), np.random.default_rng(0).normal(size=(2, 3)).astype("f4")
        predictions = random if logits else np.exp(random) / np.exp(random).sum(1, keepdims=True)
        arguments = {"from_logits": logits, "label_smoothing": 0.3}
        ours = value_and_slope(losses.SparseCategoricalCrossentropy(**arguments), y, predictions)
        same = value_and_slope(losses.CategoricalCrossentropy(**arguments), np.eye(3, dtype="f4")[y], predictions)
        for one, other in zip(ours, same, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("loss", [losses.CategoricalCrossentropy(), CategoricalFocalCrossentropy(alpha=1.0)])
    def test_a_row_of_zeros(self, loss):
        value, slope = value_and_slope(loss, np.eye(2, dtype="f4"), np.zeros((2, 2), "f4"))
        assert value == pytest.approx(-math.log(1e-7), rel=1e-5)
        assert np.isfinite(slope).all()


class TestNothingToFind:
    def test_overlap_of_empty_masks(self):
        nothing = np.zeros((3, 4))
        assert evaluated(Dice(), nothing, nothing) == 1.0  # as in Keras
        assert evaluated(Dice(smooth=1.0), nothing, nothing) == pytest.approx(0.0, abs=1e-6)
        assert evaluated(Tversky(smooth=1.0), nothing, nothing) == pytest.approx(0.0, abs=1e-6)
        assert evaluated(Dice(axis=1, reduction="none"), nothing, nothing).tolist() == [1.0] * 3

    def test_nothing_predicted(self):
        np.testing.assert_allclose(value_and_slope(Dice(), np.ones((2, 2)), np.zeros((2, 2)))[1], -0.5, rtol=1e-6)

    def test_all_ignored(self):
        loss = SparseCategoricalFocalCrossentropy(from_logits=True, ignore_class=-1, alpha=(1.0, 2.0))
        value, slope = value_and_slope(loss, np.full(3, -1, np.int32), np.eye(3, 2))
        assert value == 0
        np.testing.assert_array_equal(slope, 0)

    def test_zero_vectors(self):
        for array in value_and_slope(CosineSimilarity(), np.zeros((2, 3), "f4"), np.zeros((2, 3), "f4")):
            np.testing.assert_array_equal(array, 0)

    def test_root_of_nothing(self):
        for array in value_and_slope(RootMeanSquaredError(), np.ones((2, 3)), np.ones((2, 3))):
            np.testing.assert_array_equal(array, 0)


class TestHardExamples:
    values = np.array([0.5, 3.0, 2.0, 2.0, 0.1, 2.0])

    def chosen(self, y=None, **options):
        """Which of six count, whose squared errors are the values above."""
        y = np.zeros(6) if y is None else np.array(y, float)
        predicted = y + np.sqrt(self.values)
        loss = OnlineHardExamples("mse", **options)
        _, slope = value_and_slope(loss, y[:, None], predicted[:, None])
        return np.flatnonzero(slope[:, 0]).tolist()

    def test_keep(self):
        assert self.chosen(keep=1 / 6) == [1]
        assert self.chosen(keep=0.5) == [1, 2, 3]  # of equal ones the first
        assert self.chosen(keep=0.51) == [1, 2, 3, 5]
        assert self.chosen(keep=1.0) == [0, 1, 2, 3, 4, 5]

    def test_ratio(self):
        assert self.chosen([0, 0, 0, 0, 1, 0], ratio=2) == [1, 2, 4]
        assert self.chosen([1, 0, 0, 0, 1, 0], ratio=0.5) == [0, 1, 4]
        assert self.chosen([1, 1, 1, 1, 1, 1], ratio=3) == [0, 1, 2, 3, 4, 5]

    def test_a_batch_of_negatives(self):
        assert self.chosen(ratio=3) == [1]
        assert self.chosen(ratio=3, at_least=4) == [1, 2, 3, 5]
        loss = OnlineHardExamples(BinaryCrossentropy(from_logits=True), ratio=3.0)
        value, slope = value_and_slope(loss, np.zeros((4, 1), "f4"), LARGE.astype("f4"))
        assert value == pytest.approx(1e4)
        np.testing.assert_allclose(slope[:, 0], [1, 0, 0, 0])  # of two equal ones the first

    def test_the_mean_is_over_those_that_count(self):
        y = np.zeros((6, 1))
        assert evaluated(OnlineHardExamples("mse", keep=0.5), y, np.sqrt(self.values)[:, None]) == pytest.approx(7 / 3)

    def test_classes(self):
        logits = np.random.RandomState(0).standard_normal((8, 3))
        classes = np.array([0, 0, 2, 0, 0, 0, 0, 0], np.int32)
        each = evaluated(SparseCategoricalCrossentropy(from_logits=True, reduction="none"), classes, logits)
        hardest = sorted(np.delete(each, 2))[-3:]
        for inner, y in (
            (SparseCategoricalCrossentropy(from_logits=True), classes),
            (losses.CategoricalCrossentropy(from_logits=True), np.eye(3)[classes]),
        ):
            value = evaluated(OnlineHardExamples(inner, ratio=3), y, logits)
            assert value == pytest.approx((each[2] + sum(hardest)) / 4)

    def test_ignored_ones_never_count(self):
        inner = SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        logits = np.array([[9.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        value = evaluated(OnlineHardExamples(inner, keep=1.0), np.array([-1, 0, 1]), logits)
        assert value == pytest.approx(math.log1p(math.e) - 0.5)

    def test_values_with_places(self):
        y, x = np.zeros((2, 3, 1)), np.sqrt(self.values).reshape(2, 3, 1)
        assert evaluated(OnlineHardExamples("mse", keep=1 / 6), y, x) == pytest.approx(3.0)

    def test_engine_equals_numpy(self, engine):
        random = np.random.RandomState(0)
        arrays = {"y": (random.rand(96, 1) > 0.8).astype("f4"), "p": random.rand(96, 1).astype("f4")}
        for options in ({"keep": 0.3}, {"ratio": 2.0}):
            y, p = inputs(**arrays)
            values, hard = OnlineHardExamples(**options).values(y, p)
            assert hard is not None
            graph = Graph({"values": values, "hard": hard})
            results = []
            for executor in (NumpyExecutor(), engine):
                out = {"values": np.zeros(96, "f4"), "hard": np.zeros(96, bool)}
                executor.compile(graph, gather=False).run({}, arrays, None, out)
                results.append(out)
            np.testing.assert_array_equal(results[0]["hard"], results[1]["hard"])
            np.testing.assert_allclose(results[0]["values"], results[1]["values"], rtol=1e-5)


class TestOverTheData:
    """Evaluation is exact for losses that are no means over samples, with a last batch that is not full."""

    x = np.random.RandomState(0).standard_normal((300, 3)).astype(np.float32)
    y = (x.sum(1, keepdims=True) > 0.5).astype(np.float32)

    def model(self, loss, activation="sigmoid"):
        model = Sequential([Input((3,)), layers.Dense(1, activation)])
        model.compile("sgd", loss, metrics=[loss])
        return model

    @pytest.mark.parametrize("loss", [Dice(), Tversky(0.3, 0.7), RootMeanSquaredError(), WeightedSum(), Dice(axis=1)])
    def test_evaluate(self, loss):
        model = self.model(loss)
        p = model.predict(self.x, verbose=0).astype(np.float64)
        expected = float(evaluated(loss, self.y.astype(np.float64), p))
        np.testing.assert_allclose(model.evaluate(self.x, self.y, verbose=0), [expected] * 2, rtol=1e-5)
        weights = np.linspace(0, 2, 300)
        kept = model.evaluate(self.x, self.y, sample_weight=(weights > 1) * 1.0, verbose=0)[0]
        if isinstance(loss, Dice | Tversky) and loss.axis is None:
            assert kept == pytest.approx(float(evaluated(loss, self.y[weights > 1], p[weights > 1])), rel=1e-5)

    def test_hard_examples(self):
        model = self.model(OnlineHardExamples(keep=0.1))
        p = model.predict(self.x, verbose=0)
        plain = float(evaluated(BinaryCrossentropy(), self.y, p))
        assert model.evaluate(self.x, self.y, verbose=0) == pytest.approx([plain, plain], rel=1e-5)

    @pytest.mark.parametrize(
        "loss",
        [Dice(), OnlineHardExamples(ratio=2.0), WeightedSum(), RootMeanSquaredError(), BinaryFocalCrossentropy()],
    )
    def test_training(self, loss):
        history = self.model(loss).fit(self.x, self.y, epochs=8, verbose=0, seed=0, validation_split=0.2).history
        assert history["val_loss"][-1] < history["val_loss"][0]


class TestByHand:
    def test_quantiles(self):
        y, p = np.array([1.0, 1.0]), np.array([[0.0, 3.0], [1.0, 1.0]])
        assert evaluated(QuantileLoss((0.1, 0.9)), y, p) == pytest.approx((0.1 * 1 + 0.1 * 2) / 4)

    @pytest.mark.parametrize("error", [0.0, 1e-3, -1e-3, 0.1, -2.0])
    def test_log_cosh_keeps_its_digits(self, error):
        value, slope = value_and_slope(LogCosh(), np.zeros((1, 1), "f4"), np.array([[error]], "f4"))
        assert value == pytest.approx(math.log1p(2 * math.sinh(error / 2) ** 2), rel=1e-3)
        assert slope[0, 0] == pytest.approx(math.tanh(error), rel=2e-4)  # a few times 2^-24 of 1, against 1e-3

    def test_a_constant_learns_the_quantile(self):
        y = np.random.RandomState(0).exponential(size=4001)
        grid = np.linspace(0, 4, 801)
        best = [float(evaluated(QuantileLoss(0.8), y, np.full(4001, p))) for p in grid]
        assert grid[int(np.argmin(best))] == pytest.approx(np.quantile(y, 0.8), abs=0.01)

    def test_gaussian(self):
        y, p = np.array([[1.0]]), np.array([[3.0, math.log(4.0)]])
        loss = GaussianNegativeLogLikelihood("exponential", full=True)
        assert evaluated(loss, y, p) == pytest.approx(0.5 * (math.log(4) + 1 + math.log(2 * math.pi)))

    def test_a_variance_that_is_too_small_grows(self):
        _, slope = value_and_slope(GaussianNegativeLogLikelihood("linear"), np.ones((1, 1)), np.array([[0.0, -1.0]]))
        assert slope[0, 1] < 0

    def test_poisson_of_an_exponential(self):
        value, _ = value_and_slope(Poisson(), np.array([[2.0]]), np.array([[-1e4]]), "exponential")
        assert value == 2e4

    def test_focal_of_one_weight_per_class(self):
        loss = CategoricalFocalCrossentropy(alpha=(0.5, 2.0), gamma=0.0, reduction="none")
        np.testing.assert_allclose(evaluated(loss, np.eye(2), np.full((2, 2), 0.5)), np.log(2) * np.array([0.5, 2.0]))

    def test_weighted_sum_with_ignored_classes(self):
        inner = SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        y, x = np.array([0, -1, 1]), np.random.RandomState(0).standard_normal((3, 2))
        alone = evaluated(inner, y, x)
        assert evaluated(WeightedSum((inner,), (3.0,)), y, x) == pytest.approx(3 * alone)

    def test_weighted_sum_with_a_root(self):
        y, p = np.zeros((2, 1)), np.array([[1.0], [7.0]])
        assert evaluated(WeightedSum(("rmse", "mae")), y, p) == pytest.approx(5.0 + 4.0)
        np.testing.assert_allclose(evaluated(WeightedSum(("rmse", "mae"), reduction="none"), y, p), [2.0, 14.0])

    def test_class_weight_counts(self):
        x = np.random.RandomState(0).standard_normal((64, 3)).astype(np.float32)
        y = np.arange(64) % 2
        ends = []
        for options in ({"class_weight": {0: 1.0, 1: 5.0}}, {"sample_weight": np.where(y == 1, 5.0, 1.0)}):
            model = Sequential([Input((3,)), layers.Dense(2, "softmax")])
            model.set_weights([np.ones((3, 2), "f4"), np.zeros(2, "f4")])
            model.compile("sgd", SparseCategoricalFocalCrossentropy())
            model.fit(x, y, verbose=0, seed=1, **options)
            ends.append(model.get_weights()[0])
        np.testing.assert_array_equal(*ends)


class TestRefused:
    @pytest.mark.parametrize("loss", [Dice(), Tversky(), Poisson(), WeightedSum(), BinaryFocalCrossentropy()])
    def test_last_activation(self, loss):
        model = Sequential([Input((3,)), layers.Dense(1)])
        with pytest.raises(ArgumentError, match="does not fit the last activation"):
            model.compile("sgd", loss)

    def test_shapes(self):
        with pytest.raises(ShapeError, match="each mean wants a variance"):
            GaussianNegativeLogLikelihood().target_type(TensorType((8, 3)))
        with pytest.raises(ShapeError, match="3 units"):
            QuantileLoss((0.1, 0.5, 0.9)).target_type(TensorType((8, 2)))
        with pytest.raises(ArgumentError, match="leave axis 0 out"):
            evaluated(Dice(axis=(0, 1)), np.zeros((2, 2)), np.zeros((2, 2)))
        with pytest.raises(ArgumentError, match="one for each class"):
            evaluated(CategoricalFocalCrossentropy(alpha=(1.0, 2.0, 3.0)), np.eye(2), np.eye(2))
        with pytest.raises(ArgumentError, match="want different targets"):
            evaluated(WeightedSum(("dice", "sparse_categorical_crossentropy")), np.eye(2), np.eye(2))
        with pytest.raises(ArgumentError, match="one weight for each"):
            WeightedSum(("mse", "mae"), (1.0,))

    @pytest.mark.parametrize(
        ("loss", "y"),
        [
            *((Hinge(), y) for y in ([[0.5], [1.0]], [[-1.0], [0.0]], [[2.0], [1.0]])),
            (Poisson(), [[-1.0]]),
            (losses.MeanSquaredLogarithmicError(), [[-1.0]]),
            (BinaryFocalCrossentropy(), [[2.0]]),
            (OnlineHardExamples(), [[2.0]]),
            (WeightedSum(), [[2.0]]),
        ],
    )
    def test_targets(self, loss, y):
        with pytest.raises(DataError, match="in row"):
            loss.prepare(np.array(y), TensorType((1, 1)))


def test_saved_and_made_again():
    for loss in (
        WeightedSum((Dice(smooth=1.0), "bce"), (1.0, 0.5)),
        OnlineHardExamples(SparseCategoricalFocalCrossentropy(alpha=(0.2, 0.8)), ratio=3.0),
        QuantileLoss((0.1, 0.9)),
    ):
        assert losses.registry.from_config(losses.registry.config(loss)) == loss


def test_every_alias():
    for alias, name in (
        *(("mae", "mean_absolute_error"), ("mape", "mean_absolute_percentage_error"), ("kld", "kl_divergence")),
        *(("msle", "mean_squared_logarithmic_error"), ("Huber", "huber_loss"), ("ohem", "online_hard_examples")),
    ):
        assert losses.get(alias).name == name
    assert CategoricalHinge().name == "categorical_hinge"
    assert MeanSquaredError() == losses.get(losses.mse)
    assert compute(losses.kld(ops.filled((2, 2), 0.5), ops.filled((2, 2), 0.5))).tolist() == [0.0, 0.0]


def test_tversky_without_a_price():
    with pytest.raises(ArgumentError, match="no mistake costs anything"):
        losses.Tversky(0, 0)
