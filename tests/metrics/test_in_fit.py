"""Metrics in training and evaluation: compiled, exact over the epoch, arrays where there are several numbers."""

import csv

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import callbacks, layers, metrics
from thalweg.errors import ArgumentError, ShapeError

score = pytest.importorskip("sklearn.metrics")
pytestmark = pytest.mark.needs("sklearn")

X, Y = nets.points(301)  # no multiple of the evaluation's 128 rows
SEVERAL = (
    metrics.F1Score(),
    metrics.F1Score(average="macro", name="macro_f1"),
    "mcc",
    metrics.BalancedAccuracy,
    "confusion_matrix",
    "log_loss",
    metrics.MeanIoU(num_classes=3, sparse_y_pred=False),
    metrics.SparseTopKCategoricalAccuracy(k=2),
    "brier_score",
)


def test_evaluation_agrees_with_scikit_learn():
    model = nets.classifier(metrics=SEVERAL)
    model.fit(X, Y, epochs=3, verbose=0)
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0).astype(np.float64)
    said = p.argmax(1)
    np.testing.assert_allclose(found["f1_score"], score.f1_score(Y, said, average=None))
    assert found["macro_f1"] == pytest.approx(score.f1_score(Y, said, average="macro"))
    assert found["mcc"] == pytest.approx(score.matthews_corrcoef(Y, said))
    assert found["balanced_accuracy"] == pytest.approx(score.balanced_accuracy_score(Y, said))
    np.testing.assert_array_equal(found["confusion_matrix"], score.confusion_matrix(Y, said))
    assert found["log_loss"] == pytest.approx(score.log_loss(Y, p / p.sum(1, keepdims=True)), rel=1e-5)
    assert found["mean_io_u"] == pytest.approx(score.jaccard_score(Y, said, average="macro"))
    assert found["sparse_top_k_categorical_accuracy"] == pytest.approx(score.top_k_accuracy_score(Y, p, k=2))
    assert found["brier_score"] == pytest.approx(score.brier_score_loss(Y, p / p.sum(1, keepdims=True)), rel=1e-5)


def test_history_has_arrays_of_its_own():
    history = nets.classifier(metrics=SEVERAL).fit(X, Y, epochs=2, validation_split=0.2, verbose=0)
    names = ["f1_score", "macro_f1", "mcc", "balanced_accuracy", "confusion_matrix", "log_loss", "mean_io_u"]
    assert list(history.history)[1:8] == names
    first, second = history.history["confusion_matrix"]
    assert first.shape == (3, 3)
    assert first.sum() == second.sum() == 240
    assert first is not second
    assert history.history["val_confusion_matrix"][0].sum() == 61


def test_a_rare_class_and_weights():
    """AUC, precision and recall with the weights of ``weighted_metrics`` and without."""
    x, y = X, (Y == 2).astype(np.float32)
    weight = np.random.default_rng(0).integers(0, 3, len(x)).astype(np.float32)
    thalweg.utils.set_random_seed(1)
    model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")])
    kinds = [metrics.AUC(num_thresholds=4001), metrics.Precision(), metrics.Recall(thresholds=[0.2, 0.5])]
    model.compile("adam", "binary_crossentropy", metrics=kinds, weighted_metrics=kinds)
    model.fit(x, y, epochs=5, verbose=0)
    found = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
    p = model.predict(x, verbose=0)[:, 0]
    for front, w in (("", None), ("weighted_", weight)):  # Keras's names
        assert found[f"{front}auc"] == pytest.approx(score.roc_auc_score(y, p, sample_weight=w), abs=1e-3)
        expected = score.precision_score(y, p > 0.5, sample_weight=w, zero_division=0)
        assert found[f"{front}precision"] == pytest.approx(expected)
        recalls = [score.recall_score(y, p > t, sample_weight=w) for t in (0.2, 0.5)]
        np.testing.assert_allclose(found[f"{front}recall"], recalls)


def test_the_line_shows_short_arrays_and_the_shape_of_long_ones(capsys):
    nets.classifier(metrics=SEVERAL[:5]).fit(X, Y, verbose=2)
    line = capsys.readouterr().out
    assert "f1_score: [0." in line
    assert "confusion_matrix: array[3, 3]" in line


