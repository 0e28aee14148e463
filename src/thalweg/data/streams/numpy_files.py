"""Rows in ``.npy`` files, mapped and not read: shards of one array after the other."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from thalweg.checks import In, OneOf, check_value
from thalweg.data.numpy_files import reading
from thalweg.data.source import common_length
from thalweg.data.streams.rows import NumberedRows
from thalweg.errors import FileFormatError, ShapeError, StorageError
from thalweg.trees import Tree

__all__ = ["NumpyFiles"]

FULL = "full"

RUN_BYTES, BUFFER_BYTES = 1 << 20, 64 << 20
"""Of a full shuffle: what is read at the speed of a disk in one go, and what is mixed."""

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Shards:
    """Arrays in files, of equal rows, one after the other.

    Arguments:
        files: a path, a pattern (``"x-*.npy"``, in the order of the names), or several of these.

    Raises: StorageError, FileFormatError, ShapeError.
    """

    def __init__(self, files: Files, what: str) -> None:
        self.paths = _paths(files, what)
        self.arrays = [_mapped(path) for path in self.paths]
        first = self.arrays[0]
        for path, array in zip(self.paths, self.arrays, strict=True):
            if not array.ndim or (array.shape[1:], array.dtype) != (first.shape[1:], first.dtype):
                raise ShapeError(
                    f"{what}: the files do not hold rows of one kind",
                    expected=f"rows as in {str(self.paths[0])!r}: {first.dtype}{list(first.shape[1:])}",
                    got=f"{str(path)!r}: {array.dtype}{list(array.shape)}",
                    fix="pass files of the same array only",
                )
        self.ends = np.cumsum([len(array) for array in self.arrays])

    def __len__(self) -> int:
        return int(self.ends[-1])

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return int(np.prod(self.arrays[0].shape[1:])) * self.arrays[0].dtype.itemsize

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The rows of these numbers, in memory."""
        if len(self.arrays) == 1:
            return np.asarray(self.arrays[0][rows])
        taken = np.empty((len(rows), *self.arrays[0].shape[1:]), self.arrays[0].dtype)
        of = np.searchsorted(self.ends, rows, side="right")
        for shard in np.unique(of):
            here = of == shard
            taken[here] = self.arrays[shard][rows[here] - (self.ends[shard] - len(self.arrays[shard]))]
        return taken

    def fingerprint(self) -> list[str]:
        """Names and sizes."""
        return [f"{path.name} {array.shape} {array.dtype}" for path, array in zip(self.paths, self.arrays, strict=True)]


class NumpyFiles(NumberedRows):
    """Data in ``.npy`` files for ``fit``, ``evaluate`` and ``predict``, of any size: read when steps need them.

    Arguments:
        x: a path, a pattern such as ``"x-*.npy"`` (the files in the order of their names), or a list of these; for a
            model of several inputs a mapping from their names to such.
        y, sample_weight: likewise.
        shuffle: ``"full"`` mixes runs of rows from all over the files; a number mixes so many rows that follow each
            other. ``fit(shuffle=False)`` leaves them as they stand.

    Raises: StorageError, FileFormatError, ShapeError.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, shuffle: str | int = FULL) -> None:
        owner = type(self).__name__
        rule = Annotated[str, OneOf(FULL)] | Annotated[int, In("[1, inf)")]
        shuffle = check_value(owner, "shuffle", rule, shuffle)
        self.parts = {
            name: {key: Shards(files, f"{owner}: {name}") for key, files in value.items()}
            if isinstance(value, dict)
            else Shards(value, f"{owner}: {name}")
            for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight))
            if value is not None
        }
        every = dict(self._shards())
        count = common_length(every)  # type: ignore[arg-type]  # of what has a length
        row_bytes = sum(shards.row_bytes for shards in every.values())
        full = shuffle == FULL
        run = max(1, RUN_BYTES // max(row_bytes, 1))
        buffer = BUFFER_BYTES // max(row_bytes, 1) if isinstance(shuffle, str) else shuffle
        super().__init__(owner, count, self._taken, row_bytes, min(run, buffer) if full else 1, buffer, full)

    def _shards(self) -> list[tuple[str, Shards]]:
        found: list[tuple[str, Shards]] = []
        for name, part in self.parts.items():
            found += [(f"{name}/{key}", one) for key, one in part.items()] if isinstance(part, dict) else [(name, part)]
        return found

    def _taken(self, rows: np.ndarray) -> Tree:
        parts = (
            {key: one.take(rows) for key, one in part.items()} if isinstance(part, dict) else part.take(rows)
            for part in (self.parts.get(name) for name in ("x", "y", "sample_weight"))
            if part is not None
        )
        return tuple(parts)

    def fingerprint(self) -> dict[str, Any]:
        return super().fingerprint() | {f"files of {name}": shards.fingerprint() for name, shards in self._shards()}


def _paths(files: Files, what: str) -> list[Path]:
    paths: list[Path] = []
    for one in [files] if isinstance(files, str | os.PathLike) else files:
        name = os.fspath(one)
        found = sorted(glob.glob(name)) if glob.has_magic(name) and not os.path.exists(name) else [name]
        paths += map(Path, found)
    if not paths:
        raise StorageError(
            f"{what}: there are no such files", expected="at least one .npy file", got=repr(files), fix="check the path"
        )
    return paths


def _mapped(path: Path) -> np.ndarray:
    with reading(path, "an array that np.save wrote, without Python objects"):
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise FileFormatError(f"{str(path)!r} is no .npy file", expected="np.save", got="an archive", fix="unpack it")
    return array
