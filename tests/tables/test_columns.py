"""What columns and targets are taken for."""

import json

import numpy as np
import pytest
from tests.tables.houses import houses

from thalweg.data.tables.opening import open_table
from thalweg.errors import ArgumentError, DataError, NameNotFoundError
from thalweg.tables import Schema, understand
from thalweg.tables.targets import find_targets


def schema(columns, target, **options):
    return understand(columns, target, **options)


def one(values, name="a", **options):
    """What a column is used as beside a target of numbers."""
    target = np.random.default_rng(0).normal(size=len(values))
    return schema({name: values, "spare": target + 1, "y": target}, "y", **options)[name]


class TestKinds:
    def test_each_kind_of_column_is_recognised(self):
        kinds = {column.name: column.kind for column in schema(houses(), "price", ignore=["kind"]).columns}
        assert kinds == {
            "size": "number",
            "rooms": "number",
            "town": "category",
            "sold": "date",
            "garden": "boolean",
            "zip_code": "category",
            "note": "left out",
            "country": "left out",
            "number": "left out",
            "gone": "left out",
            "kind": "left out",
        }

    def test_why_a_column_is_left_out_is_said(self):
        reasons = {c.name: c.reason for c in schema(houses(), "price", ignore=["kind"]).columns if c.kind == "left out"}
        assert reasons == {
            "note": "text that differs in every row",
            "country": "always Germany",
            "number": "counts the rows",
            "gone": "no value in any row",
            "kind": "as told",
        }

    def test_many_for_one_reason_share_a_line(self):
        border = {f"pixel{number}": np.zeros(30, int) for number in range(69)}
        y = np.random.default_rng(0).normal(size=30)
        lines = str(schema({"first": y + 1, **border, "last": y + 2, "y": y}, "y")).splitlines()
        assert lines[1] == "71 columns: 2 number, 69 left out"
        assert [line.split("  ")[0] for line in lines[4:]] == ["first", "pixel0 and 68 more", "last"]

    def test_a_constant_with_gaps_says_something(self):
        assert one(np.array(["yes", None] * 20, object)).kind == "category"

    def test_sentences_are_left_out(self):
        texts = [f"a sentence of some words about {i // 2} and {i % 3}" for i in range(100)]
        found = one(np.array(texts, object))
        assert (found.kind, found.reason) == ("left out", "text that differs in every row")
        found = one(np.array(texts * 2, object))
        assert found.kind == "left out"
        assert found.reason.startswith("free text of")

    @pytest.mark.parametrize("name", ["id", "customer_id", "customerId", "row_number"])
    def test_numbers_that_name_rows_are_left_out(self, name):
        values = np.random.default_rng(1).permutation(10_000)[:200]
        assert one(values, name).kind == "left out"

    @pytest.mark.parametrize(("name", "kind"), [("shop_id", "category"), ("shops", "number"), ("Pclass", "number")])
    def test_codes_are_known_by_their_names(self, name, kind):
        assert one(np.arange(200) % 12, name).kind == kind

    def test_a_nearly_empty_column_is_left_out(self):
        values = np.full(300, np.nan)
        values[:2] = 1.0, 2.0
        assert one(values).kind == "left out"

    def test_rare_categories_share_the_place_of_what_was_never_seen(self):
        names = [f"often {i % 25}" for i in range(100)] + [f"once {i}" for i in range(10)]
        assert one(np.array(names, object)).categories == tuple(sorted(f"often {i}" for i in range(25)))

    def test_everything_can_be_said_instead(self):
        found = schema(houses(), "price", categorical=["rooms"], numeric=["zip_code"], ignore=["town", "kind"])
        assert [found[n].kind for n in ("rooms", "zip_code", "town")] == ["category", "number", "left out"]
        assert found["rooms"].reason == "as told"

    def test_statistics_are_those_of_the_rows_to_learn_from(self):
        values = np.r_[np.arange(50.0), np.full(50, 1e6)]
        found = one(values, rows=np.arange(50))
        assert (found.center, found.scale, found.high) == (24.5, 24.5, 49.0)

    def test_large_numbers_close_to_each_other_keep_their_digits(self):
        values = 1e9 + np.arange(100) / 8
        found = one(values)
        assert found.offset == pytest.approx(1e9 + 6.2)
        np.testing.assert_allclose(np.diff(found.encoding.array(values)), 1 / 8, rtol=1e-4)

    def test_a_date_has_the_cycles_that_it_reaches_over(self):
        start = np.datetime64("2020-01-01T00:00", "us")
        assert one(start + np.arange(40).astype("timedelta64[D]")).cycles == ("week",)
        assert one(start + np.arange(400).astype("timedelta64[D]")).cycles == ("year", "month", "week")
        assert one(start + np.arange(40).astype("timedelta64[h]")).cycles == ("day",)

    def test_columns_to_which_the_same_is_done_are_neighbours(self):
        random = np.random.default_rng(0)
        data = {f"n{i}": np.where(random.random(60) < 0.2 * (i % 2), np.nan, random.random(60)) for i in range(6)}
        days = np.datetime64("2020-01-01", "us") + np.arange(60).astype("timedelta64[D]")
        data |= {"long": days[0] + 12 * (days - days[0]), "short": days, "longer": days[0] + 13 * (days - days[0])}
        data |= {
            f"c{i}": np.array(["a", "b", "c", "d"] * 15, object)[random.permutation(60) % (2 + i % 2)] for i in range(4)
        }
        groups = schema({**data, "y": random.random(60)}, "y").groups
        names = {group: " ".join(column.name for column in columns) for group, columns in groups.items()}
        assert names == {"numbers": "n1 n3 n5 n0 n2 n4", "moments": "short long longer", "codes": "c0 c2 c1 c3"}

    @pytest.mark.long
    def test_five_thousand_columns(self):
        values = np.random.default_rng(0).normal(size=(20, 5000))
        found = schema({**{f"x{i}": values[:, i] for i in range(5000)}, "y": values[:, 0]}, "y")
        assert len(found.used) == 5000
        assert len(str(found).splitlines()) < 60


