"""Metrics: exact over the epoch, and what the names stand for."""

from dataclasses import replace

import numpy as np
import pytest
from tests.compute import compute, inputs

import thalweg
from thalweg import losses, metrics, ops
from thalweg.errors import NameNotFoundError, ShapeError
from thalweg.graph.types import TensorType
from thalweg.metrics import (
    BinaryAccuracy,
    CategoricalAccuracy,
    Mean,
    MeanLoss,
    SparseCategoricalAccuracy,
    resolve,
)


def over_batches(metric, y_true, y_pred, weight=None, size=1000):
    totals = {}
    for start in range(0, len(y_pred), size):
        batch = {"y_true": y_true[start : start + size], "y_pred": y_pred[start : start + size]}
        if weight is not None:
            batch["weight"] = weight[start : start + size]
        for name, value in compute(metric.sums(*inputs(**batch)), **batch).items():
            assert value.dtype == np.float64
            totals[name] = totals.get(name, 0.0) + value
    return metric.result(**totals)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_exact_however_the_epoch_is_cut(size):
    random = np.random.RandomState(0)
    y_pred = random.standard_normal((317, 5)).astype(np.float32)
    y_true = random.randint(0, 5, 317).astype(np.int32)
    share = (y_pred.argmax(1) == y_true).mean()
    assert over_batches(SparseCategoricalAccuracy(), y_true, y_pred, size=size) == share
    one_hot = np.eye(5, dtype=np.float32)[y_true]
    assert over_batches(CategoricalAccuracy(), one_hot, y_pred, size=size) == share
    weight = random.randint(0, 4, 317).astype(np.float32)
    weighted = ((y_pred.argmax(1) == y_true) * weight).sum() / weight.sum()
    assert over_batches(SparseCategoricalAccuracy(), y_true, y_pred, weight, size) == weighted
    assert over_batches(BinaryAccuracy(threshold=0.0), one_hot, y_pred, size=size) == ((y_pred > 0) == one_hot).mean()


def test_threshold_is_strict():
    assert over_batches(BinaryAccuracy(), np.array([[0.0], [1.0]]), np.array([[0.5], [0.5]])) == 0.5


def test_flat_predictions():
    assert over_batches(BinaryAccuracy(), np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.1, 0.2])) == 2 / 3


def test_nothing_counted():
    assert over_batches(Mean(), np.zeros((2, 1)), np.ones((2, 1)), np.zeros(2)) == 0.0


def test_ignored_class():
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    logits = np.random.RandomState(0).standard_normal((6, 3))
    y = np.array([0, -1, 2, -1, 1, 1], np.int32)
    kept = over_batches(MeanLoss(losses.SparseCategoricalCrossentropy(from_logits=True)), y[y >= 0], logits[y >= 0])
    assert over_batches(MeanLoss(loss), y, logits, size=2) == pytest.approx(kept)


def test_shapes_are_not_broadcast():
    with pytest.raises(ShapeError, match="metric 'categorical_accuracy'"):
        over_batches(CategoricalAccuracy(), np.zeros((4, 1)), np.zeros((4, 3)))


class TestNames:
    @pytest.mark.parametrize(
        ("target", "output", "expected"),
        [
            ((8, 1), (8, 1), "binary"),
            ((8,), (8, 1), "binary"),
            ((8,), (8,), "binary"),
            ((8,), (8, 10), "sparse_categorical"),
            ((8, 1), (8, 10), "sparse_categorical"),
            ((8, 10), (8, 10), "categorical"),
            ((8, 7), (8, 7, 10), "sparse_categorical"),
            ((8, 7, 10), (8, 7, 10), "categorical"),
        ],
    )
    def test_kind_follows_the_shapes(self, target, output, expected):
        for name in ("accuracy", "acc"):
            metric = resolve(name, TensorType(target), TensorType(output))
            assert metrics.registry.name_of(metric) == f"{expected}_accuracy"
            assert metric.name == name
        for name in ("crossentropy", "ce"):
            metric = resolve(name, TensorType(target), TensorType(output))
            assert losses.registry.name_of(vars(metric)["loss"]) == f"{expected}_crossentropy"
            assert metric.name == name

    def test_logits(self):
        kind = TensorType((8, 1))
        loss = losses.BinaryCrossentropy(from_logits=True)
        accuracy, crossentropy = (resolve(name, kind, kind, loss) for name in ("accuracy", "crossentropy"))
        assert vars(accuracy)["threshold"] == 0.0
        assert vars(crossentropy)["loss"].from_logits

    @pytest.mark.parametrize("name", ["mse", "mean_squared_error", "binary_crossentropy", "binary_accuracy"])
    def test_named_as_written(self, name):
        assert metrics.get(name).name == name

    def test_a_loss_is_a_metric(self):
        assert metrics.get(losses.MeanSquaredError()).name == "mean_squared_error"
        assert metrics.get(losses.MeanSquaredError) == MeanLoss(losses.MeanSquaredError())

    def test_a_function_is_a_metric(self):
        metric = metrics.get(largest_error)
        assert metric.name == "largest_error"
        assert over_batches(metric, np.zeros((2, 2)), np.array([[1.0, -3.0], [2.0, 0.0]])) == 2.5

    @pytest.mark.parametrize(("wrong", "right"), [("acuracy", "accuracy"), ("msee", "mse")])
    def test_mistyped(self, wrong, right):
        with pytest.raises(NameNotFoundError, match=f"did you mean '{right}'"):
            metrics.get(wrong)


