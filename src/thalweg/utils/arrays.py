"""Arrays in the form that networks take: class numbers, rows of one length, rows of length 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, OneOf, checked, reporting
from thalweg.data.arrays import as_array, converted, require_finite
from thalweg.errors import DataError, ShapeError

Place = Annotated[str, OneOf("pre", "post")]


@checked
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
    rows = np.zeros((*labels.shape, count), np.float32)
    np.put_along_axis(rows, labels[..., None], 1, -1)
    return rows


@reporting
def pad_sequences(
    sequences: Iterable[Any],
    maxlen: Annotated[int, In("[1, inf)")] | None = None,
    dtype: Any = "int32",
    padding: Place = "pre",
    truncating: Place = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Lists of different lengths as rows of one length: the shorter ones are filled up, the longer ones cut.

    Shapes: n sequences (length, ...) -> (n, maxlen, ...).

    Arguments:
        maxlen: the length of the longest one unless given.
        padding: where what is missing is put, "pre" (in front) or "post".
        truncating: where what is too much is taken away.
        value: what is put there.

    Raises: DataError for what has no length, or where the value does not fit the dtype; ShapeError for elements of
        different shapes.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)
    """
    given = [_sequence(item, number) for number, item in enumerate(sequences)]
    length = maxlen if maxlen is not None else max(map(len, given), default=0)
    shape = next((np.shape(item)[1:] for item in given if len(item)), ())
    rows = np.full((len(given), length, *shape), _fitting(value, dtype), dtype)
    for number, (row, item) in enumerate(zip(rows, given, strict=True)):
        kept = item[len(item) - length :] if truncating == "pre" and len(item) > length else item[:length]
        if not len(kept):
            continue
        if np.shape(kept)[1:] != shape:
            raise ShapeError(
                "pad_sequences: the elements of the sequences differ in shape",
                expected=f"{shape}, as in the first sequence",
                got=f"{np.shape(kept)[1:]} in sequence {number}",
                fix="give every element the same shape",
            )
        row[length - len(kept) if padding == "pre" else 0 :][: len(kept)] = kept
    return rows


def _sequence(item: Any, number: int) -> Any:
    try:
        len(item)
    except TypeError as error:
        raise DataError(
            "pad_sequences: this is no sequence",
            expected="lists or arrays, one per row",
            got=f"{item!r:.60} ({type(item).__name__}) as number {number}",
            fix="pass a list of lists; a single sequence is [sequence]",
        ) from error
    return item


def _fitting(value: Any, dtype: Any) -> Any:
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise DataError(
            "pad_sequences: the value does not fit the dtype",
            expected=f"a number, as dtype is {np.dtype(dtype).name}",
            got=repr(value)[:60],
            fix="pass dtype=object for texts",
        )
    return value


@reporting
def normalize(x: Any, axis: int = -1, order: Annotated[float, In("[1, inf]")] = 2) -> np.ndarray:
    """The vectors along an axis, divided by their length; those of length 0 stay.

    Shapes: as x.

    Arguments:
        order: of the norm: 2 for the usual length, 1 for the sum of absolute values.

    Example:
        >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    array = as_array(x, "x")
    require_finite(array, "x")
    length = np.linalg.norm(np.atleast_1d(array), order, axis, keepdims=True)
    length[length == 0] = 1
    divided: np.ndarray = array / length
    return divided
