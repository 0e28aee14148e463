"""The hooks of callbacks: which, in what order, with what; and what a callback may do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.training import hooks

import thalweg
from thalweg import Input, Model, Sequential, callbacks, layers
from thalweg.errors import GraphError
from thalweg.executors.numpy import NumpyExecutor

ANSWERS = json.loads(Path(__file__).with_name("hooks.json").read_text())
"""What Keras 3.15 calls."""

X, Y = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), np.ones((20, 1), np.float32)


def line(**options):
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.executor = NumpyExecutor()
    model.compile("sgd", "mse", **options)
    return model


def test_the_hooks_are_those_of_keras(monkeypatch):
    monkeypatch.setattr("thalweg.executors.default", NumpyExecutor)
    given = hooks.recorded(thalweg)
    for name, calls in ANSWERS.items():
        assert given[name] == calls, name


@pytest.mark.needs("keras", "jax")
def test_the_answers_are_those_of_the_keras_that_is_installed():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    run = subprocess.run([sys.executable, hooks.__file__], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout.splitlines()[-1]) == ANSWERS


def test_functions_get_the_logs_as_only_argument():
    seen = []
    watch = callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append(dict(logs)),
        on_train_end=lambda logs: seen.append(set(logs)),
        on_test_begin=lambda logs: seen.append(dict(logs)),
        on_epoch_begin=lambda epoch, logs: seen.append((epoch, dict(logs))),
    )
    line().fit(X, Y, validation_split=0.5, callbacks=[watch], verbose=0)
    assert seen == [{}, (0, {}), {}, {"loss", "val_loss"}]


def test_a_batch_of_predict_comes_with_its_outputs():
    inputs = Input((3,))
    several = Model(inputs, [layers.Dense(2)(inputs), layers.Dense(1)(inputs)])
    several.executor = NumpyExecutor()
    given = []
    watch = callbacks.LambdaCallback(on_predict_batch_end=lambda batch, logs: given.append(logs["outputs"]))
    expected = several.predict(X, batch_size=8, verbose=0, callbacks=[watch])
    assert [len(first) for first, _ in given] == [8, 8, 4]
    for number, whole in enumerate(expected):
        np.testing.assert_array_equal(np.concatenate([outputs[number] for outputs in given]), whole)


def test_watching_batches_does_not_change_what_is_computed():
    watch = callbacks.LambdaCallback(
        on_test_batch_end=lambda batch, logs: None, on_predict_batch_end=lambda batch, logs: None
    )
    model = line(metrics=["mae"])
    plain, watched = (model.evaluate(X, Y, 7, 0, callbacks=given) for given in (None, [watch]))
    np.testing.assert_allclose(watched, plain, rtol=1e-5, atol=1e-7)
    plain, watched = (model.predict(X, 7, 0, callbacks=given) for given in (None, [watch]))
    np.testing.assert_allclose(watched, plain, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("what", "use"),
    [
        ("compile", lambda model: model.compile("adam", "mae")),
        ("fit", lambda model: model.fit(X, Y, verbose=0)),
        ("train_on_batch", lambda model: model.train_on_batch(X, Y)),
    ],
)
def test_what_a_callback_may_not_do_while_fit_runs(what, use):
    model = line()
    watch = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: use(model))
    with pytest.raises(GraphError, match=f"{what} is called while fit runs"):
        model.fit(X, Y, callbacks=[watch], verbose=0)
    use(model)


def test_what_a_callback_may_do():
    seen = []

    class Watch(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.evaluate(X, Y, verbose=0))
            self.model.predict(X, verbose=0)
            self.model.optimizer.learning_rate = 0.0

        def on_train_batch_end(self, batch, logs=None):
            self.model.test_on_batch(X[:4], Y[:4])

    history = line().fit(X, Y, batch_size=8, epochs=2, callbacks=[Watch()], verbose=0).history
    assert seen[0] == seen[1]
    np.testing.assert_allclose(history["loss"][1], seen[0], rtol=1e-5)
