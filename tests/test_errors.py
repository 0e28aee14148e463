"""errors.py: the printed form, the built-in kinds, copies and pickles, suggestions."""

import copy
import pickle

import pytest

from thalweg import errors
from thalweg.errors import ShapeError, StorageError, ThalwegError, did_you_mean

PARTS = {"expected": "(batch, 128)", "got": "(32, 10, 64)", "fix": "put Flatten() before it"}
KINDS = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


def test_printed_form_is_that_of_the_style_guide():
    error = ShapeError(
        "input does not fit the kernel",
        expected="(batch, 128), because the kernel was built as (128, 10)",
        got="(32, 10, 64) from layer 'lstm_1' (LSTM)",
        fix="pass return_sequences=False to 'lstm_1', or put Flatten() before 'dense_2'",
        layer="layer 'dense_2' (Dense)",
    )
    assert str(error) == (
        "layer 'dense_2' (Dense): input does not fit the kernel\n"
        "  expected: (batch, 128), because the kernel was built as (128, 10)\n"
        "  got:      (32, 10, 64) from layer 'lstm_1' (LSTM)\n"
        "  to fix:   pass return_sequences=False to 'lstm_1', or put Flatten() before 'dense_2'"
    )


def test_further_lines_of_a_part_are_aligned_under_the_first():
    error = ThalwegError("p", expected="one\ntwo", got="g", fix="f")
    assert str(error).splitlines()[1:3] == ["  expected: one", "            two"]


@pytest.mark.parametrize("missing", ["expected", "got", "fix"])
def test_no_part_can_be_forgotten(missing):
    parts = {name: text for name, text in PARTS.items() if name != missing}
    with pytest.raises(TypeError, match=missing):
        ThalwegError("p", **parts)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ShapeError", ValueError),
        ("DTypeError", TypeError),
        ("ArgumentError", ValueError),
        ("NameNotFoundError", LookupError),
        ("NameNotFoundError", ValueError),
        ("DataError", ValueError),
        ("NonFiniteError", ArithmeticError),
        ("FileFormatError", ValueError),
        ("StorageError", OSError),
        ("GraphError", ValueError),
        ("ExecutorError", RuntimeError),
    ],
)
def test_is_caught_as_the_built_in_kind_too(name, builtin):
    with pytest.raises(builtin):
        raise getattr(errors, name)("p", **PARTS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [None, "layer 'a' (Dense)"])
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies_and_pickles_whole(kind, layer, again):
    error = kind("p", layer=layer, **PARTS)
    error.add_note("in epoch 3")
    other = again(error)
    assert type(other) is kind
    assert str(other) == str(error)
    assert (other.args, other.layer, other.__notes__) == (("p",), layer, ["in epoch 3"])


def test_storage_error_prints_its_parts_though_oserror_prints_otherwise():
    assert str(StorageError("cannot write", **PARTS)).startswith("cannot write\n  expected:")


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("hubert", "did you mean 'huber'?"),
        ("MeanSquaredError", "did you mean 'mean_squared_error'?"),
        ("HUBER", "did you mean 'huber'?"),
        ("zzz", "known names: 'huber', 'mean_squared_error'"),
    ],
)
def test_did_you_mean(name, suggestion):
    assert did_you_mean(name, ["mean_squared_error", "huber"]) == suggestion


def test_did_you_mean_with_nothing_known():
    assert did_you_mean("adam", []) == "no names are known here"
