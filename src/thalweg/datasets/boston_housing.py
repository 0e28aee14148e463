"""Boston house prices: 506 suburbs, 13 numbers of each, prices in thousands. From Keras's own file."""

from __future__ import annotations

from thalweg.checks import checked
from thalweg.datasets.tables import Parts, Seed, Share, load

__all__ = ["load_data"]

NAME = "boston_housing.npz"


@checked
def load_data(path: str = NAME, test_split: Share = 0.2, seed: Seed = 113) -> Parts:
    """The training and the test rows, ``(x_train, y_train), (x_test, y_test)``: the arrays that Keras gives.

    Shapes: x (404, 13) and (102, 13), y (404,) and (102,), float64.

    Arguments:
        path: of the file; a name is looked for in ``~/.keras/datasets``, or in ``datasets`` of ``$KERAS_HOME``.
        test_split: the share of the rows that is for testing.
        seed: of the order.

    Raises: StorageError, which says where to get the file, if it is not there; FileFormatError if it is another one.

    One of the columns judges people by their skin; teach with ``california_housing`` instead.
    """
    return load(path, NAME, None, test_split, seed)
