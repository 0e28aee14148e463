"""Tables into files: what is read back is what was written, and a file is whole or not there."""

import contextlib
import io
import sys

import numpy as np
import pytest

from thalweg.data.tables.opening import open_table
from thalweg.data.tables.writing import TableWriter, write_table
from thalweg.errors import ArgumentError, ShapeError, StorageError

PIECE = {
    'the "name"': np.array([0.1, np.nan], np.float32),
    "town": ["Ulm", None],
    "when": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "flag": [True, None],
    "count": [1, None],
}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_what_is_read_back_is_what_was_written(tmp_path, ending):
    path = tmp_path / f"out{ending}"
    with TableWriter(path) as writer:
        writer.write(PIECE)
        writer.write(PIECE)
    table = open_table(path)
    assert table.types == dict(zip(PIECE, ("number", "text", "date", "boolean", "integer"), strict=True))
    numbers = table.values('the "name"')
    np.testing.assert_array_equal(numbers.astype(np.float32), np.float32([0.1, np.nan] * 2))
    assert (numbers[0] == 0.1) == (ending != ".parquet")  # with its own few digits where it is text
    assert table.values("town").tolist() == ["Ulm", None] * 2
    assert table.values("flag").tolist() == [True, None] * 2
    np.testing.assert_array_equal(table.values("when"), np.array(["2020-01-01", "NaT"] * 2, "M8[us]"))


def test_text_goes_to_standard_output_as_csv(capfdbinary):
    write_table("-", {"a": [1, 2], "b": ["x,y", None]})
    assert capfdbinary.readouterr().out == b'a,b\n1,"x,y"\n2,\n'


def test_standard_output_may_be_for_text_only(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    write_table("-", {"a": ["ü"]})
    assert sys.stdout.getvalue() == "a\nü\n"


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def broken_off():
        with TableWriter(path) as writer:
            writer.write({"a": [1]})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize(
    ("pieces", "kind"), [([{"a": [1], "b": [1, 2]}], ShapeError), ([{"a": [1]}, {"b": [1]}], ArgumentError)]
)
def test_pieces_must_fit_each_other(tmp_path, pieces, kind):
    def written():
        with TableWriter(tmp_path / "out.csv") as writer:
            for piece in pieces:
                writer.write(piece)

    with pytest.raises(kind):
        written()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(tmp_path):
    with pytest.raises(ArgumentError, match="ending"):
        TableWriter(tmp_path / "out.xlsx")
    with pytest.raises(StorageError, match="cannot write"):
        write_table(tmp_path / "none" / "out.csv", {"a": [1]})


@pytest.fixture
def full_disk():
    """A context in which no file may grow beyond some kilobytes, as if the disk were full."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def limited():
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_full_disk_leaves_the_old_file(tmp_path, full_disk, ending):
    path = tmp_path / f"out{ending}"
    write_table(path, {"a": [1]})
    before = path.read_bytes()
    with full_disk(), pytest.raises(StorageError, match="cannot write") as caught:
        write_table(path, {"a": np.random.default_rng(0).random(10_000)})
    assert all((caught.value.expected, caught.value.got, caught.value.fix))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_while_a_file_is_written_anew_to_be_read(tmp_path, full_disk):
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\r\n" + b"1,2\n" * 10_000)
    with full_disk(), pytest.raises(StorageError) as caught:
        open_table(path)
    assert "TMPDIR" in caught.value.fix
