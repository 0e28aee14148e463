"""The hooks in Keras's order, and callbacks that stop, save and log."""

import csv

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import callbacks, errors
from thalweg.executors.numpy import NumpyExecutor


class Recorder(callbacks.Callback):
    """Notes every hook that is called."""

    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if name.startswith("on_"):
            return lambda *args: self.calls.append((name, *args[:-1]) if name.endswith("batch_end") else (name, *args))
        return super().__getattribute__(name)

    def watches_batches(self, phase):
        return True


X, Y = nets.points(40)


def test_the_order_of_the_hooks():
    recorder, model = Recorder(), nets.classifier()
    model.fit(X, Y, epochs=1, validation_split=0.5, verbose=0, callbacks=recorder)
    names = [call[0] for call in recorder.calls]
    assert names == [
        "on_train_begin",
        "on_epoch_begin",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_test_begin",
        "on_test_batch_begin",
        "on_test_batch_end",
        "on_test_end",
        "on_epoch_end",
        "on_train_end",
    ]
    assert recorder.model is model
    assert recorder.params == {"verbose": 0, "epochs": 1, "steps": 1}


def test_batches_are_counted_and_logs_are_running_means():
    seen = []
    watch = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    model = nets.classifier()
    history = model.fit(X, Y, batch_size=16, verbose=0, callbacks=[watch])
    assert [batch for batch, _ in seen] == [0, 1, 2]
    assert seen[-1][1] == history.history["loss"][0]


def test_on_batch_end_is_the_older_name():
    class Older(callbacks.Callback):
        batches = 0

        def on_batch_end(self, batch, logs=None):
            self.batches += 1

    older = Older()
    nets.classifier().fit(X, Y, batch_size=10, verbose=0, callbacks=[older])
    assert older.batches == 4


def test_predict_and_evaluate_call_their_hooks():
    recorder, model = Recorder(), nets.classifier()
    model.predict(X, callbacks=[recorder])
    model.evaluate(X, Y, callbacks=[recorder], verbose=0)
    names = [call[0] for call in recorder.calls]
    assert names[0] == "on_predict_begin"
    assert "on_predict_end" in names
    assert names[-1] == "on_test_end"


def test_stop_training_from_a_batch_ends_at_once():
    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = nets.classifier()
    history = model.fit(X, Y, batch_size=4, epochs=5, verbose=0, callbacks=[Stop()])
    assert model.optimizer.iterations == 1
    assert history.epoch == [0]
    assert history.stopped_by == "callback"


def run(values, **arguments):
    """EarlyStopping over these values of val_loss, as Keras's own tests do it; the stopped epoch, or None."""

    class Model:
        stop_training = False
        weights = 0

        def get_weights(self):
            return [np.array(self.weights)]

        def set_weights(self, weights):
            self.weights = int(weights[0])

        def metric_rises(self, name):
            return False

    stopping = callbacks.EarlyStopping(**arguments)
    model = Model()
    stopping.set_model(model)
    stopping.on_train_begin()
    stopped = None
    for epoch, value in enumerate(values):
        model.weights = epoch
        stopping.on_epoch_end(epoch, {"val_loss": value})
        if model.stop_training:
            stopped = epoch
            break
    stopping.on_train_end()
    return stopped, model.weights


@pytest.mark.parametrize(
    ("values", "arguments", "stopped"),
    [
        ([1.0, 0.9, 0.95, 0.8], {}, 2),
        ([1.0, 0.9, 0.95, 0.96, 0.8], {"patience": 2}, 3),
        ([1.0, 0.9, 0.95, 0.85, 0.9, 0.9], {"patience": 2}, 5),
        ([1.0, 0.95, 0.94], {"min_delta": 0.1}, 1),
        ([0.9, 0.9, 0.9], {"baseline": 0.5, "patience": 2}, 1),
        ([1.0, 2.0], {"mode": "max"}, None),
        ([1.0, 2.0, 1.0], {"mode": "max"}, 2),
        ([1.0, 2.0, 3.0], {"start_from_epoch": 2}, None),
        ([1.0], {}, None),  # never after the first epoch
    ],
)
def test_early_stopping_as_in_keras(values, arguments, stopped):
    assert run(values, **arguments)[0] == stopped


