"""From a table to a model, to a file and back, to predictions of raw rows."""

import numpy as np
import pytest
from tests.tables.houses import houses

import thalweg
from thalweg.data.tables.opening import open_table
from thalweg.errors import ArgumentError, DataError, NameNotFoundError
from thalweg.tables import TableModel, TableNotice, train
from thalweg.tables.targets import find_targets
from thalweg.tables.training import deal_rows

DATA = houses()


def without(data, *names):
    return {name: values for name, values in data.items() if name not in names}


@pytest.fixture(scope="module")
def regression():
    return train(without(DATA, "kind"), "price", epochs=40, members=1, verbose=0)


@pytest.fixture(scope="module")
def classes():
    return train(without(DATA, "price"), "kind", epochs=10, members=1, verbose=0)


class TestTraining:
    def test_numbers_are_told_in_their_own_units(self, regression):
        new = houses(seed=1)
        told = regression.predict(new)
        assert told.shape == (300, 1)
        assert np.corrcoef(told[:, 0], new["price"])[0, 1] > 0.9

    def test_classes_are_told_by_their_probabilities(self, classes):
        new = houses(seed=1)
        told = classes.predict(new)
        np.testing.assert_allclose(told.sum(1), 1.0, rtol=1e-6)
        assert classes.schema.classes == ("cheap", "dear")
        assert (classes.labels(told) == new["kind"]).mean() > 0.8

    def test_several_targets(self):
        data = without(DATA, "kind")
        data["rent"] = data["price"] / 300
        model = train(data, ["price", "rent"], epochs=2, members=1, verbose=0)
        assert model.predict(data).shape == (300, 2)
        assert model.predict(data)[:, 0].mean() > 50 * model.predict(data)[:, 1].mean()

    def test_the_same_seed_gives_the_same_bits(self):
        first, second, other = (
            train(without(DATA, "kind"), "price", epochs=2, seed=seed, members=1, verbose=0) for seed in (3, 3, 4)
        )
        np.testing.assert_array_equal(first.predict(DATA), second.predict(DATA))
        assert not np.array_equal(first.predict(DATA), other.predict(DATA))

    def test_members_are_averaged(self):
        model = train(without(DATA, "price"), "kind", epochs=2, members=3, verbose=0)
        assert len(model.histories) == 3
        np.testing.assert_allclose(model.predict(DATA).sum(1), 1.0, rtol=1e-6)

    def test_it_prints_what_it_found(self, capsys):
        data = without(DATA, "kind")
        data["price"] = np.where(np.arange(300) < 5, np.nan, data["price"])
        train(data, "price", epochs=1, members=1, verbose=2)
        printed = capsys.readouterr().out
        assert "left out, as their price is missing: 5 of 300 rows" in printed
        assert "target price: regression" in printed

    def test_ten_rows(self):
        data = {"a": np.arange(10.0), "y": np.arange(10.0) * 2}
        assert np.isfinite(train(data, "y", epochs=2, members=1, verbose=0).predict(data)).all()

    def test_three_rows_are_too_few(self):
        with pytest.raises(DataError, match="too few rows"):
            train({"a": [1.0, 2.0, 5.0], "y": [1.5, 2.0, 3.0]}, "y", members=1, verbose=0)

    def test_a_class_seen_once(self):
        data = without(DATA, "price")
        data["kind"] = data["kind"].copy()
        data["kind"][7] = "odd"
        model = train(data, "kind", epochs=1, members=1, verbose=0)
        assert model.schema.classes == ("cheap", "dear", "odd")

    def test_groups_stay_together_and_time_goes_on(self):
        table = open_table(DATA)
        targets = find_targets(table, "price")
        zips = DATA["zip_code"]
        for chosen, held_out in deal_rows(table, targets, 0.2, "zip_code", None, 0):
            assert not set(zips[chosen]) & set(zips[held_out.rows])
        ((chosen, held_out),) = deal_rows(table, targets, 0.2, None, "sold", 0)
        assert DATA["sold"][chosen].max() <= DATA["sold"][held_out.rows].min()

    def test_each_row_is_held_out_in_one_of_the_parts(self, monkeypatch):
        """Of a table that is not too long; else all networks have the same part."""
        table = open_table(DATA)
        targets = find_targets(table, "kind")
        parts = deal_rows(table, targets, 0.25, None, None, 0)
        assert sorted(np.concatenate([part.held_out.rows for part in parts])) == list(range(300))
        for chosen, held_out in parts:
            assert sorted([*chosen, *held_out.rows]) == list(range(300))
            assert abs((DATA["kind"][held_out.rows] == "dear").mean() - 0.5) < 0.02
        monkeypatch.setattr("thalweg.tables.training.MOST_IN_TURN", 299)
        ((chosen, held_out),) = deal_rows(table, targets, 0.25, None, None, 0)
        assert (len(chosen), len(held_out.rows)) == (225, 75)

    def test_validation_by_a_table_of_its_own(self):
        model = train(without(DATA, "kind"), "price", validation=houses(40, seed=5), epochs=1, members=1, verbose=0)
        assert "val_loss" in model.histories[0].history
        assert model.schema.rows == 300

    def test_no_validation(self):
        model = train(without(DATA, "kind"), "price", validation=0, epochs=1, members=1, verbose=0)
        assert "val_loss" not in model.histories[0].history


