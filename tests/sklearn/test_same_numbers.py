"""With the same random state the numbers are scikit-learn's, iteration by iteration."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn.neural_network as theirs
from sklearn.exceptions import ConvergenceWarning

import thalweg.sklearn as ours

pytestmark = pytest.mark.needs("sklearn")

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(90, 5))
CLASSES = np.array(["a", "b", "c"])[np.digitize(ROWS @ RANDOM.normal(size=5), [-1, 1])]
NUMBERS = np.exp(ROWS @ [0.5, -0.2, 0.1, 0, 0.3]) + 0.1
WEIGHTS = RANDOM.uniform(0, 3, 90)
SEVERAL_LABELS = (ROWS[:, :3] > 0.3).astype(int)

CASES = {
    "adam": (CLASSES, {}),
    "two classes": (CLASSES == "a", {}),
    "full batch": (CLASSES, {"batch_size": 90}),
    "a rest": (CLASSES, {"batch_size": 32}),
    "not shuffled": (CLASSES, {"batch_size": 32, "shuffle": False}),
    "sgd": (CLASSES, {"solver": "sgd", "momentum": 0.5, "alpha": 0.1}),
    "without momentum": (CLASSES, {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False}),
    "invscaling": (CLASSES, {"solver": "sgd", "learning_rate": "invscaling", "activation": "tanh", "power_t": 0.3}),
    "adaptive": (CLASSES, {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2}),
    "lbfgs": (CLASSES, {"solver": "lbfgs", "activation": "logistic", "alpha": 0.3}),
    "stopped early": (CLASSES, {"early_stopping": True, "n_iter_no_change": 2, "learning_rate_init": 0.01}),
    "two classes, stopped early": (CLASSES == "a", {"early_stopping": True, "validation_fraction": 0.3}),
    "several labels": (SEVERAL_LABELS, {"early_stopping": True}),
    "squared error": (NUMBERS, {"hidden_layer_sizes": (7, 4), "activation": "identity"}),
    "poisson": (NUMBERS, {"loss": "poisson", "solver": "lbfgs"}),
    "several targets": (np.stack([NUMBERS, -NUMBERS], 1), {"early_stopping": True}),
    "no hidden layer": (NUMBERS, {"hidden_layer_sizes": (), "solver": "lbfgs"}),
}


def both(y, **options):
    """scikit-learn's estimator and ours, with the same parameters."""
    kind = "MLPRegressor" if y.dtype.kind == "f" else "MLPClassifier"
    options = {"hidden_layer_sizes": (6,), "max_iter": 12, "random_state": 3} | options
    return getattr(theirs, kind)(**options), getattr(ours, kind)(**options)


def fit(estimator, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*arguments, **options)


