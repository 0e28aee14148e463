"""The issue's list of bad input, item by item: a four-part error before damage is done, or what Keras does."""

import contextlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import nets

import thalweg
from thalweg import errors
from thalweg.callbacks import CSVLogger, ModelCheckpoint
from thalweg.data import safetensors
from thalweg.executors.native.run.cache import CacheNotice
from thalweg.layers import Dense, Input

X, Y = nets.points(20)


def changed(array, place, value):
    array = np.array(array, dtype=np.float64 if isinstance(value, float) else None)
    array[place] = value
    return array


def fit(x, y, **options):
    return lambda model: model.fit(x, y, verbose=0, **options)


def compiled(loss, activation, units=3):
    def mistake(model):
        net = thalweg.Sequential([Input((4,)), Dense(units, activation=activation)])
        net.compile("adam", loss)

    return mistake


FROM_LOGITS = thalweg.losses.SparseCategoricalCrossentropy(from_logits=True)

# item of the list -> what is done wrong -> the error's class, and what its text says
MISTAKES: dict[str, dict[str, tuple[Any, ...]]] = {
    "wrong shapes": {
        "too few features": (fit(X[:, :3], Y), errors.ShapeError, "(samples, 4)"),
        "one sample without its axis": (fit(X[0], Y[:4]), errors.ShapeError, "x[None]"),
        "an axis too many": (fit(X[:, None, :, None], Y), errors.ShapeError, "(20, 1, 4, 1)"),
        "other numbers of rows": (fit(X, Y[:-1]), errors.ShapeError, "y: 19"),
        "targets": (fit(X, np.eye(3)[Y]), errors.ShapeError, "categorical_crossentropy"),
        "sample weights": (fit(X, Y, sample_weight=np.ones(3)), errors.ShapeError, "(20,)"),
        "validation data": (fit(X, Y, validation_data=(X[:, 1:], Y)), errors.ShapeError, "(samples, 4)"),
        "weights": (lambda model: model.set_weights(model.get_weights()[1:]), errors.ShapeError, "dense/kernel (4, 8)"),
    },
    "wrong dtypes": {
        "text": (fit(np.full((20, 4), "a"), Y), errors.DTypeError, "x does not hold numbers"),
        "text targets": (fit(X, Y.astype(str)), errors.DTypeError, "y does not hold numbers"),
        "complex": (fit(X * 1j, Y), errors.DTypeError, "complex"),
        "dates": (fit(np.full((20, 4), np.datetime64("2020-01-01")), Y), errors.DTypeError, "datetime64"),
        "ragged": (fit([[1, 2], [3]], Y[:2]), errors.DTypeError, "equally long"),
        "objects": (fit(np.full((20, 4), None), Y), errors.DataError, "not finite"),
        "targets beside an iterator": (fit(iter([]), Y), errors.ArgumentError, "gives whole batches"),
        "nothing": (fit(None, Y), errors.DataError, "no data for x"),
        "fractions as classes": (fit(X, Y + 0.5), errors.DataError, "whole numbers"),
        "text weights": (
            lambda model: model.set_weights([np.full(w.shape, "a") for w in model.get_weights()]),
            errors.DTypeError,
            "weights[0]",
        ),
    },
    "batches in a generator": {
        "targets beside it": (fit((x for x in [X]), Y), errors.ArgumentError, "as a part of each batch"),
    },
    "nan or infinity in x or y": {
        "nan in x": (fit(changed(X, (7, 2), np.nan), Y), errors.DataError, "row 7, column 2"),
        "infinity in x": (fit(changed(X, (7, 2), -np.inf), Y), errors.DataError, "row 7, column 2"),
        "too large for float32": (fit(changed(X, (3, 1), 1e300), Y), errors.DataError, "row 3, column 1"),
        "nan in y": (fit(X, changed(Y, 4, np.nan)), errors.DataError, "row 4"),
        "nan in validation": (
            fit(X, Y, validation_data=(changed(X, (1, 1), np.nan), Y)),
            errors.DataError,
            "row 1, column 1",
        ),
        "nan in weights": (fit(X, Y, sample_weight=np.full(20, np.nan)), errors.DataError, "sample_weight"),
    },
    "labels out of range": {
        "too large": (fit(X, changed(Y, 4, 3)), errors.DataError, "3 in row 4"),
        "negative": (fit(X, changed(Y, 4, -1)), errors.DataError, "-1 in row 4"),
        "from 1 on": (fit(X, Y + 1), errors.DataError, "y - 1"),
        "in validation": (fit(X, Y, validation_data=(X, changed(Y, 4, 3))), errors.DataError, "3 in row 4"),
        "weights of classes as sample_weight": (
            fit(X, Y, sample_weight={0: 1.0, 1: 2.0}),
            errors.ArgumentError,
            "sample_weight is a mapping",
        ),
        "a class weight's": (fit(X, Y, class_weight={"a": 1}), errors.ArgumentError, "class numbers"),
        "a class weight's weight": (fit(X, Y, class_weight={0: "heavy"}), errors.ArgumentError, "heavy"),
    },
    "empty data": {
        "no rows": (fit(X[:0], Y[:0]), errors.DataError, "no data"),
        "no rows to evaluate": (lambda model: model.evaluate(X[:0], Y[:0]), errors.DataError, "no data"),
        "an empty list": (fit([], []), errors.ShapeError, "samples"),
        "no targets": (fit(X, None), errors.DataError, "no targets"),
        "a split without rows": (fit(X[:1], Y[:1], validation_split=0.5), errors.DataError, "validation_split"),
        "no steps": (lambda model: model.evaluate(X, Y, steps=0), errors.ArgumentError, "steps"),
        "less than no steps": (lambda model: model.predict(X, steps=-1), errors.ArgumentError, "steps"),
        "a batch of nothing": (lambda model: model.predict(X, batch_size=0), errors.ArgumentError, "batch_size"),
    },
    "a loss that does not fit the last activation": {
        "no softmax": (compiled("sparse_categorical_crossentropy", None), errors.ArgumentError, "'softmax'"),
        "relu": (compiled("categorical_crossentropy", "relu"), errors.ArgumentError, "relu"),
        "no sigmoid": (compiled("binary_crossentropy", None, 1), errors.ArgumentError, "'sigmoid'"),
        "softmax over one unit": (compiled("binary_crossentropy", "softmax", 1), errors.ArgumentError, "always 1"),
        "one class": (compiled("sparse_categorical_crossentropy", "sigmoid", 1), errors.ArgumentError, "two classes"),
        "softmax as logits": (compiled(FROM_LOGITS, "softmax"), errors.ArgumentError, "from_logits"),
        "a metric": (
            lambda model: model.compile("adam", FROM_LOGITS.name, metrics=["categorical_accuracy"]),
            errors.ShapeError,
            "categorical_accuracy",
        ),
    },
    "an unknown name": {
        "loss": (lambda model: model.compile("adam", "mean_square_error"), errors.NameNotFoundError, "did you mean"),
        "loss of a model that is not built": (
            lambda model: thalweg.Sequential([Dense(1)]).compile("adam", "mze"),
            errors.NameNotFoundError,
            "did you mean 'mse'",
        ),
        "optimizer": (lambda model: model.compile("adm", "mse"), errors.NameNotFoundError, "did you mean 'adam'"),
        "metric": (
            lambda model: model.compile("adam", FROM_LOGITS.name, metrics=["acuracy"]),
            errors.NameNotFoundError,
            "did you mean 'accuracy'",
        ),
        "activation": (lambda model: Dense(3, activation="rely"), errors.NameNotFoundError, "did you mean 'relu'"),
        "argument": (lambda model: Dense(3, activaton="relu"), errors.ArgumentError, "did you mean 'activation'"),  # type: ignore[call-arg]
        "foreign argument": (lambda model: Dense(out_features=3), errors.ArgumentError, "use units="),  # type: ignore[call-arg]
        "layer": (lambda model: model.get_layer("dens"), errors.ArgumentError, "did you mean 'dense'"),
        "optimizer's attribute": (
            lambda model: setattr(model.optimizer, "learnin_rate", 0.1),
            errors.ArgumentError,
            "did you mean 'learning_rate'",
        ),
    },
    "an unwritable path": {
        "no such folder": (lambda model: model.save("missing/m"), errors.StorageError, "missing"),
        "a folder": (lambda model: model.save("."), errors.StorageError, "a directory"),
        "a device": (lambda model: model.save_weights("/dev/null"), errors.StorageError, "device"),
        "a log": (fit(X, Y, callbacks=[CSVLogger("missing/log.csv")]), errors.StorageError, "missing"),
        "a checkpoint's folder": (fit(X, Y, callbacks=[ModelCheckpoint("/dev/null/m")]), errors.StorageError, "null"),
    },
}
CASES = [pytest.param(*case, id=f"{item}: {what}") for item, cases in MISTAKES.items() for what, case in cases.items()]