def largest_error(y_true, y_pred):
    return ops.reduce_max(abs(y_pred - y_true), -1)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("r2", metrics.R2Score()),
        ("f1", metrics.F1Score()),
        ("fbeta", metrics.FBetaScore()),
        ("brier", metrics.BrierScore()),
        ("binary_iou", metrics.BinaryIoU()),
        ("dice_score", metrics.DiceCoefficient()),
        ("roc_auc", metrics.AUC()),
        ("pr_auc", metrics.AUC(curve="PR")),
        ("PR_AUC", metrics.AUC(curve="PR")),
    ],
)
def test_words_that_people_type(word, meant):
    assert metrics.get(word) == replace(meant, name=word)


class TestFunctions:
    """Keras's functions: the values of samples, before the mean."""

    P = np.array([[0.1, 0.6, 0.3], [0.2, 0.3, 0.5]], np.float32)

    def test_values(self):
        np.testing.assert_array_equal(metrics.binary_accuracy([[0, 1, 1]], self.P[:1]), [[1, 1, 0]])
        np.testing.assert_array_equal(metrics.binary_accuracy([[0, 1, 1]], self.P[:1], 0.2), [[1, 1, 1]])
        np.testing.assert_array_equal(metrics.categorical_accuracy(np.eye(3)[[1, 1]], self.P), [1, 0])
        np.testing.assert_array_equal(metrics.sparse_categorical_accuracy([1, 1], self.P), [1, 0])
        np.testing.assert_array_equal(metrics.sparse_categorical_accuracy([[1], [1]], self.P), [1, 0])
        np.testing.assert_array_equal(metrics.top_k_categorical_accuracy(np.eye(3)[[2, 0]], self.P, k=2), [1, 0])
        np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy([2, 0], self.P, 2), [1, 0])
        np.testing.assert_allclose(metrics.mean_squared_error([[0, 1, 1]], self.P[:1]), [0.66 / 3], rtol=1e-6)
        np.testing.assert_allclose(metrics.binary_crossentropy([1.0], [0.5]), np.log(2), rtol=1e-6)
        r = np.random.default_rng(0)
        x, y = r.normal(size=(2, 4, 6))
        pearson = [np.corrcoef(*rows)[0, 1] for rows in zip(x, y, strict=True)]
        np.testing.assert_allclose(metrics.pearson_correlation(x, y), pearson, rtol=1e-9)
        assert metrics.concordance_correlation(x, x + 0.0).tolist() == [1, 1, 1, 1]

    def test_as_metrics_of_a_model(self):
        model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(1, "sigmoid")])

        def above(y_true, y_pred, limit):
            return ops.cast(y_pred > limit, "float32")

        model.compile(
            loss="bce",
            metrics=[metrics.binary_accuracy, metrics.mean_squared_error, metrics.MeanMetricWrapper(above, limit=0.4)],
        )
        x, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
        logs = model.evaluate(x, y, verbose=0, return_dict=True)
        said = model.predict(x, verbose=0)[:, 0]
        assert logs["binary_accuracy"] == pytest.approx(((said > 0.5) == y).mean())
        assert logs["mean_squared_error"] == pytest.approx(((said - y) ** 2).mean(), rel=1e-5)
        assert logs["above"] == pytest.approx((said > 0.4).mean())

    def test_sums_and_names_that_are_not_there(self):
        assert metrics.Sum()([1.5, 2.0], [1.0, 2.0]) == 5.5
        assert metrics.LogCoshError().name == "logcosh"
        with pytest.raises(AttributeError):
            metrics.binary_acuracy  # noqa: B018


@pytest.mark.parametrize(
    ("name", "least", "best"),
    [
        ("SensitivityAtSpecificity", 0.5, 0.5),
        ("SpecificityAtSensitivity", 0.5, 2 / 3),
        ("PrecisionAtRecall", 0.5, 0.5),
        ("RecallAtPrecision", 0.9, 0.0),
    ],
)
def test_one_share_at_a_given_other(name, least, best):
    """Keras's example: of three negatives and two positives."""
    y_true, y_pred = [0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]
    assert getattr(metrics, name)(least)(y_true, y_pred) == pytest.approx(best)


def test_add_weight_takes_the_name_in_front_as_in_keras_2():
    metric = metrics.Mean()
    total, count = metric.add_weight("total", shape=(2,)), metric.add_weight((3,), "ones", name="count")
    assert (total.name, total.shape, count.name, count.shape) == ("total", (2,), "count", (3,))
    np.testing.assert_array_equal(count.numpy(), np.ones(3))
