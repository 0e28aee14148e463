"""Room for data that do not fit into memory: a file without a name, with the same bits."""

import errno
import os
import tempfile

import numpy as np
import pytest

import thalweg
from thalweg import memory
from thalweg.data import room
from thalweg.errors import StorageError


@pytest.fixture
def little(monkeypatch):
    """A machine with next to no memory left."""
    monkeypatch.setattr(memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(memory, "available", lambda: 64)


def test_what_fits_is_in_memory():
    assert not room.is_mapped(room.empty((3, 4), np.float32))


def test_what_does_not_is_in_a_file_and_an_array_like_any_other(little):
    array = room.empty((300, 4), np.float32)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype, array.flags.writeable) == ((300, 4), np.float32, True)
    array[:] = np.arange(4)
    assert room.is_mapped(array)
    assert room.is_mapped(array[1:5])
    assert not room.is_mapped(array.copy())
    assert array.sum() == 300 * 6


def test_several_arrays_are_counted_together(monkeypatch):
    monkeypatch.setattr(memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(memory, "available", lambda: 4000)
    assert not room.is_mapped(room.empty(100, np.int64))
    assert room.is_mapped(room.empty(100, np.int64, beside=2))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot reserve room")
def test_a_full_disk_is_an_error_with_what_to_do(little, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="neither into memory") as raised:
        room.empty(1000, np.float32)
    assert "TMPDIR" in raised.value.fix


def test_a_table_that_does_not_fit_trains_to_the_same_bits(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    lines = [f"{a:.3f},{'xyz'[i % 3]},{a * 2 + i % 3:.3f}" for i, a in enumerate(random.normal(size=60))]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,y", *lines]))

    def trained():
        model = thalweg.train_table(tmp_path / "table.csv", "y", epochs=2, members=1, verbose=0)
        return model.get_weights()

    before = trained()
    monkeypatch.setattr(memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(memory, "available", lambda: 64)
    made = []
    real = tempfile.TemporaryFile

    def counted(**given):
        made.append(given)
        return real(**given)

    monkeypatch.setattr(tempfile, "TemporaryFile", counted)
    assert all(np.array_equal(a, b) for a, b in zip(before, trained(), strict=True))
    assert made
