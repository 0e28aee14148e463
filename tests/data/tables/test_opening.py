"""From a path, a frame or arrays to a table: the same answers for the same rows, whatever they come from."""

import datetime
import importlib
import json

import numpy as np
import pytest

from thalweg.data.tables import facts as fact_finding
from thalweg.data.tables.database import connect
from thalweg.data.tables.opening import open_table
from thalweg.data.tables.writing import write_table
from thalweg.errors import DataError, DTypeError, NameNotFoundError, ShapeError, StorageError

CSV = """zip,when,flag,size,count,town
01234,31/12/2020,true,1.5,7,Ulm
02345,01/02/2020,false,NA,,"the ""old"", town"
,01/02/2020,false,-3e2,9,
"""
TYPES = {"zip": "text", "when": "date", "flag": "boolean", "size": "number", "count": "integer", "town": "text"}
DATES = np.array(["2020-12-31", "2020-02-01", "2020-02-01"], "datetime64[us]")
VALUES = {
    "zip": np.array(["01234", "02345", None], object),
    "when": DATES,
    "flag": np.array([True, False, False]),
    "size": np.array([1.5, np.nan, -300]),
    "count": np.array([7, np.nan, 9]),
    "town": np.array(["Ulm", 'the "old", town', None], object),
}
ROWS = [
    {"zip": "01234", "when": DATES[0].item(), "flag": True, "size": 1.5, "count": 7, "town": "Ulm"},
    {"zip": "02345", "when": DATES[1].item(), "flag": False, "size": None, "count": None, "town": 'the "old", town'},
    {"zip": None, "when": DATES[2].item(), "flag": False, "size": -300.0, "count": 9, "town": None},
]


def as_file(tmp_path, ending):
    path = tmp_path / f"rows{ending}"
    if ending in (".csv", ".csv.gz"):
        data = CSV.encode()
        path.write_bytes(importlib.import_module("gzip").compress(data) if ending.endswith("gz") else data)
    elif ending == ".jsonl":
        path.write_text("".join(json.dumps(row | {"when": str(row["when"])}) + "\n" for row in ROWS))
    else:
        write_table(path, whole_numbers(VALUES))
    return path


def whole_numbers(values):
    return values | {"count": np.ma.masked_array([7, 0, 9], [False, True, False])}


def assert_the_rows(table):
    assert table.types == TYPES
    assert len(table) == 3
    for name, expected in VALUES.items():
        assert table.values(name).dtype == expected.dtype, name
        np.testing.assert_array_equal(table.values(name), expected, err_msg=name)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".jsonl", ".parquet"])
def test_files_of_every_format_give_the_same_table(tmp_path, ending):
    assert_the_rows(open_table(as_file(tmp_path, ending)))


LISTS = {name: [row[name] for row in ROWS] for name in VALUES}


@pytest.mark.parametrize("source", [whole_numbers(VALUES), ROWS, LISTS], ids=["arrays", "rows", "lists"])
def test_mappings_and_rows_give_the_same_table(source):
    assert_the_rows(open_table(source))


FRAMES = {
    "pandas": "DataFrame(source)",
    "polars": "DataFrame(source)",
    "polars, lazy": "LazyFrame(source)",
    "pyarrow": "table(source)",
}


@pytest.mark.parametrize("how", [pytest.param(how, marks=pytest.mark.needs(how.split(",")[0])) for how in FRAMES])
def test_frames_give_the_same_table(how):
    package = importlib.import_module(how.split(",")[0])
    source = dict(LISTS)
    if how == "pandas":
        source |= {"count": package.array([7, None, 9], "Int64")}
    frame = eval(f"package.{FRAMES[how]}", {"package": package, "source": source})
    assert_the_rows(open_table(frame))


def test_arrays_of_numbers_and_of_records():
    table = open_table(np.arange(6.0).reshape(3, 2))
    assert table.types == {"x0": "number", "x1": "number"}
    np.testing.assert_array_equal(table.values("x1"), [1, 3, 5])
    records = np.array([(1, "a"), (2, "b")], [("n", "i4"), ("t", "U1")])
    assert open_table(records).types == {"n": "integer", "t": "text"}


def test_a_table_is_read_in_any_order_and_by_parts(tmp_path):
    for table in (open_table(as_file(tmp_path, ".csv")), open_table(VALUES)):
        part = table.take([2, 0, 0])
        assert part.values("size").tolist() == [-300, 1.5, 1.5]
        assert part.take([1]).values("zip").tolist() == ["01234"]
        assert table.values("size", slice(2, None)).tolist() == [-300]
        assert part.facts("size").distinct == 2
        assert part.facts("size").mean == pytest.approx((-300 + 1.5 + 1.5) / 3)
        assert part.counts("size") == ((1.5, 2), (-300, 1))


def test_facts_are_the_same_from_a_file_and_from_arrays(tmp_path):
    file, arrays = open_table(as_file(tmp_path, ".csv")), open_table(whole_numbers(VALUES))
    for name in VALUES:
        assert file.facts(name) == arrays.facts(name), name
    facts = file.facts("when")
    assert (facts.rows, facts.missing, facts.distinct) == (3, 0, 2)
    assert (facts.minimum, facts.maximum) == (datetime.datetime(2020, 2, 1), datetime.datetime(2020, 12, 31))
    assert facts.frequent == ((datetime.datetime(2020, 2, 1), 2), (datetime.datetime(2020, 12, 31), 1))
    assert facts.quantiles[0.5] == datetime.datetime(2020, 2, 1)
    assert file.facts("size").quantiles[0.5] == pytest.approx((1.5 - 300) / 2)


