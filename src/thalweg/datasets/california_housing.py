"""California house prices of 1990: 20,640 districts, 8 numbers of each. From Keras's own file."""

from __future__ import annotations

from typing import Annotated

from thalweg.checks import OneOf, checked
from thalweg.datasets.tables import Parts, Seed, Share, load

__all__ = ["load_data"]

NAME = "california_housing.npz"


@checked
def load_data(
    version: Annotated[str, OneOf("large", "small")] = "large",
    path: str = NAME,
    test_split: Share = 0.2,
    seed: Seed = 113,
) -> Parts:
    """The training and the test rows, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (16512, 8) and (4128, 8), y (16512,) and (4128,), float32; the small version is the first 600 rows.

    Arguments:
        path: of the file; a name is looked for in ``~/.keras/datasets``, or in ``datasets`` of ``$KERAS_HOME``.
        test_split: the share of the rows that is for testing.
        seed: of the order.

    Raises: StorageError, which says where to get the file, if it is not there; FileFormatError if it is another one.
    """
    return load(path, NAME, 600 if version == "small" else None, test_split, seed)
