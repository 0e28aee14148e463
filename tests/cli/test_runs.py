"""``thalweg runs``: what was recorded is listed, shown, compared, deleted and repeated from a shell."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg import Input, Sequential, layers, optimizers, runs
from thalweg.cli.app import app
from thalweg.record.curves import curves_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("THALWEG_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def thalweg(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def two(folder):
    for rate, loss in ((0.1, 0.5), (0.01, 0.25)):
        with runs.start(f"rate {rate}", settings={"rate": rate}) as run:
            for factor in (2, 1):
                run.log(loss=loss * factor)
            run.result(test_loss=loss * 3)
    return folder


def test_runs_are_listed(two):
    assert thalweg("runs").splitlines()[2].split()[:4] == ["2", "rate", "0.01", "finished"]
    assert thalweg("runs", "--limit", 1).splitlines()[-1] == "1 more: --all, or --limit N"
    table = thalweg("runs", "--csv", "--sort", "-test_loss", "--columns", "rate,test_loss").splitlines()
    assert table[0] == "run,name,status,began,took,epoch,rate,test_loss"
    assert [line.split(",")[0] for line in table[1:]] == ["1", "2"]
    assert [line.split(",")[-2:] for line in table[1:]] == [["0.1", "1.5"], ["0.01", "0.75"]]
    found = json.loads(thalweg("runs", "--json", "--where", "loss < 0.3"))["runs"]
    assert [(run["number"], run["metrics"], run["results"]) for run in found] == [
        (2, {"loss": 0.25}, {"test_loss": 0.75})
    ]
    assert "No runs like that" in thalweg("runs", "-w", "loss > 7")
    assert "is no condition" in thalweg("runs", "-w", "loss", code=2)


def test_a_run_is_shown_with_its_curves(two):
    shown = thalweg("runs", "show", 1)
    assert shown.startswith("Run 1: rate 0.1, finished")
    assert "• loss" in shown
    assert thalweg("runs", "show", 1, "--csv") == "part,epoch,loss\n0,0,1.0\n0,1,0.5\n"
    values = json.loads(thalweg("runs", "show", 1, "--json"))
    assert values["history"] == {"0": {"epoch": [0, 1], "loss": [1.0, 0.5]}}
    assert values["settings"] == {"rate": 0.1}
    assert "there is no run 7" in thalweg("runs", "show", 7, code=2)


@pytest.mark.needs("matplotlib")
def test_curves_are_drawn(two):
    with runs.start("members") as run:
        fits(run, [Sequential([Input((3,)), layers.Dense(1)]) for _ in range(2)])
    thalweg("runs", "compare", 1, 2, 3, "--png", "curves.png")
    assert (two / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_runs_are_compared(two):
    assert [line.split() for line in thalweg("runs", "compare", 1, 2).splitlines() if line.startswith("rate")] == [
        ["rate", "0.1", "0.01"]
    ]
    values = json.loads(thalweg("runs", "compare", 1, 2, "--json"))
    assert values["differences"] == {"rate": [0.1, 0.01]}
    assert values["numbers"] == {"loss": [0.5, 0.25], "test_loss": [1.5, 0.75]}


def fits(run, models, epochs=2):
    x = np.linspace(0, 1, 60).reshape(20, 3)
    for seed, model in enumerate(models):
        model.compile(optimizers.Adam(0.1), "mse")
        model.fit(x, x.sum(1), epochs=epochs, verbose=0, run=run, seed=seed)


def test_members_of_an_ensemble_are_one_curve_and_stages_are_several(folder):
    members = [Sequential([Input((3,)), layers.Dense(1)]) for _ in range(3)]
    with runs.start("members") as run:
        fits(run, members)
    with runs.start("stages") as run:
        fits(run, [members[0]] * 2)
    shown = thalweg("runs", "show", 1)
    assert "• loss (mean and range of 3)" in shown
    assert "·" in shown
    assert "• loss (0)  x loss (1)" in thalweg("runs", "show", 2)
    found = curves_of([runs.load(1)], ["loss", "nothing"])
    (curve,) = found["loss"].values()
    losses = [runs.load(1).history(part).history["loss"] for part in range(3)]
    assert curve.x == [0, 1]
    assert curve.y == pytest.approx(np.mean(losses, 0))
    assert (curve.low, curve.high) == (np.min(losses, 0).tolist(), np.max(losses, 0).tolist())
    assert found["nothing"] == {}
    labels = curves_of([runs.load(1), runs.load(2)], ["loss"])["loss"]
    assert list(labels) == ["1 members loss (mean and range of 3)", "2 stages loss (0)", "2 stages loss (1)"]


def test_runs_are_deleted(two):
    assert "named" not in thalweg("runs", "delete", "--where", "loss > 0.3", "--yes")
    assert [run.number for run in runs.find()] == [2]
    assert thalweg("runs", "delete", "--yes").startswith("No runs to delete")


def images(folder, shift=0):
    random = np.random.default_rng(shift)
    y = np.arange(60) % 3
    x = random.integers(0, 99, (60, 6, 6)) + 50 * y[:, None, None]
    np.savez(folder / "dots.npz", x=x.astype(np.uint8), y=y)


def test_a_training_is_recorded_and_repeated_to_the_same_bits(folder):
    images(folder)
    train = ("train", "dots.npz", "--model", "mlp", "--units", 4, "--epochs", 2)
    assert "Recorded as run 1" in thalweg(*train)
    run = runs.load(1)
    assert (run.name, run.kind, run.status) == ("dots", "train", "finished")
    told = {"optimizer": "adam", "batch_size": 128, "data": "dots.npz", "units": "[4]", "epochs": 2}
    assert run.settings.items() >= told.items()
    assert run.results.keys() == {"test_accuracy", "test_loss"}
    assert (run.folder / "model.thalweg").read_bytes() == (folder / "dots.thalweg").read_bytes()
    os.chdir("/")
    try:
        assert "The same bits as run 1." in thalweg("runs", "rerun", 1, "-o", folder / "again.thalweg")
    finally:
        os.chdir(folder)
    assert runs.load(2).weights == run.weights
    assert (folder / "again.thalweg").read_bytes() == (folder / "dots.thalweg").read_bytes()
    images(folder, shift=1)
    assert "the data are not those of run 1" in thalweg("runs", "rerun", 1, code=1)
    thalweg(*train, "--no-run")
    assert len(runs.find()) == 2


SCRIPT = """
import numpy as np, thalweg
thalweg.utils.set_random_seed(3)
x = np.load("x.npy")
model = thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(4), thalweg.layers.Dropout(0.5)])
model.compile("adam", "mse")
model.fit(x, x[:, :1] * np.ones((1, 4)), epochs=2, verbose=0, run="script")
"""


@pytest.mark.slow
def test_a_script_is_repeated_to_the_same_bits(folder):
    np.save("x.npy", np.linspace(0, 1, 60).reshape(20, 3))
    (folder / "script.py").write_text(SCRIPT)
    assert subprocess.run([sys.executable, "script.py"], check=False).returncode == 0
    assert thalweg("runs", "rerun", 1) == "The same bits as run 1.\n"
    np.save("x.npy", np.linspace(0, 2, 60).reshape(20, 3))
    assert "did not make the same runs" in thalweg("runs", "rerun", 1, code=1)


def test_a_training_that_cannot_be_recorded_goes_on(folder, monkeypatch):
    images(folder)
    (folder / "file").write_text("")
    monkeypatch.setenv("THALWEG_RUNS", str(folder / "file" / "runs"))
    output = thalweg("train", "dots.npz", "--model", "mlp", "--units", 4, "--epochs", 1)
    assert "this training is not recorded" in output
    assert (folder / "dots.thalweg").exists()
