"""What scikit-learn expects of its estimators, and what thalweg's have beside."""

import copy
import pickle
import signal
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import thalweg
from thalweg import callbacks, losses
from thalweg.errors import ThalwegError
from thalweg.sklearn import MLPClassifier, MLPRegressor, training
from thalweg.sklearn.steps import kit
from thalweg.sklearn.training import Passes

pytestmark = pytest.mark.needs("sklearn")

RANDOM = np.random.default_rng(1)
ROWS = RANDOM.normal(size=(80, 4))
CLASSES = np.array(["no", "yes"])[(ROWS[:, 0] + ROWS[:, 1] > 0).astype(int)]
NUMBERS = ROWS @ [1.0, -2.0, 0.5, 0.0]


def classifier(**options):
    return MLPClassifier(**{"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0} | options)


def regressor(**options):
    return MLPRegressor(**{"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0} | options)


@pytest.fixture(autouse=True)
def _few_iterations():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_all_checks_of_scikit_learn_pass(kind):
    warnings.simplefilter("ignore")
    results = check_estimator(kind(max_iter=100), on_skip=None, on_fail=None)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
    assert failed == []
    assert len(results) > 40


# In scikit-learn's machinery


@pytest.mark.slow
def test_a_grid_of_two_processes_finds_what_one_finds():
    grid = {"mlpclassifier__alpha": [1e-4, 10.0], "mlpclassifier__learning_rate_init": [1e-3, 0.05]}
    searches = [
        GridSearchCV(make_pipeline(StandardScaler(), classifier()), grid, cv=3, n_jobs=jobs).fit(ROWS, CLASSES)
        for jobs in (1, 2)
    ]
    one, two = (search.cv_results_["mean_test_score"] for search in searches)
    assert one.tolist() == two.tolist()
    assert searches[1].best_estimator_.score(ROWS, CLASSES) > 0.8


def test_alphas_rates_and_folds_share_their_programs():
    made = classifier().fit(ROWS, CLASSES)
    programs = kit(made._design, made._objective(), made._rule()).programs
    before = programs.compile_seconds
    for alpha, rate, rows in ((1.0, 0.1, 80), (0.1, 0.01, 79), (0.0, 0.5, 74)):
        classifier(alpha=alpha, learning_rate_init=rate).fit(ROWS[:rows], CLASSES[:rows])
    assert programs.compile_seconds == before


@pytest.mark.parametrize(
    "classes", [[0, 1], [3, 4, 7], ["a", "bc", "d"], [False, True], [1.0, 2.0, 5.0], np.array(["x", "yz"], object)]
)
def test_classes_become_the_targets_that_scikit_learn_makes_of_them(classes):
    y = np.asarray(classes)[np.random.default_rng(0).integers(0, len(classes), len(ROWS))]
    fitted = classifier().fit(ROWS, y)
    expected, got = fitted._label_binarizer.transform(y), fitted._of_known(y)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("options", [{"batch_size": 40}, {"batch_size": 100}, {"solver": "sgd", "batch_size": 20}])
def test_epochs_in_one_call_are_the_same_bits_and_end_where_they_should(options, monkeypatch):
    options = options | {"max_iter": 60, "tol": 0.02, "learning_rate_init": 0.01}
    warnings.filterwarnings("ignore", "Got `batch_size`")
    one_by_one = classifier(**options, callbacks=[callbacks.Callback()]).fit(ROWS, CLASSES)
    together, epochs = [], Passes.epochs

    def noticed(self, orders, *arguments):
        together.append(len(orders))
        return epochs(self, orders, *arguments)

    monkeypatch.setattr(training, "TOGETHER_SECONDS", 1e6)
    monkeypatch.setattr(Passes, "epochs", noticed)
    made = classifier(**options).fit(ROWS, CLASSES)
    assert max(together) == 11 > len(together) / 3
    assert sum(together) == made.n_iter_ == one_by_one.n_iter_ < 60
    assert made.loss_curve_ == one_by_one.loss_curve_
    np.testing.assert_array_equal(made.coefs_[0], one_by_one.coefs_[0])


def test_the_usual_company():
    out = cross_val_predict(classifier(), ROWS, CLASSES, cv=3, method="predict_proba")
    assert out.shape == (80, 2)
    calibrated = CalibratedClassifierCV(classifier(max_iter=20), cv=2).fit(ROWS, CLASSES)
    assert calibrated.predict_proba(ROWS).sum(1) == pytest.approx(1)
    stack = StackingClassifier([("a", classifier()), ("b", classifier(solver="lbfgs"))], LogisticRegression(), cv=2)
    assert stack.fit(ROWS, CLASSES).score(ROWS, CLASSES) > 0.8


@pytest.mark.needs("pandas")
def test_frames_columns_and_set_output():
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"a": ROWS[:, 0], "b": ROWS[:, 1], "c": np.where(ROWS[:, 2] > 0, "x", "y")})
    columns = ColumnTransformer([("n", StandardScaler(), ["a", "b"]), ("c", OneHotEncoder(sparse_output=False), ["c"])])
    pipeline = make_pipeline(columns, classifier(max_iter=30, learning_rate_init=0.05)).set_output(transform="pandas")
    assert pipeline.fit(frame, CLASSES).score(frame, CLASSES) > 0.9
    assert list(pipeline[-1].feature_names_in_) == ["n__a", "n__b", "c__c_x", "c__c_y"]
    with pytest.raises(ValueError, match="feature names"):
        pipeline[-1].predict(frame[["a", "b"]].assign(n=1.0, m=1.0))


def test_metadata_is_routed():
    weights = np.where(CLASSES == "yes", 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = cross_validate(estimator, ROWS, CLASSES, params={"sample_weight": weights}, cv=2, return_estimator=True)
    for each, train in zip(found["estimator"], StratifiedKFold(2).split(ROWS, CLASSES), strict=True):
        rows = train[0]
        assert each.loss_curve_ == classifier().fit(ROWS[rows], CLASSES[rows], weights[rows]).loss_curve_


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_predict_the_same_bits_and_are_their_own(copied, tmp_path):
    import joblib

    made = classifier(dropout=0.3, batch_normalization=True).fit(ROWS, CLASSES)
    expected = made.predict_proba(ROWS)
    other = copied(made)
    assert np.array_equal(other.predict_proba(ROWS), expected)
    other.coefs_[0][...] = 0
    assert not np.array_equal(other.predict_proba(ROWS), expected)
    assert np.array_equal(made.predict_proba(ROWS), expected)
    joblib.dump(made, tmp_path / "made.joblib")
    assert np.array_equal(joblib.load(tmp_path / "made.joblib").predict_proba(ROWS), expected)
    assert not hasattr(clone(made), "coefs_")


def test_weights_that_are_put_in_are_used():
    made = regressor().fit(ROWS, NUMBERS)
    made.coefs_[1] = np.zeros((8, 1))
    made.intercepts_ = [np.zeros(8), np.array([2.5])]
    assert made.predict(ROWS).tolist() == [2.5] * 80


def test_predictions_before_a_fit_are_refused():
    with pytest.raises(NotFittedError):
        classifier().predict(ROWS)
    assert not hasattr(classifier(solver="lbfgs"), "partial_fit")


# What is thalweg's own


def test_an_activation_and_a_dropout_for_each_layer():
    made = classifier(
        hidden_layer_sizes=(8, 6), activation=("gelu", "tanh"), dropout=(0.5, 0.0), max_iter=60, learning_rate_init=0.02
    )
    made.fit(ROWS, CLASSES)
    assert made.score(ROWS, CLASSES) > 0.8
    names = [layer.name for layer in made.to_model().layers]
    assert [name for name in names if "dropout" in name] == ["dropout_1"]
    again = clone(made).fit(ROWS, CLASSES)
    assert np.array_equal(made.coefs_[0], again.coefs_[0])
    other = clone(made).set_params(dropout=0.0).fit(ROWS, CLASSES)
    assert not np.array_equal(made.coefs_[0], other.coefs_[0])


def test_a_function_is_an_activation():
    made = classifier(activation=lambda x: thalweg.ops.maximum(x, 0.0)).fit(ROWS, CLASSES)
    plain = classifier().fit(ROWS, CLASSES)
    assert made.loss_curve_ == pytest.approx(plain.loss_curve_)


def test_batch_normalization_learns_moving_statistics():
    made = regressor(batch_normalization=True, max_iter=80, learning_rate_init=0.02, batch_size=32)
    made.fit(ROWS * 100 + 50, NUMBERS)
    assert made.score(ROWS * 100 + 50, NUMBERS) > 0.8


@pytest.mark.parametrize("loss", ["mean_absolute_error", "huber", losses.Huber(delta=0.1)])
def test_any_loss_of_numbers(loss):
    made = regressor(loss=loss, max_iter=150, learning_rate_init=0.02).fit(ROWS, NUMBERS)
    assert made.score(ROWS, NUMBERS) > 0.9
    weights = np.arange(80) % 3
    several = regressor(loss=loss, batch_size=1000, alpha=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weighted = clone(several).fit(ROWS, NUMBERS, weights)
        repeated = clone(several).fit(np.repeat(ROWS, weights, 0), np.repeat(NUMBERS, weights))
    assert weighted.loss_curve_ == pytest.approx(repeated.loss_curve_)


@pytest.mark.parametrize("loss", ["categorical_focal_crossentropy", "sparse_categorical_crossentropy"])
def test_any_loss_of_classes(loss):
    y = np.digitize(NUMBERS, [-1, 1])
    made = classifier(loss=loss, max_iter=60, learning_rate_init=0.05).fit(ROWS, y)
    assert made.score(ROWS, y) > 0.9


def test_class_weights_are_sample_weights():
    weighted = classifier(class_weight={"no": 1, "yes": 7}).fit(ROWS, CLASSES)
    by_hand = classifier().fit(ROWS, CLASSES, np.where(CLASSES == "yes", 7.0, 1.0))
    assert weighted.loss_curve_ == by_hand.loss_curve_
    assert classifier(class_weight="balanced").fit(ROWS, CLASSES).n_iter_ == 5
    with pytest.raises(ThalwegError, match="partial_fit"):
        classifier(class_weight="balanced").partial_fit(ROWS, CLASSES, classes=["no", "yes"])


def test_an_eval_set_is_looked_at_and_decides():
    made = classifier(max_iter=30).fit(ROWS, CLASSES, eval_set=[(ROWS[:30], CLASSES[:30])])
    assert len(made.validation_scores_) == len(made.validation_loss_curve_) == made.n_iter_
    assert made.validation_scores_[-1] == made.score(ROWS[:30], CLASSES[:30])
    p = made.predict_proba(ROWS[:30])[np.arange(30), (CLASSES[:30] == "yes").astype(int)]
    assert made.validation_loss_curve_[-1] == pytest.approx(-np.log(p).mean())
    stopped = classifier(max_iter=200, early_stopping=True, n_iter_no_change=3)
    stopped.fit(ROWS, CLASSES, eval_set=(ROWS[:30], CLASSES[:30]))
    assert stopped.t_ == 80 * stopped.n_iter_ < 80 * 200
    assert stopped.best_validation_score_ == stopped.score(ROWS[:30], CLASSES[:30]) == max(stopped.validation_scores_)


def test_callbacks_see_the_model_and_can_change_and_stop_it():
    seen = []

    class Watching(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs), float(self.model.optimizer.learning_rate)))
            self.weights = self.model.get_weights()

        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, logs["loss"]))

    halving = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    stopping = callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
    watching = Watching()
    made = classifier(callbacks=[halving, watching, stopping], batch_size=40, max_iter=50, learning_rate_init=0.5)
    made.fit(ROWS, CLASSES, eval_set=(ROWS, CLASSES))
    assert 3 <= made.n_iter_ < 50
    assert seen[2] == (0, ["learning_rate", "loss", "val_accuracy", "val_loss"], 0.25)
    assert seen[1][1] == pytest.approx(made.loss_curve_[0])
    assert made.score(ROWS, CLASSES) == max(made.validation_scores_)
    quiet = classifier(batch_size=40, max_iter=3).fit(ROWS, CLASSES)
    told = classifier(batch_size=40, max_iter=3, callbacks=[Watching()]).fit(ROWS, CLASSES)
    assert told.loss_curve_ == quiet.loss_curve_


