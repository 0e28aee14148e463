"""The commands, in this process and as a real one: on a pipe, on a terminal, and interrupted."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import thalweg
from thalweg.cli import INTERRUPTED
from thalweg.cli import app as cli
from thalweg.cli import data as cli_data
from thalweg.data import image_files, numpy_files
from thalweg.layers import Dense, Flatten, Input, Rescaling
from thalweg.ops.elementwise import Relu

SRC = Path(thalweg.__file__).parents[1]


@pytest.fixture
def digits(monkeypatch):
    """MNIST's form with few, easy images: a bright row for each class."""
    random = np.random.default_rng(0)
    y = random.integers(0, 10, 400).astype(np.uint8)
    x = random.integers(0, 60, (400, 28, 28)).astype(np.uint8)
    x[np.arange(400), 2 * y.astype(int) + 4] += 180
    data = (x[:300], y[:300]), (x[300:], y[300:])
    monkeypatch.setitem(cli_data.DATASETS, "mnist", lambda: data)
    return data


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def trained(tmp_path, digits):
    path = tmp_path / "digits.thalweg"
    options = ["--units", 16, "--units", 8, "--epochs", 20, "--batch-size", 32, "--learning-rate", 0.01, "--dropout", 0]
    result = call("train", "mnist", *options, "--output", path)
    assert result.exit_code == 0, result.output
    return path, result


def test_train_prints_an_accuracy_and_saves(trained):
    path, result = trained
    lines = result.stdout.splitlines()
    assert len(lines) == 23
    assert re.fullmatch(r"Recorded as run \d+ in .*: thalweg runs show \d+", lines[-2])
    assert lines[0] == "Network: mlp, 12,786 weights; --model takes cnn, lenet or resnet"
    assert lines[1].startswith("Epoch  1/20")
    found = re.fullmatch(r"Test accuracy (\d\.\d{4}), loss \S+; saved to .*digits.thalweg", lines[-1])
    assert found is not None
    assert float(found[1]) > 0.9
    assert len(thalweg.load_model(path).layers) == 5


