"""What is kept while a training runs, and that training does not depend on it."""

import numpy as np
import pytest
from tests import nets

from thalweg import callbacks
from thalweg.doctor.watch import EARLY, EPOCHS, Watch
from thalweg.state.names import parameter_state

X, Y = nets.points(96)


def watched(model=None, **arguments):
    model = model or nets.classifier()
    watch = Watch(model.state)
    model.fit(X, Y, **{"batch_size": 8, "epochs": 20, "verbose": 0, "diagnose": False, **arguments}, callbacks=[watch])
    return model, watch


def test_there_are_moments_before_the_first_step_early_and_to_the_end():
    model, watch = watched()
    steps = [moment.step for moment in watch.moments]
    assert steps == sorted(set(steps))
    assert {0, 1, 240} <= set(steps)
    assert len(steps) <= 1 + len(EARLY) + EPOCHS
    assert (watch.steps, watch.epochs) == (240, 20)
    name = parameter_state("dense/kernel")
    assert np.array_equal(watch.moments[-1].parameters[name], model.state.read(name))
    assert not np.array_equal(watch.moments[0].parameters[name], model.state.read(name))


def test_the_first_moment_is_before_the_first_step():
    model = nets.classifier()
    before = model.state.read(parameter_state("dense/kernel"))
    _, watch = watched(model)
    assert np.array_equal(watch.moments[0].parameters[parameter_state("dense/kernel")], before)


def test_training_has_the_same_bits_with_it():
    model, _ = watched()
    plain = nets.classifier()
    plain.fit(X, Y, batch_size=8, epochs=20, verbose=0, diagnose=False)
    assert nets.same_bits(model, plain)


def test_the_best_moment_is_that_of_the_least_validation_loss():
    model, watch = watched(validation_split=0.25, epochs=6)
    losses = model.history.history["val_loss"]
    assert watch.best is not None
    assert watch.best.step == 9 * (int(np.argmin(losses)) + 1)


def test_losses_grow_with_the_steps_and_end_with_those_of_the_last_epoch():
    model, watch = watched()
    steps, losses = zip(*watch.losses, strict=True)
    assert list(steps) == sorted(steps)
    assert steps[-1] == 240
    assert losses[-1] == model.history.history["loss"][-1]


def test_a_training_that_goes_on_from_a_backup_begins_there(tmp_path):
    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("the machine fails")

    model, backup = nets.classifier(), callbacks.BackupAndRestore(tmp_path, "epoch")
    with pytest.raises(RuntimeError):
        model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[backup, Stop()], diagnose=False)
    again = nets.classifier()
    watch = Watch(again.state)
    again.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[backup, watch], diagnose=False)
    assert watch.resumed
    assert watch.moments[0].step == 0
    assert 0 < watch.steps < 48