def test_the_best_weights_come_back_also_when_nothing_stopped():
    assert run([1.0, 0.5, 0.7], patience=5, restore_best_weights=True) == (None, 1)
    assert run([1.0, 0.5, 0.7], restore_best_weights=True) == (2, 1)


def test_early_stopping_in_a_fit():
    model = nets.classifier(optimizer=thalweg.optimizers.SGD(1e-9))
    stopping = callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)
    history = model.fit(X, Y, epochs=50, validation_split=0.5, verbose=0, callbacks=[stopping])
    assert history.epoch == [0, 1, 2]
    assert history.stopped_by == "callback"


def test_a_name_that_is_not_logged_gives_one_warning():
    stopping = callbacks.EarlyStopping("val_loss")
    with pytest.warns(UserWarning, match="val_loss") as caught:
        nets.classifier().fit(X, Y, epochs=3, verbose=0, callbacks=[stopping])
    assert len(caught) == 1


def test_a_checkpoint_of_every_epoch(tmp_path):
    saver = callbacks.ModelCheckpoint(tmp_path / "new" / "{epoch:02d}-{loss:.3f}.thalweg")
    model = nets.classifier()
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[saver])
    expected = [f"{e + 1:02d}-{loss:.3f}.thalweg" for e, loss in enumerate(history.history["loss"])]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == expected
    loaded = thalweg.load_model(tmp_path / "new" / expected[0])
    loaded.fit(X, Y, epochs=2, initial_epoch=1, verbose=0)
    assert nets.same_bits(loaded, model)


def test_a_checkpoint_of_the_best_epoch(tmp_path):
    path = tmp_path / "best.safetensors"
    saved = []
    saver = callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True, save_weights_only=True, mode="max")
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: saved.append(path.stat().st_mtime_ns))
    nets.classifier().fit(X, Y, epochs=3, verbose=0, callbacks=[saver, note])  # the loss falls: only the first is best
    assert len(set(saved)) == 1


def test_a_checkpoint_every_few_batches(tmp_path):
    saver = callbacks.ModelCheckpoint(str(tmp_path / "{epoch}-{batch}.thalweg"), save_freq=2)
    nets.classifier().fit(X, Y, batch_size=10, epochs=1, verbose=0, callbacks=[saver])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2.thalweg", "1-4.thalweg"]


def test_a_file_name_with_an_unknown_value(tmp_path):
    saver = callbacks.ModelCheckpoint(str(tmp_path / "{val_los}.thalweg"))
    with pytest.raises(errors.ArgumentError, match="val_los"):
        nets.classifier().fit(X, Y, verbose=0, callbacks=[saver])


def test_the_csv_has_a_row_per_epoch(tmp_path):
    path = tmp_path / "log.csv"
    model = nets.classifier()
    history = model.fit(X, Y, epochs=2, validation_split=0.2, verbose=0, callbacks=[callbacks.CSVLogger(path)])
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert [float(row["val_loss"]) for row in rows] == history.history["val_loss"]
    model.fit(X, Y, epochs=3, initial_epoch=2, verbose=0, callbacks=[callbacks.CSVLogger(path, append=True)])
    assert path.read_text().count("epoch") == 1
    assert path.read_text().splitlines()[-1].startswith("2,")


def test_a_schedule_sets_and_logs_the_rate():
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    model = nets.classifier(optimizer=thalweg.optimizers.SGD(0.5))
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[scheduler])
    assert history.history["learning_rate"] == [0.25, 0.125]


class Plateau(callbacks.ReduceLROnPlateau):
    """Monitors values given in advance."""

    def __init__(self, values, **options):
        super().__init__("loss", mode="min", **options)
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        given = {"loss": self.values[epoch]}
        super().on_epoch_end(epoch, given)
        self.rates = [*getattr(self, "rates", []), given["learning_rate"]]


