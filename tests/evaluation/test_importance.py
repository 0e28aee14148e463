"""What the columns are worth, and how predictions go with them: against the definition and scikit-learn."""

import numpy as np
import pytest

from thalweg.errors import ArgumentError, NameNotFoundError, ShapeError
from thalweg.evaluation import partial_dependence, permutation_importance
from thalweg.evaluation.columns import Columns, columns_of, several


def data(rows=400, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4))
    x[:, 3] = x[:, 0] + 0.1 * random.normal(size=rows)
    return x, 3 * x[:, 0] - x[:, 1] + 0.2 * random.normal(size=rows)


def linear(x):
    return 3 * x[:, 0] - x[:, 1]


def test_a_linear_model_loses_what_the_mathematics_says():
    """Shuffling x_i adds 2 w_i^2 var(x_i) to the mean squared error, on the average."""
    x, y = data(3000)
    found = permutation_importance(linear, x, y, names=["a", "b", "c", "d"], repeats=10)
    assert found.columns[:2] == ("a", "b")
    assert set(found.columns[2:]) == {"c", "d"}
    before = np.mean((linear(x) - y) ** 2)
    for name, weight, at in (("a", 3, 0), ("b", -1, 1)):
        rise = found.rises[found.columns.index(name)]
        wanted = np.sqrt(before + 2 * weight**2 * x[:, at].var()) - np.sqrt(before)
        assert rise.low < wanted < rise.high
        assert rise.high - rise.low < 0.2 * wanted
    assert all(rise.value == rise.low == rise.high == 0 for rise in found.rises[2:])
    assert found.alike == (("a", "d"),)
    assert "a, d" in found.sentences()[-1]


def test_the_interval_holds_for_other_rows_and_other_shuffles():
    """Of 40 draws of rows and shuffles 38 intervals should hold the mean of all; 34 is 3 deviations below."""
    rises = []
    for seed in range(40):
        x, y = data(150, seed)
        found = permutation_importance(lambda x: linear(x) + 0.8 * x[:, 2], x, y, repeats=3, seed=seed)
        rises.append(found.rises[found.columns.index("x2")])
    truth = np.mean([rise.value for rise in rises])
    assert sum(rise.low <= truth <= rise.high for rise in rises) >= 34


@pytest.mark.needs("sklearn")
def test_as_in_scikit_learn():
    from sklearn.inspection import permutation_importance as theirs
    from sklearn.linear_model import LogisticRegression

    x, y = data(600)
    label = (y + np.random.default_rng(3).normal(size=600) > 0).astype(int)
    model = LogisticRegression().fit(x, label)
    found = permutation_importance(model.predict_proba, x, label, repeats=30)
    wanted = theirs(model, x, label, scoring="neg_log_loss", n_repeats=30, random_state=0)
    for at in range(4):
        rise = found.rises[found.columns.index(f"x{at}")]
        assert rise.value == pytest.approx(wanted.importances_mean[at], abs=4 * wanted.importances_std[at] / 30**0.5)


@pytest.mark.needs("sklearn")
def test_partial_dependence_as_in_scikit_learn():
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import partial_dependence as theirs

    x, y = data(200)
    x[:, 1] = np.round(x[:, 1])
    model = RandomForestRegressor(20, random_state=0).fit(x, y)
    for column in (0, 1):
        found = partial_dependence(model.predict, x, f"x{column}", rows=None)
        wanted = theirs(model, x, [column], custom_values={column: np.array(found.values)}, kind="both", method="brute")
        np.testing.assert_allclose(found.mean[:, 0], wanted["average"][0])
        np.testing.assert_allclose(found.lines, wanted["individual"][0][::5])
    assert list(found.values) == np.unique(x[:, 1]).tolist()


def test_dependence_of_a_category_and_of_classes():
    random = np.random.default_rng(0)
    rows = {"kind": np.array(["a", "b", None], object)[random.integers(0, 3, 90)], "size": random.random(90)}

    def predict(x):
        chance = np.clip(0.2 + 0.5 * (x["kind"] == "b") + 0.1 * x["size"], 0, 1)
        return np.stack([1 - chance, chance], 1)

    found = partial_dependence(predict, rows, "kind", classes=["no", "yes"])
    assert found.outputs == ("p(yes)",)
    assert sorted(map(str, found.values)) == ["None", "a", "b"]
    assert found.shares.sum() == pytest.approx(1)
    means = dict(zip(found.values, found.mean[:, 0], strict=True))
    assert means["b"] - means["a"] == pytest.approx(0.5)
    worth = permutation_importance(predict, rows, random.integers(0, 2, 90))
    assert worth.score == "log loss"


def test_a_column_of_several_slots_is_exchanged_as_one():
    """The parts of a date stay together; every other column stays where it is."""
    random = np.random.default_rng(0)
    numbers, codes = random.normal(size=(20, 3)), random.integers(0, 5, (20, 2))
    places = {"size": (("numbers", 1),), "day": (("numbers", 0), ("numbers", 2), ("codes", 1))}
    columns = Columns({"numbers": numbers, "codes": codes}, places)
    donors = random.permutation(20)
    moved = columns.exchanged("day", donors).inputs
    assert np.array_equal(moved["numbers"][:, [0, 2]], numbers[donors][:, [0, 2]])
    assert np.array_equal(moved["codes"][:, 1], codes[donors, 1])
    assert np.array_equal(moved["numbers"][:, 1], numbers[:, 1])
    assert np.array_equal(moved["codes"][:, 0], codes[:, 0])
    assert len(np.unique(columns.key("day"))) == 20


def test_variants_are_predicted_together(monkeypatch):
    """One call for all that fits into a piece; the answers are those of single calls."""
    x = np.random.default_rng(0).normal(size=(30, 2))
    columns = columns_of(x)
    variants = [columns.exchanged("x0", np.full(30, at)) for at in range(7)]
    sizes = []

    def predict(rows):
        sizes.append(len(rows))
        return rows[:, 0] * rows[:, 1]

    monkeypatch.setattr("thalweg.evaluation.columns.PIECE", 70)
    said = list(several(predict, variants))
    assert sizes == [90, 90, 30]
    assert all(np.array_equal(own, predict(v.inputs)) for own, v in zip(said, variants, strict=True))


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (NameNotFoundError, lambda: partial_dependence(linear, data()[0], "size")),
        (ArgumentError, lambda: partial_dependence(linear, data()[0], "x0", points=1)),
        (ArgumentError, lambda: permutation_importance(linear, *data(), repeats=0)),
        (ArgumentError, lambda: permutation_importance(linear, *data(), names=["a", "b"])),
        (ArgumentError, lambda: permutation_importance("model", *data())),
        (ShapeError, lambda: permutation_importance(linear, {"a": [1, 2], "b": [1]}, [1, 2])),
        (ShapeError, lambda: permutation_importance(linear, {}, [])),
    ],
)
def test_what_cannot_be(error, call):
    with pytest.raises(error) as caught:
        call()
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
