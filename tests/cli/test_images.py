"""Images from the shell: folders of pictures, idx files, what is said of them, and the options that people know."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli import app as cli
from thalweg.cli import data as cli_data
from thalweg.cli import options


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def stripes(count, seed=0):
    """Grey images of two classes, told apart by their brighter half, and their class numbers."""
    random = np.random.default_rng(seed)
    y = np.arange(count) % 2
    x = random.integers(0, 90, (count, 8, 8)).astype(np.uint8)
    for image, label in zip(x, y, strict=True):
        image[:, 4 * label : 4 * label + 4] += 120
    return x, y


def write(folder, images, names=("left", "right")) -> Path:
    from PIL import Image

    x, y = images
    for number, (image, label) in enumerate(zip(x, y, strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / names[label] / f"{number:03}.png")
    return folder


FEW = ("--epochs", 6, "--batch-size", 10, "--learning-rate", 0.01, "--model", "mlp", "--units", 8)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "photos", stripes(60))


@pytest.mark.needs("PIL")
class TestFolders:
    def test_from_the_folder_to_named_predictions(self, photos):
        (photos / "left" / "broken.png").write_bytes(b"no picture")
        (photos / "left" / "list.txt").write_text("")
        trained = call("train", "photos/", *FEW)
        assert trained.exit_code == 0, trained.output
        lines = trained.stdout.splitlines()
        assert lines[0] == "48 images of 8 x 8 to train on, 12 (a fifth) to judge by; 2 classes"
        assert lines[1] == (
            "Left out, as they cannot be read as pictures: 1, photos/left/broken.png (no format that Pillow knows)."
        )
        assert lines[2] == "Left out, as they are no pictures by their names: 1."
        assert lines[-1].endswith("saved to photos.thalweg")
        accuracy = lines[-1].split()[2].rstrip(",")
        assert float(accuracy) > 0.9
        judged = call("evaluate", "photos.thalweg", "photos")
        assert judged.stdout.splitlines()[1] == "12 images, those of them that train held out."
        assert f"{float(accuracy):.3f}" in judged.stdout.split("accuracy", 1)[1].split()[0]
        seen = call(
            "predict", "photos.thalweg", "photos/right/001.png", "photos/left/broken.png", "photos/left/000.png"
        )
        assert seen.exit_code == 0
        assert [line.split()[:2] for line in seen.stdout.splitlines()[1:]] == [
            ["photos/right/001.png", "right"],
            ["photos/left/000.png", "left"],
        ]
        assert "broken.png" in seen.stderr
        assert thalweg.load_model("photos.thalweg").class_names == ("left", "right")

    def test_other_pictures_are_judged_as_a_whole_by_the_names_of_their_classes(self, photos, tmp_path):
        call("train", "photos", *FEW)
        x, y = stripes(20, seed=1)
        write(tmp_path / "more", (x[y == 1], y[y == 1]), ("unused", "right"))
        judged = call("evaluate", "photos.thalweg", "more", "--json")
        assert judged.exit_code == 0, judged.output
        values = json.loads(judged.stdout)
        assert (values["rows"], values["held"]) == (10, False)
        assert values["scores"]["scores"]["accuracy"]["value"] > 0.9

    def test_classes_that_the_network_has_not_learned(self, photos, tmp_path):
        call("train", "photos", *FEW)
        write(tmp_path / "more", stripes(4), ("left", "middle"))
        judged = call("evaluate", "photos.thalweg", "more")
        assert judged.exit_code == 1
        assert "'middle'" in judged.stderr

    def test_predictions_in_a_file(self, photos):
        call("train", "photos", *FEW)
        written = call("predict", "photos.thalweg", "photos", "-o", "out.csv")
        assert written.stdout == "60 predictions written to out.csv\n"
        with open("out.csv") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["image", "prediction", "probability_left", "probability_right"]
        assert rows[0]["image"] == "photos/left/000.png"
        assert rows[0]["prediction"] == "left"
        assert float(rows[0]["probability_left"]) + float(rows[0]["probability_right"]) == pytest.approx(1, abs=1e-5)
        with open("out.csv") as file:
            assert call("predict", "photos.thalweg", "photos", "-o", "-").stdout == file.read()
        found = json.loads(call("predict", "photos.thalweg", "photos/left/000.png", "--json").stdout)
        assert found["predictions"][0]["prediction"] == "left"

    def test_parts_of_their_own(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        x, y = stripes(40)
        write(tmp_path / "p/train", (x, y))
        write(tmp_path / "p/test", (x[:10], y[:10]))
        write(tmp_path / "p/test", (x[:2], np.array([0, 0])), ("middle",))
        trained = call("train", "p", *FEW)
        assert trained.exit_code == 0, trained.output
        lines = trained.stdout.splitlines()
        assert lines[0] == "40 images of 8 x 8 to train on, 10 to judge by; 2 classes"
        assert lines[1] == "Classes without pictures to train on are not judged: middle."
        assert lines[2].startswith("10 of the images to judge by are among those to train on too")
        assert "\n10 images.\n" in call("evaluate", "p.thalweg", "p").stdout

    def test_copies_stay_on_one_side(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        x, y = stripes(20)
        write(tmp_path / "p", (np.concatenate([x, x, x[:1]]), np.concatenate([y, y, 1 - y[:1]])))
        told = call("train", "p", *FEW).stdout.splitlines()
        assert told[0].endswith("2 classes")
        assert told[1] == "Copies of other images: 21; they stay on one side."
        assert told[2].startswith("1 of them are in another class than what they are copies of: p/left/000.png and ")
        loaded = cli_data.load("p").cut()
        held = {image.tobytes() for image in loaded.test[0]}
        assert not held & {image.tobytes() for image in loaded.train[0]}
        assert len(loaded.train[0]) + len(loaded.test[0]) == 41

    def test_sizes_that_are_asked_for(self, photos):
        trained = call("train", "photos", *FEW, "--size", "4x6")
        assert "images of 4 x 6 to train on" in trained.stdout
        assert "60 of 60 pictures (8 x 8) are brought to 4 x 6." in trained.stdout
        assert thalweg.load_model("photos.thalweg").inputs[0].shape[1:] == (4, 6)
        assert "\n12 images, those of them" in call("evaluate", "photos.thalweg", "photos").stdout

    def test_a_class_of_one_picture_is_trained_on(self, photos, tmp_path):
        write(photos, stripes(1, seed=5), ("rare",))
        told = call("train", "photos", *FEW).stdout
        assert "Classes of a single image, which is trained on and not judged: 1, rare." in told

    @pytest.mark.parametrize("names", [("only", "only"), ("a", "b")])
    def test_too_little_to_learn_from(self, tmp_path, monkeypatch, names):
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "p", stripes(2), names)
        result = call("train", "p")
        assert result.exit_code == 1
        assert ("one class only" if names[0] == "only" else "too few images") in result.stderr

    def test_a_folder_that_holds_no_classes(self, tmp_path):
        (tmp_path / "p").mkdir()
        result = call("train", tmp_path / "p")
        assert result.exit_code == 1
        assert "a folder for each class" in result.stderr


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


class TestIdxFiles:
    def test_a_folder_as_mnist_comes(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        x, y = stripes(40)
        for name, rows in (("train", slice(30)), ("t10k", slice(30, None))):
            (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x[rows])))
            (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y[rows])))
        trained = call("train", ".", *FEW, "-o", "m")
        assert trained.stdout.startswith("30 images of 8 x 8 to train on, 10 to judge by; 2 classes\n")
        (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
        alone = call("train", "train-images-idx3-ubyte.gz", *FEW, "-o", "m")
        assert alone.stdout.startswith("24 images of 8 x 8 to train on, 6 (a fifth) to judge by; 2 classes\n")

    def test_without_the_file_of_classes(self, tmp_path):
        (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(stripes(4)[0]))
        for data in (tmp_path, tmp_path / "train-images-idx3-ubyte"):
            result = call("train", data)
            assert result.exit_code == 1
            assert "'train-labels-idx1-ubyte' beside it" in result.stderr


@pytest.fixture
def archive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = stripes(40)
    np.savez("images.npz", x=x, y=y)
    return "images.npz"


class TestOptions:
    def test_quiet_and_json(self, archive):
        quiet = call("train", archive, *FEW, "--quiet")
        assert quiet.stdout.startswith("Test accuracy ")
        assert quiet.stdout.count("\n") == 1
        values = json.loads(call("train", archive, *FEW, "--json").stdout)
        assert values["model"] == "images.thalweg"
        assert (values["epochs"], values["rows"]) == (6, 8)
        assert 0 <= values["test"]["accuracy"] <= 1

    def test_a_file_of_options(self, archive, tmp_path):
        (tmp_path / "o.toml").write_text('epochs = 3\nmodel = "mlp"\nunits = [4, 3]\nbatch-size = 10\nquiet = true\n')
        result = call("train", archive, "--config", "o.toml", "--epochs", 2, "--json")
        assert json.loads(result.stdout)["epochs"] == 2  # what is typed wins
        assert [layer.units for layer in thalweg.load_model("images.thalweg").layers if hasattr(layer, "units")] == [
            4,
            3,
            2,
        ]
        (tmp_path / "o.toml").write_text("units = 5\nmodel = 'mlp'\nepochs = 1")
        assert call("train", archive, "--config", "o.toml").exit_code == 0

    @pytest.mark.parametrize(
        ("text", "status", "part"),
        [
            ("epoch = 3", 2, "did you mean 'epochs'"),
            ("epochs = ", 1, "no TOML"),
            ("[train]\nepochs = 3", 2, "no option 'train'"),
            ("[units]\na = 3", 2, "without a heading"),
            (None, 1, "No such file"),
        ],
    )
    def test_files_of_options_that_cannot_be(self, archive, tmp_path, text, status, part):
        if text is not None:
            (tmp_path / "o.toml").write_text(text)
        result = call("train", archive, "--config", "o.toml")
        assert result.exit_code == status
        assert part in result.stderr
        assert "to fix:" in result.stderr

    def test_a_time_limit_ends_training_and_keeps_the_model(self, archive):
        result = call("train", archive, *FEW, "--epochs", 10**6, "--time-limit", "0.3s", "--json")
        assert result.exit_code == 0, result.output
        assert 0 < json.loads(result.stdout)["epochs"] < 10**6
        assert thalweg.load_model("images.thalweg").optimizer.iterations > 0

    @pytest.mark.parametrize("text", ["", "x", "-3s", "0s", "1.2.3", "5 parsecs"])
    def test_no_lengths_of_time(self, text):
        with pytest.raises(thalweg.errors.ArgumentError):
            options.seconds(text)

    def test_ctrl_c_while_data_are_read(self, archive, monkeypatch):
        def interrupted(*arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr(cli_data, "load", interrupted)
        result = call("train", archive)
        assert result.exit_code == 130
        assert result.stderr == "Ctrl-C: ended.\n"

    def test_completion_is_offered(self):
        assert "--install-completion" in call("--help").stdout
