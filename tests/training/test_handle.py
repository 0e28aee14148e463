"""``model.optimizer``: the rate may change in every way that Keras's users write; nothing else seems to."""

import numpy as np
import pytest
from tests import nets

from thalweg import errors
from thalweg.spelling import SpellingNotice
from thalweg.training.callbacks import Callback, LearningRateScheduler

X, Y = nets.points(32)


def test_the_rate_can_be_assigned_as_a_variable():
    model = nets.classifier()
    model.optimizer.learning_rate.assign(0.25)
    assert model.optimizer.learning_rate == 0.25
    assert model.optimizer.learning_rate.numpy() == np.float32(0.25)
    with pytest.raises(errors.ArgumentError):
        model.optimizer.learning_rate.assign(-1)


def test_the_older_spelling_sets_the_rate():
    """It used to set an attribute that nobody reads."""
    model = nets.classifier()
    with pytest.warns(SpellingNotice, match="lr is read as"):
        model.optimizer.lr = 0.25
    assert model.optimizer.learning_rate == model.optimizer.lr == 0.25


@pytest.mark.parametrize(("name", "fix"), [("beta_1", "compile with a new Adam"), ("learnin_rate", "did you mean")])
def test_what_would_have_no_effect_cannot_be_set(name, fix):
    with pytest.raises(errors.ArgumentError, match=fix):
        setattr(nets.classifier().optimizer, name, 0.5)


def test_a_rate_changed_in_a_callback_counts_from_the_next_step():
    class Halve(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = self.model.optimizer.learning_rate * 0.5

    halved, scheduled = nets.classifier(), nets.classifier()
    halved.fit(X, Y, epochs=3, verbose=0, callbacks=[Halve()])
    scheduled.fit(X, Y, epochs=3, verbose=0, callbacks=[LearningRateScheduler(lambda epoch: 0.001 * 0.5**epoch)])
    assert nets.same_bits(halved, scheduled)
