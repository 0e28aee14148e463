"""thalweg explain, thalweg profile and thalweg info."""

import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli import app as cli
from thalweg.cli import data as cli_data
from thalweg.cli.options import executor_of
from thalweg.layers import Dense, Flatten, Input


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def digits(monkeypatch):
    """MNIST's form with few images."""
    random = np.random.default_rng(0)
    x, y = random.integers(0, 255, (60, 28, 28)).astype(np.uint8), (np.arange(60) % 10).astype(np.uint8)
    monkeypatch.setitem(cli_data.DATASETS, "mnist", lambda: ((x, y), (x, y)))


@pytest.fixture
def saved(tmp_path):
    model = thalweg.Sequential([Input((28, 28)), Flatten(), Dense(10, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    path = tmp_path / "net.thalweg"
    model.save(path)
    return path


def test_explain_prints_a_stage_of_the_network_that_train_makes(digits):
    found = call("explain", "mnist", "--batch-size", 64)
    assert found.exit_code == 0, found.output
    assert "uint8[64,28,28] = input()" in found.stdout
    assert "update parameters/dense/kernel = " in found.stdout


def test_explain_takes_a_file_and_another_kind_of_step(saved):
    found = call("explain", saved, "--what", "predict", "--stage", "simplified", "--executor", "numpy")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[-1].startswith("output prediction = ")


def test_profile_prints_tasks_and_layers(digits):
    found = call("profile", "mnist", "--seconds", 0.01, "--batch-size", 32)
    assert found.exit_code == 0, found.output
    assert "batch size 32" in found.stdout
    assert "contraction 32x512 over 784" in found.stdout
    assert "dense_1" in found.stdout.split("\n\n")[1]


@pytest.mark.parametrize("data", [[], ["mnist"]], ids=["random numbers", "data"])
def test_profile_takes_a_file(saved, digits, data):
    found = call("profile", saved, *data, "--seconds", 0.01, "--threads", 1, "--what", "evaluate")
    assert found.exit_code == 0, found.output
    assert "1 thread" in found.stdout


@pytest.mark.needs("jax")
def test_a_device_of_jax(digits, saved):
    found = call("explain", saved, "--what", "predict", "--stage", "stablehlo", "--executor", "xla", "--device", "cpu")
    assert found.exit_code == 0, found.output
    assert "stablehlo.dot_general" in found.stdout
    found = call("profile", saved, "--seconds", 0.01, "--executor", "xla")
    assert found.exit_code == 0, found.output
    assert "train, xla, batch size" in found.stdout
    found = call("train", "mnist", "--no-run", "--device", "tpu")
    assert found.exit_code == 1
    assert found.stdout == ""
    assert "Error: JAX sees no device of the kind 'tpu'" in found.stderr


@pytest.mark.needs("jax")
def test_info_names_the_devices_of_jax():
    found = call("info")
    assert found.exit_code == 0, found.output
    assert "JAX:       " in found.stdout
    assert "devices:   cpu" in found.stdout


def test_info_without_jax(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    found = call("info")
    assert found.exit_code == 0, found.output
    assert "JAX:  " in found.stdout
    assert "devices" not in found.stdout


@pytest.mark.parametrize(
    ("name", "device", "meant"),
    [
        (None, None, None),
        ("numpy", None, "numpy"),
        (None, "cpu", None),
        (None, "gpu", "xla:gpu"),
        ("xla", "cpu", "xla:cpu"),
        ("xla", "tpu", "xla:tpu"),
        ("xla:gpu", "gpu", "xla:gpu"),
        ("native", "cpu", "native"),
    ],
)
def test_executor_and_device_are_one_name(name, device, meant, monkeypatch):
    monkeypatch.delenv("THALWEG_EXECUTOR", raising=False)
    assert executor_of(name, device) == meant


def test_the_cpu_is_that_of_the_executor_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("THALWEG_EXECUTOR", "xla")
    assert executor_of(None, "cpu") == "xla:cpu"
    monkeypatch.setenv("THALWEG_EXECUTOR", "numpy")
    assert executor_of(None, "cpu") == "numpy"
    assert executor_of(None, "gpu") == "xla:gpu"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "mnist", "--stage", "kernel"], "did you mean 'kernels'?"),
        (["explain", "mnist", "--batch-size", 0], "batch_size"),
        (["explain", "mnist", "--what", "fit"], "'train', 'evaluate', 'predict'"),
        (["explain", "no such file"], "no such file"),
        (["explain", "mnist", "--stage", "plan", "--executor", "numpy"], "native"),
        (["explain", "mnist", "--executor", "native", "--device", "gpu"], "leave --executor out"),
        (["explain", "mnist", "--executor", "xla:cpu", "--device", "gpu"], "leave --executor out"),
        (["explain", "mnist", "--executor", "nativ"], "did you mean 'native'?"),
        (["profile", "mnist", "--seconds", 0], "seconds"),
        (["profile", "mnist", "minst"], "did you mean 'mnist'?"),
    ],
)
def test_bad_options_are_errors_in_four_parts(digits, arguments, said):
    found = call(*arguments)
    assert found.exit_code == (1 if "no such file" in arguments or "numpy" in arguments else 2)
    assert found.stdout == ""
    assert found.stderr.startswith("Error: ")
    assert said in found.stderr
    assert "to fix:" in found.stderr


def test_a_level_of_debugging_that_does_not_exist_is_an_error_line(digits, monkeypatch):
    monkeypatch.setenv("THALWEG_DEBUG", "abc")
    for command in ("explain", "profile", "train"):
        found = call(command, "mnist")
        assert found.exit_code == 2
        assert "THALWEG_DEBUG" in found.stderr
        assert "Traceback" not in found.stderr
