"""Training that is interrupted goes on as if it had not been."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import Input, Model, Sequential, callbacks, layers, optimizers
from thalweg.errors import ArgumentError, FileFormatError, StorageError
from thalweg.executors.numpy import NumpyExecutor
from thalweg.training.backup_folder import BackupNotice

_random = np.random.default_rng(0)
X = _random.normal(size=(24, 3)).astype(np.float32)
Y = _random.normal(size=(24, 1)).astype(np.float32)


class Crash(callbacks.Callback):
    """Raises after so many batches of an epoch."""

    def __init__(self, epoch, batch):
        self.at = (epoch, batch)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise RuntimeError("crash")


def model(optimizer="adam", cls=Model):
    thalweg.utils.set_random_seed(3)
    inputs = Input((3,))
    made = cls(inputs, layers.Dense(1)(layers.Dropout(0.2)(layers.Dense(4, "relu")(inputs))))
    made.executor = NumpyExecutor()
    made.compile(optimizer, "mse", metrics=["mae"])
    return made


def watchers():
    return [
        callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=10.0),
        callbacks.EarlyStopping(monitor="loss", patience=20, restore_best_weights=True),
    ]


def fit(made, folder, *more, **options):
    backup = callbacks.BackupAndRestore(folder, **options)
    return made.fit(X, Y, batch_size=5, epochs=6, verbose=0, callbacks=[backup, *watchers(), *more])


@pytest.mark.parametrize("save_freq", ["epoch", 2])
@pytest.mark.parametrize("optimizer", ["adam", optimizers.SGD(0.1, momentum=0.9, use_ema=True)])
def test_a_crash_changes_nothing(save_freq, optimizer, tmp_path):
    folder = tmp_path / "backup"
    whole, broken = model(optimizer), model(optimizer)
    expected = whole.fit(X, Y, batch_size=5, epochs=6, verbose=0, callbacks=watchers()).history
    with pytest.raises(RuntimeError, match="crash"):
        fit(broken, folder, Crash(3, 3), save_freq=save_freq)
    assert "latest.thalweg" in os.listdir(folder)
    again = model(optimizer)
    history = fit(again, folder, save_freq=save_freq)
    assert (history.epoch, history.history) == ([0, 1, 2, 3, 4, 5], expected)
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not folder.exists()


def test_a_model_that_says_itself_what_a_step_does(tmp_path):
    class Own(Model):
        def train_step(self, data):
            return super().train_step(data)

    expected = model(cls=Own).fit(X, Y, batch_size=5, epochs=6, verbose=0, callbacks=watchers()).history["loss"]
    with pytest.raises(RuntimeError, match="crash"):
        fit(model(cls=Own), tmp_path / "backup", Crash(2, 1), save_freq=1)
    assert fit(model(cls=Own), tmp_path / "backup", save_freq=1).history["loss"] == expected


def test_what_users_callbacks_keep(tmp_path):
    class Counting(callbacks.Callback):
        def __init__(self):
            self.count, self.rows = 0, np.zeros(2)

        def on_epoch_end(self, epoch, logs=None):
            self.count, self.rows = self.count + 1, self.rows + epoch

        def get_state(self):
            return {"count": self.count, "more": [self.rows, {"optimizer": None}]}

        def set_state(self, state):
            self.count, (self.rows, _) = state["count"], state["more"]

    first = (Counting(), Counting())
    with pytest.raises(RuntimeError, match="crash"):
        fit(model(), tmp_path / "backup", *first, Crash(2, 0))
    second = (Counting(), Counting())
    second[1].count = 100  # is set, too
    fit(model(), tmp_path / "backup", *second)
    assert [each.count for each in second] == [6, 6]
    np.testing.assert_array_equal(second[1].rows, np.full(2, 15.0))


def test_a_damaged_backup_and_the_one_before(tmp_path):
    for double in (False, True):
        folder = tmp_path / f"backup_{double}"
        with pytest.raises(RuntimeError, match="crash"):
            fit(model(), folder, Crash(4, 0), double_checkpoint=double)
        latest = folder / "latest.thalweg"
        latest.write_bytes(latest.read_bytes()[:-10])
        if double:
            with pytest.warns(BackupNotice, match="latest.thalweg"):
                assert fit(model(), folder, double_checkpoint=double).epoch == [0, 1, 2, 3, 4, 5]
        else:
            with pytest.raises(FileFormatError):
                fit(model(), folder)


def test_a_backup_of_another_model_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="crash"):
        fit(model(), tmp_path, Crash(1, 0))
    other = Sequential([Input((3,)), layers.Dense(7), layers.Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(ArgumentError, match="of another training") as caught:
        fit(other, tmp_path)
    assert "model.class_name: Sequential, was Model" in caught.value.got


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"x": X + 1}, "data.x: float32[3]"),
        ({"y": Y[:, [0, 0]], "outputs": 2}, "model.config"),
        ({"x": X[:20], "y": Y[:20]}, "data.rows: 20, was 24"),
        ({"batch_size": 6}, "fit.batch_size: 6, was 5"),
        ({"rate": 0.5}, "learning_rate: 0.5, was 0.1"),
        ({"validation_data": (X, Y)}, "validation"),
    ],
)
def test_a_backup_of_another_training_says_what_differs(changed, told, tmp_path):
    def train(x=X, y=Y, outputs=1, rate=0.1, more=(), **options):
        made = Sequential([Input((3,)), layers.Dense(outputs)])
        made.executor = NumpyExecutor()
        made.compile(optimizers.SGD(rate), "mse")
        backup = callbacks.BackupAndRestore(tmp_path)
        made.fit(x, y, **{"batch_size": 5, "epochs": 2, "verbose": 0, "callbacks": [backup, *more], **options})

    with pytest.raises(RuntimeError, match="crash"):
        train(more=[Crash(1, 0)])
    with pytest.raises(ArgumentError, match="of another training") as caught:
        train(**changed)
    assert told in caught.value.got
    train()  # nothing is lost


def test_a_full_disk_does_not_end_training(tmp_path, monkeypatch):
    whole = model()
    whole.fit(X, Y, batch_size=5, epochs=6, verbose=0, callbacks=watchers())

    def full(descriptor):
        raise OSError(28, "No space left on device")

    class Fill(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                monkeypatch.setattr(os, "fsync", full)

    made = model()
    with pytest.warns(BackupNotice, match="No space left on device") as told:
        fit(made, tmp_path, Fill(), save_freq=1, delete_checkpoint=False)
    assert len(told) == 1
    monkeypatch.undo()
    assert nets.same_bits(whole, made)
    again = model()  # the last good one is there
    fit(again, tmp_path, save_freq=1)
    assert nets.same_bits(whole, again)


def test_two_fits_in_one_process_cannot_share_a_folder(tmp_path):
    class Second(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            with pytest.raises(StorageError, match="in use") as caught:
                fit(model(), tmp_path)
            assert "another fit of this process" in caught.value.got

    fit(model(), tmp_path, Second())


@pytest.mark.skipif(os.name == "nt", reason="there are no locks of this kind")
def test_two_processes_cannot_share_a_folder(tmp_path):
    holds = "folder = BackupFolder(sys.argv[1]); folder.take(); print('taken', flush=True); sys.stdin.read()"
    program = f"import sys; from thalweg.training.backup_folder import BackupFolder; {holds}"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"taken\n"
        with pytest.raises(StorageError, match="in use") as caught:
            fit(model(), tmp_path)
        assert str(other.pid) in caught.value.got
        other.kill()
    fit(model(), tmp_path)  # it was not let go of, but its process has ended


def test_ctrl_c_is_no_end(tmp_path):
    """What is written then is the very step; the next run goes on there."""
    whole, made = model(), model()
    expected = whole.fit(X, Y, batch_size=5, epochs=6, verbose=0, callbacks=watchers()).history
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Press(Crash):
        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == self.at:
                os.kill(os.getpid(), signal.SIGINT)

    try:
        assert fit(made, tmp_path, Press(2, 1)).stopped_by == "user"
    finally:
        signal.signal(signal.SIGINT, before)
    steps = []
    counting = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    made = model()
    history = fit(made, tmp_path, counting)
    assert (history.history, history.stopped_by) == (expected, None)
    assert steps[:4] == [2, 3, 4, 0]
    assert nets.same_bits(whole, made)


def test_what_cannot_be_kept(tmp_path):
    class Odd(callbacks.Callback):
        def get_state(self):
            return {"file": object()}

    with pytest.raises(ArgumentError, match="cannot be backed up"):
        fit(model(), tmp_path, Odd())


def test_a_file_that_is_no_backup(tmp_path):
    model().save(tmp_path / "latest.thalweg")
    with pytest.raises(StorageError, match="is no backup"):
        fit(model(), tmp_path)


def test_only_its_own_files_are_deleted(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    fit(model(), tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]
    fit(model(), tmp_path, delete_checkpoint=False)
    assert {"latest.thalweg", "notes.txt"} <= set(os.listdir(tmp_path))
    assert fit(model(), tmp_path, delete_checkpoint=False).epoch == [0, 1, 2, 3, 4, 5]  # it was over


@pytest.mark.parametrize("options", [{"save_freq": 0}, {"save_freq": "batch"}, {"backup_dir": ""}, {"backup_dir": 3}])
def test_bad_arguments(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        callbacks.BackupAndRestore(**{"backup_dir": "backup", **options})
