"""``thalweg tune``: a search from the shell."""

import json

import pytest
from typer.testing import CliRunner

import thalweg
from thalweg import runs
from thalweg.cli import app as cli

pytestmark = pytest.mark.needs("optuna")


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def houses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THALWEG_RUNS", str(tmp_path / "runs"))
    lines = ["size,town,price", *(f"{30 + i},{'Ulm' if i % 3 else 'Bonn'},{3 * i + 50 * (i % 3)}" for i in range(60))]
    (tmp_path / "houses.csv").write_text("\n".join(lines))
    return tmp_path


def test_it_searches_trains_judges_and_goes_on_from_its_storage(houses):
    words = (
        "tune",
        "houses.csv",
        "--target",
        "price",
        "--epochs",
        2,
        "--members",
        1,
        "--storage",
        "kept.log",
        "--json",
    )
    first = call(*words, "--trials", 1)
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert len(told["search"]["trials"]) == 1
    assert thalweg.load_model(houses / "houses.thalweg").schema.targets == ("price",)
    assert call(*words, "--trials", 1, "--pruner", "none").exit_code == 0
    assert len(json.loads(call(*words, "--trials", 2).stdout)["search"]["trials"]) == 2


def test_the_search_is_a_run_with_its_trials_which_can_be_repeated(houses):
    words = ("tune", "houses.csv", "--target", "price", "--epochs", 2, "--members", 1, "--trials", 2)
    ended = call(*words)
    assert "Recorded as run 1" in ended.output, ended.output
    (run,) = runs.find()
    assert (run.name, run.kind, run.status) == ("houses", "tune", "finished")
    assert [trial.number for trial in run.trials] == [0, 1]
    best = run.trials[run.settings["best_trial"]]
    assert best.value == run.results["best_val_loss"] == min(trial.value or 0.0 for trial in run.trials)
    assert run.settings["best.dropout"] == best.values["dropout"]
    assert run.results.keys() >= {"test_RMSE", "trials"}
    assert len(run.history().epoch) == 2
    assert (run.folder / "model.thalweg").read_bytes() == (houses / "houses.thalweg").read_bytes()
    shown = call("runs", "show", 1).output
    assert "2 trials" in shown
    assert "wave_deviation" in shown
    told = json.loads(call("runs", "show", 1, "--json").output)
    assert told["trials"][best.number]["value"] == best.value
    again = call("runs", "rerun", 1)
    assert "The same bits as run 1." in again.output, again.output
    assert "The same bits as run 2." in call("runs", "rerun", 2).output
    assert call(*words[:-1], 1, "--no-run").exit_code == 0
    assert len(runs.find()) == 3


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--target", "prise"), 2),
        (("--target", "price", "--sampler", "dice"), 2),
        (("--target", "price", "--storage", "place"), 2),
        (("--target", "price", "--storage", "no/where.db"), 1),
        (("--target", "price", "--time-limit", "soon"), 2),
        (("--target", "price", "--output", "no/where.thalweg"), 1),
    ],
)
def test_bad_input_ends_with_its_status(houses, words, status):
    ended = call("tune", "houses.csv", *words, "--trials", 1, "--epochs", 1)
    assert ended.exit_code == status
    assert "to fix" in ended.output
