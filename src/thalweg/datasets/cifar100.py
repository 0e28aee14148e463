"""CIFAR-100: 60,000 colour images of 32 x 32 pixels in 100 classes. From the files that Keras uses."""

from __future__ import annotations

from typing import Annotated

from thalweg.checks import OneOf, checked
from thalweg.datasets import cifar
from thalweg.datasets.tables import Parts

__all__ = ["load_data"]


@checked
def load_data(label_mode: Annotated[str, OneOf("fine", "coarse")] = "fine") -> Parts:
    """The training and the test set, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (50000, 32, 32, 3) and (10000, 32, 32, 3), y (50000, 1) and (10000, 1); uint8 and int64.

    Arguments:
        label_mode: "fine" for the 100 classes, "coarse" for the 20 groups of them.

    Raises: StorageError, which says where to get the archive and where to put it, if it is not there;
        FileFormatError if it is damaged.
    """
    files = [["train"], ["test"]]
    train, test = cifar.load("cifar-100-python", "cifar-100-python.tar.gz", files, f"{label_mode}_labels")
    return train, test
