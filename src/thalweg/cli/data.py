"""What commands are given as DATA: a data set by its name, or images in a file of arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from thalweg import datasets
from thalweg.data import numpy_files
from thalweg.errors import DataError, FileFormatError, NameNotFoundError, ShapeError, did_you_mean
from thalweg.evaluation import train_validation_test_split
from thalweg.fields import dataclass

Part = tuple[np.ndarray, np.ndarray]

DATASETS: dict[str, Callable[[], tuple[Part, Part]]] = {"mnist": datasets.mnist.load_data}

TEST_SHARE = 0.2
"""Of a file without a test part."""

MANY_CLASSES = 1000
"""From which class number on most of the numbers below have to occur, or nearly so."""

PARTS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Images:
    """Images and their classes, cut into a part to train on and one to judge by.

    Attributes:
        name: how the user calls them.
        told: what there is to say about a file.
    """

    name: str
    train: Part
    test: Part
    told: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image: (height, width), or with a last axis of channels."""
        return self.train[0].shape[1:]

    @property
    def classes(self) -> int:
        """How many classes the labels count from 0 on."""
        return 1 + max(int(y.max()) for _, y in (self.train, self.test))

    @property
    def dtype(self) -> str | None:
        """Of a network's input: bytes stay bytes."""
        return "uint8" if self.train[0].dtype == np.uint8 else None


def load(name: str) -> Images:
    """The data of this name, or of this ``.npz`` file.

    Raises: NameNotFoundError for another name; StorageError, FileFormatError, ShapeError or DataError naming the file.
    """
    if name in DATASETS:
        return Images(name, *DATASETS[name]())
    if name.endswith((".csv", ".tsv", ".txt", ".parquet", ".xlsx")):
        raise FileFormatError(
            f"{name!r} is a table, and tables are not read by the command line yet",
            expected=f"{', '.join(DATASETS)}, or a .npz file of images",
            got=f"a {Path(name).suffix} file",
            fix="write a few lines of Python: table = pandas.read_csv(...); model.fit(table[features], table[target])",
        )
    if not name.endswith(".npz"):
        raise NameNotFoundError(
            "there are no such data",
            expected=f"{', '.join(DATASETS)}, or a .npz file of images",
            got=repr(name),
            fix=did_you_mean(name, DATASETS),
        )
    arrays = numpy_files.read_archive(Path(name))
    if set(PARTS) <= arrays.keys():
        train, test = ((arrays[f"x_{part}"], _classes(arrays[f"y_{part}"], name)) for part in ("train", "test"))
        apart = ""
    elif {"x", "y"} <= arrays.keys():
        x, y = arrays["x"], _classes(arrays["y"], name)
        _check(name, x, y)
        train, _, test = train_validation_test_split(x, y, validation_size=0, test_size=TEST_SHARE, stratify=y)
        apart = " (a fifth)"
    else:
        raise FileFormatError(
            f"{name!r} does not hold what it takes to train",
            expected=f"arrays called {', '.join(PARTS)}, or x and y",
            got=", ".join(arrays) or "no arrays",
            fix="np.savez(file, x=images, y=classes)",
        )
    for x, y in (train, test):
        _check(name, x, y)
    if test[0].shape[1:] != train[0].shape[1:] or test[0].dtype != train[0].dtype:
        raise ShapeError(
            f"{name!r}: the images to judge by are of another kind than those to train on",
            expected=f"images of shape {train[0].shape[1:]} and {train[0].dtype}, as in x_train",
            got=f"shape {test[0].shape[1:]} and {test[0].dtype} in x_test",
            fix="make both in the same way",
        )
    images = Images(name, train, test)
    sizes = " x ".join(map(str, images.shape))
    told = f"{len(train[0])} images of {sizes} to train on, {len(test[0])}{apart} to judge by; {images.classes} classes"
    return Images(name, train, test, told)


def _classes(y: np.ndarray, name: str) -> np.ndarray:
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


def _check(name: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim not in (3, 4) or x.dtype.kind not in "uif":
        raise ShapeError(
            f"{name!r} holds no images",
            expected="numbers of shape (images, height, width) or (images, height, width, channels)",
            got=f"shape {x.shape}, {x.dtype}",
            fix="for other data write a few lines of Python, as README.md shows",
        )
    if len(x) != len(y) or not len(x):
        raise ShapeError(
            f"{name!r}: images and classes do not fit each other",
            expected="one class for each image, at least one",
            got=f"{len(x)} images, {len(y)} classes",
            fix="check how the file was made",
        )
