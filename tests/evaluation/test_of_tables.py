"""A model that takes raw rows is judged by them: which rows count, what is shown, and what is exchanged."""

import numpy as np
import pytest

from thalweg.data.tables.encodings import Codes, Number
from thalweg.data.tables.opening import open_table
from thalweg.errors import DataError
from thalweg.evaluation import hold_out, judge
from thalweg.tables import train


class Schema:
    def __init__(self, classes, targets):
        self.classes, self.targets = classes, targets
        self.places = {"size": (("numbers", 0),), "town": (("codes", 0),)}


class Fake:
    """As ``tables.TableModel`` is seen by a judge."""

    name = "fake"
    conformal = None

    def __init__(self, classes=(), target="price"):
        self.schema = Schema(classes, (target,))
        self.rows_seen = 0

    def opened(self, data):
        return data if hasattr(data, "hashes") else open_table(data)

    def encode(self, data):
        return self.opened(data).encoded([Number("size"), Codes("town", ("Bonn", "Ulm"))])

    def encoded_target(self, data):
        values = self.opened(data).values(self.schema.targets[0])
        if not self.schema.classes:
            return values[:, None].astype(np.float64)
        return np.array([-1 if value is None else self.schema.classes.index(value) for value in values])

    def predict(self, x):
        self.rows_seen += len(x["numbers"])
        price = 10 * np.nan_to_num(x["numbers"][:, 0]) + 5 * (x["codes"][:, 0] == 2)
        if not self.schema.classes:
            return price[:, None]
        chance = 1 / (1 + np.exp(price - 6))
        return np.stack([chance, 1 - chance], 1)


def rows(count=90, seed=0):
    random = np.random.default_rng(seed)
    size, town = random.random(count), np.array(["Ulm", "Bonn", None], object)[random.integers(0, 3, count)]
    price = 10 * size + 5 * (town == "Bonn") + random.normal(size=count) * 0.1
    number = np.array([f"no {at}" for at in range(count)], object)
    dear = np.array(["cheap", "dear"], object)[(price > 6).astype(int)]
    return {"number": number, "size": size, "town": town, "price": price, "dear": dear}


def test_numbers():
    data = rows()
    data["price"][[3, 30]] = np.nan
    data["size"][5] = 9.0  # which the price does not know
    data["price"][5] = 1.0
    found = judge(Fake(), data, by="town", notes=["a note"])
    assert found.rows == 88
    assert found.notes == ("a note", "Left out, as they have no target: 2 of 90 rows.")
    worst = found.section("worst")
    assert worst.rows[0] == 5
    shown = dict(zip(worst.columns, worst.values[0], strict=True))
    assert set(shown) == {"number", "size", "town", "dear"}
    assert shown["number"] == "no 5"
    assert set(found.section("importance").columns) == {"size", "town"}
    curves = {curve.column: curve for curve in found.section("dependence").curves}
    towns = dict(zip(curves["town"].values, curves["town"].mean[:, 0], strict=True))
    assert towns["Bonn"] - towns["Ulm"] == pytest.approx(5)
    assert sorted(found.section("groups").groups) == ["(missing)", "Bonn", "Ulm"]
    assert found.targets == ("price",)


def test_classes_and_rows_of_a_larger_table():
    data = rows()
    found = judge(Fake(("cheap", "dear"), "dear"), data, rows=np.arange(90) + 500, importance=False)
    assert found.classes == ("cheap", "dear")
    assert found.section("worst").rows.min(initial=500) >= 500
    assert "importance" not in found.to_dict()


def test_groups_are_columns():
    data = rows()
    data["owner"] = np.array([f"owner {at // 30}" for at in range(90)], object)
    alone, together = (judge(Fake(), data, groups=given, importance=False) for given in (None, "owner"))
    assert alone.scores["RMSE"].value == together.scores["RMSE"].value
    assert alone.scores["RMSE"].low != together.scores["RMSE"].low


def test_thousands_of_columns_take_no_longer_than_hundreds():
    model = Fake()
    data = rows(2000)
    model.schema.places = {f"x{at}": (("numbers", 0),) for at in range(3000)}

    table = open_table({**data, **{f"x{at}": data["size"] for at in range(3000)}})
    found = judge(model, table, dependence=1)
    assert found.section("importance").rows == 200
    assert model.rows_seen < 4e6
    assert len(found.section("worst").columns) == 30


def test_without_any_target():
    data = {**rows(10), "price": np.full(10, np.nan)}
    with pytest.raises(DataError, match="no row has a target") as caught:
        judge(Fake(), data)
    assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))


def test_a_trained_model_from_its_raw_rows():
    """Encoded once, the scores are those of ``predict`` on raw rows; the worst rows are those of the table."""
    data = rows(60)
    table = open_table(data)
    held = hold_out(table, "dear", seed=1)
    model = train(table.take(held.train_rows), "dear", ignore=["price"], epochs=2, members=1, verbose=0)
    test = table.take(held.test_rows)
    found = judge(model, test, rows=held.test_rows, notes=held.sentences())
    assert found.notes[0].startswith("Held out to judge by: 12 of 60 rows")
    assert found.scores["accuracy"].value == np.mean(
        model.labels(model.predict(test, verbose=0)) == test.values("dear")
    )
    assert set(found.section("importance").columns) == {"size", "town"}
    worst = found.section("worst")
    for row, target, values in zip(worst.rows.tolist(), worst.targets, worst.values, strict=True):
        assert data["dear"][row] == target
        assert data["number"][row] in values
