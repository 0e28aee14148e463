"""Rows of a table's file: decoded once into a file of plain numbers without a name, and mapped from there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.room import no_room
from thalweg.data.streams.blocks import BlockRows, Column, Raw
from thalweg.data.tables import arrow
from thalweg.data.tables.encodings import UNSEEN, Codes, Encoding, Number
from thalweg.data.tables.opening import open_table
from thalweg.data.tables.ranges import encoded_pieces
from thalweg.errors import DataError, DTypeError

__all__ = ["TableFile"]

FIRST = UNSEEN + 1
"""The code of the first category."""

FEATURES, TARGETS, WEIGHTS = "x", "y", "sample_weight"


class TableFile(BlockRows):
    """Rows of a table for ``fit``, ``evaluate`` and ``predict``, of any size: CSV, JSON lines or Parquet.

    The file is decoded once, piece by piece, into a temporary file of numbers (four bytes each), of which steps read
    the rows that they need. It has no name, and is gone when the program ends, however it ends.

    Arguments:
        file: its path.
        target: the column to predict, or several; None for none.
        columns: those that the network gets, all others unless given; numbers and truth values.
        sample_weight: the column of weights.
        classes: what the target's values are, in the order of their numbers, if it is not a number itself.
        shuffle: as for ``NumpyFiles``.
        folder: for the temporary file.

    Shapes: x (rows, columns) float32; y (rows,), of several columns (rows, columns).

    Raises: StorageError, FileFormatError, NameNotFoundError; DTypeError for a column of text; DataError if the network
        gets none.
    """

    def __init__(
        self,
        file: str | os.PathLike[str],
        target: str | Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        sample_weight: str | None = None,
        classes: Sequence[Any] | None = None,
        shuffle: str | int = "full",
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        owner = type(self).__name__
        self.file, self.folder = Path(file), folder
        targets = [target] if isinstance(target, str) else list(target or ())
        weights = [] if sample_weight is None else [sample_weight]
        kind = "text" if classes is not None and all(isinstance(name, str) for name in classes) else "number"
        known = dict.fromkeys((*weights, *(columns or ())), "number") | dict.fromkeys(targets, kind)
        self.table = open_table(self.file, types=known)
        for name in (*targets, *weights, *(columns or ())):
            self.table.require(name)
        chosen = [c for c in self.table.columns if c not in (*targets, *weights)] if columns is None else list(columns)
        self.encodings: dict[str, list[Encoding]] = {
            FEATURES: [self._number(name) for name in chosen],
            TARGETS: [self._number(name) if classes is None else Codes(name, tuple(classes)) for name in targets],
            WEIGHTS: [self._number(name) for name in weights],
        }
        self.alone = isinstance(target, str)
        if not chosen:
            raise DataError(
                f"{owner}: no column of {self.file.name!r} is left for the network",
                expected="at least one beside the target and the weights",
                got=f"target={target!r}, sample_weight={sample_weight!r}, columns={columns!r}",
                fix="name in columns= what the network gets",
            )
        found = self._decoded()
        trees = tuple(Column([found[part]]) if part in found else None for part in self.encodings)
        super().__init__(owner, trees, found[FEATURES].count, shuffle)

    def _number(self, name: str) -> Encoding:
        kind = self.table.types[name]
        if kind not in ("number", "integer", "boolean"):
            raise DTypeError(
                f"column {name!r} of {self.file.name!r} is no number",
                expected="numbers and truth values",
                got=f"a column of type {kind}",
                fix="leave it out of columns=, or pass classes= if it is the target; thalweg.train_table reads columns "
                "of any kind",
            )
        return Number(name)

    def _decoded(self) -> dict[str, Raw]:
        """Where in temporary files the rows stand."""
        wanted = {part: own for part, own in self.encodings.items() if own}
        rows = 0
        with ExitStack() as opened:
            try:
                files = {part: opened.enter_context(tempfile.TemporaryFile(dir=self.folder)) for part in wanted}
                for columns in encoded_pieces(self.table, [one for own in wanted.values() for one in own]):
                    rest = iter(columns)
                    for part, own in wanted.items():
                        numbers = _side_by_side([next(rest) for _ in own], own[0].dtype)
                        files[part].write((numbers - FIRST if isinstance(own[0], Codes) else numbers).data)
                    rows += columns[0].length
                for file in files.values():
                    file.flush()
            except OSError as error:
                problem = f"the numbers of {self.file.name!r} cannot be kept"
                raise no_room(error, problem, "four bytes for each number of the table") from error
            opened.pop_all()
        alone = {WEIGHTS, TARGETS} if self.alone else {WEIGHTS}
        return {
            part: Raw(files[part], 0, rows, () if part in alone else (len(own),), np.dtype(own[0].dtype))
            for part, own in wanted.items()
        }

    def fingerprint(self) -> dict[str, Any]:
        stat = self.file.stat()
        return super().fingerprint() | {"file": self.file.name, "bytes": stat.st_size}


def _side_by_side(columns: Sequence[arrow.Column], dtype: Any) -> np.ndarray:
    """(rows, columns); NaN where a number is missing."""
    together = np.empty((columns[0].length, len(columns)), dtype)
    for place, column in enumerate(columns):
        with np.errstate(over="ignore"):
            together[:, place] = column.numbers()
        if (missing := column.missing()) is not None:
            together[missing, place] = np.nan
    return together
