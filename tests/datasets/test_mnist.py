"""datasets/mnist.py: the data as published, and damage noticed."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from thalweg.datasets import mnist
from thalweg.errors import FileFormatError, StorageError

LABELS = "t10k-labels-idx1-ubyte"


@pytest.fixture(scope="module")
def data():
    return mnist.load_data()


def test_shapes_and_dtypes_are_those_of_keras(data):
    (x_train, y_train), (x_test, y_test) = data
    assert [array.shape for array in (x_train, y_train, x_test, y_test)] == [
        (60000, 28, 28),
        (60000,),
        (10000, 28, 28),
        (10000,),
    ]
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert x_train.flags.writeable


def test_contents_are_the_published_ones(data):
    (x_train, y_train), (_, y_test) = data
    assert y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    # The digits' counts, LeCun et al. (1998); the mean and deviation that every tutorial normalises with.
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert x_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    """A copy of the smallest file, loaded instead of the package's."""
    (tmp_path / f"{LABELS}.gz").write_bytes((Path(mnist._FILES) / f"{LABELS}.gz").read_bytes())
    monkeypatch.setattr(mnist, "_FILES", str(tmp_path))
    return tmp_path


def test_the_copy_loads(files):
    assert mnist._load(LABELS).shape == (10000,)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-9],
        lambda content: content[: len(content) // 2],
        lambda content: b"no gzip" + content,
        lambda content: content[:2000] + bytes([content[2000] ^ 1]) + content[2001:],
        lambda content: gzip.compress(gzip.decompress(content) + b"\x00"),
        lambda content: gzip.compress(gzip.decompress(content)[:-1]),
        lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\xff"),
        lambda content: gzip.compress(bytes(100_000)),
    ],
)
def test_damage_is_noticed(files, damage):
    path = files / f"{LABELS}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FileFormatError, match=f"the MNIST file {LABELS}.gz of this installation is damaged"):
        mnist._load(LABELS)


def test_a_missing_file_is_named(files):
    os.remove(files / f"{LABELS}.gz")
    with pytest.raises(StorageError, match="missing from this installation"):
        mnist._load(LABELS)
