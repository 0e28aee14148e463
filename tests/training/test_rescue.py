"""A loss that is not finite: where it began, and a model that is as it was before."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import callbacks
from thalweg.errors import NonFiniteError
from thalweg.graph.types import TensorType
from thalweg.layers import Dense
from thalweg.training import rescue

X, Y = nets.points(64)


def diverging():
    """SGD with a rate that blows up within some steps."""
    thalweg.utils.set_random_seed(0)
    model = thalweg.Sequential([thalweg.Input((4,)), Dense(8, name="first"), Dense(1, name="last")])
    model.compile(thalweg.optimizers.SGD(50.0), "mse")
    return model


def test_the_error_names_step_layer_and_tensor_and_the_model_is_good():
    model = diverging()
    with pytest.raises(NonFiniteError) as caught:
        model.fit(X, Y, epochs=50, batch_size=8, verbose=0)
    error = caught.value
    step = model.optimizer.iterations + 1
    assert f"training step {step} " in error.problem
    assert error.layer is not None
    assert any(kind in error.got for kind in ("activation", "gradient", "weight", "loss"))
    assert "learning rate (now 50)" in error.fix
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.history.stopped_by == "non-finite loss"
    assert step > 1


def test_the_good_state_is_that_before_the_bad_step():
    failed, careful = diverging(), diverging()
    with pytest.raises(NonFiniteError):
        failed.fit(X, Y, epochs=50, batch_size=8, verbose=0)
    good = failed.optimizer.iterations

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = self.model.optimizer.iterations == good

    careful.fit(X, Y, epochs=50, batch_size=8, verbose=0, callbacks=[Stop()])
    assert nets.same_bits(failed, careful)


def test_the_finished_epochs_stay_in_the_history():
    model = nets.regressor(features=4, optimizer=thalweg.optimizers.SGD(0.01))

    class Break(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate = 1e38

    with pytest.raises(NonFiniteError):
        model.fit(X, Y, epochs=5, batch_size=8, verbose=0, callbacks=[Break()])
    assert model.history.epoch == [0, 1]


def test_weights_broken_by_the_last_step_are_noticed_though_every_loss_was_finite():
    model = nets.regressor(features=4, optimizer=thalweg.optimizers.SGD(3e38))
    with pytest.raises(NonFiniteError, match="training step 1 "):
        model.fit(X * 100, Y, batch_size=64, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_terminate_on_nan_ends_quietly_on_the_good_state(capsys):
    model = diverging()
    ended = []
    watchers = [callbacks.TerminateOnNaN(), callbacks.LambdaCallback(on_train_end=lambda logs: ended.append(True))]
    history = model.fit(X, Y, epochs=50, batch_size=8, verbose=0, callbacks=watchers)
    assert history.stopped_by == "non-finite loss"
    assert ended == [True]
    assert "training step" in capsys.readouterr().err
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_terminate_on_nan_that_raises():
    with pytest.raises(NonFiniteError):
        diverging().fit(
            X, Y, epochs=50, batch_size=8, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)]
        )


def test_weights_that_were_bad_from_the_start():
    model = nets.classifier()
    kernel = model.get_weights()[0]
    kernel[1, 2] = np.nan
    model.state.write("parameters/dense/kernel", kernel)  # as a file may have it: set_weights refuses
    with pytest.raises(NonFiniteError, match="dense/kernel"):
        model.fit(X, Y, verbose=0)


def test_train_on_batch_leaves_the_model_as_it_was():
    model = nets.regressor(features=4, optimizer=thalweg.optimizers.SGD(3e38))
    before = model.get_weights()
    with pytest.raises(NonFiniteError):
        model.train_on_batch(X * 100, Y)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_metric_may_be_infinite():
    model = nets.regressor(features=4, metrics=["mse"])
    model.runner.trainer("this")
    model.fit(X, Y, verbose=0)
    model.state.add("evaluation/mse/total", TensorType((), "float64"), np.inf)
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(("share", "copies"), [(1.0, 3), (1e-9, 1)])
def test_states_that_take_long_to_copy_are_copied_seldom(monkeypatch, share, copies):
    monkeypatch.setattr(rescue, "SNAPSHOT_SHARE", share)
    model = nets.regressor(features=4)
    model.train_on_batch(X, Y)
    watched = rescue.Rescue(model.runner.trainer("fit"))
    arrays, index = {"x": X, "y": Y}, np.arange(8)[None]
    starts = []
    for second in (0.0, 1.5, 3.0):
        watched.before(arrays, index, second)
        starts.append(watched.kept_at)
    assert len(set(starts)) == copies
