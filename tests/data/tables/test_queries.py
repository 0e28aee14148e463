"""SQLite and DuckDB files, standard input, and what is not read but explained."""

import io
import sqlite3
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from thalweg.data.tables.database import connect
from thalweg.data.tables.opening import open_table
from thalweg.errors import ArgumentError, FileFormatError, ThalwegError


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "what's [new]?.db"
    with sqlite3.connect(path) as database:
        database.execute('create table "my; houses" (price real, town text, built text, code text)')
        rows = [(1.5, "Ulm", "2020-01-02", "01"), (None, 'the "old"\ntown', None, "02"), (3, "", "2021-01-02", None)]
        database.executemany('insert into "my; houses" values (?, ?, ?, ?)', rows)
    database.close()
    return path


def test_a_table_of_an_sqlite_file(sqlite):
    table = open_table(sqlite)
    assert table.types == {"price": "number", "town": "text", "built": "date", "code": "text"}
    np.testing.assert_array_equal(table.values("price"), [1.5, np.nan, 3])
    assert table.values("town").tolist() == ["Ulm", 'the "old"\ntown', None]


@pytest.mark.parametrize("query", ["my; houses", 'select * from "my; houses" where price > 1 order by price desc;'])
def test_queries(sqlite, query):
    assert len(open_table(sqlite, query=query)) == (3 if query.startswith("my") else 2)


@pytest.mark.parametrize(
    "query", ["houses", "select nothing from nowhere", 'delete from "my; houses"', "select 1; select 2"]
)
def test_queries_that_cannot_be_answered(sqlite, query):
    with pytest.raises(ArgumentError) as caught:
        open_table(sqlite, query=query)
    assert repr(query) in caught.value.got
    assert len(open_table(sqlite)) == 3


def test_which_of_several_tables_must_be_said(sqlite):
    with sqlite3.connect(sqlite) as database:
        database.execute("create table more (a)")
    database.close()
    with pytest.raises(ArgumentError, match="2 tables") as caught:
        open_table(sqlite)
    assert "'more'" in caught.value.got
    assert len(open_table(sqlite, query="more")) == 0


def test_a_duckdb_file(tmp_path):
    path = tmp_path / "a.duckdb"
    database = connect()
    database.execute(f"attach '{path}' as made")
    database.execute("create table made.numbers as select range as n, 'x' as t from range(5)")
    database.close()
    assert open_table(path).types == {"n": "integer", "t": "text"}
    assert open_table(path, query="select n from numbers where n > 1").values("n").tolist() == [2, 3, 4]
    with pytest.raises(ArgumentError, match="answer"):
        open_table(path, query="select m from numbers")


def test_a_file_that_is_called_a_database(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"no database")
    with pytest.raises(FileFormatError, match="no database"):
        open_table(path)
    path.write_bytes(b"SQLite format 3\0 and no more")
    with pytest.raises(ArgumentError, match="no answer"):
        open_table(path)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n1,x\n")))
    table = open_table("-")
    assert (table.name, table.types) == ("standard input", {"a": "integer", "b": "text"})


@pytest.mark.parametrize(("name", "word"), [("a.xlsx", "Save as"), ("a.ods", "CSV"), ("a.hdf5", "ending")])
def test_what_is_not_read_is_explained(tmp_path, name, word):
    path = tmp_path / name
    path.write_bytes(b"PK")
    with pytest.raises(FileFormatError) as caught:
        open_table(path)
    assert word in caught.value.fix


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.jsonl", b'{"a": 1}\n{"a": '), ("a.parquet", b"PAR1 and no more"), ("a.json", b"[1, 2"), ("b.jsonl", b"")],
)
def test_damaged_files_are_refused_in_four_parts(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ThalwegError) as caught:
        len(open_table(path))
    assert name in caught.value.problem
    assert all((caught.value.expected, caught.value.got, caught.value.fix))
