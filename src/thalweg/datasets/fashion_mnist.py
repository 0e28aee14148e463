"""Fashion-MNIST: 70,000 grey images of clothes, 28 x 28 pixels, in 10 classes. From the files that Keras uses.

Source: Xiao, Rasul & Vollgraf (2017), arXiv:1708.07747.
"""

from __future__ import annotations

import gzip
import os

import numpy as np

from thalweg.data import idx, keras_files
from thalweg.datasets import pickled
from thalweg.datasets.tables import ORIGIN, Parts

__all__ = ["load_data"]


def load_data() -> Parts:
    """The training and the test set, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (60000, 28, 28) and (10000, 28, 28), y (60000,) and (10000,), uint8.

    Raises: StorageError, which says where to get the files and where to put them, if one is not there;
        FileFormatError if one is damaged.
    """
    return (
        (_loaded("train-images-idx3-ubyte"), _loaded("train-labels-idx1-ubyte")),
        (_loaded("t10k-images-idx3-ubyte"), _loaded("t10k-labels-idx1-ubyte")),
    )


def _loaded(name: str) -> np.ndarray:
    folder = os.path.join(keras_files.datasets(), "fashion-mnist")
    path = keras_files.located(f"{name}.gz", f"{ORIGIN}{name}.gz", folder)
    with pickled.reading(path), gzip.open(path) as file:
        return idx.decode(bytearray(file.read()), name)