@pytest.mark.parametrize(
    ("options", "rates"),
    [
        # the rate in the logs is that of the epoch that ends; the first one improves on nothing
        ({"patience": 2}, [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 1, "cooldown": 2}, [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
        ({"patience": 1, "min_lr": 0.3}, [1, 1, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3]),
        ({"patience": 1, "min_delta": 0.0}, [1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_a_plateau_lowers_the_rate(options, rates):
    watch = Plateau([1.0 - 1e-5 * epoch for epoch in range(8)], factor=0.5, **options)
    model = nets.classifier(optimizer=thalweg.optimizers.SGD(1.0))
    model.fit(X, Y, epochs=8, verbose=0, callbacks=[watch])
    np.testing.assert_allclose(watch.rates, rates, rtol=1e-6)


def test_a_plateau_is_logged_and_told(capsys):
    watch = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9, verbose=1)
    history = nets.classifier(optimizer=thalweg.optimizers.SGD(0.5)).fit(X, Y, epochs=3, verbose=0, callbacks=[watch])
    assert history.history["learning_rate"] == [0.5, 0.5, 0.25]
    assert "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.25." in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [{"factor": 1.0}, {"patience": -1}, {"cooldown": 0.5}, {"min_lr": -1.0}])
def test_a_plateau_of_bad_arguments(wrong):
    with pytest.raises(errors.ArgumentError, match=next(iter(wrong))):
        callbacks.ReduceLROnPlateau(**wrong)


def test_what_is_no_callback_or_hook_is_refused():
    with pytest.raises(errors.ArgumentError, match="a Callback"):
        nets.classifier().fit(X, Y, callbacks=[print])
    with pytest.raises(errors.ArgumentError, match="did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_ends=print)


class TestSwapEMAWeights:
    @staticmethod
    def model(**options):
        return nets.classifier(optimizer=thalweg.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.8), **options)

    def test_validation_sees_the_averages(self):
        averages, plain = self.model(), self.model()
        x, y = nets.points()
        held = nets.points(40, seed=1)
        seen = averages.fit(
            x, y, epochs=3, verbose=0, validation_data=held, callbacks=[thalweg.callbacks.SwapEMAWeights()]
        ).history
        raw = plain.fit(x, y, epochs=3, verbose=0, validation_data=held).history
        assert nets.same_bits(averages, plain)  # training itself is the same, and ends with the averages
        assert seen["loss"] == raw["loss"]
        assert seen["val_loss"][-1] == pytest.approx(averages.evaluate(*held, verbose=0)[0], rel=1e-6)
        assert seen["val_loss"][-1] != raw["val_loss"][-1]

    @pytest.mark.parametrize("stops", [False, True])
    def test_swapped_between_epochs_for_those_behind(self, stops):
        behind = []

        class Watch(thalweg.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                average = self.model.state.read("slots/dense/kernel/average")
                behind.append(np.array_equal(self.model.get_weights()[0], average))
                self.model.stop_training = stops and epoch == 1

        swapped, plain = self.model(), self.model()
        x, y = nets.points()
        swap = thalweg.callbacks.SwapEMAWeights(swap_on_epoch=True)
        swapped.fit(x, y, epochs=3, verbose=0, callbacks=[swap, Watch()])
        plain.fit(x, y, epochs=2 if stops else 3, verbose=0)
        assert behind == [True] * (2 if stops else 3)
        assert nets.same_bits(swapped, plain)
        swapped.fit(x, y, epochs=1, verbose=0, callbacks=[swap])
        plain.fit(x, y, epochs=1, verbose=0)
        assert nets.same_bits(swapped, plain)

    def test_it_needs_averages(self):
        x, y = nets.points()
        with pytest.raises(thalweg.errors.ArgumentError, match="keeps no averages") as caught:
            nets.classifier().fit(x, y, verbose=0, callbacks=[thalweg.callbacks.SwapEMAWeights()])
        assert caught.value.fix == "compile with Adam(use_ema=True)"


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("EarlyStopping", {"patience": -1}),
        ("EarlyStopping", {"patience": 1.5}),
        ("EarlyStopping", {"min_delta": "a"}),
        ("EarlyStopping", {"min_delta": float("nan")}),
        ("EarlyStopping", {"start_from_epoch": -1}),
        ("EarlyStopping", {"baseline": "a"}),
        ("EarlyStopping", {"monitor": 3}),
        ("EarlyStopping", {"mode": "mx"}),
        ("EarlyStopping", {"restore_best_weights": "yes"}),
        ("ReduceLROnPlateau", {"factor": 1.0}),
        ("ReduceLROnPlateau", {"min_delta": None}),
        ("ModelCheckpoint", {"filepath": 3}),
        ("ModelCheckpoint", {"filepath": "a", "save_freq": 0}),
        ("ModelCheckpoint", {"filepath": "a", "save_freq": True}),
        ("ModelCheckpoint", {"filepath": "a", "save_best_only": "yes"}),
        ("ModelCheckpoint", {"filepath": "a", "initial_value_threshold": "a"}),
        ("LearningRateScheduler", {"schedule": 0.1}),
        ("LambdaCallback", {"on_epoch_end": 3}),
        ("CSVLogger", {"filename": 3}),
        ("CSVLogger", {"filename": "a", "separator": ";;"}),
        ("CSVLogger", {"filename": "a", "append": "yes"}),
        ("TerminateOnNaN", {"raise_error": "yes"}),
        ("SwapEMAWeights", {"swap_on_epoch": "yes"}),
    ],
)
def test_bad_arguments_are_refused_at_once(kind, wrong):
    with pytest.raises(errors.ArgumentError, match=f"{kind}: argument '{list(wrong)[-1]}'"):
        getattr(callbacks, kind)(**wrong)


class TestAppendedLog:
    """``CSVLogger(append=True)`` keeps values below the names that they belong to."""

    def log(self, path, metrics, append=True, **options):
        x, y = nets.points()
        model = nets.classifier(metrics=metrics)
        history = model.fit(x, y, verbose=0, callbacks=[callbacks.CSVLogger(path, append=append)], **options)
        return history.history

    def rows(self, path):
        with open(path, newline="") as file:
            return list(csv.DictReader(file))

    def test_more_and_fewer_columns(self, tmp_path):
        path = tmp_path / "log.csv"
        x, y = nets.points()
        kept = [
            self.log(path, ["accuracy"], validation_data=(x, y)),
            self.log(path, ["accuracy", "mcc"], validation_data=(x, y)),
            self.log(path, []),
        ]
        rows = self.rows(path)
        assert len(rows) == 3
        for row, history in zip(rows, kept, strict=True):
            assert None not in row  # no row is longer than the names
            for name in rows[0].keys() - {"epoch"}:
                assert row[name] == (str(history[name][0]) if name in history else "NA")

    def test_another_file_is_left_alone(self, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("not a log\n")
        with pytest.raises(errors.StorageError, match="cannot append"):
            self.log(path, [])
        assert path.read_text() == "not a log\n"


def test_the_epoch_that_ends_with_a_loss_that_is_not_finite_is_that_of_keras():
    """Keras 3.15 on JAX: [inf] and [5.3407683e30] where its kernel begins elsewhere; TerminateOnNaN in both."""
    model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, kernel_initializer="zeros")])
    model.executor = NumpyExecutor()
    model.compile(thalweg.optimizers.SGD(1e30), "mse", metrics=["mae"])
    seen = {}
    watch = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.update(epoch=epoch), on_train_end=lambda logs: seen.update(logs)
    )
    stop = callbacks.TerminateOnNaN()
    history = model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=2, epochs=3, verbose=0, callbacks=[stop, watch])
    assert history.epoch == [0]
    assert history.history["loss"] == [np.inf]
    np.testing.assert_allclose(history.history["mae"], [(1.0 + 6e30) / 2], rtol=1e-6)
    assert seen == {"epoch": 0, "loss": np.inf, "mae": history.history["mae"][0]}
