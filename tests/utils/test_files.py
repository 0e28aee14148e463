"""utils.get_file: files that are there, in Keras's folder or elsewhere."""

import hashlib
import tarfile
import zipfile
from pathlib import Path

import pytest

from thalweg.errors import ArgumentError, FileFormatError, StorageError
from thalweg.utils import get_file

ADDRESS = "https://example.org/data/words.txt"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "words.txt").write_text("one two")
    return tmp_path


def test_what_keras_has_fetched(home):
    path = get_file("words.txt", ADDRESS)
    assert path == get_file(origin=ADDRESS) == str(home / "datasets" / "words.txt")
    assert get_file("words.txt", ADDRESS, cache_dir=str(home), cache_subdir="datasets") == path
    assert get_file("words.txt", ADDRESS, file_hash=hashlib.sha256(b"one two").hexdigest()) == path
    assert get_file("words.txt", ADDRESS, md5_hash=hashlib.md5(b"one two").hexdigest()) == path
    with pytest.raises(FileFormatError, match="not the one that was asked for"):
        get_file("words.txt", ADDRESS, file_hash="0" * 64)


def test_what_is_not_there(home):
    with pytest.raises(StorageError, match="downloads nothing") as caught:
        get_file("other.txt", "https://example.org/other.txt")
    assert str(home / "datasets" / "other.txt") in caught.value.expected
    assert "https://example.org/other.txt" in caught.value.fix


def test_local_files(home):
    file = home / "datasets" / "words.txt"
    assert get_file("words.txt", file.as_uri()) == get_file("x", str(file)) == str(file)


def test_bad_names(home):
    for arguments in (("words.txt",), ("../words.txt", ADDRESS)):
        with pytest.raises(ArgumentError, match="get_file"):
            get_file(*arguments)


def test_archives(home):
    (home / "a").mkdir()
    (home / "a" / "word.txt").write_text("three")
    with tarfile.open(home / "a.tar.gz", "w:gz") as tar:
        tar.add(home / "a", "a")
    with zipfile.ZipFile(home / "b.zip", "w") as archive:
        archive.write(home / "a" / "word.txt", "word.txt")
    unpacked = Path(get_file("a.tar.gz", (home / "a.tar.gz").as_uri(), extract=True))
    assert unpacked == home / "datasets" / "a_extracted"
    assert (unpacked / "a" / "word.txt").read_text() == "three"
    unpacked = Path(get_file("b", str(home / "b.zip"), extract=True))
    assert unpacked == home / "datasets" / "b"
    assert get_file("b", "https://example.org/b.zip", extract=True) == str(unpacked)  # as Keras has left it
    with pytest.raises(FileFormatError, match="cannot be unpacked"):
        get_file("c", str(home / "datasets" / "words.txt"), untar=True)


def test_an_archive_writes_nothing_outside(home):
    with tarfile.open(home / "bad.tar", "w") as tar:
        tar.add(home / "datasets" / "words.txt", "../../outside.txt")
    with pytest.raises(FileFormatError):
        get_file("bad.tar", str(home / "bad.tar"), extract=True)
    assert not (home / "outside.txt").exists()
