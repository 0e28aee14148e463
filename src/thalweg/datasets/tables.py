"""Tables of houses in Keras's form: shuffled rows, the last of them for testing."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from thalweg.checks import In
from thalweg.data import keras_files
from thalweg.datasets import pickled

Parts = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
Share = Annotated[float, In("[0, 1)")]
Seed = Annotated[int, In("[0, 4294967296)")]
ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
"""Where Keras has its files from."""


def shuffled(x: np.ndarray, y: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Both in the order that Keras gives them."""
    order = np.arange(len(x))
    random.shuffle(order)
    return x[order], y[order]


def divided(x: np.ndarray, y: np.ndarray, test_split: float) -> Parts:
    """The training and the test part."""
    count = int(len(x) * (1 - test_split))
    return (x[:count], y[:count]), (x[count:], y[count:])


def load(path: str, name: str, rows: int | None, test_split: float, seed: int) -> Parts:
    """The first rows of a table, shuffled and divided. Raises StorageError, FileFormatError."""
    file = keras_files.located(path, ORIGIN + name)
    x, y = pickled.load_npz(file, ("x", "y"))
    return divided(*shuffled(x[:rows], y[:rows], np.random.RandomState(seed)), test_split)
