"""Tables that hold images: a column with the names of their files, or a column for each pixel."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.cli.data import folders
from thalweg.cli.data.images import Pile
from thalweg.data import pictures
from thalweg.data.room import empty
from thalweg.data.tables.encodings import Number
from thalweg.data.tables.table import Table
from thalweg.errors import DataError, NameNotFoundError

PIXEL = re.compile(r"(pixel|px|p)?[_ ]?\d+([x_]\d+)?", re.IGNORECASE)
"""Names that columns of pixels have: pixel0, px_12, 3x4, 783."""

FEWEST_PIXELS = 64
"""Fewer columns of numbers are no image unless somebody says so by --size."""

BRIGHTEST = 255


def holds_images(table: Table, target: str | None, size: tuple[int, int] | pictures.Form | None) -> bool:
    """Whether a table is about images, as far as its columns say."""
    return file_column(table, target) is not None or bool(_pixels(table, target, size))


def load(
    table: Table,
    folder: Path,
    target: str | None,
    size: tuple[int, int] | pictures.Form | None,
    progress: pictures.Progress | None = None,
) -> Pile:
    """The images that a table names or holds, with the classes in its target.

    Arguments:
        folder: where file names begin.
        target: the column of classes; what there is beside the images unless given.

    Raises: NameNotFoundError for a target that is not there or not told; DataError for pixels that are none.
    """
    files = file_column(table, target)
    taken = [files] if files is not None else _pixels(table, target, size)
    name = _target(table, target, taken)
    numbers, classes, known = _classes(table, name)
    lost = len(table) - len(known)
    notes = (f"Left out, as they have no {name}: {lost:,} of the rows.",) if lost else ()
    if files is not None:
        paths = tuple(folder / value for value in table.values(files, known))
        read = folders.read(paths, numbers, classes, size, progress)
        return Pile(table.name, read.x, read.y, read.classes, read.names, (*notes, *read.notes))
    x = _images(table, taken, known, size)
    return Pile(table.name, x, numbers, classes, tuple(f"row {row}" for row in known), notes)


def file_column(table: Table, target: str | None) -> str | None:
    """The first column with nothing but names of pictures."""
    for name in table.columns:
        if table.types[name] == "text" and name != target:
            some = table.values(name, slice(0, 100))
            if len(some) and all(isinstance(value, str) and pictures.is_picture(value) for value in some):
                return name
    return None


def _pixels(table: Table, target: str | None, size: tuple[int, int] | pictures.Form | None) -> list[str]:
    """The columns of pixels, in their order; none if there are other columns beside them and the target."""
    numbers = [name for name in table.columns if name != target and table.types[name] in ("integer", "number")]
    if size is None:
        numbers = [name for name in numbers if PIXEL.fullmatch(name)]
        beside = len(table.columns) - len(numbers)
        return numbers if beside == 1 and len(numbers) >= FEWEST_PIXELS and _shape(len(numbers), None) else []
    others = [name for name in table.columns if name not in numbers and name != target]
    if target is None and not others:  # the target is a number too
        guess = next((name for name in numbers if not PIXEL.fullmatch(name)), numbers[0])
        numbers.remove(guess)
    return numbers if _shape(len(numbers), size) else []


def _shape(count: int, size: tuple[int, int] | pictures.Form | None) -> tuple[int, ...] | None:
    """Of an image of so many numbers; None if there is none."""
    if isinstance(size, pictures.Form):
        return size.shape if math.prod(size.shape) == count else None
    for channels in ((), (3,)):
        pixels = count // math.prod(channels)
        sides = size or (math.isqrt(pixels), math.isqrt(pixels))
        if math.prod((*sides, *channels)) == count:
            return (*sides, *channels)
    return None


def _target(table: Table, target: str | None, taken: Sequence[str]) -> str:
    if target is not None:
        return table.require(target)
    others = [name for name in table.columns if name not in taken]
    if len(others) != 1:
        raise NameNotFoundError(
            f"{table.name!r}: which column holds the classes is not told",
            expected=f"--target with one of {', '.join(others[:20]) or 'the columns'}",
            got="no --target",
            fix=f"add --target {others[0]}" if others else "add a column of classes",
        )
    return others[0]


def _classes(table: Table, name: str) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Class numbers of the rows that have a class, the classes' names, and which rows these are."""
    values = table.values(name)
    if values.dtype == object:
        known = np.array([row for row, value in enumerate(values) if value is not None], np.int64)
        names, numbers = np.unique([str(values[row]) for row in known], return_inverse=True)
        return numbers.reshape(-1), tuple(names.tolist()), known
    known = np.flatnonzero(~np.isnan(values)) if values.dtype.kind == "f" else np.arange(len(values))
    distinct, numbers = np.unique(values[known], return_inverse=True)
    return numbers.reshape(-1), tuple(f"{value:g}" for value in distinct.astype(float)), known


def _images(
    table: Table, columns: Sequence[str], rows: np.ndarray, size: tuple[int, int] | pictures.Form | None
) -> np.ndarray:
    shape = _shape(len(columns), size)
    assert shape is not None, "that is how the columns were found"
    x = empty((len(rows), len(columns)), np.uint8)
    for place, name in enumerate(columns):  # column by column: all at once would take four times the memory
        values = table.encoded([Number(name)], rows)["numbers"][:, 0]
        wrong = ~((values >= 0) & (values <= BRIGHTEST))  # NaN too
        if wrong.any():
            raise DataError(
                f"{table.name!r}: the column {name!r} holds no pixels",
                expected="numbers from 0 to 255 in every row",
                got=f"{values[wrong][0]} in row {rows[wrong][0]}",
                fix="mend the row, or train on columns as they are with --target and without --size",
            )
        x[:, place] = values
    return x.reshape(len(rows), *shape)
