"""Commands and estimators that run on the xla executor."""

import csv
import json
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg import config
from thalweg.cli import app as cli

pytestmark = [pytest.mark.needs("jax"), pytest.mark.slow]


def call(*arguments):
    found = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert found.exit_code == 0, found.output
    return found


@pytest.fixture
def houses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THALWEG_RUNS", str(tmp_path / "runs"))
    random = np.random.default_rng(0)
    with open("houses.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["size", "rooms", "town", "price"])
        for size, rooms, town in zip(random.normal(size=80), random.normal(size=80), "ab" * 40, strict=True):
            writer.writerow([size, rooms, town, 2 * size + rooms + (town == "a")])
    return "houses.csv"


def test_a_table_is_trained_on_judged_and_made_again(houses):
    words = ("train", houses, "--target", "price", "--epochs", 3, "--members", 1, "--json")
    errors = []
    for more in (["--executor", "xla"], ["-o", "native.thalweg"]):
        scores = json.loads(call(*words, *more).stdout)["scores"]["scores"]
        errors.append(scores["RMSE"]["value"])
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)
    call("evaluate", "houses.thalweg", houses, "--device", "cpu", "--executor", "xla")
    call("predict", "houses.thalweg", houses, "--executor", "xla", "-o", "xla.csv")
    call("predict", "houses.thalweg", houses, "-o", "native.csv")
    mine, other = (np.loadtxt(name, skiprows=1) for name in ("xla.csv", "native.csv"))
    np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
    assert "The same bits as run 1." in call("runs", "rerun", 1).stdout


@pytest.mark.needs("optuna")
def test_a_search_runs_on_it_and_its_best_is_trained_again_to_the_same_bits(houses):
    call("tune", houses, "--target", "price", "--trials", 2, "--epochs", 2, "--members", 1, "--executor", "xla", "-q")
    assert "xla" in call("runs", "show", 1).stdout
    assert "The same bits as run 1." in call("runs", "rerun", 1).stdout


@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_estimator_learns_the_same_on_it(solver, monkeypatch):
    from sklearn.exceptions import ConvergenceWarning

    from thalweg.sklearn import MLPClassifier

    random = np.random.default_rng(0)
    x = random.normal(size=(90, 4))
    y = (x[:, 0] > x[:, 1]).astype(int)
    found = []
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in ("xla", "native"):
        monkeypatch.setattr(config._settings, "executor", name)
        estimator = MLPClassifier((8,), solver=solver, max_iter=8, random_state=0, tol=0.0).fit(x, y)
        found.append([*estimator.coefs_, *estimator.intercepts_, estimator.predict_proba(x)])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)
