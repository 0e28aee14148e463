"""Ways to say that a model runs on the xla executor, and what is said where it cannot."""

import copy

import numpy as np
import pytest

import thalweg
from thalweg import config, executors
from thalweg.errors import ArgumentError, ExecutorError
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
