"""Keras's small helpers, under the name that its users look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.config import set_random_seed as set_random_seed
from thalweg.data.arrays import as_array, converted
from thalweg.errors import DataError

from thalweg.training.own import pack as pack_x_y_sample_weight
from thalweg.training.own import unpack as unpack_x_y_sample_weight

if TYPE_CHECKING:
    from thalweg.visualization.diagram import plot_model as plot_model

__all__ = ["pack_x_y_sample_weight", "plot_model", "set_random_seed", "to_categorical", "unpack_x_y_sample_weight"]


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers as one-hot rows, float32.

    Shapes: x (...) or (..., 1) -> (..., classes).

    Arguments:
        num_classes: the largest class number plus 1 unless given.

    Raises: DataError for a number that is no class.

    Example:
        >>> to_categorical([2, 0], num_classes=3)
        array([[0., 0., 1.],
               [1., 0., 0.]], dtype=float32)
    """
    labels = converted(as_array(x, "x"), "int64", "x")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels.reshape(labels.shape[:-1])
    count = num_classes if num_classes is not None else int(labels.max(initial=-1)) + 1
    bad = (labels < 0) | (labels >= count)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            "to_categorical: a number is no class",
            expected=f"class numbers from 0 to {count - 1}",
            got=f"{labels[where]} at {list(where)}",
            fix="number the classes from 0, or pass a larger num_classes",
        )
    rows: np.ndarray = np.eye(count, dtype=np.float32)[labels]
    return rows


def __getattr__(name: str) -> Any:
    """``plot_model`` is loaded when it is first used: who only wants a seed does not wait for it."""
    if name == "plot_model":
        from thalweg.visualization.diagram import plot_model

        return plot_model
    raise AttributeError(f"module 'thalweg.utils' has no attribute {name!r}")
