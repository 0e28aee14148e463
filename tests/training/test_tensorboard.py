"""What the TensorBoard callback writes, read back."""

import importlib
import struct
import sys

import numpy as np
import pytest

from thalweg import Input, Sequential, callbacks, layers, utils
from thalweg.errors import ArgumentError, MissingPackageError, StorageError
from thalweg.executors.numpy import NumpyExecutor

X, Y = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32), np.ones((20, 1), np.float32)


def fit(watch, **options):
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.executor = NumpyExecutor()
    model.compile("sgd", "mse")
    return model.fit(X, Y, batch_size=10, epochs=3, validation_split=0.5, callbacks=[watch], verbose=0, **options)


def events(folder):
    """(tag, step, value) of everything in the event file of a folder; None for what is no scalar."""
    event_pb2 = importlib.import_module("tensorboardX.proto.event_pb2")
    found = []
    for path in folder.glob("events.out.tfevents.*"):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack("<Q", data[at : at + 8])
            event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            for value in event.summary.value:
                scalar = value.HasField("simple_value")
                found.append((value.tag, event.step, value.simple_value if scalar else None))
    return found


@pytest.mark.needs("tensorboardX")
def test_epochs(tmp_path):
    history = fit(callbacks.TensorBoard(tmp_path, histogram_freq=2, write_steps_per_second=True)).history
    trained, validated = events(tmp_path / "train"), events(tmp_path / "validation")
    assert [value for tag, _, value in trained if tag == "epoch_loss"] == pytest.approx(history["loss"])
    assert [step for tag, step, _ in trained if tag == "epoch_learning_rate"] == [0, 1, 2]
    assert [step for tag, step, _ in trained if tag == "dense/kernel/histogram"] == [0, 2]
    assert any(tag.startswith("model") for tag, _, _ in trained)
    assert [value for tag, _, value in validated if tag == "epoch_loss"] == pytest.approx(history["val_loss"])
    assert [step for tag, step, _ in validated if tag == "evaluation_loss_vs_iterations"] == [1, 2, 3]


@pytest.mark.needs("tensorboardX")
@pytest.mark.parametrize(("update_freq", "steps"), [("batch", [1, 2, 3]), (2, [2])])
def test_batches(update_freq, steps, tmp_path):
    fit(callbacks.TensorBoard(tmp_path, write_graph=False, update_freq=update_freq))
    assert [step for tag, step, _ in events(tmp_path / "train") if tag == "batch_loss"] == steps


class Breaks(callbacks.Callback):
    """Ends the training by an error, as if it were killed behind so many batches."""

    def __init__(self, batches):
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.needs("tensorboardX")
@pytest.mark.parametrize("save_freq", ["epoch", 2])
def test_a_training_that_goes_on_tells_each_step_once(save_freq, tmp_path):
    def train(folder, *others):
        utils.set_random_seed(0)
        model = Sequential([Input((3,)), layers.Dense(1)])
        model.executor = NumpyExecutor()
        model.compile("sgd", "mse")
        board = callbacks.TensorBoard(folder, histogram_freq=1, update_freq="batch")
        watch = [board, callbacks.BackupAndRestore(folder / "backup", save_freq), *others]
        model.fit(X, Y, batch_size=4, epochs=3, validation_split=0.4, seed=0, callbacks=watch, verbose=0)

    (tmp_path / "whole" / "train").mkdir(parents=True)
    train(tmp_path / "whole")
    (tmp_path / "broken" / "train").mkdir(parents=True)
    foreign = tmp_path / "broken" / "train" / "events.out.tfevents.1.host"
    foreign.write_bytes(b"")
    for batches in (2, 4, 3):  # the second try comes into the second epoch and no further
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "broken", Breaks(batches))
    train(tmp_path / "broken")
    for part in ("train", "validation"):
        whole, broken = (sorted(events(tmp_path / kind / part), key=str) for kind in ("whole", "broken"))
        assert broken == whole
    assert foreign.exists()


@pytest.mark.needs("tensorboardX")
def test_it_reads_as_what_tensorboards_own_reader_wants(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = fit(callbacks.TensorBoard(tmp_path, histogram_freq=1)).history
    found = reader.EventAccumulator(str(tmp_path / "train"), {"histograms": 0})
    found.Reload()
    assert [point.value for point in found.Scalars("epoch_loss")] == pytest.approx(history["loss"])
    assert len(found.Histograms("dense/kernel/histogram")) == 3


@pytest.mark.needs("tensorboardX")
def test_a_folder_that_cannot_be_made_is_an_error_in_four_parts(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="TensorBoard cannot write"):
        fit(callbacks.TensorBoard(tmp_path / "file"))


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingPackageError) as caught:
        callbacks.TensorBoard("logs")
    assert caught.value.fix == "pip install 'thalweg[tensorboard]'; or write tables with callbacks.CSVLogger"


@pytest.mark.parametrize(
    "options", [{"profile_batch": 2}, {"write_images": True}, {"update_freq": 0}, {"histogram_freq": -1}]
)
def test_what_is_not_there_is_refused(options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        callbacks.TensorBoard("logs", **options)
