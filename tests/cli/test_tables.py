"""Tables from the shell: from the file to the model, its judgement and its predictions."""

import csv
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli import app as cli
from thalweg.cli import data as cli_data
from thalweg.cli import saving, tables
from thalweg.data.tables.opening import open_table
from thalweg.errors import StorageError
from thalweg.evaluation import hold_out

TOWNS = ("Ulm", "Bonn", "Kiel")
FEW = ("--epochs", 3, "--members", 1)


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def houses(path, rows=120, seed=0):
    """A table with a name for each row, gaps, words and numbers."""
    random = np.random.default_rng(seed)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", "town", "size", "year", "price"])
        for number in range(rows):
            town, size = TOWNS[random.integers(3)], random.uniform(30, 200)
            price = 3 * size + 50 * TOWNS.index(town) + random.normal(0, 5)
            writer.writerow(
                [f"h{number}", town, f"{size:.2f}" if number % 9 else "", 1990 + number % 20, f"{price:.1f}"]
            )
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, and models that tell its prices and its towns, with what training printed."""
    place = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        houses(place / "houses.csv")
        prices = call("train", "houses.csv", "--target", "price", *FEW)
        assert prices.exit_code == 0, prices.output
        towns = call(
            "train", "houses.csv", "--target", "town", "--ignore", "year", *FEW, "-o", "towns.thalweg", "--json"
        )
        assert towns.exit_code == 0, towns.output
    return place, prices.stdout, json.loads(towns.stdout)


@pytest.fixture
def trained(folder, monkeypatch):
    monkeypatch.chdir(folder[0])
    return folder


class TestCheckpoints:
    """A command that was stopped goes on; its backup lies beside the model until that is saved."""

    def train(self, *more):
        return call("train", "houses.csv", "--target", "price", *FEW, "-o", "kept.thalweg", *more)

    def test_nothing_is_trained_twice(self, trained, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(thalweg.tables.TableModel, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            self.train("--checkpoint-every", "1s")
        assert (trained[0] / "kept.thalweg.backup" / "latest.thalweg").exists()
        wrong = call("train", "houses.csv", "--target", "town", *FEW, "-o", "kept.thalweg", "--resume")
        assert (wrong.exit_code, "of another training" in wrong.stderr) == (2, True)
        epochs = []
        monkeypatch.setattr(thalweg.training.session.Session, "begin_epoch", lambda *_: epochs.append(1))
        done = self.train("--resume")
        assert done.exit_code == 0, done.output
        assert "Going on from the backup in 'kept.thalweg.backup'." in done.stdout
        assert not epochs
        assert not (trained[0] / "kept.thalweg.backup").exists()
        kept, whole = (thalweg.load_model(trained[0] / name) for name in ("kept.thalweg", "houses.thalweg"))
        assert all(map(np.array_equal, kept.get_weights(), whole.get_weights()))

    def test_beginning_anew(self, trained, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(thalweg.tables.TableModel, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            self.train("--resume")
        done = self.train("--checkpoint-every", "1s", "--no-resume")
        assert done.exit_code == 0, done.output
        assert "Going on" not in done.stdout

    def test_what_is_no_time(self, trained):
        wrong = self.train("--checkpoint-every", "often")
        assert (wrong.exit_code, "--checkpoint-every is no length of time" in wrong.stderr) == (2, True)


class TestTrain:
    def test_says_what_it_understood_and_how_good_the_model_is(self, trained):
        lines = trained[1].splitlines()
        assert lines[0] == "Held out to judge by: 24 of 120 rows, evenly over the values of 'price', seed 0."
        assert "target price: regression" in lines
        assert any(line.split()[:3] == ["id", "left", "out"] for line in lines)
        assert any(line.split()[:2] == ["RMSE", line.split()[1]] for line in lines if line.startswith("RMSE"))
        assert lines[-1].startswith("Test RMSE ")
        assert lines[-1].endswith("saved to houses.thalweg")

    def test_as_one_object(self, trained):
        values = trained[2]
        assert values["model"] == "towns.thalweg"
        assert values["rows"] == 24
        assert values["classes"] == ["Bonn", "Kiel", "Ulm"]
        assert 0 <= values["scores"]["scores"]["accuracy"]["value"] <= 1

    def test_the_model_knows_its_columns(self, trained):
        model = thalweg.load_model("towns.thalweg")
        assert model.schema["year"].kind == "left out"
        assert model.predict({"size": 50.0, "price": 160.0, "id": "x"}).shape == (1, 3)

    def test_what_cannot_be_written_is_kept_elsewhere(self, trained, tmp_path, monkeypatch):
        model, original = thalweg.load_model("houses.thalweg"), thalweg.Model.save

        def full(self, path, overwrite=True):
            if "full" in str(path):
                raise StorageError("cannot write", expected="room", got="No space left", fix="make room")
            original(self, path, overwrite)

        monkeypatch.setattr(thalweg.Model, "save", full)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with pytest.raises(StorageError, match="the model is in") as said:
            saving.save(model, tmp_path / "full" / "m.thalweg")
        (rescued,) = tmp_path.glob("thalweg-*/m.thalweg")
        assert repr(str(rescued)) in said.value.fix
        assert thalweg.load_model(rescued).schema == model.schema
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
        (tmp_path / "full").mkdir()
        with pytest.raises(StorageError, match="make room"):
            saving.save(model, tmp_path / "full" / "m.thalweg")

    def test_a_file_to_judge_by(self, trained, tmp_path):
        houses(tmp_path / "more.csv", 30, seed=1)
        with open("houses.csv") as file, open(tmp_path / "more.csv", "a") as more:
            more.write(file.read().splitlines()[1] + "\n")
        told = call(
            "train", "houses.csv", "--target", "price", "--test", tmp_path / "more.csv", *FEW, "-o", tmp_path / "m"
        )
        assert told.exit_code == 0, told.output
        assert told.stdout.startswith(
            "Judged by the 31 rows of more.csv.\nEqual to a row that is trained on: 1 of its rows."
        )
        judged = call("evaluate", tmp_path / "m", "houses.csv")
        assert "trained on these very rows" in judged.stdout

    def test_groups_stay_whole(self, trained, tmp_path):
        told = call("train", "houses.csv", "--target", "price", "--group", "year", *FEW, "-o", tmp_path / "m")
        assert told.exit_code == 0, told.output
        assert "whole groups of 'year'" in told.stdout

    @pytest.mark.slow
    @pytest.mark.needs("sklearn")
    def test_simpler_models_beside_it(self, trained, tmp_path):
        told = call("train", "houses.csv", "--target", "price", "--baselines", *FEW, "-o", tmp_path / "m")
        assert told.exit_code == 0, told.output
        (verdict,) = re.findall(r"^(?:Better than the network|A simpler model does as well).*", told.stdout, re.M)
        assert "linear regression" in verdict  # the price is linear, and three epochs are few

    @pytest.mark.parametrize(
        ("options", "status", "part"),
        [
            ((), 2, "add --target price"),
            (("--target", "prise"), 2, "did you mean 'price'"),
            (("--target", "id"), 1, "'id'"),
            (("--target", "price", "--units", 3), 2, "--units"),
            (("--target", "price", "--ignore", "sise"), 2, "did you mean 'size'"),
            (("--target", "price", "--test", "1.5"), 2, "between 0 and 1"),
            (("--target", "price", "--test", "none.csv"), 1, "No such file"),
            (("--target", "price", "--group", "year", "--time", "year"), 2, "group"),
            (("--target", "price", "--task", "guess"), 2, "regression"),
            (("--target", "price", "--report", "no/folder.html"), 1, "no folder"),
        ],
    )
    def test_what_cannot_be(self, trained, tmp_path, options, status, part):
        result = call("train", "houses.csv", *options, "-o", tmp_path / "m")
        assert result.exit_code == status, result.output
        assert part in result.stderr
        assert "to fix:" in result.stderr
        assert not (tmp_path / "m").exists()

    @pytest.mark.parametrize("name", ["sheet.xlsx", "none.csv", "folder.csv"])
    def test_files_that_are_no_tables(self, tmp_path, name):
        if name == "folder.csv":
            (tmp_path / name).mkdir()
        if name == "sheet.xlsx":
            (tmp_path / name).write_bytes(b"PK")
        result = call("train", tmp_path / name, "--target", "x")
        assert result.exit_code == 1
        assert "to fix:" in result.stderr


class TestEvaluate:
    def test_the_rows_that_were_held_out(self, trained):
        judged = call("evaluate", "houses.thalweg", "houses.csv")
        assert judged.exit_code == 0, judged.output
        assert "Held out to judge by: 24 of 120 rows" in judged.stdout
        assert "WORST MISTAKES" in judged.stdout
        score = trained[1].splitlines()[-1].split()[2]
        assert any(
            line.split()[:2] == ["RMSE", score] for line in judged.stdout.splitlines() if line.startswith("RMSE")
        )

    def test_other_rows_are_judged_as_a_whole(self, trained, tmp_path):
        houses(tmp_path / "more.csv", 30, seed=1)
        values = json.loads(call("evaluate", "towns.thalweg", tmp_path / "more.csv", "--json").stdout)
        assert values["rows"] == 30
        assert not any("Held out" in note for note in values["notes"])

    @pytest.mark.needs("matplotlib")
    def test_a_page(self, trained, tmp_path):
        assert call("evaluate", "towns.thalweg", "houses.csv", "--report", tmp_path / "r.html").exit_code == 0
        assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")

    def test_without_the_target(self, trained, tmp_path):
        (tmp_path / "a.csv").write_text("town,size\nUlm,3\n")
        result = call("evaluate", "houses.thalweg", tmp_path / "a.csv")
        assert result.exit_code == 2
        assert "'price'" in result.stderr


class TestPredict:
    def test_classes_into_a_file(self, trained, tmp_path):
        result = call("predict", "towns.thalweg", "houses.csv", "-o", tmp_path / "out.csv", "--keep", "id")
        assert result.stdout == f"120 predictions written to {tmp_path / 'out.csv'}\n"
        with open(tmp_path / "out.csv") as file:
            rows = list(csv.DictReader(file))
        names = [f"probability_{town}" for town in sorted(TOWNS)]
        assert list(rows[0]) == ["id", "prediction", *names]
        assert [row["id"] for row in rows] == [f"h{number}" for number in range(120)]
        expected = thalweg.load_model("towns.thalweg").predict("houses.csv", verbose=0)
        written = np.array([[float(row[name]) for name in names] for row in rows], np.float32)
        np.testing.assert_array_equal(written, expected)
        assert [row["prediction"] for row in rows] == [sorted(TOWNS)[number] for number in expected.argmax(1)]

    def test_intervals_to_standard_output_piece_by_piece(self, trained, monkeypatch):
        whole = call("predict", "houses.thalweg", "houses.csv", "--interval", 0.9).stdout
        rows = list(csv.DictReader(whole.splitlines()))
        assert list(rows[0]) == ["prediction", "prediction_low", "prediction_high"]
        assert all(
            float(row["prediction_low"]) < float(row["prediction"]) < float(row["prediction_high"]) for row in rows
        )
        monkeypatch.setattr(tables, "CHUNK", 50)
        assert call("predict", "houses.thalweg", "houses.csv", "-o", "-", "--interval", 0.9).stdout == whole

    def test_the_same_intervals_as_in_python(self, trained):
        written = call("predict", "houses.thalweg", "houses.csv", "--interval", 0.8).stdout
        rows = list(csv.DictReader(written.splitlines()))
        low, high = thalweg.load_model("houses.thalweg").predict_interval("houses.csv", 0.8)
        for name, bound in (("prediction_low", low), ("prediction_high", high)):
            np.testing.assert_array_equal(np.array([row[name] for row in rows], np.float32), bound[:, 0])

    def test_what_was_never_seen_is_counted(self, trained, tmp_path):
        (tmp_path / "new.csv").write_text(Path("houses.csv").read_text().replace(",Ulm,", ",Atlantis,", 7))
        result = call("predict", "houses.thalweg", tmp_path / "new.csv", "-o", tmp_path / "out.csv")
        assert result.stderr.endswith("new.csv: 7 of the 120 values of 'town' were never seen in training.\n")
        quiet = call("predict", "houses.thalweg", tmp_path / "new.csv", "-o", tmp_path / "out.csv", "-q")
        assert quiet.stderr == ""

    def test_lines_of_json_to_standard_output(self, trained):
        lines = call("predict", "houses.thalweg", "houses.csv", "--json").stdout.splitlines()
        told = [json.loads(line)["prediction"] for line in lines]
        expected = thalweg.load_model("houses.thalweg").predict("houses.csv", verbose=0)
        np.testing.assert_array_equal(np.array(told, np.float32), expected[:, 0])

    def test_parquet_by_its_ending(self, trained, tmp_path):
        call("predict", "houses.thalweg", "houses.csv", "-o", tmp_path / "out.parquet")
        np.testing.assert_array_equal(
            open_table(tmp_path / "out.parquet").values("prediction").astype(np.float32),
            thalweg.load_model("houses.thalweg").predict("houses.csv", verbose=0)[:, 0],
        )

    def test_columns_in_another_order_and_no_rows(self, trained, tmp_path):
        (tmp_path / "a.csv").write_text("size,more,year,id,town\n50.5,x,1999,a,Ulm\n")
        assert call("predict", "houses.thalweg", tmp_path / "a.csv").stdout.count("\n") == 2

    @pytest.mark.parametrize(
        ("options", "status", "part"),
        [
            (("houses.thalweg", "none.csv"), 1, "No such file"),
            (("towns.thalweg", "houses.csv", "--interval", 0.9), 2, "for predictions of numbers"),
            (("houses.thalweg", "houses.csv", "--interval", 0.9999), 1, "rows"),
            (("houses.thalweg", "houses.csv", "-o", "out.xls"), 2, ".csv"),
            (("houses.thalweg", "houses.csv", "--keep", "names"), 2, "'names'"),
        ],
    )
    def test_what_cannot_be(self, trained, options, status, part):
        result = call("predict", *options)
        assert result.exit_code == status, result.output
        assert part in result.stderr
        assert "to fix:" in result.stderr

    def test_a_column_that_is_missing(self, trained, tmp_path):
        (tmp_path / "a.csv").write_text("sise,id,town\n50.5,a,Ulm\n")
        result = call("predict", "houses.thalweg", tmp_path / "a.csv")
        assert result.exit_code == 2
        assert "no 'size', 'year'; there are" in result.stderr
        assert "did you mean 'sise'" in result.stderr


class TestImages:
    def pixels(self, path, names, labels=("left", "right")):
        """Images of 8 x 8 of which one half is bright, a row each."""
        random = np.random.default_rng(0)
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["label", *names])
            for number in range(40):
                image = random.integers(0, 90, (8, 8))
                image[:, 4 * (number % 2) : 4 * (number % 2) + 4] += 120
                writer.writerow([labels[number % 2], *image.reshape(-1)])
        return path

    def test_a_column_for_each_pixel(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        self.pixels("digits.csv", [f"{row}x{column}" for row in range(1, 9) for column in range(1, 9)], (7, 3))
        trained = call("train", "digits.csv", "--model", "mlp", "--units", 8, "--epochs", 8, "--batch-size", 8)
        assert trained.exit_code == 0, trained.output
        assert trained.stdout.startswith("32 images of 8 x 8 to train on, 8 (a fifth) to judge by; 2 classes\n")
        values = json.loads(call("evaluate", "digits.thalweg", "digits.csv", "--json").stdout)
        assert (values["rows"], values["held"], values["classes"]) == (8, True, ["3", "7"])

    def test_by_the_size_that_is_told(self, tmp_path):
        self.pixels(tmp_path / "a.csv", [f"c{number}" for number in range(64)])
        assert not isinstance(cli_data.load(str(tmp_path / "a.csv")), cli_data.Pile)
        pile = cli_data.load(str(tmp_path / "a.csv"), (4, 16), target=["label"])
        assert pile.x.shape == (40, 4, 16)
        assert pile.class_names == ("left", "right")

    def test_values_that_are_no_pixels(self, tmp_path):
        path = self.pixels(tmp_path / "a.csv", [f"pixel{number}" for number in range(64)])
        path.write_text(path.read_text().replace("\nleft,", "\nleft,9", 1))
        result = call("train", path)
        assert result.exit_code == 1
        assert "'pixel0' holds no pixels" in result.stderr

    @pytest.mark.needs("PIL")
    def test_a_column_of_file_names(self, tmp_path, monkeypatch):
        from PIL import Image

        (tmp_path / "photos").mkdir()
        lines = ["file,kind,taken"]
        for number in range(20):
            Image.new("L", (8, 8), 40 + 150 * (number % 2) + number).save(tmp_path / "photos" / f"{number}.png")
            lines.append(f"photos/{number}.png,{('dark', 'bright')[number % 2]},2020")
        (tmp_path / "list.csv").write_text("\n".join([*lines, "photos/gone.png,dark,2020", "photos/1.png,,2020"]))
        result = call("train", tmp_path / "list.csv")
        assert result.exit_code == 2
        assert "--target with one of kind, taken" in result.stderr
        pile = cli_data.load(str(tmp_path / "list.csv"), target=["kind"])
        assert pile.x.shape == (20, 8, 8)
        assert pile.class_names == ("bright", "dark")
        assert pile.y.tolist() == [1, 0] * 10
        assert pile.notes[0] == "Left out, as they have no kind: 1 of the rows."
        assert "gone.png (No such file or directory)" in pile.notes[1]


def test_the_rows_held_out_are_those_that_hold_out_gives(trained):
    table = open_table("houses.csv")
    model = thalweg.load_model("houses.thalweg")
    again = tables.held_again(model, table, tables.Kept(share=0.2))
    np.testing.assert_array_equal(again.test_rows, hold_out(table, "price").test_rows)


def test_a_file_that_knows_nothing_of_its_table(trained, tmp_path):
    """As Model.save writes it: it is judged and predicts; only what training had measured may be missing."""
    model = thalweg.load_model("houses.thalweg")
    model.conformal = None
    model.save(tmp_path / "m")
    assert tables.Kept.read(tmp_path / "m") == tables.Kept()
    result = call("predict", tmp_path / "m", "houses.csv", "--interval", 0.9)
    assert result.exit_code == 1
    assert "train it with thalweg train" in result.stderr
