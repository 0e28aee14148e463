"""Where rows come from: one chunk without a copy, or several of the same rows; training does not see the difference."""

import tracemalloc

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import errors, layers
from thalweg.data import source
from thalweg.data.source import Chunk, LateRows, Rows, common_length, slices
from thalweg.record.history import History
from thalweg.training.callbacks import CallbackList
from thalweg.training.session import FitOptions, fit

X, Y = nets.points(90)


class ArrayChunks(Rows):
    """The same rows as a stream would bring them: two batches at a time, in arrays of their own."""

    def gathered(self, order, start, stop, batch):
        numbers = np.arange(start, stop) if order is None else order[start:stop]
        for first in range(0, len(numbers), 2 * batch):
            part = numbers[first : first + 2 * batch]
            yield Chunk({label: array[part] for label, array in self.arrays.items()}, np.arange(len(part)), batch)


class TestRows:
    def test_are_one_chunk_that_copies_nothing(self):
        rows = Rows({"x": X, "y": Y})
        (chunk,) = rows.gathered(None, 3, 7, 2)
        assert chunk.arrays["x"] is X
        np.testing.assert_array_equal(chunk.index, [3, 4, 5, 6])
        (chunk,) = rows.gathered(np.arange(90)[::-1], 3, 6, 2)
        np.testing.assert_array_equal(chunk.index, [86, 85, 84])

    def test_of_a_slice_are_views(self):
        rows = Rows({"x": X, "y": Y}).take(slice(10, 20))
        assert (rows.count, rows.labels, rows.weighted) == (10, ("x", "y"), False)
        assert np.shares_memory(rows.arrays["x"], X)
        assert rows.beside({"sample_weight": np.ones(10)}).weighted

    def test_of_unequal_lengths(self):
        with pytest.raises(errors.ShapeError, match="equally many rows"):
            Rows({"x": X, "y": Y[:5]})
        with pytest.raises(errors.ShapeError, match="equally many rows"):
            Rows({"x": X}).beside({"y": Y[:5]})
        assert common_length({"x": X}) == 90


class TestLateRows:
    def test_are_converted_chunk_by_chunk(self, monkeypatch):
        monkeypatch.setattr(source, "CHUNK_BYTES", 400)  # 8 rows of 36 bytes and whole batches
        rows = LateRows({"x": X.astype(np.float64), "y": Y}, {"x": "float32"})
        order = np.random.default_rng(0).permutation(90)
        chunks = list(rows.gathered(order, 5, 88, 4))
        assert {len(chunk.index) for chunk in chunks[:-1]} == {8}
        together = np.concatenate([chunk.arrays["x"][chunk.index] for chunk in chunks])
        assert together.dtype == np.float32
        np.testing.assert_array_equal(together, X[order[5:88]])

    def test_all_at_once(self):
        rows = LateRows({"x": X.astype(np.float64)}, {"x": "float32"}).take(slice(5))
        np.testing.assert_array_equal(rows.arrays["x"], X[:5])
        assert rows.arrays["x"].dtype == np.float32


def test_slices_cover_every_row_once(monkeypatch):
    monkeypatch.setattr(source, "CHUNK_BYTES", 100)
    rows = np.arange(90)
    assert np.concatenate([rows[part] for part in slices(X)]).tolist() == rows.tolist()


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"steps_per_epoch": 4}])
def test_several_chunks_train_as_one_does(options):
    whole, parts = (nets.classifier(dropout=0.2) for _ in range(2))
    for model, kind in ((whole, Rows), (parts, ArrayChunks)):
        callbacks = CallbackList(None)
        callbacks.attach(model, {})
        trainer = model.runner.trainer("fit")
        y = Y.astype(np.int32)
        held_out = kind({"x": X[:50], "y": y[:50]})
        fit_options = FitOptions(batch_size=8, epochs=3, verbose=0, **options)
        history = History()
        validation = trainer.evaluation(held_out, 8)
        fit(trainer, kind({"x": X, "y": y}), validation, fit_options, callbacks, history)
        model.history = history
    assert nets.same_bits(whole, parts)
    assert whole.history.history == parts.history.history


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_mapped_files_train_as_arrays_do(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "CHUNK_BYTES", 1000)
    x = (X * 10).round().astype(dtype)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, other = nets.classifier(), nets.classifier()
    for model, data in ((one, x), (other, mapped)):
        model.fit(data, Y, epochs=3, batch_size=7, validation_split=0.2, verbose=0)
    assert nets.same_bits(one, other)
    assert one.history.history == other.history.history
    assert one.evaluate(x, Y, verbose=0) == other.evaluate(mapped, Y, verbose=0)
    np.testing.assert_array_equal(one.predict(x, verbose=0), other.predict(mapped, verbose=0))
    np.testing.assert_array_equal(one.predict(x[:3], verbose=0), other.predict(mapped[:3], verbose=0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mapped_file_is_not_read_into_memory(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "CHUNK_BYTES", 1 << 20)
    path = tmp_path / "x"
    big = np.memmap(path, dtype, "w+", shape=(6000, 500))
    big[:] = np.random.default_rng(0).normal(size=(6000, 500))
    y = np.zeros((6000, 1), np.float32)
    model = thalweg.Sequential([thalweg.Input((500,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(big[:200], y[:200], verbose=0)  # what compiling takes is not counted
    model.evaluate(big[:200], y[:200], verbose=0)
    tracemalloc.start()
    model.fit(big, y, verbose=0)
    model.evaluate(big, y, verbose=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < big.nbytes / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bad_numbers_in_a_mapped_file_are_found_where_they_are(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "CHUNK_BYTES", 1000)
    bad = np.memmap(tmp_path / "x", dtype, "w+", shape=X.shape)
    bad[:] = X
    bad[70, 2] = np.nan
    with pytest.raises(errors.DataError, match="not finite") as caught:
        nets.classifier().fit(bad, Y, verbose=0)
    assert caught.value.got == "nan in row 70, column 2"


def test_fractions_in_a_mapped_file_for_an_input_of_integers(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "CHUNK_BYTES", 1000)
    halves = np.memmap(tmp_path / "x", "float32", "w+", shape=(500, 1))
    halves[:] = 1
    halves[400] = 1.5
    model = thalweg.Sequential([thalweg.Input((1,), dtype="int32"), layers.Embedding(3, 2), layers.Flatten()])
    with pytest.raises(errors.DataError, match="cannot take"):
        model.predict(halves, verbose=0)