def assert_same(a, b, tolerance=1e-6):
    """All that scikit-learn's fitted estimator tells."""
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(a, name) == getattr(b, name), name
    names = ["loss_", "coefs_", "intercepts_"]
    if a.solver != "lbfgs":
        names += ["loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_"]
    for name in names:
        theirs, ours = getattr(a, name), getattr(b, name)
        if theirs is None:
            assert ours is None, name
        else:
            pairs = zip(theirs, ours, strict=True) if isinstance(theirs, list) else [(theirs, ours)]
            for x, y in pairs:
                np.testing.assert_allclose(y, x, rtol=tolerance, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("case", CASES)
def test_all_that_a_fit_leaves_is_the_same(case, weighted):
    y, options = CASES[case]
    a, b = both(y, **options)
    weight = {"sample_weight": WEIGHTS} if weighted else {}
    fit(a, ROWS, y, **weight), fit(b, ROWS, y, **weight)
    assert_same(a, b)
    np.testing.assert_allclose(
        b.predict(ROWS) == a.predict(ROWS) if y.dtype.kind != "f" else b.predict(ROWS),
        np.ones(y.shape) if y.dtype.kind != "f" else a.predict(ROWS),
        rtol=1e-6,
    )
    if hasattr(a, "predict_proba"):
        np.testing.assert_allclose(b.predict_proba(ROWS), a.predict_proba(ROWS), rtol=1e-6)
        np.testing.assert_allclose(b.predict_log_proba(ROWS), a.predict_log_proba(ROWS), rtol=1e-5, atol=1e-9)
    assert b.score(ROWS, y) == pytest.approx(a.score(ROWS, y))


@pytest.mark.parametrize("y", [CLASSES, NUMBERS], ids=["classes", "numbers"])
def test_float32_stays_float32(y):
    a, b = both(y)
    fit(a, ROWS.astype("float32"), y), fit(b, ROWS.astype("float32"), y)
    assert_same(a, b, tolerance=2e-4)
    assert {x.dtype for x in (*b.coefs_, *b.intercepts_)} == {np.dtype("float32")}


def test_sparse_rows_give_the_same_numbers_as_dense_ones():
    from scipy import sparse

    a, b = both(CLASSES, batch_size=32, early_stopping=True)
    rows = sparse.csc_array(np.where(np.abs(ROWS) > 0.5, ROWS, 0))
    fit(a, rows.tocsr(), CLASSES), fit(b, rows, CLASSES)
    assert_same(a, b)
    np.testing.assert_allclose(b.predict_proba(rows), b.predict_proba(rows.toarray()), rtol=1e-12)


def test_sparse_rows_are_made_dense_in_pieces(monkeypatch):
    from scipy import sparse

    from thalweg.sklearn import rows

    monkeypatch.setattr(rows, "CHUNK_BYTES", 5 * 8 * 20)
    a, b = both(CLASSES, batch_size=8)
    fit(a, ROWS, CLASSES), fit(b, sparse.csr_matrix(ROWS), CLASSES)
    assert_same(a, b)


@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "learning_rate": "invscaling"}], ids=["adam", "invscaling"])
def test_partial_fit_goes_on_with_moments_and_rate_also_after_pickle(options):
    a, b = both(CLASSES, **options)
    for part in (slice(0, 40), slice(40, 55), slice(0, 90)):
        a.partial_fit(ROWS[part], CLASSES[part], classes=np.unique(CLASSES))
        b.partial_fit(ROWS[part], CLASSES[part], classes=np.unique(CLASSES))
        b = pickle.loads(pickle.dumps(b))
    assert_same(a, b)


def test_partial_fit_of_several_labels_and_of_numbers():
    for y in (SEVERAL_LABELS, NUMBERS):
        a, b = both(y)
        more = {"classes": [0, 1, 2]} if y is SEVERAL_LABELS else {}
        for _ in range(3):
            a.partial_fit(ROWS, y, **more), b.partial_fit(ROWS, y, **more)
        assert_same(a, b)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_start_goes_on_with_weights_and_curve(early_stopping):
    a, b = both(CLASSES, warm_start=True, early_stopping=early_stopping, max_iter=4)
    for _ in range(3):
        fit(a, ROWS, CLASSES), fit(b, ROWS, CLASSES)
    assert len(b.loss_curve_) == 12
    assert_same(a, b)


def test_probabilities_that_are_as_good_as_0_have_the_same_loss():
    a, b = both(CLASSES, solver="sgd", learning_rate_init=50.0, momentum=0.0, max_iter=3, batch_size=90)
    fit(a, ROWS, CLASSES), fit(b, ROWS, CLASSES)
    assert a.loss_curve_[1] > 10
    assert_same(a, b)


def test_what_is_printed_is_the_same(capsys):
    a, b = both(CLASSES, verbose=True, solver="sgd", learning_rate="adaptive", tol=0.05, n_iter_no_change=1)
    fit(a, ROWS, CLASSES)
    told = capsys.readouterr().out
    fit(b, ROWS, CLASSES)
    assert capsys.readouterr().out == told
    assert "Setting learning rate to" in told


def test_a_fit_that_has_not_converged_warns():
    for solver in ("adam", "lbfgs"):
        _, b = both(CLASSES, max_iter=2, solver=solver)
        with pytest.warns(ConvergenceWarning, match="2"):
            b.fit(ROWS, CLASSES)


def test_a_batch_size_above_the_rows_is_clipped_with_a_warning():
    _, b = both(CLASSES, batch_size=1000, max_iter=1)
    with pytest.warns(UserWarning, match="clipped"):
        fit(b, ROWS, CLASSES)


def test_names_defaults_and_order_of_the_parameters_are_theirs():
    import inspect

    for kind in ("MLPClassifier", "MLPRegressor"):
        wanted = inspect.signature(getattr(theirs, kind)).parameters
        there = inspect.signature(getattr(ours, kind)).parameters
        assert list(there)[: len(wanted)] == list(wanted)
        for name, parameter in wanted.items():
            assert (there[name].default, there[name].kind) == (parameter.default, parameter.kind), name