def test_the_same_seed_gives_the_same_file(tmp_path, digits):
    for name in ("a", "b"):
        assert (
            call("train", "mnist", "--units", 4, "--epochs", 1, "--seed", 3, "--output", tmp_path / name).exit_code == 0
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", ["cnn", pytest.param("lenet", marks=pytest.mark.long)])
def test_convolutional_networks(kind, tmp_path, digits):
    path = tmp_path / "digits.thalweg"
    result = call("train", "mnist", "--model", kind, "--epochs", 2, "--batch-size", 20, "--output", path)
    assert result.exit_code == 0, result.output
    assert any(type(layer).__name__ == "Conv2D" for layer in thalweg.load_model(path).layers)
    assert call("evaluate", path, "mnist").exit_code == 0


@pytest.fixture
def pictures(tmp_path):
    """Small images in colour of three classes, told apart by their brightest channel."""
    random = np.random.default_rng(0)
    y = random.integers(0, 3, 200)
    x = random.integers(0, 120, (200, 12, 10, 3)).astype(np.uint8)
    x[np.arange(200), :, :, y] += 60
    return tmp_path / "pictures.npz", x, y


@pytest.mark.parametrize("form", ["parts", "x and y", "floats, one-hot"])
def test_images_in_a_file_get_a_convolutional_network(form, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, x, y = pictures
    if form == "parts":
        np.savez(path, x_train=x[:150], y_train=y[:150, None], x_test=x[150:], y_test=y[150:, None])
        told = "150 images of 12 x 10 x 3 to train on, 50 to judge by; 3 classes"
    else:
        both = {"x": x, "y": y} if form == "x and y" else {"x": x / 255, "y": np.eye(3)[y]}
        np.savez_compressed(path, **both)
        told = "160 images of 12 x 10 x 3 to train on, 40 (a fifth) to judge by; 3 classes"
    result = call("train", path, "--epochs", 6, "--batch-size", 10)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == told
    assert lines[1].startswith("Network: cnn, ")
    assert "--model takes mlp, lenet or resnet" in lines[1]
    assert lines[-1].endswith("saved to pictures.thalweg")
    assert float(lines[-1].split()[2].rstrip(",")) > 0.9
    judged = call("evaluate", tmp_path / "pictures.thalweg", path)
    shown = next(line.split()[1] for line in judged.stdout.splitlines() if line.startswith("accuracy "))
    assert shown == f"{float(lines[-1].split()[2].rstrip(',')):.3f}"  # of the same rows
    assert thalweg.load_model("pictures.thalweg").inputs[0].dtype == ("float32" if form[0] == "f" else "uint8")
    assert call("gradcheck", "pictures.thalweg", path, "--rows", 4, "--directions", 1).exit_code == 0


def test_large_images_get_a_network_without_a_large_dense_layer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).integers(0, 255, (12, 72, 64), np.uint8)
    np.savez("large.npz", x=x, y=np.arange(12) % 2)
    result = call("train", "large.npz", "--epochs", 1, "--batch-size", 4)
    assert result.exit_code == 0, result.output
    assert "Network: resnet, " in result.stdout
    assert thalweg.load_model("large.thalweg").count_params() < 100_000
    chosen = call("train", "large.npz", "--epochs", 1, "--model", "mlp", "--units", 4)
    assert re.search(r"^Network: mlp, [\d,]+ weights$", chosen.stdout, re.MULTILINE)


def test_a_training_of_images_is_treated(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, x, y = pictures
    np.savez(path, x=x[:60], y=y[:60])
    small = ["train", path, "--model", "mlp", "--units", 4, "--epochs", 2, "--batch-size", 10, "--executor", "numpy"]
    result = call(*small, "--learning-rate", 1e-7, "--treat")
    assert result.exit_code == 0, result.output
    assert "accuracy of 10 rows held out" in result.stdout
    assert "as it came" in result.stdout
    assert thalweg.load_model("pictures.thalweg").built
    told = json.loads(call(*small, "--treat", "--json").stdout)["treatment"]
    assert told["work"] >= 1
    refused = call(*small, "--treat", "--time-limit", "10s")
    assert refused.exit_code == 2
    assert "--time-limit is for one training" in refused.output


TRAINED_ON = {"x_train": np.zeros((4, 5, 5)), "y_train": np.arange(4)}


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"x": np.zeros((4, 5)), "y": np.zeros(4, int)}, "holds no images"),
        ({"x": np.zeros((4, 5, 5)), "y": np.zeros(3, int)}, "4 images, 3 classes"),
        ({"x": np.zeros((4, 5, 5)), "y": np.zeros(4)}, "no classes"),
        ({"x": np.zeros((4, 5, 5)), "y": np.array([0, 1, -1, 0])}, "the lowest -1"),
        ({"images": np.zeros((4, 5, 5))}, "x and y"),
        ({"x": np.array([{}], object), "y": np.zeros(1, int)}, "without Python objects"),
        (
            {"x": np.random.default_rng(0).integers(0, 9, (20, 3, 16, 16)).astype(np.uint8), "y": np.arange(20) % 2},
            "channels first",
        ),
        ({"x": np.zeros((4, 5, 5)), "y": np.array([0, 1, 10**9, 0])}, "up to 1000000000"),
        ({**TRAINED_ON, "x_test": np.zeros((4, 6, 5)), "y_test": np.arange(4)}, "(6, 5)"),
        ({**TRAINED_ON, "x_test": np.zeros((4, 5, 5), np.uint8), "y_test": np.arange(4)}, "uint8"),
        (None, "No such file"),
        (b"no archive", "cannot be read"),
    ],
)
def test_files_that_are_no_images(arrays, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if isinstance(arrays, bytes):
        Path("a.npz").write_bytes(arrays)
    elif arrays is not None:
        np.savez("a.npz", **arrays)
    result = call("train", "a.npz", "--batch-size", 2)
    assert result.exit_code == 1
    assert part in result.stderr
    for label in ("Error: ", "expected:", "got:", "to fix:"):
        assert label in result.stderr
    assert "Traceback" not in result.output
    assert not Path("a.thalweg").exists()


def test_an_archive_that_unpacks_to_more_than_there_is_memory(tmp_path, monkeypatch):
    """A zip bomb: what it says of its size is believed before anything is unpacked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("thalweg.data.numpy_files.LIMIT_BYTES", 1 << 20)
    np.savez_compressed("bomb.npz", x=np.zeros((3000, 28, 28), np.uint8), y=np.arange(3000) % 2)
    result = call("train", "bomb.npz")
    assert result.exit_code == 1
    assert "2,376,256 bytes when unpacked" in result.stderr


def test_a_header_that_asks_for_more_than_the_file_has(tmp_path):
    """Nothing is allocated for it."""
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.uint8))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(2, 3), }           ", b"(2, 3000000000), }  "))
    with pytest.raises(thalweg.errors.FileFormatError, match="6,000,000,000 bytes for the shape"):
        numpy_files.read_array(tmp_path / "a.npy")


def test_help_and_version():
    shown = call("train", "--help").stdout
    assert shown.count("default:") == 31  # of every option but --help and those that are on or off
    assert "512" in shown
    assert call("--version").stdout == f"thalweg {thalweg.__version__}\n"
    assert call("train").exit_code == 2  # used wrongly


def test_the_first_line_of_training_fits_a_screen(trained):
    assert max(len(line) for line in trained[1].stdout.splitlines()[:1]) <= 80
    net = thalweg.models.mlp()
    assert len(f"Network: mlp, {net.count_params():,} weights; --model takes cnn, lenet or resnet") <= 80


@pytest.mark.skipif(sys.platform == "win32", reason="pipes")
def test_a_reader_that_goes_away_is_no_error():
    """As in ``thalweg info | head -1``."""
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        command("info"), stdout=write, stderr=subprocess.PIPE, text=True, env=environment(), check=False
    )
    os.close(write)
    assert result.returncode == 0
    assert result.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_no_color():
    import pty

    def shown(**further):
        parent, child = pty.openpty()
        with subprocess.Popen(command("--help"), stdout=child, stderr=child, env={**environment(), **further}):
            os.close(child)
            return _read_all(parent)

    colours = re.compile(r"\x1b\[[0-9;]*3[0-9]m")
    assert colours.search(shown())
    assert not colours.search(shown(NO_COLOR="1"))


def test_options_that_a_network_has_not(tmp_path, digits):
    result = call("train", "mnist", "--model", "cnn", "--units", 5, "--output", tmp_path / "a")
    assert result.exit_code == 2
    assert "--units" in result.stderr
    assert "to fix" in result.stderr


def test_evaluate(trained):
    result = call("evaluate", trained[0], "mnist", "--executor", "numpy")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "100 images."
    assert re.search(r"^accuracy +\d\.\d{3} ", result.stdout, re.MULTILINE)


def test_predict_arrays_and_idx_files(trained, digits, tmp_path):
    _, (x, _) = digits
    np.save(tmp_path / "one.npy", x[0])
    header = bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in (2, 28, 28))
    (tmp_path / "two-ubyte").write_bytes(header + x[1:3].tobytes())
    result = call("predict", trained[0], tmp_path / "one.npy", tmp_path / "two-ubyte")
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines()[1:]]
    expected = thalweg.load_model(trained[0]).predict(x[:3], verbose=0)
    assert [row[0].rsplit("/")[-1] for row in rows] == ["one.npy", "two-ubyte[0]", "two-ubyte[1]"]
    assert [int(row[1]) for row in rows] == expected.argmax(1).tolist()
    assert [float(row[2]) for row in rows] == pytest.approx(expected.max(1), abs=1e-4)


@pytest.mark.needs("PIL")
def test_predict_a_picture(trained, digits, tmp_path):
    from PIL import Image as pillow

    _, (x, _) = digits
    pillow.fromarray(x[0]).save(tmp_path / "digit.png")
    result = call("predict", trained[0], tmp_path / "digit.png")
    assert result.exit_code == 0
    expected = thalweg.load_model(trained[0]).predict(x[:1], verbose=0).argmax()
    assert result.stdout.splitlines()[1].split()[1] == str(expected)


def test_a_picture_that_is_turned_round_is_noticed(trained, digits, tmp_path):
    """White digits on black were learned: a black one on white is told, and seen right with --invert."""
    _, (x, _) = digits
    np.save(tmp_path / "white.npy", x[:2])
    np.save(tmp_path / "black.npy", 255 - x[:2])
    plain = call("predict", trained[0], tmp_path / "white.npy")
    assert plain.stderr == ""
    turned = call("predict", trained[0], tmp_path / "black.npy")
    assert "black.npy[0] and 1 more: bright, 0." in turned.stderr
    assert "--invert" in turned.stderr
    mended = call("predict", trained[0], tmp_path / "black.npy", "--invert")
    assert mended.stderr == ""
    assert mended.stdout.replace("black", "white") == plain.stdout


@pytest.mark.needs("PIL")
def test_pictures_of_bytes_for_a_network_that_was_trained_on_floats(pictures, tmp_path, monkeypatch):
    from PIL import Image as pillow

    monkeypatch.chdir(tmp_path)
    path, x, y = pictures
    np.savez(path, x=(x / 255).astype(np.float32), y=y)
    assert call("train", path, "--epochs", 1, "--batch-size", 20).exit_code == 0
    pillow.fromarray(x[0]).save("one.png")
    np.save("one.npy", (x[0] / 255).astype(np.float32))
    shown = [call("predict", "pictures.thalweg", name).stdout.split()[-4:] for name in ("one.png", "one.npy")]
    assert shown[0] == shown[1]


def test_predict_without_pillow(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    (tmp_path / "digit.png").write_bytes(b"")
    result = call("predict", trained[0], tmp_path / "digit.png")
    assert result.exit_code == 1
    assert "pip install 'thalweg[images]'" in result.stderr


def test_info():
    result = call("info")
    assert result.exit_code == 0
    for name in ("thalweg:", "Python:", "executor:", "a cycle:", "caches:", "threads:"):
        assert name in result.stdout


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "mnst"], "did you mean 'mnist'"),
        (["train", "mnist", "--optimizer", "adm"], "did you mean 'adam'"),
        (["train", "mnist", "--activation", "rely"], "did you mean 'relu'"),
        (["train", "mnist", "--model", "cmn"], "did you mean 'cnn'"),
        (["train", "mnist", "--executor", "cuda"], "native"),
        (["train", "mnist", "--epochs", "-1"], "epochs"),
        (["train", "mnist", "--time-limit", "soon"], "90s, 5m or 1h30m"),
        (["train", "mnist", "--size", "0"], "48x64"),
        (["train", "mnist", "--output", "missing/folder/x"], "missing"),
        (["train", "mnist", "--output", "."], "a folder"),
        (["train", "folder/of/photos"], "no such file or folder"),
        (["train", "notes.odt"], "no such file or folder"),
        (["evaluate", "none.thalweg", "mnist"], "none.thalweg"),
    ],
)
def test_errors_have_four_parts_and_no_traceback(digits, tmp_path, monkeypatch, arguments, part):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == (1 if any("/" in word or "." in word for word in arguments) else 2)
    assert part in result.stderr
    for label in ("Error: ", "expected:", "got:", "to fix:"):
        assert label in result.stderr
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_image_files_that_cannot_be_read(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY rest")
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    np.save(tmp_path / "shape.npy", np.zeros((3, 3)))
    (tmp_path / "x-ubyte.gz").write_bytes(b"no gzip")
    for name in ("a.npy", "objects.npy", "shape.npy", "x-ubyte.gz", "missing.png"):
        with pytest.raises(thalweg.errors.ThalwegError, match=name):
            image_files.read_all([tmp_path / name], (28, 28))


SCRIPT = """
import sys
import numpy as np
from thalweg.cli import app, data
random = np.random.default_rng(0)
x, y = random.integers(0, 255, (2000, 28, 28)).astype(np.uint8), random.integers(0, 10, 2000).astype(np.uint8)
data.DATASETS["mnist"] = lambda: ((x, y), (x[:100], y[:100]))
app.app(sys.argv[1:])
"""


def environment():
    return {**os.environ, "PYTHONPATH": str(SRC), "TERM": "xterm", "COLUMNS": "100"}


def command(*arguments):
    return [sys.executable, "-c", SCRIPT, *map(str, arguments)]


def test_of_the_commands_the_one_that_is_asked_for_is_loaded():
    def named(*words):
        program = cli.program(words)
        groups = [group.name for group in program.registered_groups]
        return [*(command.callback.__name__ for command in program.registered_commands), *groups]

    assert named("train", "mnist") == ["train"]
    assert named("runs") == ["runs"]
    assert named("--help") == named() == list(cli.COMMANDS)


def test_a_pipe_gets_plain_lines(tmp_path):
    result = subprocess.run(
        command("train", "mnist", "--units", 8, "--epochs", 60, "--batch-size", 500, "--output", tmp_path / "m"),
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 53
    assert not {"\r", "\b", "\x1b"} & set(result.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_terminal_gets_a_line_that_is_redrawn(tmp_path):
    import pty

    parent, child = pty.openpty()
    arguments = command("train", "mnist", "--units", 256, "--epochs", 2, "--batch-size", 8, "--output", tmp_path / "m")
    with subprocess.Popen(arguments, stdout=child, stderr=child, env=environment()) as process:
        os.close(child)
        shown = _read_all(parent)
    assert process.returncode == 0, shown
    assert "\rEpoch 1/2" in shown
    assert "/250" in shown  # the bar, while it runs
    assert shown.count("\n") == 5
    assert "Test accuracy" in shown


def _read_all(descriptor):
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            part = b""
        if not part:
            os.close(descriptor)
            return b"".join(parts).decode()
        parts.append(part)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_saves_the_model_and_says_so(tmp_path):
    path = tmp_path / "m.thalweg"
    arguments = command("train", "mnist", "--units", 4, "--epochs", 5_000, "--output", path)
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        process.stdout.readline()  # the network
        process.stdout.readline()  # training has begun
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=600)
    assert process.returncode == INTERRUPTED
    assert error.count("Ctrl-C") == 1
    assert "saved to" in output
    assert "Traceback" not in error
    assert thalweg.load_model(path).optimizer.iterations > 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_an_output_that_cannot_be_written_loses_no_training(tmp_path):
    path = tmp_path / "m.thalweg"
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command("train", "mnist", "--units", 4, "--epochs", 3, "--output", path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    assert result.returncode == 1
    assert "No space left" in result.stderr
    assert "to fix:" in result.stderr
    assert "Traceback" not in result.stderr
    assert thalweg.load_model(path).optimizer.iterations > 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_before_training_ends_without_a_traceback(tmp_path):
    code = "import os, signal, sys; from thalweg import cli\n"
    code += "class Stop:\n    def find_spec(self, *rest):\n        os.kill(os.getpid(), signal.SIGINT)\n"
    code += "sys.meta_path.insert(0, Stop()); cli.main()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert result.returncode == INTERRUPTED
    assert result.stderr == ""


@pytest.mark.needs("PIL")
def test_a_model_that_takes_no_images(tmp_path):
    model = thalweg.Sequential([Input((4,)), Rescaling(1.0), Flatten(), Dense(2, activation="softmax")])
    model.save(tmp_path / "m")
    (tmp_path / "x.png").write_bytes(b"x")
    result = call("predict", tmp_path / "m", tmp_path / "x.png")
    assert result.exit_code == 1
    assert "takes no images" in result.stderr


def test_gradcheck(trained):
    for data in ([], ["mnist"]):
        result = call("gradcheck", trained[0], *data, "--rows", 8, "--directions", 2)
        assert result.exit_code == 0, result.output
        lines = result.stdout.splitlines()
        assert lines[1].split()[:2] == ["parameter", "shape"]
        assert len([line for line in lines if line.endswith("  ok")]) == 6
        assert lines[8].startswith("right: all 6 gradients")


def test_gradcheck_of_a_wrong_gradient(trained, monkeypatch):
    monkeypatch.setattr(Relu, "vjp", lambda self, g, inputs, output: (g,))
    result = call("gradcheck", trained[0], "mnist")
    assert result.exit_code == 1
    assert "WRONG: dense/kernel, dense/bias" in result.stdout


def test_gradcheck_of_an_unknown_data_set(trained):
    result = call("gradcheck", trained[0], "mnits")
    assert result.exit_code == 2
    assert "did you mean 'mnist'?" in result.stderr


@pytest.mark.needs("PIL")
def test_a_damaged_picture(trained, tmp_path):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    result = call("predict", trained[0], tmp_path / "x.png")
    assert result.exit_code == 1
    assert "x.png': no format that Pillow knows" in result.stderr
