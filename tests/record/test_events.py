"""What happens in training is told as plain values, in its order; history and progress line are made of these."""

import contextlib
import pickle

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import callbacks
from thalweg.errors import NonFiniteError
from thalweg.record import events
from thalweg.record.history import History
from thalweg.training.callbacks import CallbackList
from thalweg.training.progress import Progress
from thalweg.training.session import FitOptions, fit

X, Y = nets.points(48)


def told(model, watchers=(), x=X, y=Y, **options):
    """The events of a fit of two epochs of three steps, and its history."""
    seen, history = [], History()
    rows = model.runner.prepare(x, y)
    callback_list = CallbackList(watchers)
    callback_list.attach(model, {})
    model.stop_training = False
    told_options = FitOptions(**{"batch_size": 16, "epochs": 2, "verbose": 0, **options})
    with contextlib.suppress(NonFiniteError):
        fit(model.runner.trainer("fit"), rows, None, told_options, callback_list, history, [seen.append])
    return seen, history


def test_the_events_of_a_fit():
    seen, history = told(nets.classifier())
    assert seen[0] == events.TrainingBegun(first_epoch=0, epochs=2, steps=3, rows=48, batch_size=16)
    kinds = [type(event) for event in seen if not isinstance(event, events.Interval)]
    epoch = [events.EpochBegun, events.EpochEnded]
    assert kinds == [events.TrainingBegun, *epoch, *epoch, events.TrainingEnded]
    ended = [event for event in seen if isinstance(event, events.EpochEnded)]
    assert [event.logs["loss"] for event in ended] == history.history["loss"]
    assert all(event.seconds > 0 for event in ended)
    assert seen[-1] == events.TrainingEnded(None, history.compile_seconds)


def test_an_interval_tells_how_far_the_epoch_is():
    seen, _ = told(nets.classifier(), [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)])
    first = next(event for event in seen if isinstance(event, events.Interval))
    assert (first.epoch, first.step, first.logs.keys()) == (0, 1, {"loss", "accuracy"})


def test_a_callback_may_tell_what_it_did(tmp_path):
    seen, _ = told(nets.classifier(), [callbacks.ModelCheckpoint(str(tmp_path / "{epoch}"))])
    written = [event for event in seen if isinstance(event, events.CheckpointWritten)]
    assert written == [events.CheckpointWritten(epoch, str(tmp_path / str(epoch + 1))) for epoch in (0, 1)]


def test_a_callback_can_be_copied_after_training(tmp_path):
    saved = callbacks.ModelCheckpoint(str(tmp_path / "{epoch}"))
    told(nets.classifier(), [saved])
    again = pickle.loads(pickle.dumps(saved))
    again.tell(events.CheckpointWritten(0, "nobody hears this"))
    assert again.filepath == saved.filepath


def test_what_is_wrong_is_told_before_training_ends():
    model = nets.classifier(optimizer=thalweg.optimizers.SGD(3e38))
    *_, found, ended = told(model)[0]
    assert isinstance(found, events.Found)
    assert (found.epoch, found.code) == (0, "non-finite loss")
    assert "not finite" in found.message
    assert ended.stopped_by == "non-finite loss"


def test_who_stopped_it():
    def stop(epoch, logs):
        model.stop_training = True

    model = nets.classifier()
    seen, history = told(model, [callbacks.LambdaCallback(on_epoch_end=stop)])
    assert seen[-1].stopped_by == history.stopped_by == "callback"
    assert history.epoch == [0]


def test_a_history_of_made_up_events():
    history = History()
    for epoch, loss in enumerate((2.0, 1.0)):
        history.hear(events.EpochBegun(epoch, 0))
        history.hear(events.EpochEnded(epoch, {"loss": loss}, seconds=0.5))
    history.hear(events.TrainingEnded("user", 0.25))
    assert (history.epoch, history.history) == ([0, 1], {"loss": [2.0, 1.0]})
    assert (history.stopped_by, history.compile_seconds) == ("user", 0.25)


def test_a_progress_line_of_made_up_events(capsys):
    progress = Progress(2, 0, 1, 10)
    for event in (
        events.EpochBegun(0, 0),
        events.Interval(0, 5, {"loss": 2.0}),
        events.EpochEnded(0, {"loss": 1.0}, 0.1),
        events.TrainingEnded(None, 0.0),
    ):
        progress.hear(event)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("Epoch 1/1")
    assert line.endswith("loss: 1.0000")


def test_events_are_values():
    event = events.Found(1, "dead-relu", "half of the units give 0 for every row", "dense")
    assert event == events.Found(1, "dead-relu", "half of the units give 0 for every row", "dense")
    assert "dead-relu" in repr(event)
    with pytest.raises(AttributeError):
        setattr(event, "code", "other")  # noqa: B010
    assert np.isfinite(events.EpochEnded(0, {}, 0.5).seconds)
