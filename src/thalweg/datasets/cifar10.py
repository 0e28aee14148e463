"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in 10 classes. From the files that Keras uses."""

from __future__ import annotations

import numpy as np

from thalweg.datasets import cifar
from thalweg.datasets.tables import Parts

__all__ = ["load_data"]


def load_data() -> Parts:
    """The training and the test set, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (50000, 32, 32, 3) and (10000, 32, 32, 3), y (50000, 1) and (10000, 1), uint8.

    Raises: StorageError, which says where to get the archive and where to put it, if it is not there;
        FileFormatError if it is damaged.
    """
    batches = [f"data_batch_{number}" for number in range(1, 6)]
    train, test = cifar.load("cifar-10-batches-py", "cifar-10-python.tar.gz", [batches, ["test_batch"]], "labels")
    return _with_bytes(*train), _with_bytes(*test)


def _with_bytes(x: np.ndarray, y: np.ndarray) -> cifar.Batch:
    return x, y.astype(np.uint8)
