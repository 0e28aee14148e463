"""Tables of pandas and Polars, matrices and sparse ones: the right numbers, or an error that names the column."""

import importlib

import numpy as np
import pytest
from tests import nets

from thalweg import cross_validate, errors, metrics, train_validation_test_split
from thalweg.data.arrays import as_array
from thalweg.data.tables.frames import labels

PANDAS = {
    "Int64": "pd.Series([1, 2, 3], dtype='Int64')",
    "Int64 with a gap": "pd.Series([1, None, 3], dtype='Int64')",
    "Float32": "pd.Series([1.5, 2, 3], dtype='Float32')",
    "boolean": "pd.Series([True, False, True], dtype='boolean')",
    "numbers as categories": "pd.Series([1, 2, 1], dtype='category')",
    "objects": "pd.Series([1, 2.5, None], dtype=object)",
    "of arrow": "pd.Series([1, 2, 3], dtype='int64[pyarrow]')",
    "text": "pd.Series(['1.5', 'b', 'c'])",
    "text as objects": "pd.Series(['1.5', '2', '3'], dtype=object)",
    "string": "pd.Series(['a', None, 'c'], dtype='string')",
    "category": "pd.Series(['a', 'b', 'a'], dtype='category')",
    "dates": "pd.Series(pd.date_range('2020-01-01', periods=3))",
    "times": "pd.Series(pd.to_timedelta([1, 2, 3], unit='D'))",
    "days": "pd.Series([datetime.date(2020, 1, 1)] * 3)",
    "complex": "pd.Series([1j, 2, 3])",
}
POLARS = {
    "Int64": "pl.Series([1, 2, 3])",
    "with a gap": "pl.Series([1, None, 3])",
    "Boolean": "pl.Series([True, False, True])",
    "text": "pl.Series(['a', 'b', 'c'])",
    "category": "pl.Series(['a', 'b', 'a'], dtype=pl.Categorical)",
    "dates": "pl.Series([datetime.date(2020, 1, 1)] * 3)",
}
NUMBERS = {
    "Int64": [1, 2, 3],
    "Int64 with a gap": [1, np.nan, 3],
    "with a gap": [1, np.nan, 3],
    "Float32": [1.5, 2, 3],
    "boolean": [1, 0, 1],
    "Boolean": [1, 0, 1],
    "numbers as categories": [1, 2, 1],
    "objects": [1, 2.5, np.nan],
    "of arrow": [1, 2, 3],
}


def made(text):
    names = {"datetime": importlib.import_module("datetime")}
    for short, package in (("pd", "pandas"), ("pl", "polars")):
        if short + "." in text:
            names[short] = importlib.import_module(package)
    return eval(text, names)


def columns():
    for package, cases in (("pandas", PANDAS), ("polars", POLARS)):
        for name, text in cases.items():
            marks = pytest.mark.needs(*(("pandas", "pyarrow") if "arrow" in text else (package,)))
            yield pytest.param(package, name, text, marks=marks, id=f"{package}-{name}")


@pytest.mark.parametrize(("package", "name", "text"), [*columns()])
def test_columns_of_tables(package, name, text):
    column = made(text)
    library = importlib.import_module(package)
    table = library.DataFrame({"first": [0.5, 1.5, 2.5], "it": column})
    if name in NUMBERS:
        np.testing.assert_array_equal(as_array(column, "x"), NUMBERS[name])
        np.testing.assert_array_equal(as_array(table, "x"), np.stack([[0.5, 1.5, 2.5], NUMBERS[name]], 1))
        return
    with pytest.raises(errors.DTypeError, match="does not hold numbers"):
        as_array(column, "x")
    with pytest.raises(errors.DTypeError, match="its column 'it' has dtype") as caught:
        as_array(table, "x")
    assert all((caught.value.expected, caught.value.got, caught.value.fix))


@pytest.mark.needs("pandas")
def test_a_gap_is_found_by_fit_and_named():
    x, y = nets.points(20)
    table = made("pd.DataFrame")(x, columns=list("abcd"))
    table["b"] = made("pd.Series([None] + list(range(19)), dtype='Int64')")
    with pytest.raises(errors.DataError, match="nan in row 0, column 'b'"):
        nets.classifier().fit(table, y, verbose=0)


@pytest.mark.needs("pandas")
def test_columns_of_one_name_are_two():
    table = made("pd.DataFrame([[1.0, True], [2.0, False]], columns=['a', 'a'])")
    np.testing.assert_array_equal(as_array(table.astype(object), "x"), [[1, 1], [2, 0]])


LABELS = {
    "array": "lab",
    "objects": "lab.astype(object)",
    "Series": "pd.Series(lab)",
    "categories": "pd.Series(lab, dtype='category')",
    "Categorical": "pd.Categorical(lab)",
    "string": "pd.Series(lab, dtype='string')",
    "Polars": "pl.Series(lab)",
}


@pytest.mark.needs("pandas", "polars")
@pytest.mark.parametrize("text", LABELS.values(), ids=LABELS.keys())
def test_text_labels_of_every_kind(text):
    """In splits and reports they are classes; a network is given numbers, and told so."""
    x, numbers = nets.points(20)
    names = np.array(["cat", "dog", "bird"])[numbers]
    given = eval(text, {"lab": names, "pd": importlib.import_module("pandas"), "pl": importlib.import_module("polars")})
    split = train_validation_test_split(x, stratify=given, validation_size=0, test_size=8)
    want = train_validation_test_split(x, stratify=names, validation_size=0, test_size=8)
    np.testing.assert_array_equal(split.test_rows, want.test_rows)
    table = metrics.confusion_matrix(given, names)
    assert table.labels == ("bird", "cat", "dog")
    np.testing.assert_array_equal(table.matrix, metrics.confusion_matrix(names, names).matrix)
    assert metrics.classification_report(names, given).accuracy == 1.0
    with pytest.raises(errors.DTypeError) as caught:
        nets.classifier().fit(x, given, verbose=0)
    assert "classes, y = np.unique(y, return_inverse=True)" in caught.value.fix


def test_labels_that_are_missing_or_mixed():
    for bad in ([None, "a"], [1, "a"], [np.nan, "a"]):
        with pytest.raises(errors.DTypeError, match="no class in some rows, or classes of several kinds"):
            labels(np.array(bad, object), "y")


@pytest.mark.needs("scipy")
def test_sparse_matrices_are_told():
    sparse = importlib.import_module("scipy.sparse")
    with pytest.raises(errors.DTypeError, match="sparse matrix") as caught:
        nets.classifier().fit(sparse.eye(20, 4).tocsr(), nets.points(20)[1], verbose=0)
    assert "x.toarray()" in caught.value.fix


def test_a_matrix_is_an_array():
    """np.matrix keeps two axes whatever is done with it; what is read of it is an array."""
    with pytest.warns(PendingDeprecationWarning):
        given = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    assert type(as_array(given, "x")) is np.ndarray


def test_what_cannot_be_read_says_why():
    class Refusing:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("still on the device")

    with pytest.raises(errors.DTypeError, match="still on the device"):
        as_array(Refusing(), "x")
    with pytest.raises(errors.DTypeError, match="does not hold numbers"):
        as_array(np.array(["1.5", "2"], object), "x")


def test_cross_validation_of_text_labels_is_told_before_anything_is_trained():
    x, y = nets.points(20)
    with pytest.raises(errors.DTypeError, match="y does not hold numbers"):
        cross_validate(nets.classifier, x, y.astype(str), 2, verbose=0)
