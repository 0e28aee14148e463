"""Streams of batches train, evaluate and predict as arrays do, to the same bits."""

import warnings

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import errors
from thalweg.callbacks import BackupAndRestore, Callback, EarlyStopping, LambdaCallback
from thalweg.data.streams import slots
from thalweg.model.given import Given
from thalweg.streams import NumpyFiles
from thalweg.training.feed import DataNotice
from thalweg.utils import PyDataset

X, Y = nets.points(90)
Y = Y.astype(np.int32)


def batches(times=1, size=16, weight=None, end=90):
    for _ in range(times):
        for first in range(0, end, size):
            part = slice(first, first + size)
            yield (X[part], Y[part]) if weight is None else (X[part], Y[part], weight[part])


class Batches(PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.log = []

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[16 * index : 16 * index + 16], Y[16 * index : 16 * index + 16]

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


def trained(x, y=None, **options):
    model = nets.classifier(dropout=0.2)
    model.fit(x, y, **{"epochs": 3, "verbose": 0, **options})
    return model


AS_ARRAYS = {"batch_size": 16, "shuffle": False}


@pytest.mark.parametrize(
    ("stream", "options"),
    [
        (lambda: batches(3), {"steps_per_epoch": 6}),
        (lambda: batches, {}),
        (lambda: Batches(), {"shuffle": False}),
        (lambda: Batches(workers=3, max_queue_size=2), {"shuffle": False}),
        (lambda: map(list, batches(3)), {"steps_per_epoch": 6}),
    ],
)
def test_a_stream_trains_as_arrays_do(stream, options, monkeypatch):
    monkeypatch.setattr(slots, "SLOT_BYTES", 2000)  # a few batches
    whole = trained(X, Y, validation_data=(X[:50], Y[:50]), **AS_ARRAYS)
    model = trained(stream(), validation_data=(X[:50], Y[:50]), **options)
    assert nets.same_bits(whole, model)
    assert whole.history.history == model.history.history


def test_weights_come_with_the_batches_or_from_the_classes():
    weight = np.linspace(0, 2, 90)
    whole = trained(X, Y, sample_weight=weight, **AS_ARRAYS)
    assert nets.same_bits(whole, trained(batches(3, weight=weight), steps_per_epoch=6))
    weights = {0: 1.0, 1: 3.0}
    whole = trained(X, Y, class_weight=weights, **AS_ARRAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a batch need not have all classes
        assert nets.same_bits(whole, trained(lambda: batches(size=16), class_weight=weights))
    with pytest.raises(errors.ArgumentError, match="nobody has counted"):
        trained(batches, class_weight="balanced")


def test_evaluation_and_prediction_are_those_of_arrays():
    model = nets.classifier()
    assert model.evaluate(batches(size=7), verbose=0) == model.evaluate(X, Y, verbose=0)
    np.testing.assert_array_equal(model.predict(batches(size=7), verbose=0), model.predict(X, verbose=0))
    np.testing.assert_array_equal(model.predict(Batches(), verbose=0), model.predict(X, verbose=0))
    assert model.evaluate(batches(9), steps=2, verbose=0) == model.evaluate(X[:32], Y[:32], verbose=0)
    assert len(model.predict(batches(9), steps=2, verbose=0)) == 32
    seen = []

    class Watch(Callback):
        def on_predict_batch_end(self, batch, logs=None):
            assert logs is not None
            seen.append(len(logs["outputs"]))

    model.predict(batches(size=40), verbose=0, callbacks=[Watch()])
    assert seen == [40, 40, 10]


@pytest.mark.parametrize(("stream", "steps"), [(lambda: Batches(), 1), (batches, None), (lambda: X, 1)])
def test_the_steps_of_an_evaluation_are_known_where_the_batches_are(stream, steps):
    model = nets.classifier()
    data = stream()
    rows = Given.of("evaluate", data, Y if data is X else None).prepared(model.runner)
    evaluation = model.runner.trainer("evaluate", rows).evaluation(rows, 32)
    assert evaluation.steps == steps
    done = 0

    def watch(count):
        nonlocal done
        done = count
        return True

    evaluation.run(1, watch)
    assert done == 1


def test_the_order_of_a_dataset_is_of_seed_and_pass():
    one, same = (trained(Batches(), seed=3, epochs=2) for _ in range(2))
    assert nets.same_bits(one, same)
    assert not nets.same_bits(one, trained(Batches(), seed=3, epochs=2, shuffle=False))


def test_the_hooks_of_a_dataset_are_called_around_each_pass():
    data = Batches()
    trained(data, epochs=2)
    assert data.log == ["begin", "end"] * 2
    assert data.num_batches == len(list(data)) == 6


def test_the_hooks_of_a_dataset_are_called_around_evaluation_and_prediction():
    model, data = nets.classifier(), Batches()
    model.evaluate(data, verbose=0)
    assert data.log == ["begin", "end"]
    model.predict(data, verbose=0)
    assert data.log == ["begin", "end"] * 2
    model.evaluate(data, steps=2, verbose=0)
    assert data.log == ["begin", "end"] * 3
    model.fit(X, Y, validation_data=data, epochs=2, verbose=0)
    assert data.log == ["begin", "end"] * 5


def test_an_iterator_goes_on_where_it_stands():
    """Read-ahead is not in the numbers: what a fit did not use, the next one gets."""
    stream = batches(6)
    model = trained(stream, steps_per_epoch=4, epochs=5, callbacks=[EarlyStopping("loss", baseline=0.0, mode="min")])
    steps = 4 * len(model.history.epoch)
    counted = []
    model.fit(
        stream, verbose=0, callbacks=[LambdaCallback(on_train_batch_end=lambda batch, logs: counted.append(batch))]
    )
    assert len(counted) == 36 - steps > 16


@pytest.mark.parametrize(("steps", "epochs", "made"), [(None, 3, [6]), (4, 3, [4, 2]), (6, 2, [6]), (9, 1, [6])])
def test_a_generator_that_ends_early_ends_training(steps, epochs, made):
    seen = []
    count = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(0),
        on_train_batch_end=lambda batch, logs: seen.__setitem__(-1, seen[-1] + 1),
    )
    with pytest.warns(DataNotice, match="the data ended after"):
        model = trained(batches(), steps_per_epoch=steps, epochs=epochs, callbacks=[count])
    assert seen == made
    assert len(model.history.epoch) == len(made)
    assert model.history.stopped_by == "out of data"


def test_validation_by_a_stream():
    whole = trained(X, Y, validation_data=(X[:32], Y[:32]), **AS_ARRAYS)
    model = trained(batches, validation_data=batches(3, end=32), validation_steps=2)
    assert model.history.history == whole.history.history
    with pytest.warns(DataNotice, match="validation data ended"):
        model = trained(batches, validation_data=batches(end=32))
    assert len(model.history.history["val_loss"]) == 1


def test_an_exception_leaves_the_model_as_after_the_batch_before():
    def fails():
        yield from batches(2, end=80)
        raise OSError("gone")

    model = nets.classifier(dropout=0.2)
    with pytest.raises(errors.DataError, match="generator fails failed at batch 10, counted from 0") as caught:
        model.fit(fails(), steps_per_epoch=5, epochs=4, verbose=0)
    assert "OSError: gone" in caught.value.got
    assert len(model.history.epoch) == 2
    assert nets.same_bits(model, trained(X[:80], Y[:80], epochs=2, **AS_ARRAYS))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ((X[:16, :2], Y[:16]), "does not fit the model's input"),
        ((X[:16], Y[:15]), "equally many rows"),
        ((np.full((16, X.shape[1]), np.nan), Y[:16]), "not finite"),
        ((X[:16], Y[:16], -np.ones(16)), "negative"),
        ((X[:16], Y[:16], np.ones(16)), "not as those of the first"),
        ((X[:16], Y[:16] + 100), "batch 1"),
        ((X[:16],), "no targets"),
        ((X[:16], Y[:16], None, None), "another number of parts"),
        ("text", "numbers"),
    ],
)
def test_a_bad_batch_is_named(bad, message):
    with pytest.raises(errors.ThalwegError, match=message) as caught:
        trained(iter([(X[:16], Y[:16]), bad]))
    assert "batch 1" in caught.value.problem


