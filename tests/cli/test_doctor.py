"""``thalweg doctor``: of a run, and of a model with its data."""

import json

import numpy as np
import pytest
from tests import nets
from typer.testing import CliRunner

import thalweg
from thalweg import layers
from thalweg.cli import app as cli
from thalweg.cli.codes import FAILED, MISUSED
from thalweg.diagnosis.chart import Chart
from thalweg.diagnosis.deeper import Deeper
from thalweg.diagnosis.looking import look
from thalweg.diagnosis.spread import spread_of


def called(*words):
    return CliRunner().invoke(cli.app, ["doctor", *map(str, words)])


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("THALWEG_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def sick(store):
    """A run of a network whose hidden units all begin with weights of 0."""
    x, y = nets.points(96)
    model = thalweg.Sequential(
        [thalweg.Input((4,)), layers.Dense(8, "relu", kernel_initializer="zeros"), layers.Dense(3, "softmax")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=16, epochs=12, verbose=0, run="sick")
    return model


def test_of_a_run_it_says_what_is_wrong(sick):
    result = called(1)
    assert result.exit_code == 0, result.output
    assert "bad init" in result.output
    assert sick.diagnosis.codes[0] == "bad_init"
    for finding in sick.diagnosis:
        assert finding.change in result.output


def test_json_is_the_diagnosis(sick):
    found = json.loads(called(1, "--json").output)
    assert found["findings"] == json.loads(json.dumps(sick.diagnosis.to_dict()))["findings"]
    assert thalweg.diagnosis.Diagnosis.from_dict(found).codes == sick.diagnosis.codes


@pytest.mark.needs("matplotlib")
def test_report_is_a_page_with_pictures(sick, tmp_path):
    path = tmp_path / "page.html"
    result = called(1, "--report", path, "-q")
    assert result.exit_code == 0, result.output
    text = path.read_text(encoding="utf-8")
    assert text.count("<svg") >= 3
    assert "bad init" in text


def test_of_a_model_and_its_data(store, tmp_path):
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 240)
    x = random.integers(0, 200, (240, 8, 8)).astype(np.uint8)
    x[np.arange(240), 2 * y] += 55
    np.savez(tmp_path / "data.npz", x_train=x[:160], y_train=y[:160], x_test=x[160:], y_test=y[160:])
    model = thalweg.Sequential(
        [thalweg.Input((8, 8)), layers.Flatten(), layers.Dense(16, "relu"), layers.Dense(3, "softmax")]
    )
    model.compile(thalweg.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="divide by 255"):
        model.fit(x[:160], y[:160], epochs=10, verbose=0, diagnose=False)
    model.save(tmp_path / "m.thalweg")
    result = called(tmp_path / "m.thalweg", tmp_path / "data.npz")
    assert result.exit_code == 0, result.output
    assert "unscaled inputs" in result.output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["7"], MISUSED, "there is no run 7"),
        (["m.thalweg"], MISUSED, "together with data"),
        (["nowhere.thalweg", "mnist"], FAILED, "nowhere.thalweg"),
    ],
)
def test_mistakes(store, words, status, said):
    result = called(*words)
    assert result.exit_code == status
    assert said in result.output
    assert "to fix:" in result.output


def test_runs_that_nobody_looked_at_and_files_that_are_broken(store):
    x, y = nets.points(32)
    nets.classifier().fit(x, y, verbose=0, run="alone", diagnose=False)
    assert "has not looked at run 1" in called(1).output
    nets.classifier().fit(x, y, verbose=0, run="broken")
    assert called(2).exit_code == 0
    (store / "2-broken" / "diagnosis.json").write_text("{}")
    assert "is no diagnosis" in called(2).output


@pytest.mark.needs("matplotlib")
def test_deeper_tests_and_histograms_are_on_the_page(store, tmp_path):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)).astype(np.float32), random.integers(0, 3, 60)
    model = nets.classifier()
    spread = spread_of(model, x)
    counts, edges = spread.layers["dense"]
    assert counts.sum() == 60 * model.layers[0].units
    assert edges[0] >= 0
    examination = thalweg.diagnosis.examine(model, x, y, tests=["batch", "surface"])
    chart = Chart("it", look(model, x, y), (spread, Deeper(examination)))
    text = chart.html()
    assert text.count("<svg") >= len(spread.layers) + 2
    assert "Deeper tests" in text
    assert json.dumps(chart.to_dict())
