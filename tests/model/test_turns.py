"""One model used by several threads: right results, or an error in four parts; never shared sums or a wait for ever."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests import nets

from thalweg import callbacks
from thalweg.errors import ExecutorError, GraphError

X, Y = nets.points(64)


def in_thread(work):
    """The result of ``work()`` on another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=60)


def test_predictions_and_evaluations_of_many_threads_are_right():
    model = nets.classifier()
    expected = [model.predict(X[:count], verbose=0) for count in range(1, 40)]
    value = model.evaluate(X, Y, verbose=0)
    model = nets.classifier()  # nothing is compiled yet

    def work(number):
        if number % 4 == 3:
            return model.evaluate(X, Y, verbose=0) == value
        count = 1 + number % 39
        return np.allclose(model.predict(X[:count], verbose=0), expected[count - 1], atol=1e-6)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(80)))


def test_steps_of_several_threads_are_made_one_after_the_other():
    model = nets.classifier()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: model.train_on_batch(X, Y), range(20)))
    assert model.optimizer.iterations == 20
    other = nets.classifier()
    for _ in range(20):
        other.train_on_batch(X, Y)
    assert nets.same_bits(model, other)


@pytest.mark.parametrize("what", ["fit", "evaluate", "train_on_batch", "compile"])
def test_what_would_wait_for_another_threads_fit_is_an_error(what):
    model = nets.classifier()
    calls = {
        "fit": lambda: model.fit(X, Y, verbose=0),
        "evaluate": lambda: model.evaluate(X, Y, verbose=0),
        "train_on_batch": lambda: model.train_on_batch(X, Y),
        "compile": lambda: model.compile("sgd", "mse"),
    }
    raised = []

    def other_thread(epoch, logs=None):
        with pytest.raises(ExecutorError, match=f"{what}: another thread trains this model"):
            in_thread(calls[what])
        raised.append(in_thread(lambda: model.predict(X[:5], verbose=0)).shape)

    model.fit(X, Y, epochs=2, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=other_thread)])
    assert raised == [(5, 3)] * 2
    in_thread(calls[what])  # it is free again


def test_a_thread_that_waits_when_a_fit_begins_is_told(monkeypatch):
    model = nets.classifier()
    taken = model.runner.turns.taken
    waiting, done = threading.Event(), threading.Event()
    seen = []

    def wait():
        waiting.set()
        with pytest.raises(ExecutorError) as caught, taken("evaluate"):
            pass
        seen.append(caught.value.fix)
        done.set()

    with taken("train_on_batch"):
        other = threading.Thread(target=wait)
        other.start()
        waiting.wait()
        with taken("fit"):
            assert done.wait(30)
    other.join()
    assert len(seen) == 1


def test_callbacks_evaluate_and_predict_in_their_own_fit():
    model = nets.classifier()
    seen = []
    hooks = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(
            (model.evaluate(X, Y, verbose=0), model.predict(X, verbose=0).shape)
        )
    )
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[hooks])
    assert [shape for _, shape in seen] == [(64, 3)] * 2


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(3, 60))])
def test_random_use_by_several_threads(seed):
    """Every call ends, with a sound result or an error in four parts."""
    model = nets.classifier(seed)
    chosen = random.Random(seed)
    tasks = {
        "fit": lambda: model.fit(X, Y, epochs=2, verbose=0),
        "evaluate": lambda: model.evaluate(X, Y, verbose=0),
        "predict": lambda: model.predict(X[: chosen.randrange(1, 64)], verbose=0),
        "one row": lambda: model.predict(X[:1], verbose=0),
        "train_on_batch": lambda: model.train_on_batch(X, Y),
        "get_weights": lambda: model.get_weights()[0],
        "set_weights": lambda: model.set_weights(model.get_weights()),
        "compile": lambda: model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"]),
        "rate": lambda: setattr(model.optimizer, "learning_rate", 0.01),
    }

    def work(name):
        try:
            result = tasks[name]()
        except (ExecutorError, GraphError):
            return True
        return result is None or not isinstance(result, float | list | np.ndarray) or bool(np.isfinite(result).all())

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(work, chosen.choice(list(tasks))) for _ in range(24)]
        assert all(future.result(timeout=120) for future in futures)
    assert np.isfinite(model.predict(X, verbose=0)).all()