def test_nothing_at_all():
    with pytest.raises(errors.DataError, match="gives no batch"):
        trained(iter(()))
    with pytest.raises(errors.DataError, match="gives no batch"):
        nets.classifier().predict(iter(()), verbose=0)


def test_open_ends():
    model = thalweg.Sequential([thalweg.layers.Dense(3, "softmax")])
    model.compile("sgd", "auto")
    model.fit(batches, verbose=0)
    assert model.input_shape == (None, X.shape[1])


def test_several_models_at_once():
    models = [nets.classifier(), nets.classifier()]
    with pytest.raises(errors.ArgumentError, match="only one of the models could get"):
        thalweg.fit_many(models, batches(), verbose=0)
    thalweg.fit_many(models, batches, verbose=0)
    alone = nets.classifier()
    alone.fit(batches, verbose=0)
    assert nets.same_bits(alone, models[0])
    assert nets.same_bits(alone, models[1])


class Shuffled(Batches):
    """Shuffles its rows itself at the end of each pass, as many do."""

    def __init__(self):
        super().__init__()
        self.random = np.random.default_rng(7)
        self.rows = np.arange(96)

    def __getitem__(self, index):
        part = self.rows[16 * index : 16 * index + 16] % 90
        return X[part], Y[part]

    def on_epoch_end(self):
        self.random.shuffle(self.rows)


class Wandering:
    """Can be iterated again and again, each time in another order."""

    def __init__(self):
        self.random = np.random.default_rng(7)

    def __iter__(self):
        for part in np.split(self.random.permutation(90), 6):
            yield X[part], Y[part]


class Stop(Callback):
    """Ends everything at a batch, as a power cut would."""

    def __init__(self, at):
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise RuntimeError("power cut")


@pytest.mark.parametrize("at", [3, 6, 11])
@pytest.mark.parametrize(
    ("stream", "options"),
    [
        (lambda folder: batches(4), {"steps_per_epoch": 5}),
        (lambda folder: batches, {}),
        (lambda folder: Batches(), {}),
        (lambda folder: Shuffled(), {}),
        (lambda folder: Wandering(), {}),
        (lambda folder: NumpyFiles(folder / "x.npy", folder / "y.npy"), {"batch_size": 16}),
        (lambda folder: NumpyFiles(folder / "x.npy", folder / "y.npy"), {"batch_size": 16, "steps_per_epoch": 4}),
    ],
)
def test_a_training_that_was_cut_off_goes_on_at_its_place(stream, options, at, tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)

    def run(*callbacks):
        model = nets.classifier(dropout=0.2)
        model.fit(stream(tmp_path), epochs=4, verbose=0, callbacks=list(callbacks), **options)
        return model

    whole = run()
    with pytest.raises(RuntimeError, match="power cut"):
        run(BackupAndRestore(tmp_path / "backup", save_freq=1), Stop(at))
    assert nets.same_bits(whole, run(BackupAndRestore(tmp_path / "backup", save_freq=1)))
