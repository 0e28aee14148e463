"""Ways to say that a model runs on the xla executor, and what is said where it cannot."""

import copy
import os
import subprocess
import sys
from collections import OrderedDict
from functools import partial

import numpy as np
import pytest

import thalweg
from thalweg import config, executors, runs
from thalweg.diagnosis import examine, treat
from thalweg.errors import ArgumentError, ExecutorError
from thalweg.executors.xla import shared
from thalweg.layers import BatchNormalization, Dense, Dropout, Input
from thalweg.record.surroundings import decisive, surroundings

pytestmark = pytest.mark.needs("jax")

X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = X[:, :3].argmax(1).astype("int32")


def made():
    with config.seeded(1):
        model = thalweg.Sequential(
            [Input((4,)), Dense(8, "relu"), Dropout(0.3), BatchNormalization(), Dense(3, "softmax")]
        )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model, **options):
    return model.fit(X, Y, batch_size=10, verbose=0, diagnose=False, **options).history["loss"]


def test_fit_names_the_executor_and_the_model_keeps_it():
    model, native = made(), made()
    first = train(model, epochs=2, executor="xla")
    second = train(model, initial_epoch=2, epochs=4)
    assert model.executor.name == "xla"
    assert first + second == pytest.approx(train(native, epochs=4, executor="native"), rel=1e-5)


def test_naming_the_executor_again_compiles_nothing_again():
    model = made()
    train(model, executor="xla")
    programs = model.runner.programs()
    train(model, executor="xla")
    assert model.runner.programs() is programs
    model.executor = "numpy"
    assert model.runner.programs() is not programs


@pytest.mark.parametrize(("one", "other"), [("xla", "native"), ("native", "xla"), ("xla", "numpy")])
def test_a_model_that_was_trained_on_one_executor_goes_on_on_another(one, other, tmp_path):
    whole, model = made(), made()
    losses = train(whole, epochs=4, executor="numpy")
    parts = train(model, epochs=2, executor=one)
    model.save(tmp_path / "model.thalweg")
    revived, copied = thalweg.load_model(tmp_path / "model.thalweg"), copy.deepcopy(model)
    for each in (model, revived, copied):
        assert parts + train(each, initial_epoch=2, epochs=4, executor=other) == pytest.approx(losses, rel=1e-5)
        np.testing.assert_allclose(each.predict(X, verbose=0), whole.predict(X, verbose=0), rtol=1e-4, atol=1e-6)


def test_files_do_not_know_executors(tmp_path):
    model = made()
    model.executor = "xla"
    model.save(tmp_path / "model.thalweg")
    assert thalweg.load_model(tmp_path / "model.thalweg").executor.name == executors.default().name


def test_the_process_says_it_for_all(monkeypatch):
    monkeypatch.setattr(config._settings, "executor", None)
    config.set_executor("xla")
    assert made().executor.name == "xla"
    monkeypatch.setenv("THALWEG_EXECUTOR", "xla:cpu")
    config.set_executor(None)
    model = made()
    assert train(model) == pytest.approx(train(made(), executor="native"), rel=1e-5)
    assert model.executor.name == "xla:cpu"


def test_a_function_runs_on_it():
    def f(x):
        return thalweg.ops.reduce_sum(thalweg.ops.tanh(x), -1)

    on_xla = thalweg.compile_function(f, executor="xla")
    np.testing.assert_allclose(on_xla(X), thalweg.compile_function(f, executor="numpy")(X), rtol=1e-5)
    assert "stablehlo.tanh" in on_xla.explain("stablehlo")


def test_a_device_that_is_not_there_is_said_before_anything_changes():
    model = made()
    before = model.get_weights()
    with pytest.raises(ExecutorError, match="no device of the kind 'tpu'") as found:
        train(model, executor="xla:tpu")
    assert found.value.expected == "'cpu'"
    assert all(map(np.array_equal, model.get_weights(), before))
    assert model.history is None
    assert model.executor.name == executors.default().name
    with pytest.raises(ExecutorError, match="no device of the kind 'gpuu'") as found:
        model.executor = "xla:gpuu"
    assert found.value.fix == "did you mean 'gpu'?"


def test_an_executor_that_is_not_there():
    with pytest.raises(ArgumentError, match="did you mean 'xla'"):
        train(made(), executor="xlaa")
    with pytest.raises(ArgumentError, match="no executor"):
        train(made(), executor=3)


def test_the_record_of_a_training_says_on_what_it_was():
    found = surroundings("xla")
    assert found["executor"] == "xla"
    assert found["devices"] == "cpu"
    assert found["JAX"].count(".") == 2
    assert any(line.startswith("devices: none, was cpu") for line in decisive(surroundings("numpy"), found))


def test_a_run_is_made_again_on_its_executor(tmp_path):
    model = made()
    train(model, executor="xla", run="first", seed=3)
    number = runs.find()[0].number
    again = runs.rerun(number, X, Y, verbose=0)
    assert again.model.executor.name == "xla"
    assert again.same
    other = made()
    other.executor = "numpy"
    again = runs.rerun(number, X, Y, model=other, verbose=0)
    assert "executor: numpy, was xla" in again.otherwise


ON_BOTH = ("xla", "native")


