"""The prepared arrays of a data source, as every peer gets them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Arrays(NamedTuple):
    """Rows (n, features) or images (n, height, width, channels), float32, in [0, 1] or standardised; or uint8 images
    (n, height, width). Labels (n,) int32.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array

    def save(self, folder: Path) -> None:
        """One ``.npy`` file per array."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in self._asdict().items():
            np.save(folder / f"{name}.npy", array)


def load_arrays(folder: Path) -> Arrays:
    """What ``Arrays.save`` wrote."""
    return Arrays(*(np.load(folder / f"{name}.npy") for name in Arrays._fields))
