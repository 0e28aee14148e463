"""Without scikit-learn: what is missing is said; what does not need it is tested here."""

import sys

import numpy as np
import pytest

import thalweg.sklearn
from thalweg.errors import MissingPackageError
from thalweg.sklearn.design import design
from thalweg.sklearn.steps import batch_size


def test_the_package_is_asked_for_where_it_is_missing(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match="scikit-learn") as caught:
        _ = thalweg.sklearn.MLPClassifier
    assert "pip install" in caught.value.fix
    assert dir(thalweg.sklearn) == sorted(thalweg.sklearn.__all__)


def test_an_unknown_name_gets_advice():
    with pytest.raises(AttributeError, match="MLPClassifier"):
        _ = thalweg.sklearn.MLPClasifier


def test_equal_designs_are_one():
    arguments = (3, (4,), ("relu",), (0.0,), False, 1, "identity", "float32")
    assert design(*arguments) is design(*arguments)
    assert design(3, (4,), ([],), (0.0,), False, 1, "identity", "float32").units == (3, 4, 1)


def test_few_programs_serve_all_numbers_of_rows():
    sizes = [batch_size(rows) for rows in range(1, 3000)]
    assert all(rows <= size <= max(8, rows * 1.13 + 8) for rows, size in enumerate(sizes, 1))
    assert len(set(sizes)) < 60


def test_first_weights_lie_within_their_bounds():
    made = design(3, (50,), ("logistic",), (0.5,), True, 1, "identity", "float64")
    state = made.first_state(np.random.RandomState(0))
    (first, _), bound = made.arrays(state, "kernel"), np.sqrt(2 / 53)
    assert 0.9 * bound < np.abs(first).max() <= bound
    assert made.draws
    assert not made.by_row
    assert state.read("parameters/normalization_1/gamma").tolist() == [1.0] * 50
