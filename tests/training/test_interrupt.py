"""Ctrl-C: the first ends training and keeps everything, the second raises."""

import os
import signal
import threading

import numpy as np
import pytest
from tests import nets

from thalweg import callbacks
from thalweg.executors.native import executor as native
from thalweg.executors.native.run import team
from thalweg.training.interrupt import Interrupt, interruptible

X, Y = nets.points(40)
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent with os.kill")


@pytest.fixture(autouse=True)
def usual_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_finishes_the_step_and_keeps_model_and_history(capsys):
    ended = []
    hooks = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: press() if batch == 2 else None,
        on_train_end=lambda logs: ended.append(True),
    )
    model = nets.classifier()
    history = model.fit(X, Y, epochs=100, batch_size=8, verbose=0, callbacks=[hooks])
    assert history.stopped_by == "user"
    assert history.epoch == []
    assert model.optimizer.iterations == 3
    assert ended == [True]
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Ctrl-C" in error
    model.fit(X, Y, verbose=0)  # goes on


def test_in_a_fit_without_callbacks():
    model = nets.classifier()
    timer = threading.Timer(0.3, press)
    timer.start()
    history = model.fit(X, Y, epochs=10**7, verbose=0)
    assert history.stopped_by == "user"
    assert len(history.epoch) == len(history.history["loss"]) > 0


def test_the_best_weights_come_back():
    stopping = callbacks.EarlyStopping("loss", patience=100, mode="max", restore_best_weights=True)
    kept = []
    hooks = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()) if epoch == 0 else None,
        on_epoch_begin=lambda epoch, logs=None: press() if epoch == 3 else None,
    )
    model = nets.classifier()
    model.fit(X, Y, epochs=10, verbose=0, callbacks=[stopping, hooks])
    assert all(np.array_equal(a, b) for a, b in zip(kept[0], model.get_weights(), strict=True))


def test_the_second_raises():
    with interruptible() as interrupt:
        press()
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            press()


def test_a_handler_of_ones_own_stays():
    seen = []
    signal.signal(signal.SIGINT, lambda *_: seen.append(True))
    try:
        with interruptible() as interrupt:
            press()
        assert seen == [True]
        assert not interrupt.requested
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_an_error_inside_restores_the_handler():
    with pytest.raises(ZeroDivisionError), interruptible():
        raise ZeroDivisionError


class TestLongCalls:
    """A call of compiled code that Python cannot interrupt: a stand-in that ends when it is told to."""

    @pytest.fixture
    def long(self, monkeypatch):
        """A trained model whose next calls do not end before the event is set."""
        monkeypatch.setattr(team, "GRACE_SECONDS", 0.0)
        monkeypatch.setattr(native, "LONG_SECONDS", 0.0)
        model = nets.classifier()
        model.executor = native.NativeExecutor()
        model.fit(X, Y, verbose=0)
        entered, handled, end = threading.Event(), threading.Event(), threading.Event()
        run_steps, handle = native.NativeProgram._run_steps, Interrupt.handle

        def stuck(self, *arguments):
            entered.set()
            end.wait()
            run_steps(self, *arguments)

        def seen(self, number, frame):
            handled.set()
            handle(self, number, frame)

        monkeypatch.setattr(native.NativeProgram, "_run_steps", stuck)
        monkeypatch.setattr(Interrupt, "handle", seen)

        def press_often(times):
            entered.wait()
            press()
            if times == 2:
                handled.wait()
                press()

        yield model, lambda times: threading.Thread(target=press_often, args=(times,)).start(), end
        end.set()

    def test_the_second_ends_them_and_the_step_goes_on(self, long, capsys):
        model, press_during, end = long
        before = model.get_weights()
        press_during(2)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, epochs=10**6, verbose=0)
        assert "still runs in the background" in capsys.readouterr().err
        end.set()
        model.evaluate(X, Y, verbose=0)  # waits for the step
        assert all(np.isfinite(w).all() for w in model.get_weights())
        assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))

    def test_a_prediction_ends_at_the_first(self, long):
        model, press_during, end = long
        press_during(1)
        with pytest.raises(KeyboardInterrupt):
            model.predict(X, verbose=0)
        end.set()
        assert model.predict(X, verbose=0).shape == (40, 3)
