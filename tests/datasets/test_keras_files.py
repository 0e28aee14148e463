"""The data sets that are read from Keras's own files: small files of the same form, and what Keras makes of them."""

import gzip
import importlib
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from thalweg import datasets
from thalweg.data import keras_files
from thalweg.datasets import pickled
from thalweg.errors import ArgumentError, DataError, FileFormatError, StorageError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (60, 3072), dtype=np.uint8)
TEXTS = np.empty(40, object)
TEXTS[:] = [list(map(int, RANDOM.integers(1, 30, int(length)))) for length in RANDOM.integers(1, 12, 40)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder as Keras fills it, with few rows."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    place = tmp_path / "datasets"
    (place / "fashion-mnist").mkdir(parents=True)
    np.savez(place / "boston_housing.npz", x=RANDOM.normal(size=(10, 3)), y=np.arange(10.0))
    np.savez(place / "california_housing.npz", x=RANDOM.normal(size=(700, 2)).astype("f4"), y=np.arange(700.0))
    labels = RANDOM.integers(0, 2, 40)
    np.savez(place / "imdb.npz", x_train=TEXTS[:25], y_train=labels[:25], x_test=TEXTS[25:], y_test=labels[25:])
    np.savez(place / "reuters.npz", x=TEXTS, y=np.arange(40))
    for name in ("imdb", "reuters"):
        (place / f"{name}_word_index.json").write_text('{"the": 1, "été": 2}', encoding="utf-8")
    for name, count in (("train", 6), ("t10k", 2)):
        with gzip.open(place / "fashion-mnist" / f"{name}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">4i", 2051, count, 28, 28) + IMAGES.tobytes()[: count * 784])
        with gzip.open(place / "fashion-mnist" / f"{name}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">2i", 2049, count) + bytes(range(count)))
    folder = place / "cifar-10-batches-py-target" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        batch = {b"data": IMAGES[10 * number :][:10], b"labels": list(range(10)), b"batch_label": b"one of six"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, rows in (("train", IMAGES[:20]), ("test", IMAGES[20:24])):
            batch = {b"data": rows, b"fine_labels": [5] * len(rows), b"coarse_labels": [1] * len(rows)}
            content = pickle.dumps(batch)
            entry = tarfile.TarInfo(f"cifar-100-python/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (place / "cifar-100-python.tar.gz").write_bytes(archive.getvalue())
    return tmp_path


def test_images(home):
    (x_train, y_train), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert (x_train.shape, x_test.shape, x_train.dtype) == ((6, 28, 28), (2, 28, 28), np.uint8)
    np.testing.assert_array_equal(y_train, range(6))
    np.testing.assert_array_equal(y_test, range(2))
    (x_train, y_train), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x_train.shape, y_train.shape, y_test.dtype) == ((50, 32, 32, 3), (50, 1), np.uint8)
    np.testing.assert_array_equal(x_train[3, :, :, 1].ravel(), IMAGES[3, 1024:2048])
    np.testing.assert_array_equal(x_test[0, :, :, 2].ravel(), IMAGES[50, 2048:])
    (x_train, y_train), (x_test, _) = datasets.cifar100.load_data()
    assert (x_train.shape, x_test.shape) == ((20, 32, 32, 3), (4, 32, 32, 3))
    assert y_train[0] == 5
    assert datasets.cifar100.load_data("coarse")[0][1][0] == 1


def test_tables(home):
    (x_train, y_train), (x_test, y_test) = datasets.boston_housing.load_data()
    assert (x_train.shape, x_test.shape) == ((8, 3), (2, 3))
    assert sorted([*y_train, *y_test]) == list(range(10))
    other, _ = datasets.boston_housing.load_data(str(home / "datasets" / "boston_housing.npz"), 0.5, seed=1)
    assert other[0].shape == (5, 3)
    assert not np.array_equal(other[1], y_train[:5])
    assert len(datasets.california_housing.load_data()[0][0]) == 560
    assert len(datasets.california_housing.load_data("small", test_split=0)[0][0]) == 600


def test_texts(home):
    (x_train, y_train), (x_test, _) = datasets.imdb.load_data(num_words=10)
    assert (len(x_train), len(y_train), len(x_test)) == (25, 25, 15)
    assert all(text[0] == 1 and max(text) < 10 for text in [*x_train, *x_test])
    assert len(datasets.reuters.load_data(test_split=0.25)[1][0]) == 10
    assert datasets.imdb.get_word_index() == datasets.reuters.get_word_index() == {"the": 1, "été": 2}
    assert datasets.reuters.get_label_names()[3] == "earn"
    assert len(datasets.reuters.get_label_names()) == 46
    with pytest.raises(DataError, match="no text is that short"):
        datasets.imdb.load_data(maxlen=1)


@pytest.mark.needs("keras")
@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("boston_housing", [{}, {"test_split": 0.35, "seed": 5}]),
        ("california_housing", [{}, {"version": "small"}]),
        ("cifar100", [{}]),
        ("imdb", [{}, {"num_words": 12, "skip_top": 2, "maxlen": 8}, {"start_char": None, "oov_char": None}]),
        ("reuters", [{}, {"num_words": 12, "index_from": 0, "start_char": None}, {"maxlen": 6, "seed": 1}]),
    ],
)
def test_keras_makes_the_same_of_the_same_files(home, monkeypatch, name, choices):
    theirs = importlib.import_module(f"keras.src.datasets.{name}")
    place = str(home / "datasets")
    if name == "cifar100":
        with tarfile.open(os.path.join(place, "cifar-100-python.tar.gz")) as tar:
            tar.extractall(place, filter="data")
    monkeypatch.setattr(theirs, "get_file", lambda *a, **k: place if name == "cifar100" else f"{place}/{name}.npz")
    for options in choices:
        ours = getattr(datasets, name).load_data(**options)
        for part, expected in zip(ours, theirs.load_data(**options), strict=True):
            for own, other in zip(part, expected, strict=True):
                assert own.dtype == other.dtype
                np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize(
    "name", ["boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "reuters"]
)
def test_what_is_not_there(tmp_path, monkeypatch, name):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(StorageError, match="downloads nothing") as caught:
        getattr(datasets, name).load_data()
    assert str(tmp_path / "datasets") in caught.value.expected
    assert "https://" in caught.value.fix
    monkeypatch.delenv("KERAS_HOME")
    assert keras_files.home() == os.path.join(os.path.expanduser("~"), ".keras")


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_pickles_run_nothing(home, monkeypatch):
    monkeypatch.chdir(home)
    harmful = np.empty(1, object)
    harmful[0] = Harmful()
    np.savez(home / "texts.npz", x=harmful, y=np.zeros(1))
    with pytest.raises(FileFormatError, match="no data set") as caught:
        datasets.reuters.load_data(str(home / "texts.npz"))
    assert "mkdir" in caught.value.got
    file = home / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py" / "test_batch"
    file.write_bytes(pickle.dumps({b"data": Harmful(), b"labels": []}))
    with pytest.raises(FileFormatError):
        datasets.cifar10.load_data()
    assert not (home / "harm").exists()


def test_bytes_of_python_2():
    """Python 3 writes bytes for Python 2 as texts that are encoded again; no other encoding is asked for."""
    assert pickled.load(io.BytesIO(pickle.dumps(b"\x00\xff", protocol=2))) == b"\x00\xff"
    hostile = pickle.dumps(b"\xff", protocol=2).replace(b"latin1", b"rot-13")
    with pytest.raises(pickle.UnpicklingError, match="rot-13"):
        pickled.load(io.BytesIO(hostile))


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no archive", b"\x80\x04."])
def test_damaged_files(home, content):
    place = home / "datasets"
    for name in ("boston_housing.npz", "imdb.npz", "cifar-100-python.tar.gz", "reuters_word_index.json"):
        (place / name).write_bytes(content)
    (place / "cifar-10-batches-py-target" / "cifar-10-batches-py" / "data_batch_1").write_bytes(content)
    (place / "fashion-mnist" / "train-images-idx3-ubyte.gz").write_bytes(content)
    loaders = (datasets.boston_housing, datasets.imdb, datasets.cifar100, datasets.cifar10, datasets.fashion_mnist)
    for load in (*(module.load_data for module in loaders), datasets.reuters.get_word_index):
        with pytest.raises(FileFormatError):
            load()


def test_labels_that_do_not_fit(home):
    file = home / "datasets" / "cifar-10-batches-py-target" / "cifar-10-batches-py" / "test_batch"
    file.write_bytes(pickle.dumps({b"data": IMAGES[:3], b"labels": [1]}))
    with pytest.raises(FileFormatError, match="no data set"):
        datasets.cifar10.load_data()
    file.unlink()
    with pytest.raises(StorageError, match="test_batch"):
        datasets.cifar10.load_data()


def test_bad_arguments(home):
    for call in (
        lambda: datasets.boston_housing.load_data(test_split=1.0),
        lambda: datasets.california_housing.load_data("medium"),
        lambda: datasets.cifar100.load_data("rough"),
        lambda: datasets.imdb.load_data(num_words=-1),
    ):
        with pytest.raises(ArgumentError):
            call()