@pytest.mark.parametrize(("mistake", "error", "text"), CASES)
def test_bad_input_gives_the_four_parts_and_changes_nothing(mistake, error, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    before = {name: array for name, array in model.state.snapshot().items() if not name.startswith("metrics/")}
    saves = error is errors.StorageError  # what cannot be written is found out by writing
    with pytest.raises(error) as caught:
        mistake(model)
    parts = caught.value
    assert all((parts.problem, parts.expected, parts.got, parts.fix))
    assert text in str(parts)
    assert saves or all(np.array_equal(model.state.read(name), array) for name, array in before.items())
    assert list(tmp_path.iterdir()) == []
    model.fit(X, Y, verbose=0)


def test_one_number_a_sample_and_a_column_of_them_are_the_same():
    """(n,) against (n, 1): one axis of size 1 at the end may be there or not; nothing is ever broadcast."""
    x, y = np.ones((5, 2)), np.arange(5.0)
    flat, column = nets.regressor(), nets.regressor()
    assert flat.fit(x, y, verbose=0).history == column.fit(x, y[:, None], verbose=0).history
    assert nets.same_bits(flat, column)
    with pytest.raises(errors.ShapeError, match="targets"):
        flat.fit(x, np.ones((5, 5)), verbose=0)


def test_a_batch_larger_than_the_data_is_all_of_them():
    """As in Keras: one step a epoch, on all rows."""
    large, exact = nets.classifier(), nets.classifier()
    assert large.fit(X, Y, batch_size=500, verbose=0).params["steps"] == 1
    exact.fit(X, Y, batch_size=20, verbose=0)
    assert nets.same_bits(large, exact)


def test_data_that_cannot_be_used_do_not_build_a_model():
    """Otherwise it would refuse the right data, because they have another shape."""
    model = thalweg.Sequential([Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    for bad in (np.full((20, 2), "a"), np.full((20, 2), np.nan), None, 3.0):
        with pytest.raises(errors.ThalwegError):
            model.fit(bad, Y, verbose=0)
        assert not model.built
    model.fit(X, Y, verbose=0)


def test_a_failed_compile_leaves_the_last_one():
    model = nets.classifier()
    model.fit(X, Y, verbose=0)
    before = model.evaluate(X, Y, verbose=0)
    for arguments in [("sgd", "binary_crossentropy", None, ["nonsense"]), ("sgd", "mean"), (3, "mse")]:
        with pytest.raises(errors.ThalwegError):
            model.compile(*arguments)
    assert model.evaluate(X, Y, verbose=0) == before
    assert model.optimizer.iterations == 1


@contextlib.contextmanager
def full_disk():
    """No file can grow beyond a few bytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    model, path = nets.classifier(), tmp_path / "m.thalweg"
    model.save(path)
    old = path.read_bytes()
    model.fit(X, Y, verbose=0)
    with full_disk(), pytest.raises(errors.StorageError, match="File too large"):
        model.save(path)
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["m.thalweg"]


NET = """
import warnings, numpy as np, thalweg
warnings.simplefilter("error", ResourceWarning)
x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)
thalweg.utils.set_random_seed(0)
model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
with warnings.catch_warnings(record=True) as notices:
    warnings.simplefilter("always")
    model.fit(x, np.arange(20) % 3, epochs=2, verbose=0)
print(model.executor.name, [type(n.message).__name__ for n in notices], [str(n.message) for n in notices])
"""


def run(code, **environment):
    source = str(Path(thalweg.__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": source, **environment},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("where", ["/proc/none", "/dev/null", "/dev/full"])
def test_a_cache_that_cannot_be_written_gives_one_notice(where):
    """A folder that may not be written: /proc, where even root may not; and paths that are no folders."""
    shown = run(NET, THALWEG_CACHE_DIR=where, THALWEG_EXECUTOR="native")
    assert shown.startswith("native")
    assert shown.count("CacheNotice") == 1
    assert "set THALWEG_CACHE_DIR to a folder that can be written" in shown


def test_a_full_cache_gives_a_notice(tmp_path, monkeypatch):
    from thalweg.executors.native.run import cache

    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "full"))
    monkeypatch.setattr(cache, "_user_folder", lambda: tmp_path / "home")
    with full_disk(), warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always")
        cache.save("a", b"code")
        cache.save("b", b"code")
    assert {notice.category for notice in notices} == {CacheNotice}
    assert cache.load("a") is None
    assert not list(tmp_path.rglob("*.*"))


def test_without_llvmlite_the_numpy_executor_runs_with_a_notice():
    shown = run("import sys; sys.modules['llvmlite'] = None\n" + NET, THALWEG_EXECUTOR="")
    assert shown.startswith("numpy ['ExecutorNotice']")
    assert "llvmlite is not installed" in shown


def test_a_loss_that_is_not_finite_names_step_layer_and_tensor():
    model = thalweg.Sequential([Input((4,)), Dense(8, name="hidden"), Dense(1, name="last")])
    model.compile(thalweg.optimizers.SGD(1e20), "mse")
    with pytest.raises(errors.NonFiniteError) as caught:
        model.fit(X, Y, epochs=5, batch_size=20, verbose=0)
    error = caught.value
    assert "training step 2" in error.problem
    assert error.layer in ("layer 'hidden'", "layer 'last'")
    assert "activation" in error.got
    assert "learning rate (now 1e+20)" in error.fix
    assert "as it was before step 2" in error.fix
    assert model.optimizer.iterations == 1
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert model.history.stopped_by == "non-finite loss"


HOSTILE = {
    "not a model": b"\x89HDF\r\n\x1a\n" + bytes(500),
    "empty": b"",
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_files_that_are_no_models(content, tmp_path):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(errors.FileFormatError) as caught:
        thalweg.load_model(tmp_path / "m")
    assert caught.value.fix


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file(share, tmp_path):
    nets.classifier().save(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(errors.FileFormatError):
        thalweg.load_model(tmp_path / "m")


def test_a_description_that_names_something_to_run(tmp_path):
    nets.classifier().save(tmp_path / "m")
    arrays, strings = safetensors.read(tmp_path / "m")
    description = json.loads(strings["thalweg"])
    for name in ("os.system", "__import__", "eval"):
        description["config"]["layers"][0]["class_name"] = name
        safetensors.write(tmp_path / "m", arrays, {"thalweg": json.dumps(description)})
        with pytest.raises(errors.FileFormatError, match="there is no layer of this name"):
            thalweg.load_model(tmp_path / "m")