@pytest.mark.slow
def test_folds_run_at_once_on_what_the_process_has_chosen(monkeypatch):
    losses = {}
    for name in ON_BOTH:
        monkeypatch.setattr(config._settings, "executor", name)
        found = thalweg.cross_validate(made, X, Y, 3, epochs=2, seed=0, verbose=0)
        assert {model.executor.name for model in found.models} == {name}
        losses[name] = [history.history["loss"] for history in found.histories]
    np.testing.assert_allclose(losses["xla"], losses["native"], rtol=1e-5)


@pytest.mark.slow
def test_a_table_is_learned_on_it():
    table = {"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 2] > 0, "x", "y"), "c": X[:, 0] + X[:, 1]}
    losses = {}
    for name in ON_BOTH:
        model = thalweg.train_table(table, "c", epochs=3, members=2, executor=name, verbose=0)
        losses[name] = [history.history["loss"] for history in model.histories]
    np.testing.assert_allclose(losses["xla"], losses["native"], rtol=1e-5)


@pytest.mark.slow
def test_a_treatment_happens_on_the_executor_of_the_model():
    model = made()
    model.executor = "xla"
    cured = treat(model, X, Y, epochs=2, verbose=0, budget=2.0)
    assert cured.model.executor.name == "xla"


@pytest.mark.slow
def test_deeper_tests_find_the_same():
    found = {}
    for name in ON_BOTH:
        model = made()
        train(model, epochs=3, executor=name)
        found[name] = examine(model, X, Y, tests=("gradients", "noise", "curvature", "surface")).outcomes
    for test, outcome in found["native"].items():
        assert found["xla"][test].code == outcome.code
        for number, value in outcome.numbers.items():
            assert found["xla"][test].numbers[number] == pytest.approx(value, rel=0.02, abs=1e-6, nan_ok=True), (
                test,
                number,
            )


def test_layers_are_measured_and_the_doctor_says_the_same():
    told, layers = {}, {}
    for name in ON_BOTH:
        model, watch = made(), thalweg.callbacks.LayerStatistics(every=3)
        model.fit(X, Y, batch_size=10, epochs=3, verbose=0, executor=name, callbacks=[watch])
        told[name], layers[name] = str(model.diagnosis), watch.layers
    assert told["xla"] == told["native"]
    for layer, statistics in layers["native"].items():
        for what, numbers in statistics.items():
            np.testing.assert_allclose(layers["xla"][layer][what], numbers, rtol=1e-4, atol=1e-6, err_msg=what)


@pytest.fixture
def compilations(monkeypatch):
    """The keys of all that is compiled by XLA, which knows nothing at the beginning."""
    keys, before = [], shared.shared

    def noted(key, make):
        def made_anew():
            keys.append(key)
            return make()

        return before(key, made_anew)

    monkeypatch.setattr(shared, "_programs", OrderedDict())
    monkeypatch.setattr("thalweg.executors.xla.executor.shared", noted)
    return keys


def test_models_alike_are_compiled_once(compilations):
    first = train(made(), executor="xla")
    count = len(compilations)
    assert count > 0
    assert train(made(), executor="xla") == first
    assert len(compilations) == count
    other = thalweg.Sequential([Input((4,)), Dense(9, "relu"), Dense(3, "softmax")])
    other.compile("adam", "sparse_categorical_crossentropy")
    train(other, executor="xla")
    assert len(compilations) > count


def test_the_oldest_of_many_programs_go(monkeypatch):
    monkeypatch.setattr(shared, "_programs", OrderedDict())
    monkeypatch.setattr(shared, "MOST", 2)
    for key in (1, 2, 1, 3):
        assert shared.shared(key, partial(str, key)) == str(key)
    assert list(shared._programs) == [1, 3]


@pytest.mark.parametrize("name", ["xla", "xla:gpu"])
def test_a_platform_that_jax_cannot_start(name):
    program = f"from thalweg import executors; executors.named({name!r}).placement"
    environment = {**os.environ, "JAX_PLATFORMS": "cuda", "PYTHONWARNINGS": "ignore"}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert found.returncode == 1
    assert "thalweg.errors.ExecutorError: JAX" in found.stderr
    assert "to fix:" in found.stderr


FORKED = """
import os, sys, warnings
import numpy as np
import thalweg
from thalweg.errors import ExecutorError
warnings.simplefilter("ignore")
model = thalweg.Sequential([thalweg.layers.Input((3,)), thalweg.layers.Dense(2)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 3), "f4"), np.ones((8, 2), "f4"), verbose=0, diagnose=False, executor="xla")
expected = model.predict(np.ones((8, 3), "f4"), verbose=0)
child = os.fork()
if child == 0:
    try:
        model.predict(np.ones((8, 3), "f4"), verbose=0)
    except ExecutorError as error:
        print(error, flush=True)
    model.executor = "numpy"
    print(np.allclose(model.predict(np.ones((8, 3), "f4"), verbose=0), expected), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_process_is_told_that_jax_does_not_compute_in_it():
    found = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert "JAX does not compute in a process that was forked" in found.stdout
    assert "spawn" in found.stdout
    assert found.stdout.splitlines()[-1] == "True"
