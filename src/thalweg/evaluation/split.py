"""Cutting data into parts to train on, to choose with and to judge by; and the care that rare classes need."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, check_value, checked
from thalweg.data import splits
from thalweg.data.arrays import as_array
from thalweg.errors import ArgumentError, DataError, ShapeError
from thalweg.fields import dataclass

SplitSeed = Annotated[int, In("[0, 4294967296)")]


class FoldNotice(UserWarning):
    """A part that is only judged by lacks a class; nothing is known then about that class."""


@dataclass(frozen=True)
class Split:
    """Rows cut into three parts. Unpacks to the arrays of each: ``(x, y), (x_val, y_val), (x_test, y_test) = split``.

    Attributes:
        train, validation, test: the given arrays' rows in each part, in the order of the arguments.
        train_rows, validation_rows, test_rows: which rows these are.
    """

    train: tuple[Any, ...]
    validation: tuple[Any, ...]
    test: tuple[Any, ...]
    train_rows: np.ndarray
    validation_rows: np.ndarray
    test_rows: np.ndarray

    def __iter__(self) -> Any:
        return iter((self.train, self.validation, self.test))


@checked
def train_validation_test_split(
    *arrays: Any,
    validation_size: float | int = 0.2,
    test_size: float | int = 0.2,
    stratify: Any = None,
    groups: Any = None,
    time: Any = None,
    seed: int = 0,
) -> Split:
    """Cut rows into a part to train on, one to choose models with and one to judge the chosen one by.

    Arguments:
        arrays: with equally many rows each; a mapping of arrays counts as one.
        validation_size, test_size: shares of all rows, or numbers of rows; 0 for none.
        stratify: one class per row (or one-hot): each part gets its share of each class, to within one row.
        groups: one value per row; rows of one group (a patient, a video) stay together.
        time: one value per row; the validation rows are later than those to train on, the test rows later still.
        seed: the same seed gives the same parts.

    Raises: ArgumentError, DataError or ShapeError; DataError if the part to train on lacks a class of ``stratify``.

    Example:
        >>> (x, y), _, (x_test, y_test) = train_validation_test_split([[1], [2], [3], [4]], [0, 0, 1, 1],
        ...     validation_size=0, test_size=0.5, stratify=[0, 0, 1, 1])
        >>> sorted(y.tolist()), sorted(y_test.tolist())
        ([0, 1], [0, 1])
    """
    ways = [name for name, given in (("stratify", stratify), ("groups", groups), ("time", time)) if given is not None]
    if len(ways) > 1:
        raise ArgumentError(
            f"{ways[0]} and {ways[1]} are given both",
            expected="one way to cut",
            got=", ".join(ways),
            fix=f"leave out {ways[1]}",
        )
    seed = check_value("train_validation_test_split", "seed", SplitSeed, seed)
    rows = common_rows(arrays)
    sizes = splits.part_sizes(rows, {"validation_size": validation_size, "test_size": test_size})
    classes = None if stratify is None else required_classes(stratify, rows)
    # Parts of no rows are left out, so that no group is put there.
    wanted = [size for size in sizes if size]
    parts = iter(
        splits.parts(
            rows,
            wanted,
            classes=classes,
            groups=splits.per_row(groups, rows, "groups"),
            time=splits.moments(time, rows),
            seed=seed,
        )
    )
    train, validation, test = (next(parts) if size else np.empty(0, np.int64) for size in sizes)
    if classes is not None:
        check_classes(classes, [(train, part) for part in (validation, test) if len(part)], "this split")
    if min(len(part) for part, size in zip((train, validation, test), sizes, strict=True) if size) == 0:
        raise DataError(
            "a part of the split is empty",
            expected="at least 1 row in each",
            got=f"{len(train)}, {len(validation)} and {len(test)} rows",
            fix="use other sizes; rows of one time or group stay together",
        )

    def taken(part: np.ndarray) -> tuple[Any, ...]:
        return tuple(take(array, part) for array in arrays)

    return Split(taken(train), taken(validation), taken(test), train, validation, test)


def take(array: Any, rows: np.ndarray) -> Any:
    """Some rows of an array, of a table, or of each array in a mapping or tuple."""
    if isinstance(array, Mapping) and not hasattr(array, "columns"):
        return {name: take(part, rows) for name, part in array.items()}
    if isinstance(array, tuple):
        return tuple(take(part, rows) for part in array)
    return array.iloc[rows] if hasattr(array, "iloc") else np.asarray(array)[rows]


def common_rows(arrays: Any) -> int:
    """How many rows each has. Raises ShapeError if they differ, or DataError if there are none."""
    counts = [count for array in arrays for count in _counts(array)]
    if len(set(counts)) > 1:
        raise ShapeError(
            "the arrays do not have equally many rows",
            expected="one row per sample in each",
            got=", ".join(map(str, counts)),
            fix="check how the data were made: a row of one belongs to the same row of the others",
        )
    if not counts or not counts[0]:
        raise DataError("there are no data", expected="at least 1 row", got="none", fix="pass some data")
    return counts[0]


def _counts(array: Any) -> list[int]:
    if isinstance(array, Mapping) and not hasattr(array, "columns"):
        array = tuple(array.values())
    if isinstance(array, tuple):
        return [count for part in array for count in _counts(part)]
    if (
        not hasattr(array, "__len__")
        or hasattr(array, "nnz")
        or np.shape(array) == ()
        or isinstance(array, str | bytes)
    ):
        raise DataError(
            "these are no rows to be cut",
            expected="an array, a list or a table with a row for each sample",
            got=f"{array!r:.80} ({type(array).__name__})",
            fix="pass the arrays one after the other: train_validation_test_split(x, y)",
        )
    return [len(array)]


def required_classes(y: Any, rows: int) -> np.ndarray:
    """The class numbers of targets that must be classes. Raises DataError or ShapeError."""
    classes = splits.class_numbers(y)
    if classes is None:
        raise DataError(
            "stratify needs classes",
            expected="one whole number or name for each row, or one-hot rows",
            got=f"an array of shape {as_array(y, 'y').shape} with other numbers",
            fix="cut numbers into bins first, as np.digitize(y, np.quantile(y, [0.25, 0.5, 0.75]))",
        )
    checked = splits.per_row(classes, rows, "stratify")
    assert checked is not None, "given"
    return checked


def check_classes(classes: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]], what: str) -> None:
    """A class that one of the pairs (trained on, held out) does not train on is a DataError; not judge by, a notice."""
    for number, (train, _) in enumerate(pairs, 1):
        for missing, count in _missing(classes, train):
            raise DataError(
                f"{what.format(number)} leaves no sample of a class to train on",
                expected="every class among the rows to train on",
                got=f"none of class {missing}, of which there are {count} in all",
                fix="stratify, use fewer folds or coarser groups, or leave the class out",
            )
    for number, (_, held) in enumerate(pairs, 1):
        for missing, count in _missing(classes, held):
            warnings.warn(
                f"{what.format(number)} holds out no sample of class {missing}, of which there are {count} in all: "
                "its scores say nothing about that class",
                FoldNotice,
                stacklevel=4,
            )


def _missing(classes: np.ndarray, rows: np.ndarray) -> list[tuple[int, int]]:
    """The classes that these rows lack, and how many samples each has elsewhere."""
    counts = np.bincount(classes)
    return [(number, int(counts[number])) for number in np.setdiff1d(classes, classes[rows]).tolist()]