class TestRawRows:
    def test_columns_are_found_by_name(self, regression):
        turned = dict(reversed(list(DATA.items())))
        turned["more"] = np.arange(300)
        np.testing.assert_array_equal(regression.predict(turned), regression.predict(DATA))

    @pytest.mark.parametrize("at", [5, 6, 7, 8])
    def test_one_row_takes_a_short_way_to_the_same_bits(self, regression, at):
        row = {name: values[at] for name, values in DATA.items()}
        expected = regression.predict({name: values[at : at + 1] for name, values in DATA.items()})
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
        for one in (row, [row], plain, {**plain, "sold": str(row["sold"]), "rooms": float(row["rooms"])}):
            np.testing.assert_array_equal(regression.predict(one), expected)
        np.testing.assert_array_equal(regression.predict([row, row]), np.repeat(expected, 2, axis=0))

    def test_one_row_without_a_value(self, regression):
        row = {name: values[5] for name, values in DATA.items()}
        gone = regression.predict({**row, "size": None, "town": None, "sold": None})
        np.testing.assert_array_equal(regression.predict({**row, "size": np.nan, "town": "NA", "sold": ""}), gone)
        np.testing.assert_array_equal(regression.predict({**row, "size": 1e300, "town": None, "sold": None}), gone)

    def test_one_row_that_lacks_a_column(self, regression):
        with pytest.raises(NameNotFoundError, match="'rooms'"):
            regression.predict({"size": 3.0, "town": "Ulm"})
        with pytest.raises(DataError, match="'rooms'"):
            regression.predict({**{name: values[5] for name, values in DATA.items()}, "rooms": "four"})

    @pytest.mark.parametrize(
        "library",
        [pytest.param(name, marks=pytest.mark.needs("pandas", name)) for name in ("pandas", "polars", "pyarrow")],
    )
    def test_a_frame(self, regression, library):
        import pandas

        frame = pandas.DataFrame(DATA)
        if library == "polars":
            import polars

            frame = polars.from_pandas(frame)
        if library == "pyarrow":
            import pyarrow  # type: ignore[import-untyped]

            frame = pyarrow.Table.from_pandas(frame)
        np.testing.assert_array_equal(regression.predict(frame), regression.predict(DATA))
        one = frame.iloc[5:6] if library == "pandas" else frame.slice(5, 1)
        row = {name: values[5] for name, values in DATA.items()}
        np.testing.assert_array_equal(regression.predict(one), regression.predict(row))

    def test_a_file(self, regression, tmp_path):
        from thalweg.data.tables.writing import write_table

        write_table(tmp_path / "new.csv", DATA)
        np.testing.assert_array_equal(regression.predict(tmp_path / "new.csv"), regression.predict(DATA))

    def test_encoded_arrays(self, regression):
        encoded = regression.encode(DATA)
        assert {name: (array.shape, array.dtype.name) for name, array in encoded.items()} == {
            "numbers": ((300, 2), "float32"),
            "moments": ((300, 1), "int64"),
            "codes": ((300, 3), "int32"),
        }
        np.testing.assert_array_equal(regression.predict(encoded), regression.predict(DATA))

    def test_places_say_where_a_column_went(self, regression):
        encoded = regression.encode(DATA)
        ((group, place),) = regression.schema.places["rooms"]
        np.testing.assert_array_equal(encoded[group][:, place], DATA["rooms"])

    def test_what_was_never_seen_is_no_error(self, regression):
        town = np.where(np.arange(300) % 3, DATA["town"], "Atlantis")
        assert np.isfinite(regression.predict({**DATA, "town": town})).all()

    def test_a_column_that_looks_otherwise_is_said(self, regression):
        new = {**DATA, "town": np.full(300, "Atlantis", object), "size": np.full(300, np.nan)}
        with pytest.warns(TableNotice) as said:
            assert np.isfinite(regression.predict(new)).all()
        assert [str(one.message) for one in said] == [
            "the table: 'size' is missing in all rows; in training it was in 12%",
            "the table: 300 of the 300 values of 'town' were never seen in training",
        ]

    def test_infinite_numbers_count_as_missing(self, regression):
        half = np.arange(300) % 2 == 0
        gone, endless = ({**DATA, "size": np.where(half, DATA["size"], value)} for value in (np.nan, np.inf))
        np.testing.assert_array_equal(regression.predict(endless), regression.predict(gone))

    def test_a_missing_column_is_named(self, regression):
        with pytest.raises(NameNotFoundError, match="'rooms'"):
            regression.predict(without(DATA, "rooms"))

    def test_another_type_is_named(self, regression):
        with pytest.raises(DataError, match="'rooms'"):
            regression.predict({**DATA, "rooms": np.full(300, "four", object)})

    def test_a_new_class_is_an_error_where_it_is_to_be_compared(self, classes):
        with pytest.raises(DataError, match="'castle'"):
            classes.evaluate({**DATA, "kind": np.full(300, "castle", object)}, verbose=0)

    def test_evaluate_takes_the_target_from_the_table(self, classes):
        loss, accuracy = classes.evaluate(DATA, verbose=0)
        assert accuracy == pytest.approx((classes.labels(classes.predict(DATA)) == DATA["kind"]).mean())
        assert loss > 0

    def test_and_trains_on(self, classes, tmp_path):
        classes.save(tmp_path / "m.thalweg")
        again = thalweg.load_model(tmp_path / "m.thalweg")
        before = again.evaluate(DATA, verbose=0)[0]
        again.fit(DATA, epochs=1, verbose=0)
        assert again.evaluate(DATA, verbose=0)[0] != before


