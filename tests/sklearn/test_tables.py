"""``TableClassifier`` and ``TableRegressor``: frames with columns of every kind."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.utils.estimator_checks import check_estimator

import thalweg
from thalweg.errors import ThalwegError
from thalweg.sklearn import TableClassifier, TableRegressor

pytestmark = [pytest.mark.needs("sklearn"), pytest.mark.needs("pandas")]

RANDOM = np.random.default_rng(0)
COUNT = 200
COLUMNS = {
    "size": np.where(np.arange(COUNT) % 9 == 0, np.nan, RANDOM.normal(size=COUNT)),
    "town": RANDOM.choice(np.array(["Ulm", "Bonn", "Kiel", None], object), COUNT),
    "sold": RANDOM.random(COUNT) > 0.5,
}
LABELS = np.where(np.nan_to_num(COLUMNS["size"]) + (COLUMNS["town"] == "Ulm") > 0.4, "yes", "no")
NUMBERS = 10 * np.nan_to_num(COLUMNS["size"]) + 5 * COLUMNS["sold"]


def frame():
    import pandas as pd

    return pd.DataFrame(COLUMNS, index=np.arange(COUNT)[::-1])


def classifier(**options):
    return TableClassifier(**{"members": 1, "epochs": 8, "random_state": 0} | options)


def regressor(**options):
    return TableRegressor(**{"members": 1, "epochs": 8, "random_state": 0} | options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [TableClassifier, TableRegressor])
def test_all_checks_of_scikit_learn_pass(kind):
    warnings.simplefilter("ignore")
    rounding = {"check_methods_subset_invariance": "asks for 1e-7, and predictions are float32: docs/sklearn.md"}
    estimator = kind(members=1, epochs=20)
    results = check_estimator(estimator, on_skip=None, on_fail=None, expected_failed_checks=rounding)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
    assert failed == []
    assert len(results) > 40


def test_a_mixed_frame_is_learned_and_predicted_by_name():
    x = frame()
    made = classifier().fit(x, LABELS)
    assert made.score(x, LABELS) > 0.85
    assert list(made.feature_names_in_) == ["size", "town", "sold"]
    assert made.classes_.tolist() == ["no", "yes"]
    probabilities = made.predict_proba(x)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert made.predict_log_proba(x) == pytest.approx(np.log(probabilities))
    other = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(other.predict_proba(x), probabilities)
    unseen = x.assign(town="Rom")
    with pytest.warns(UserWarning, match="never seen"):
        assert np.isfinite(made.predict_proba(unseen)).all()
    with pytest.raises(ValueError, match="feature names"):
        made.predict(x[["town", "size", "sold"]])


@pytest.mark.needs("polars")
def test_another_library_of_frames_gives_the_same():
    import polars as pl

    x = frame()
    made = regressor().fit(x, NUMBERS)
    np.testing.assert_array_equal(made.predict(pl.from_pandas(x)), made.predict(x))


def test_a_row_alone_differs_by_rounding_at_most():
    x = frame()[:20]
    made = regressor(epochs=2).fit(frame(), NUMBERS)
    alone = np.concatenate([made.predict(x[i : i + 1]) for i in range(20)])
    assert alone == pytest.approx(made.predict(x), rel=1e-5, abs=1e-5)


def test_several_targets_arrays_and_column_names_that_are_numbers():
    x = frame()
    several = np.stack([NUMBERS, -NUMBERS], 1)
    made = regressor().fit(x, several)
    assert made.predict(x).shape == (COUNT, 2)
    assert made.score(x, several) > 0.5
    array = RANDOM.normal(size=(80, 3))
    assert regressor(epochs=20).fit(array, array[:, 0]).score(array, array[:, 0]) > 0.8
    numbered = x.rename(columns={"size": 0, "town": 1, "sold": 2})
    assert classifier(epochs=1).fit(numbered, LABELS).predict(numbered).shape == (COUNT,)


def test_an_eval_set_finds_the_best_epoch():
    x = frame()
    made = classifier(epochs=3).fit(x[:150], LABELS[:150], eval_set=[(x[150:], LABELS[150:])])
    assert made.n_iter_ == 3
    assert "val_loss" in made.model_.histories[0].history
    with pytest.raises(ThalwegError, match="eval_set"):
        classifier().fit(x, LABELS, eval_set=x)


def test_columns_can_be_said_and_the_model_saved(tmp_path):
    x = frame()
    made = regressor(ignore=["town"], epochs=2).fit(x, NUMBERS)
    np.testing.assert_array_equal(made.predict(x.assign(town="Rom")), made.predict(x))
    made.model_.save(tmp_path / "made.thalweg")
    loaded = thalweg.load_model(tmp_path / "made.thalweg")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0)[:, 0].astype(float), made.predict(x))


def test_in_scikit_learns_machinery():
    x = frame()
    search = GridSearchCV(classifier(epochs=2), {"epochs": [1, 2]}, cv=2).fit(x, LABELS)
    assert search.best_estimator_.predict(x).shape == (COUNT,)
    assert cross_val_predict(classifier(epochs=1), x, LABELS, cv=2).shape == (COUNT,)
    a, b = (clone(classifier(epochs=2)).fit(x, LABELS).predict_proba(x) for _ in range(2))
    np.testing.assert_array_equal(a, b)