class TestTask:
    @pytest.mark.parametrize(
        ("values", "task", "classes"),
        [
            (np.arange(50) / 3, "regression", ()),
            (np.arange(50) % 2, "binary", (0, 1)),
            (np.arange(50) % 2 + 0.0, "binary", (0, 1)),
            (np.arange(50) % 2 == 0, "binary", (False, True)),
            (np.arange(50) % 3, "multiclass", (0, 1, 2)),
            (np.arange(50) % 3 + 5, "regression", ()),
            (np.arange(50), "regression", ()),
            (np.array(["b", "a", "c"] * 17, object), "multiclass", ("a", "b", "c")),
        ],
    )
    def test_is_found_out_from_the_target(self, values, task, classes):
        found = schema({"a": np.random.default_rng(0).normal(size=len(values)), "y": values}, "y")
        assert (found.task, found.classes) == (task, classes)

    def test_can_be_said(self):
        data = {"a": np.random.default_rng(0).normal(size=60), "y": np.arange(60) % 3}
        assert schema(data, "y", task="regression").task == "regression"
        data["y"] += 5
        assert schema(data, "y", task="classification").classes == (5, 6, 7)

    def test_several_targets(self):
        random = np.random.default_rng(0).normal(size=(50, 3))
        found = schema({"a": random[:, 0], "y": random[:, 1], "z": 10 * random[:, 2]}, ["y", "z"])
        assert (found.task, found.targets) == ("multitarget", ("y", "z"))
        np.testing.assert_allclose(found.scales, [random[:, 1].std(), 10 * random[:, 2].std()])

    def test_a_class_seen_once_is_said(self):
        table = open_table({"y": np.array(["a", "b"] * 20 + ["c"], object)})
        assert find_targets(table, "y").notes == ("there is a single row to learn from of 'c'",)

    def test_several_with_two_values(self):
        table = open_table({"y": np.arange(50) % 2, "z": np.arange(50) / 7, "w": np.arange(50) % 3 == 1})
        assert find_targets(table, ["y", "z"]).notes == (
            "of 'y' there are two values each: of several targets they are taken as amounts, and what is told is about "
            "the share of the upper one",
        )
        assert find_targets(table, ["y", "w"]).pairs == ("y", "w")
        assert find_targets(table, ["z"]).notes == ()

    @pytest.mark.parametrize(
        ("targets", "task"),
        [(["kind", "town"], None), (["price", "kind"], None), (["price", "size"], "classification")],
    )
    def test_several_targets_of_which_one_is_no_amount(self, targets, task):
        with pytest.raises(DataError, match="only if all of them are amounts") as said:
            schema(houses(), targets, task=task)
        assert "train a model for each" in said.value.fix