def test_a_csv_file_keeps_a_row_for_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    nets.classifier(metrics=SEVERAL).fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.CSVLogger(path)])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 2
    assert rows[0]["confusion_matrix"].startswith("[[")


def test_an_array_cannot_be_monitored():
    with pytest.raises(ArgumentError, match="no single number") as caught:
        nets.classifier(metrics=SEVERAL).fit(
            X, Y, verbose=0, callbacks=[callbacks.EarlyStopping("f1_score", mode="max")]
        )
    assert "average='macro'" in caught.value.fix


def test_saved_and_loaded(tmp_path):
    model = nets.classifier(metrics=SEVERAL)
    model.save(tmp_path / "m.thalweg")
    again = thalweg.load_model(tmp_path / "m.thalweg")
    for left, right in zip(model.evaluate(X, Y, verbose=0), again.evaluate(X, Y, verbose=0), strict=True):
        np.testing.assert_array_equal(left, right)


def test_classes_of_losses_are_metrics_too():
    model = nets.regressor(metrics=[metrics.MeanSquaredError(), metrics.MeanSquaredError, "rmse", "r2_score"])
    found = model.evaluate(X[:, :2], X[:, 2], verbose=0, return_dict=True)
    assert found["mean_squared_error"] == found["mean_squared_error_1"] == pytest.approx(found["rmse"] ** 2)
    p = model.predict(X[:, :2], verbose=0)
    assert found["r2_score"] == pytest.approx(score.r2_score(X[:, 2], p), rel=1e-5)
    with pytest.raises(AttributeError, match="NoSuchMetric"):
        _ = metrics.NoSuchMetric


def test_a_class_that_is_not_there():
    with pytest.raises(ShapeError, match="no such class"):
        nets.classifier(metrics=[metrics.Precision(class_id=3)])
    with pytest.raises(ArgumentError, match="target_class_ids"):
        metrics.IoU(num_classes=2, target_class_ids=(0, 2))
    with pytest.raises(ArgumentError, match="num_labels"):
        metrics.AUC(num_labels=2)


def test_r2_of_targets_that_are_all_alike():
    ones = np.ones((5, 1))
    for p, expected in ((ones, 1.0), (ones * 2, 0.0)):
        sums = {"residual": ((ones - p) ** 2).sum(0), "total": ones.sum(0), "squares": ones.sum(0), "weight": 5.0}
        assert metrics.R2Score().result(**sums, count=5.0) == expected


def test_cosine_similarity_is_1_for_the_same_direction():
    model = thalweg.Sequential([thalweg.Input((2,)), layers.Identity()])
    model.compile("sgd", "cosine_similarity", metrics=["cosine_similarity", metrics.CosineSimilarity(name="again")])
    said = model.evaluate(np.eye(2) * 3, np.eye(2), verbose=0, return_dict=True)
    assert said == pytest.approx({"loss": -1.0, "cosine_similarity": 1.0, "again": 1.0})
    assert [model.metric_rises(name) for name in said] == [False, True, True]
    y_true, y_pred = np.random.default_rng(0).normal(size=(2, 30, 5)).astype(np.float32)
    found = metrics.CosineSimilarity()(y_true, y_pred)
    assert found == pytest.approx(np.diag(score.pairwise.cosine_similarity(y_true, y_pred)).mean(), rel=1e-5)


def test_a_checkpoint_by_cosine_similarity_keeps_the_best(tmp_path):
    """With the loss's sign ``mode="max"`` kept the worst."""
    thalweg.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(64, 4))
    model = thalweg.Sequential([thalweg.Input((4,)), layers.Dense(4)])
    model.compile(thalweg.optimizers.Adam(0.05), "mse", metrics=["cosine_similarity"])
    keep = callbacks.ModelCheckpoint(
        tmp_path / "best", monitor="val_cosine_similarity", mode="max", save_best_only=True
    )
    history = model.fit(x, x, validation_data=(x, x), epochs=5, callbacks=[keep], verbose=0).history
    best = thalweg.models.load_model(tmp_path / "best").evaluate(x, x, verbose=0)[1]
    assert best == pytest.approx(max(history["val_cosine_similarity"]), rel=1e-6)