def test_infinite_numbers_count_as_missing():
    facts = open_table({"a": [np.inf, -np.inf, np.nan, 1.0, 3.0]}).facts("a")
    assert (facts.missing, facts.infinite, facts.distinct, facts.maximum, facts.mean) == (3, 2, 2, 3.0, 2.0)


def test_a_few_rows_are_counted_as_the_database_counts_many(monkeypatch):
    random = np.random.default_rng(0)
    columns = {
        "whole": random.integers(-5, 5, 300),
        "gaps": [None if value == 0 else int(value) for value in random.integers(0, 9, 300)],
        "number": np.where(random.random(300) < 0.1, np.nan, random.integers(0, 50, 300) / 4),
        "zeros": np.where(random.random(300) < 0.5, -0.0, 0.0),
        "endless": np.where(random.random(300) < 0.2, np.inf, random.integers(0, 4, 300)),
        "truth": random.random(300) < 0.3,
        "date": np.datetime64("2020-01-01", "us") + random.integers(0, 30, 300).astype("m8[D]"),
        "none": np.full(300, np.nan),
    }
    few = open_table(columns)
    found, counts = few.all_facts(), few.counts("date")
    monkeypatch.setattr(fact_finding, "FEW_ROWS", -1)
    many = open_table(columns)
    assert repr(many.all_facts()) == repr(found)
    assert many.counts("date") == counts


def test_facts_of_more_rows_than_are_counted_one_by_one():
    random = np.random.default_rng(0)
    columns = {
        "id": np.arange(50_000),
        "name": np.char.add("n", np.arange(50_000).astype(str)).astype(object),
        "noise": random.normal(size=50_000),
        "few": random.integers(0, 7, 50_000),
    }
    facts = open_table(columns).all_facts()
    assert {name: facts[name].distinct for name in ("id", "name", "few")} == {"id": 50_000, "name": 50_000, "few": 7}
    assert facts["noise"].distinct == pytest.approx(50_000, rel=0.1)
    assert len(facts["few"].frequent) == 7
    assert facts["id"].frequent == facts["noise"].frequent == ()
    assert facts["noise"].quantiles[0.5] == pytest.approx(np.median(columns["noise"]))


def test_quantiles_of_many_rows_are_those_of_some(monkeypatch):
    monkeypatch.setattr(fact_finding, "SAMPLE_ROWS", 100)
    for table in (open_table({"a": np.arange(1000.0)}), open_table({"a": np.arange(2000.0)}).take(slice(1000))):
        assert table.facts("a").quantiles[0.5] == np.median(np.arange(0, 1000, 10))
        assert table.facts("a").maximum == 999


def test_equal_rows_have_equal_hashes_whatever_they_come_from(tmp_path):
    table = open_table(as_file(tmp_path, ".csv"))
    assert len(set(table.hashes())) == 3
    np.testing.assert_array_equal(table.take([1, 1, 0]).hashes(), table.hashes()[[1, 1, 0]])
    np.testing.assert_array_equal(table.hashes(), open_table(whole_numbers(VALUES)).hashes())


def test_whole_numbers_keep_their_digits_until_one_is_missing(tmp_path):
    """The database hands a file out in pieces of some 100,000 rows: what comes later may change what was before."""
    path, rows = tmp_path / "many.parquet", 300_000
    exact = 2**60 + np.arange(rows)
    write_table(path, {"exact": exact, "late": np.where(np.arange(rows) < rows - 5, np.arange(rows), np.nan)})
    with connect().cursor() as database:
        again = f"copy (select exact, late::bigint as late from '{path}') to '{path}2.parquet'"
        database.execute(again)
    table = open_table(f"{path}2.parquet")
    np.testing.assert_array_equal(table.values("exact"), exact)
    late = table.values("late")
    assert late.dtype == np.float64
    assert np.isnan(late[-5:]).all()
    np.testing.assert_array_equal(late[:-5], np.arange(rows - 5))


def test_rows_outlive_the_table_that_is_let_go():
    table = open_table(VALUES)
    some = table.take([2, 0]).copied()
    table.let_go()
    assert len(table) == 3
    np.testing.assert_array_equal(some.values("when"), DATES[[2, 0]])
    assert some.values("town").tolist() == [None, "Ulm"]
    assert some.facts("size").maximum == 1.5


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda folder: open_table(folder / "none.csv"), StorageError, "cannot read"),
        (lambda folder: open_table(folder), StorageError, "folder"),
        (lambda folder: open_table({"a": [1, 2], "b": [1]}), ShapeError, "length"),
        (lambda folder: open_table({"a": [1, object()]}), DTypeError, "'a'"),
        (lambda folder: open_table(7), DTypeError, "no table"),
        (lambda folder: open_table({"a": [1]}).values("b"), NameNotFoundError, "'b'"),
        (lambda folder: open_table({"a": [1]}).take([1]), DataError, "rows"),
    ],
)
def test_what_is_no_table_is_refused_in_four_parts(tmp_path, make, kind, match):
    with pytest.raises(kind, match=match) as caught:
        make(tmp_path)
    assert all((caught.value.expected, caught.value.got, caught.value.fix))
