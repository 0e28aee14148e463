"""Images and classes in a ``.npz`` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from thalweg.cli.data.images import Images, Pile, given, numbered
from thalweg.data import numpy_files
from thalweg.errors import DataError, FileFormatError, ShapeError

MANY_CLASSES = 1000
"""From which class number on most of the numbers below have to occur, or nearly so."""

PARTS = ("x_train", "y_train", "x_test", "y_test")


def load(name: str) -> Images | Pile:
    """The images of a ``.npz`` file, which has both parts or one. Raises FileFormatError, ShapeError or DataError."""
    arrays = numpy_files.read_archive(Path(name))
    if set(PARTS) <= arrays.keys():
        train, test = ((arrays[f"x_{part}"], class_numbers(arrays[f"y_{part}"], name)) for part in ("train", "test"))
        for x, y in (train, test):
            check(name, x, y)
        return given(name, train, test, numbered(1 + int(max(train[1].max(), test[1].max()))))
    if {"x", "y"} <= arrays.keys():
        x, y = arrays["x"], class_numbers(arrays["y"], name)
        check(name, x, y)
        return Pile(name, x, y, numbered(1 + int(y.max())))
    raise FileFormatError(
        f"{name!r} does not hold what it takes to train",
        expected=f"arrays called {', '.join(PARTS)}, or x and y",
        got=", ".join(arrays) or "no arrays",
        fix="np.savez(file, x=images, y=classes)",
    )


def class_numbers(y: np.ndarray, name: str) -> np.ndarray:
    """Class numbers (n,), also of columns and one-hot rows."""
    if y.ndim == 2 and y.shape[1] > 1:
        return np.asarray(y.argmax(1))
    y = y.reshape(-1) if y.ndim == 2 else y
    if y.ndim != 1 or y.dtype.kind not in "iu" or y.min(initial=0) < 0:
        raise DataError(
            f"{name!r}: these are no classes",
            expected="numbers from 0 on, one for each image, or one-hot rows",
            got=f"shape {y.shape}, {y.dtype}" + (f", the lowest {y.min()}" if y.size and y.dtype.kind in "if" else ""),
            fix="number the classes: classes, y = np.unique(y, return_inverse=True)",
        )
    highest, present = int(y.max(initial=0)), len(np.unique(y))
    if highest >= MANY_CLASSES and highest >= 10 * present:
        raise DataError(
            f"{name!r}: these are no classes, or they are not numbered one after the other",
            expected="numbers from 0 on, without large gaps: the network gets an output for each",
            got=f"{present} different numbers up to {highest}",
            fix="number the classes: classes, y = np.unique(y, return_inverse=True)",
        )
    return y


def check(name: str, x: np.ndarray, y: np.ndarray) -> None:
    """Raise ShapeError if these are no images with a class each."""
    if x.ndim not in (3, 4) or x.dtype.kind not in "uif":
        raise ShapeError(
            f"{name!r} holds no images",
            expected="numbers of shape (images, height, width) or (images, height, width, channels)",
            got=f"shape {x.shape}, {x.dtype}",
            fix="write what is no image into a table, a CSV or Parquet file",
        )
    if len(x) != len(y) or not len(x):
        raise ShapeError(
            f"{name!r}: images and classes do not fit each other",
            expected="one class for each image, at least one",
            got=f"{len(x)} images, {len(y)} classes",
            fix="check how the file was made",
        )
