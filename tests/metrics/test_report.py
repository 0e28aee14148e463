"""Reports of finished predictions: arrays, tables and plots, against scikit-learn."""

import io
import sys

import numpy as np
import pytest

from thalweg import metrics
from thalweg.errors import ArgumentError, DataError, MissingPackageError, ShapeError

RANDOM = np.random.RandomState(0)
TRUE = RANDOM.randint(0, 4, 200)
SAID = np.where(RANDOM.rand(200) < 0.6, TRUE, RANDOM.randint(0, 4, 200))
WEIGHT = RANDOM.randint(0, 4, 200).astype(float)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.needs("sklearn")
def test_against_scikit_learn(weight):
    from sklearn import metrics as score

    report = metrics.classification_report(TRUE, SAID, sample_weight=weight)
    expected = score.classification_report(TRUE, SAID, sample_weight=weight, output_dict=True)
    np.testing.assert_allclose(report.confusion, score.confusion_matrix(TRUE, SAID, sample_weight=weight))
    for i, label in enumerate(report.labels):
        ours = (report.precision[i], report.recall[i], report.f1[i], report.support[i])
        np.testing.assert_allclose(ours, list(expected[label].values()))
    assert report.accuracy == pytest.approx(expected["accuracy"])
    np.testing.assert_allclose(report.macro, list(expected["macro avg"].values())[:3])
    np.testing.assert_allclose(report.weighted, list(expected["weighted avg"].values())[:3])


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.needs("sklearn")
def test_exact_areas(weight):
    from sklearn import metrics as score

    y = (TRUE > 1).astype(int)
    p = (RANDOM.rand(200) + 0.4 * y).round(1)  # with ties
    ours = metrics.roc_auc_score(y, p[:, None], weight), metrics.average_precision_score(y, p, weight)
    assert ours[0] == pytest.approx(score.roc_auc_score(y, p, sample_weight=weight), rel=1e-12)
    assert ours[1] == pytest.approx(score.average_precision_score(y, p, sample_weight=weight), rel=1e-12)


@pytest.mark.parametrize("y_pred", [np.eye(4)[SAID], np.eye(4)[SAID] * 0.3 + 0.1, SAID[:, None], SAID.astype(float)])
def test_forms_of_predictions(y_pred):
    expected = metrics.confusion_matrix(TRUE, SAID)
    np.testing.assert_array_equal(metrics.confusion_matrix(TRUE, y_pred), expected)
    np.testing.assert_array_equal(metrics.confusion_matrix(np.eye(4)[TRUE], y_pred), expected)


def test_probabilities_of_one_unit():
    found = metrics.confusion_matrix([0, 1, 1], [[0.2], [0.7], [0.4]])
    assert found.matrix.tolist() == [[1, 0], [1, 1]]
    assert metrics.confusion_matrix([0, 1, 1], [0.2, 0.7, 0.4], threshold=0.3)[1, 1] == 2


def test_names():
    cats = metrics.confusion_matrix(["cat", "dog"], ["cat", "cat"])
    assert cats.labels == ("cat", "dog")
    assert metrics.confusion_matrix([0, 1], [0, 0], labels=["cat", "dog"]).labels == ("cat", "dog")
    assert metrics.confusion_matrix([0, 1], [0, 0], labels=[1, 0]).matrix.tolist() == [[0, 1], [0, 1]]


def test_printed():
    text = str(metrics.classification_report([0, 0, 1, 1], [0, 1, 1, 1], labels=["no", "yes"]))
    assert text.splitlines() == [
        "class          precision  recall     F1  support",
        "------------------------------------------------",
        "no                 1.000   0.500  0.667        2",
        "yes                0.667   1.000  0.800        2",
        "accuracy                          0.750        4",
        "macro mean         0.833   0.750  0.733        4",
        "weighted mean      0.833   0.750  0.733        4",
    ]


def test_drawn_on_a_terminal_only(monkeypatch, capsys):
    confusion = metrics.confusion_matrix([0, 1], [0, 1])
    confusion.show()
    assert capsys.readouterr().out == f"{confusion}\n"
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", terminal)
    confusion.show()
    assert "recall" in terminal.getvalue()
    assert "━" in terminal.getvalue() or "┃" in terminal.getvalue()


def test_plots(pyplot):
    report = metrics.classification_report(TRUE, SAID)
    bars = report.plot()
    assert [round(bar.get_height(), 9) for bar in bars.patches[4:8]] == report.recall.round(9).tolist()
    ax = pyplot.subplots()[1]
    assert report.confusion.plot(ax) is ax
    assert [text.get_text() for text in ax.texts] == [str(n) for n in report.confusion.matrix.reshape(-1)]


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match="matplotlib") as caught:
        metrics.confusion_matrix([0, 1], [0, 1]).plot()
    assert caught.value.fix == "pip install 'thalweg[plots]'"


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (ShapeError, lambda: metrics.confusion_matrix([0, 1], [0])),
        (ShapeError, lambda: metrics.confusion_matrix([], [])),
        (ShapeError, lambda: metrics.confusion_matrix([0, 1], [0, 1], sample_weight=[1.0])),
        (ShapeError, lambda: metrics.confusion_matrix(np.zeros((2, 2, 2)), [0, 1])),
        (DataError, lambda: metrics.confusion_matrix([0, 2], [0, 1], labels=[0, 1])),
        (DataError, lambda: metrics.confusion_matrix([0, 2], [0.3, 1.7])),
        (ArgumentError, lambda: metrics.confusion_matrix([0, 1], [0, 1], labels=[0, 0])),
        (DataError, lambda: metrics.roc_auc_score([1, 1], [0.2, 0.3])),
        (DataError, lambda: metrics.roc_auc_score([1, 2], [0.2, 0.3])),
        (ShapeError, lambda: metrics.average_precision_score([1, 0], [0.2])),
    ],
)
def test_bad_input(error, call):
    with pytest.raises(error) as caught:
        call()
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))


@pytest.mark.parametrize("normalize", ["true", "pred", "all"])
@pytest.mark.needs("sklearn")
def test_shares_as_scikit_learn_counts_them(normalize):
    from sklearn.metrics import confusion_matrix as theirs

    random = np.random.default_rng(0)
    true, said = random.integers(0, 3, (2, 50))
    said[said == 2] = 0  # a column without answers
    weight = random.random(50)
    for options in ({}, {"sample_weight": weight}):
        ours = metrics.confusion_matrix(true, said, normalize=normalize, **options)
        np.testing.assert_allclose(ours.matrix, theirs(true, said, normalize=normalize, **options), rtol=1e-12)
    assert ("recall" in str(ours)) is (normalize != "pred")
    recall = metrics.confusion_matrix(true, said, sample_weight=weight)._recall()
    if normalize != "pred":
        np.testing.assert_allclose(ours._recall(), recall, rtol=1e-12)
    with pytest.raises(ArgumentError, match="'normalize'"):
        metrics.confusion_matrix(true, said, normalize="rows")


def test_names_of_the_classes():
    report = metrics.classification_report([0, 0, 1], [0, 1, 1], target_names=["cat", "dog"])
    assert report.labels == report.confusion.labels == ("cat", "dog")
    assert "cat" in str(report)
    with pytest.raises(ArgumentError, match="target_names"):
        metrics.classification_report([0, 0, 1], [0, 1, 1], target_names=["cat"])
