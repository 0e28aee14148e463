"""What callbacks do every so many steps, or every so many seconds."""

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import callbacks
from thalweg.errors import ArgumentError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.training.frequency import Frequency, seconds

X, Y = nets.points(60)


def fit(*watch, **options):
    model = nets.classifier()
    model.executor = NumpyExecutor()
    history = model.fit(X, Y, **{"batch_size": 10, "epochs": 2, "verbose": 0, "callbacks": watch, **options})
    return model, history


@pytest.mark.parametrize(("text", "expected"), [("30s", 30), ("1.5m", 90), ("1h30m", 5400), ("7", 7), ("0s", None)])
def test_lengths_of_time(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("value", ["soon", "0s", "", 0, -1, 2.5, None])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda value: callbacks.ModelCheckpoint("m", save_freq=value), "save_freq"),
        (lambda value: callbacks.BackupAndRestore("m", save_freq=value), "save_freq"),
        (callbacks.ValidateEvery, "freq"),
    ],
)
def test_what_is_no_frequency(make, name, value):
    with pytest.raises(ArgumentError, match=f"argument '{name}'"):
        make(value)


def test_by_the_clock():
    now = [0.0]
    often = Frequency(seconds=30.0, clock=lambda: now[0])
    often.begin(0)
    assert not often.due(5, epoch_ended=True)
    now[0] = 30.0
    assert often.due(5, epoch_ended=False)
    often.begin(5)
    assert not often.due(5, epoch_ended=False)


def test_steps_run_together_up_to_the_one_that_is_wanted(tmp_path):
    """Every fourth of 6 + 6 steps, without a hook that makes them run one at a time."""
    saved = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=4)
    assert not saved.watches_batches("train")
    model, _ = fit(saved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-4", "2-2", "2-6"]
    going_on = thalweg.load_model(tmp_path / "2-2")
    going_on.executor = NumpyExecutor()
    going_on.fit(X, Y, batch_size=10, epochs=2, initial_epoch=1, verbose=0)
    assert nets.same_bits(model, going_on)


def test_a_checkpoint_by_the_clock(tmp_path):
    saved = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}-{loss:.1f}", save_freq="0.000001s")
    fit(saved, callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None), epochs=1)
    assert [path.name[:3] for path in sorted(tmp_path.iterdir())] == [f"1-{step}" for step in range(1, 7)]


def test_validation_every_few_steps():
    validated = callbacks.ValidateEvery(4)
    plain, _ = fit(validation_data=(X, Y))
    model, history = fit(validated, validation_data=(X, Y))
    assert validated.steps == [4, 8, 12]
    assert list(validated.history) == ["val_loss", "val_accuracy"]
    assert validated.history["val_loss"][-1] == history.history["val_loss"][-1]
    assert nets.same_bits(plain, model)
    with pytest.raises(ArgumentError, match="fit has no validation"):
        fit(callbacks.ValidateEvery(4))


def test_where_the_time_goes():
    timing = callbacks.Timing()
    _, history = fit(timing, validation_data=(X, Y))
    assert len(timing.epochs) == 2
    assert timing.seconds["steps"] == pytest.approx(sum(timing.epochs))
    assert timing.seconds["compiling"] == history.compile_seconds
    assert timing.seconds["validation"] > 0
    assert timing.samples == 120
    assert "validation" in str(timing)


def test_no_longer_than_so_long():
    over = callbacks.TerminateAfter(seconds=1e-9)
    _, history = fit(over, epochs=50)
    assert (history.stopped_by, len(history.epoch)) == ("callback", 1)
    over.set_state({"left": 100.0})
    assert over.get_state()["left"] == pytest.approx(100, abs=5)
    assert callbacks.TimeLimit is callbacks.TerminateAfter


def test_statistics_of_layers_are_kept():
    watch, other = callbacks.LayerStatistics(3), callbacks.LayerStatistics(3)
    fit(watch)
    other.set_state(watch.get_state())
    assert (other.steps, other.layers) == (watch.steps, watch.layers)
    assert np.array_equal(watch.steps, [0, 3, 6, 9])