def test_a_reader_that_has_gone_costs_no_training(monkeypatch):
    class Closed:
        encoding = "utf-8"

        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

        def isatty(self):
            return False

    monkeypatch.setattr("sys.stdout", Closed())
    assert train(DATA, "price", epochs=1, members=1, seed=0).schema.targets == ("price",)


class TestFiles:
    def test_the_same_bits_after_saving_and_loading(self, regression, classes, tmp_path):
        for model in (regression, classes):
            model.save(tmp_path / "m.thalweg")
            again = thalweg.load_model(tmp_path / "m.thalweg")
            assert isinstance(again, TableModel)
            assert again.schema == model.schema
            np.testing.assert_array_equal(again.predict(DATA), model.predict(DATA))

    def test_intervals_from_held_out_rows(self, regression, tmp_path):
        with pytest.raises(DataError, match="how far its predictions are off"):
            regression.predict_interval(DATA)
        held_out = houses(rows=80, seed=5)
        held_out["price"][3] = np.nan
        known = regression.conform(held_out)
        assert known.rows == 79
        low, high = regression.predict_interval(DATA, 0.8)
        predictions = regression.predict(DATA)
        np.testing.assert_array_equal((low, high), known.interval(predictions, 0.8))
        regression.save(tmp_path / "m.thalweg")
        again = thalweg.load_model(tmp_path / "m.thalweg").predict_interval(DATA, 0.8)
        np.testing.assert_array_equal(again, (low, high))
        regression.conformal = None

    def test_no_intervals_of_classes(self, classes):
        with pytest.raises(ArgumentError, match="for predictions of numbers"):
            classes.conform(DATA)

    def test_copies_and_pickles_too(self, classes):
        import copy
        import pickle

        for again in (copy.deepcopy(classes), pickle.loads(pickle.dumps(classes))):
            np.testing.assert_array_equal(again.predict(DATA), classes.predict(DATA))
