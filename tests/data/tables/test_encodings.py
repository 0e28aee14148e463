"""Columns as numbers: what is promised, and the same bits by SQL, by NumPy and for one value."""

import datetime

import numpy as np
import pytest

from thalweg.data.tables.encodings import MISSING, MISSING_MOMENT, UNSEEN, Codes, Moment, Number, registry
from thalweg.data.tables.opening import open_table
from thalweg.data.tables.writing import write_table
from thalweg.errors import ArgumentError, DataError

random = np.random.default_rng(0)
NUMBERS = np.concatenate(
    [random.normal(0, 10.0 ** random.integers(-30, 30, 500)), [np.nan, 0.0, -0.0, 1e300, -1e39, 2.0**60]]
)
COLUMNS = {
    "number": NUMBERS,
    "integer": np.ma.masked_array(random.integers(-(2**60), 2**60, len(NUMBERS)), np.arange(len(NUMBERS)) == 3),
    "small": np.arange(len(NUMBERS)) % 7,
    "boolean": np.array([True, False, None] * len(NUMBERS), object)[: len(NUMBERS)],
    "date": np.datetime64("2020-01-01") + np.arange(len(NUMBERS)).astype("m8[m]"),
    "text": np.array(["a", "b", "it's", None, 'ü"', "5"] * len(NUMBERS), object)[: len(NUMBERS)],
    "spelled": np.array([*(" 2 ", "1e3", "1e999", "x", "1_0", "inf", None, ".5", "5.", "+3", "-1E-2", "\t7")] * 99)[
        : len(NUMBERS)
    ],
    "when": np.array(
        [*("2020-02-29", "2019-02-29", "soon", None, "2020-01-02 10:30", "2020-01-02T10:30:11.5", "2020-1-2")] * 99
    )[: len(NUMBERS)],
}
ENCODINGS = [
    Number("number"),
    Number("number", 1e10),
    Number("integer", -3.5),
    Number("boolean"),
    Codes("small", (0, 3, 5)),
    Codes("small", ("5", "x", "0")),
    Codes("number", (0.0, NUMBERS[7])),
    Codes("boolean", (False, True)),
    Codes("boolean", ("yes",)),
    Codes("text", ("it's", 'ü"', "a", "gone")),
    Codes("text", ()),
    Codes("integer", ()),
    Moment("date"),
    Number("spelled", 2.0, lenient=True),
    Moment("when", lenient=True),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("encodings") / "columns.parquet"
    write_table(path, COLUMNS)
    return path


@pytest.fixture(scope="module")
def file(path):
    return open_table(path)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=repr)
def test_the_same_bits_from_a_file_from_arrays_and_for_one_value(path, file, encoding):
    held = open_table(COLUMNS)
    (expected,) = held.encoded([encoding]).values()
    (got,) = file.encoded([encoding]).values()
    assert got.dtype == expected.dtype == encoding.dtype
    assert got.tobytes() == expected.tobytes()
    ((streamed,),) = (arrays.values() for arrays in open_table(path).chunks([encoding], len(NUMBERS)))
    assert streamed.tobytes() == expected.tobytes()
    alone = np.array([encoding.value(value) for value in held.values(encoding.column)], encoding.dtype)
    assert alone.tobytes() == expected.tobytes()


@pytest.mark.parametrize("encoding", ENCODINGS, ids=repr)
def test_a_saved_description_gives_an_equal_encoding(encoding):
    assert registry.from_config(registry.config(encoding)) == encoding


def test_groups_columns_and_chunks(file):
    encodings = [Number("number"), Codes("text", ("a",)), Number("integer"), Moment("date")]
    whole = file.encoded(encodings)
    shapes = {group: array.shape for group, array in whole.items()}
    assert shapes == {"numbers": (len(NUMBERS), 2), "codes": (len(NUMBERS), 1), "moments": (len(NUMBERS), 1)}
    pieces = list(file.chunks(encodings, 100))
    assert [len(piece["codes"]) for piece in pieces] == [100] * 5 + [len(NUMBERS) - 500]
    for group, array in whole.items():
        np.testing.assert_array_equal(np.concatenate([piece[group] for piece in pieces]), array)
    np.testing.assert_array_equal(file.take([5, 2]).encoded(encodings)["numbers"], whole["numbers"][[5, 2]])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("red", 2),
        (5, 3),
        (5.0, 3),
        ("5", 3),
        ("x", UNSEEN),
        ("", MISSING),
        (None, MISSING),
        (np.nan, MISSING),
        (6, UNSEEN),
    ],
)
def test_codes_of_text(value, code):
    assert Codes("colour", ("red", "5")).value(value) == code


@pytest.mark.parametrize(
    ("value", "code"), [(1, 2), ("1", 2), ("01", 2), (True, 2), (0.5, 3), ("x", UNSEEN), (None, MISSING)]
)
def test_codes_of_numbers(value, code):
    assert Codes("colour", (1, 0.5)).value(value) == code


@pytest.mark.parametrize(
    "value", ["2020-01-02 03:04", datetime.datetime(2020, 1, 2, 3, 4), np.datetime64("2020-01-02T03:04")]
)
def test_moments(value):
    assert Moment("when").value(value) == 1577934240000000
    with_zone = datetime.datetime(2020, 1, 2, 5, 4, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    assert Moment("when").value(with_zone) == 1577934240000000
    assert Moment("when").value(None) == MISSING_MOMENT


@pytest.mark.parametrize(
    ("encoding", "values"),
    [
        (Number("a"), np.array(["1", "many"], object)),
        (Number("a"), np.array(["2020-01-01"], "M8[us]")),
        (Codes("a", ("x",)), np.array(["2020-01-01"], "M8[us]")),
        (Moment("a"), np.array([1.5])),
        (Moment("a"), np.array(["yesterday"], object)),
    ],
)
def test_values_of_another_kind_than_in_training_are_refused_by_name(encoding, values):
    with pytest.raises(DataError, match="'a'"):
        encoding.array(values)


@pytest.mark.parametrize("encoding", [Number("text"), Number("date"), Codes("date", ()), Moment("number")], ids=repr)
def test_the_same_of_a_file(file, encoding):
    with pytest.raises(DataError, match=repr(encoding.column)):
        file.encoded([encoding])


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match="offset"):
        Number("a", float("nan"))