def test_the_network_as_a_model_predicts_the_same_and_can_be_saved(tmp_path):
    made = classifier(dtype="float32", hidden_layer_sizes=(8, 3)).fit(ROWS, np.digitize(NUMBERS, [-1, 1]))
    model = made.to_model()
    model.save(tmp_path / "made.thalweg")
    loaded = thalweg.load_model(tmp_path / "made.thalweg")
    np.testing.assert_array_equal(loaded.predict(ROWS.astype("float32"), verbose=0), made.predict_proba(ROWS))


def test_dtype_can_be_chosen():
    made = regressor(dtype="float32").fit(ROWS, NUMBERS)
    assert made.predict(ROWS).dtype == made.coefs_[0].dtype == np.float32
    rounded = regressor(dtype="mixed_bfloat16").fit(ROWS, NUMBERS)
    assert rounded.coefs_[0].dtype == np.float32
    assert rounded.loss_curve_ == pytest.approx(made.loss_curve_, rel=0.01)
    assert rounded.loss_curve_ != made.loss_curve_
    again = pickle.loads(pickle.dumps(rounded)).predict(ROWS)
    assert (
        again.tolist() == rounded.predict(ROWS).tolist() == rounded.to_model().predict(ROWS, verbose=0)[:, 0].tolist()
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_warns_and_keeps_what_was_learned(solver, monkeypatch):
    passes, calls = Passes.run, []

    def run(self, *arguments):
        calls.append(1)
        if len(calls) == 4:
            signal.raise_signal(signal.SIGINT)
        return passes(self, *arguments)

    monkeypatch.setattr(Passes, "run", run)
    made = classifier(solver=solver, max_iter=50, batch_size=32)
    with pytest.warns(UserWarning, match="interrupted by user"):
        made.fit(ROWS, CLASSES)
    assert solver == "lbfgs" or made.n_iter_ == 3
    assert made.predict(ROWS).shape == (80,)


def test_weights_that_overflow_are_an_error_as_in_scikit_learn():
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        regressor(solver="sgd", learning_rate_init=1e8, max_iter=50).fit(ROWS * 1e3, NUMBERS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "rellu"}, "relu"),
        ({"alpha": -1}, "alpha"),
        ({"solver": "adamm"}, "adam"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (3, 4), "activation": ("relu",)}, "hidden layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": 0.5, "solver": "lbfgs"}, "lbfgs"),
        ({"loss": "log_los"}, "log_los"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_what_does_not_fit_is_an_error_in_four_parts(options, message):
    with pytest.raises(ThalwegError, match=message) as caught:
        classifier(**options).fit(ROWS, CLASSES)
    assert isinstance(caught.value, ValueError)


def test_more_that_does_not_fit():
    made = classifier(warm_start=True).fit(ROWS, CLASSES)
    with pytest.raises(ValueError, match="another one"):
        made.set_params(hidden_layer_sizes=(9,)).fit(ROWS, CLASSES)
    with pytest.raises(ValueError, match="same classes"):
        clone(made).fit(ROWS, CLASSES).fit(ROWS, np.arange(80) % 3)
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier().partial_fit(ROWS, CLASSES)
    with pytest.raises(ValueError, match="not the same"):
        classifier().partial_fit(ROWS, CLASSES, classes=["no", "yes"]).partial_fit(ROWS, CLASSES, classes=["a"])
    with pytest.raises(ValueError, match="classes not in"):
        classifier().partial_fit(ROWS, CLASSES, classes=["yes"])
    with pytest.raises(ValueError, match="early_stopping"):
        classifier(early_stopping=True).partial_fit(ROWS, CLASSES, classes=["no", "yes"])
    with pytest.raises(ThalwegError, match="eval_set"):
        classifier().fit(ROWS, CLASSES, eval_set=ROWS)
    with pytest.raises(ValueError, match="sample_weight"):
        classifier().fit(ROWS, CLASSES, [1.0, 2.0])
    with pytest.raises(ValueError, match="non-zero"):
        classifier().fit(ROWS, CLASSES, np.zeros(80))
    with pytest.raises(ThalwegError, match="too small"):
        regressor(early_stopping=True, validation_fraction=0.001).fit(ROWS, NUMBERS)
    assert clone(made).fit(ROWS, CLASSES, 3.0).n_iter_ == 5