class TestErrors:
    def test_an_unknown_target_has_near_names(self):
        with pytest.raises(NameNotFoundError, match="did you mean 'price'"):
            schema(houses(), "prise")

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.full(30, np.nan), "missing everywhere"),
            (np.full(30, 4.0), "the same everywhere"),
            (np.array(["a", None] * 15, object), "the same everywhere"),
            (np.array([f"t{i}" for i in range(30)], object), "too many classes"),
            (np.arange(30).astype("datetime64[D]"), "is a date"),
        ],
    )
    def test_a_target_that_says_nothing(self, values, words):
        with pytest.raises(DataError, match=words):
            schema({"a": np.arange(30.0) % 7, "y": values}, "y")

    def test_a_column_in_two_lists(self):
        with pytest.raises(ArgumentError, match="two ways"):
            schema(houses(), "price", ignore=["town"], categorical=["town"])

    def test_text_as_numbers(self):
        with pytest.raises(DataError, match="'town' cannot be used as a number"):
            schema(houses(), "price", numeric=["town"])

    def test_nothing_left(self):
        with pytest.raises(DataError, match="no column is left"):
            schema({"a": np.full(20, 1.0), "y": np.arange(20.0)}, "y")

    @pytest.mark.parametrize(
        ("task", "target"), [("binary", "zip_code"), ("multiclass", "kind"), ("regression", "town")]
    )
    def test_a_task_that_does_not_fit(self, task, target):
        with pytest.raises(DataError):
            schema(houses(), target, task=task)

    def test_an_unknown_task(self):
        with pytest.raises(ArgumentError, match="did you mean 'regression'"):
            schema(houses(), "price", task="regresion")


def test_the_schema_prints_in_one_table():
    text = str(schema(houses(), "price", ignore=["kind"]))
    assert text.splitlines()[0] == "target price: regression"
    assert text.splitlines()[1] == "11 columns: 2 number, 2 category, 1 boolean, 1 date, 5 left out"
    assert "town      category" in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_gives_an_equal_schema():
    for target in ("price", "kind", "zip_code", ["size", "price"]):
        found = schema(houses(), target)
        assert Schema.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_a_schema_from_a_damaged_file_is_refused():
    given = schema(houses(), "price").to_dict()
    for bad in (
        {**given, "task": "guess"},
        {**given, "columns": 3},
        {k: v for k, v in given.items() if k != "targets"},
    ):
        with pytest.raises(ArgumentError):
            Schema.from_dict(bad)


class TestTextThatIsToldToBeNumbersOrDates:
    AMOUNT = np.array([f"{number}.5" if number % 10 else "n.k." for number in range(60)], object)
    WHEN = np.array([f"2020-01-{1 + number % 28:02}" if number % 6 else "soon" for number in range(60)], object)

    def test_what_is_none_is_counted_said_and_missing(self):
        found = one(self.AMOUNT, numeric=["a"])
        assert (found.kind, found.type, found.missing, found.low, found.high) == ("number", "text", 0.1, 1.5, 59.5)
        assert found.reason == "as told; 6 values are none and count as missing, for example 'n.k.'"
        encoded = found.encoding.array(self.AMOUNT)
        assert np.isnan(encoded).sum() == 6
        assert found.encoding.value("n.k.") != found.encoding.value("n.k.")

    def test_dates(self):
        found = one(self.WHEN, dates=["a"])
        assert (found.kind, found.missing) == ("date", 10 / 60)
        assert "10 values are none" in found.reason

    def test_numbers_as_text_without_a_word_among_them(self):
        assert one(np.array(["1", "2", None] * 10, object), numeric=["a"]).reason == "as told"

    def test_where_most_are_none_it_is_an_error(self):
        with pytest.raises(DataError, match="60 of 60 values that are none"):
            one(self.WHEN, numeric=["a"])
