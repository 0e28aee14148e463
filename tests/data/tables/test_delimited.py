"""CSV as it comes: what is in it is what is read, or an error names the line; nothing is guessed for good."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import nuisances
from thalweg.data.tables import delimited, dialect
from thalweg.data.tables.encodings import Codes, Number
from thalweg.data.tables.opening import open_table
from thalweg.errors import ArgumentError, DataError, FileFormatError, NameNotFoundError, StorageError


@pytest.fixture
def read(tmp_path):
    """A function that writes bytes or text as a file and opens it as a table."""

    def opened(data, name="table.csv", **options):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return open_table(path, **options)

    return opened


def lists(table):
    """Name -> values, None for missing ones."""
    values = {name: table.values(name).tolist() for name in table.columns}
    return {name: [None if one != one else one for one in column] for name, column in values.items()}


def test_every_nuisance_at_once(read):
    values = nuisances.columns(700)
    table = read(b"".join(nuisances.lines(values)))
    assert table.types == nuisances.TYPES
    for name, expected in values.items():
        np.testing.assert_array_equal(table.values(name), expected, err_msg=name)
    said = "\n".join(table.notes)
    for word in (
        "Windows-1252",
        "'amount_2' (a second 'amount')",
        "'column_5' (without a name)",
        "with #",
        "delimiter",
        "'.' between",
    ):
        assert word in said


CASES = {
    "quoted newlines": ('a,b\n"x\ny",1\n', {"a": ["x\ny"], "b": [1]}),
    "UTF-8 with a mark": ("\ufeffä,b\nx,1\n", {"ä": ["x"], "b": [1]}),
    "UTF-16": ("ä,b\nx,1\n".encode("utf-16"), {"ä": ["x"], "b": [1]}),
    "Latin-1": ("ä;b\nü;1\n".encode("latin-1"), {"ä": ["ü"], "b": [1]}),
    "Latin-1 in some lines": ("a;b\nü;1\n".encode() + "ß;2\n".encode("latin-1"), {"a": ["ü", "ß"], "b": [1, 2]}),
    "Windows's euro": (b"a;b\n\x80;1\n", {"a": ["€"], "b": [1]}),
    "line ends of all kinds": (b"a,b\nx,1\r\ny,2\rz,3", {"a": ["x", "y", "z"], "b": [1, 2, 3]}),
    "old Macintosh": (b"a,b\rx,1\ry,2\r", {"a": ["x", "y"], "b": [1, 2]}),
    "semicolons": ("a;b\n1,5;2\n", {"a": [1.5], "b": [2]}),
    "tabs": ("a\tb\n1\tx y\n", {"a": [1], "b": ["x y"]}),
    "bars": ("a|b\n1|x,y\n", {"a": [1], "b": ["x,y"]}),
    "any number of blanks": ("  1.5   2 3\n4 5   6\n", {"column_1": [1.5, 4], "column_2": [2, 5], "column_3": [3, 6]}),
    "blanks behind commas": ("a, b\n1, x\n?, y\n", {"a": [1, None], "b": ["x", "y"]}),
    "one column": ("a\n1\n\n2\n", {"a": [1, None, 2]}),
    "no names": ("1,2\n3,4\n", {"column_1": [1, 3], "column_2": [2, 4]}),
    "names only": ("a,b\n", {"a": [], "b": []}),
    "text only": ("a,b\nx,y\n", {"a": ["x"], "b": ["y"]}),
    "duplicate names": ("a,a, ,A\n1,2,3,4\n", {"a": [1], "a_2": [2], "column_3": [3], "A": [4]}),
    "R's row names": ("a,b\nr1,1,2\nr2,3,4\n", {"column_1": ["r1", "r2"], "a": [1, 3], "b": [2, 4]}),
    "trailing delimiters": ("a,b,\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4]}),
    "trailing delimiters in rows": ("a,b\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4]}),
    "an empty column with a name": ("a,b\n1,\n3,\n", {"a": [1, 3], "b": [None, None]}),
    "a title": ("Houses of 2020\n\nid,a,b\n1,2,3\n", {"id": [1], "a": [2], "b": [3]}),
    "comments": ("# it's \"so\na,b\n#, and, so\n#1,2\n", {"a": ["#1"], "b": [2]}),
    "no comments": ("a,b\nC#,1\n#ff0000,2\n", {"a": ["C#", "#ff0000"], "b": [1, 2]}),
    "backslashes": ('a,b\n"it\\"s",1\n"x",2\n', {"a": ['it"s', "x"], "b": [1, 2]}),
    "quotation marks in words": ('a,b\n5" pipe,1\n"abc" def,2\n', {"a": ['5" pipe', "abc def"], "b": [1, 2]}),
    "codes with zeros": ("zip\n01234\n90210\n", {"zip": ["01234", "90210"]}),
    "long numbers are names": ("id\n1234567890123456789\n", {"id": ["1234567890123456789"]}),
    "truth values": ("a,b\nTrue,yes\nfalse,no\n", {"a": [True, False], "b": ["yes", "no"]}),
    "thousands": ('a,b\n"1,234",x\n"12,345.5",y\n', {"a": [1234, 12345.5], "b": ["x", "y"]}),
    "thousands with blanks": ("a;b\n1 234;x\n12\u202f345,5;y\n", {"a": [1234, 12345.5], "b": ["x", "y"]}),
    "Swiss": ("a;b\n1'234.5;x\n", {"a": [1234.5], "b": ["x"]}),
    "points between thousands": ("a;b\n1.234;0,5\n2.345;1,5\n", {"a": [1234, 2345], "b": [0.5, 1.5]}),
    "exponents": ("a\n1e3\n-.5\n+2.\n", {"a": [1000, -0.5, 2]}),
    "hexadecimal numbers are text": ("a\n0x10\n0x1F\n", {"a": ["0x10", "0x1F"]}),
}


@pytest.mark.parametrize(("data", "expected"), CASES.values(), ids=CASES)
def test_nuisances_one_by_one(read, data, expected):
    assert lists(read(data)) == expected


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2020-12-31", "2020-12-31"),
        ("2020-12-31T10:20:30Z", "2020-12-31T10:20:30"),
        ("2020-12-31 10:20:30.25+02:00", "2020-12-31T08:20:30.25"),
        ("31/12/2020", "2020-12-31"),
        ("12/31/2020 10:20", "2020-12-31T10:20"),
        ("31.12.2020", "2020-12-31"),
        ("31-Dec-2020", "2020-12-31"),
        ('"Dec 31, 2020"', "2020-12-31"),
    ],
)
def test_dates(read, written, moment):
    table = read(f"a,b\n{written},1\nNA,2\n")
    assert table.types["a"] == "date"
    np.testing.assert_array_equal(table.values("a"), np.array([moment, "NaT"], "datetime64[us]"))


def test_dates_that_could_be_read_otherwise_are_said(read):
    assert "%d/%m/%Y would fit as well" in "\n".join(read("a\n01/02/2020\n").notes)


MANY = 600
"""Rows that are more than what is looked at before a file is read."""


@pytest.fixture
def short_look(monkeypatch):
    monkeypatch.setattr(dialect, "HEAD_BYTES", 1 << 9)
    monkeypatch.setattr(dialect, "PIECE_BYTES", 1 << 5)


@pytest.mark.parametrize(
    ("usual", "odd", "kind", "values"),
    [
        ("1", "1.5", "number", (1, 1.5)),
        ("1", "x", "text", ("1", "x")),
        ("1.5", "1,234", "text", ("1.5", "1,234")),
        ("1,5", "x", "text", ("1,5", "x")),
        ("2020-01-01", "2020-01-01 03:04", "date", (np.datetime64("2020-01-01"), np.datetime64("2020-01-01T03:04"))),
        ("31.12.2020", "12.31.2020", "text", ("31.12.2020", "12.31.2020")),
        ("true", "perhaps", "text", ("true", "perhaps")),
        ("1", '"1\n"', "integer", (1, 1)),
        ("x", "é".encode("latin-1").decode("latin-1"), "text", ("x", "é")),
    ],
)
def test_what_comes_late_is_read_as_what_it_is(read, usual, odd, kind, values, short_look):
    # In the third quarter: only the beginning, the middle and the end are looked at.
    rows = [f"{usual};a"] * MANY
    rows[MANY * 3 // 4] = f"{odd};b"
    data = ("a;b\n" + "\n".join(rows) + "\n").encode("latin-1")
    table = read(data)
    assert table.types["a"] == kind
    assert len(table) == MANY
    assert (table.values("a")[0], table.values("a")[MANY * 3 // 4]) == values


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("row", "got"), [("1,2,3", "3 in line"), ("1", "1 in line")])
def test_rows_of_other_length_are_named(read, row, got, late, short_look):
    rows = ["1,2"] * (MANY if late else 4)
    rows[len(rows) * 3 // 4] = row
    line = len(rows) * 3 // 4 + 2
    with pytest.raises(DataError, match="differ in length") as caught:
        read("a,b\n" + "\n".join(rows))
    assert caught.value.got == f"{got} {line}"


@pytest.mark.parametrize(
    ("data", "kind", "got"),
    [
        ("", DataError, "empty"),
        ("\n\n", DataError, "empty"),
        (b"a\0b\n", FileFormatError, "no text"),
        (b"PK\3\4whatever", FileFormatError, "zip"),
        ('a,b\n1,"x\n2,y\n', DataError, "line 2"),
    ],
)
def test_what_is_no_table_is_refused(read, data, kind, got):
    with pytest.raises(kind) as caught:
        read(data)
    assert got in caught.value.got


def test_damaged_packing_is_refused(read):
    with pytest.raises(FileFormatError, match="unpacked"):
        read(b"no gzip", "table.csv.gz")
    assert lists(read(gzip.compress(b"a\xe4\n1\n"), "table.csv.gz")) == {"aä": [1]}


def test_what_is_told_is_not_guessed(read):
    table = read("a:b\n1.234:-9\n", delimiter=":", decimal=",", thousands=".", missing=["-9"], types={"b": "integer"})
    assert lists(table) == {"a": [1234], "b": [None]}
    assert lists(read("a\nb\n", header=False)) == {"column_1": ["a", "b"]}
    assert lists(read("a\n1\n", types={"a": "text"})) == {"a": ["1"]}
    assert lists(read("\u0436\n1\n".encode("koi8-r"), encoding="koi8-r")) == {"\u0436": [1]}
    with pytest.raises(ArgumentError, match="types"):
        read("a\n1\n", types={"a": "float"})


@pytest.mark.parametrize(
    ("kind", "row", "got"), [("number", "many", "'many'"), ("date", "soon", "'soon'"), ("boolean", "7", "'7'")]
)
def test_a_type_that_is_told_is_kept_or_the_value_is_named(read, kind, row, got):
    table = read(f"a,b\n{row},1\n", types={"a": kind})
    with pytest.raises(DataError, match="'a'") as caught:
        table.values("a")
    assert got in caught.value.got
    assert "line 2" in caught.value.got


def test_a_type_that_is_told_reads_what_is_written_in_another_way(read):
    assert lists(read('a\n"1,234"\n"2,345.5"\n', types={"a": "number"})) == {"a": [1234, 2345.5]}
    assert lists(read("a\n7\n", types={"a": "text"})) == {"a": ["7"]}


def test_a_file_passes_in_pieces_without_being_kept(read, monkeypatch):
    rows = "".join(f"{number},{'xy'[number % 2]}\n" for number in range(1000))
    table = read("a,b\n" + rows, types={"a": "integer", "b": "text"})
    monkeypatch.setattr(delimited.DelimitedFile, "load", None)
    encodings = [Number("a"), Codes("b", ("x",))]
    pieces = list(table.chunks(encodings, 300))
    assert [len(piece["codes"]) for piece in pieces] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate([piece["numbers"] for piece in pieces])[:, 0], np.arange(1000))
    np.testing.assert_array_equal(np.concatenate([piece["codes"] for piece in pieces])[:, 0], [2, 1] * 500)
    with pytest.raises(NameNotFoundError, match="'c'"):
        next(table.chunks([Number("c")]))


def test_in_pieces_too_a_value_of_another_type_is_named(read):
    table = read("a,b\n1,x\nmany,y\n", types={"a": "number"})
    with pytest.raises(DataError, match="'a'") as caught:
        list(table.chunks([Number("a")]))
    assert "'many' in line 3" in caught.value.got


def test_a_file_that_grows_while_it_is_read(read, monkeypatch):
    def growing(self, database):
        with open(self.path, "a") as file:
            file.write("2\n")
        return select(self, database)

    select = delimited.DelimitedFile.select
    monkeypatch.setattr(delimited.DelimitedFile, "select", lambda self, names=None: growing(self, names))
    with pytest.raises(DataError, match="changed while"):
        read("a\n1\n")


HOSTILE = ['"; drop table data; --', "'); select 1; --", "select", "c0", "a\nb", "{0}", "%s", "ü" * 300, "", " ", "*"]


def test_names_and_values_are_never_taken_for_sql(tmp_path):
    path = tmp_path / "it's [1]*?.csv"
    names = [f'"{name.replace(chr(34), chr(34) * 2)}"' for name in HOSTILE]
    path.write_text(",".join(names) + "\n" + ",".join(names) + "\n" + ",".join(names) + "\n")
    table = open_table(path)
    assert len(table.columns) == len(HOSTILE)
    assert {*table.columns} >= {*HOSTILE[:8], "*"}
    for name in table.columns:
        facts = table.facts(name)
        assert facts.rows == 2
        for value, _ in facts.frequent:
            assert table.encoded([Codes(name, (value,))])["codes"].tolist() == [[2], [2]]


def test_a_name_with_stars_is_one_file(tmp_path):
    (tmp_path / "a1.csv").write_text("a\n1\n")
    (tmp_path / "a*.csv").write_text("a\n2\n")
    assert lists(open_table(tmp_path / "a*.csv")) == {"a": [2]}


@pytest.mark.parametrize("path", ["https://example.com/a.csv", "s3://bucket/a.parquet", "hf://datasets/a.csv"])
def test_nothing_is_fetched_from_elsewhere(path):
    with pytest.raises(StorageError, match="cannot read") as caught:
        open_table(path)
    assert "this machine" in caught.value.fix


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n")
    path.chmod(0)
    with pytest.raises(StorageError, match="cannot read"):
        open_table(path)


def test_very_many_columns(read):
    names = [f"x{place}" for place in range(5000)]
    row = ",".join(str(place) for place in range(5000))
    table = read(",".join(names) + "\n" + f"{row}\n" * 3)
    assert table.types == dict.fromkeys(names, "integer")
    numbers = table.encoded([Number(name) for name in names[::100]])["numbers"]
    np.testing.assert_array_equal(numbers[2], np.arange(0, 5000, 100))
    assert table.all_facts(names[:60])["x59"].maximum == 59


def test_temporary_files_are_gone_with_the_table(tmp_path, monkeypatch, read):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    table = read(b"a,b\nx,1\r\ny,2\n")
    assert [path.name for path in Path(folder).glob("*/table.csv")] == ["table.csv"]
    del table
    assert list(folder.iterdir()) == []


def test_very_long_lines(read):
    long = "x" * 5_000_000
    assert lists(read(f"a,b\n{long},1\n")) == {"a": [long], "b": [1]}


def test_some_rows_right_after_opening(read):
    part = read("a,b\nx,1\ny,2\nx,3\n").take(np.arange(2))
    assert part.facts("a").frequent == (("x", 1), ("y", 1))
    assert part.facts("b").maximum == 2


def test_rows_of_a_large_file_stay_in_their_order(tmp_path):
    """The database reads 4 MB on each core at a time; with a list of spellings of missing it once joined the pieces."""
    path, filling = tmp_path / "large.csv", "x" * 600
    with open(path, "w", encoding="utf-8") as file:
        file.write("number,word\n")
        file.writelines(
            f"{number},{filling if number % 7 else 'NA' if number > 9999 else 'some'}\n" for number in range(20_000)
        )
    table = open_table(path)
    np.testing.assert_array_equal(table.values("number"), np.arange(20_000))
    assert [row for row, word in enumerate(table.values("word")) if word is None] == list(range(10_003, 20_000, 7))
    known = open_table(path, types={"number": "integer", "word": "text"})
    pieces = [piece["numbers"][:, 0] for piece in known.chunks([Number("number")], 7000)]
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(20_000))
