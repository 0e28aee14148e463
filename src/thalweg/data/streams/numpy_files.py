"""Rows in ``.npy`` files, mapped and not read: shards of one array after the other."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.numpy_files import reading
from thalweg.data.source import common_length
from thalweg.data.streams.blocks import BlockRows, Column, Raw
from thalweg.errors import FileFormatError, ShapeError, StorageError

__all__ = ["NumpyFiles"]

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class NumpyFiles(BlockRows):
    """Data in ``.npy`` files for ``fit``, ``evaluate`` and ``predict``, of any size: read when steps need them.

    Arguments:
        x: a path, a pattern such as ``"x-*.npy"`` (the files in the order of their names), or a list of these; for a
            model of several inputs a mapping from their names to such.
        y, sample_weight: likewise.
        shuffle: ``"full"`` mixes runs of rows from all over the files; a number mixes so many rows that follow each
            other. ``fit(shuffle=False)`` leaves them as they stand.

    Raises: StorageError, FileFormatError, ShapeError.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, shuffle: str | int = "full") -> None:
        owner = type(self).__name__
        given = {"x": x, "y": y, "sample_weight": sample_weight}
        self.files: dict[str, list[str]] = {}
        columns: dict[str, Any] = dict.fromkeys(given)
        every: dict[str, Column] = {}
        for name, value in given.items():
            if isinstance(value, dict):
                columns[name] = {key: self._column(files, f"{name}/{key}", owner) for key, files in value.items()}
                every |= {f"{name}/{key}": column for key, column in columns[name].items()}
            elif value is not None:
                columns[name] = every[name] = self._column(value, name, owner)
        super().__init__(owner, tuple(columns.values()), common_length(every), shuffle)

    def _column(self, files: Files, name: str, owner: str) -> Column:
        """The rows of one array, whatever files they are in."""
        what = f"{owner}: {name}"
        paths = _paths(files, what)
        parts = [_raw(path) for path in paths]
        for path, part in zip(paths, parts, strict=True):
            if (part.shape, part.dtype) != (parts[0].shape, parts[0].dtype):
                raise ShapeError(
                    f"{what}: the files do not hold rows of one kind",
                    expected=f"rows as in {str(paths[0])!r}: {parts[0].dtype}{list(parts[0].shape)}",
                    got=f"{str(path)!r}: {part.dtype}{list(part.shape)}",
                    fix="pass files of the same array only",
                )
        self.files[name] = [
            f"{path.name} {part.count} {part.dtype}{list(part.shape)}" for path, part in zip(paths, parts, strict=True)
        ]
        return Column(parts)

    def fingerprint(self) -> dict[str, Any]:
        return super().fingerprint() | {f"files of {name}": files for name, files in self.files.items()}


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


def _raw(path: Path) -> Raw:
    """Where in the file its rows stand."""
    with reading(path, "an array that np.save wrote, without Python objects"):
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap) or not array.ndim or not (array.flags.c_contiguous and len(array)):
        raise FileFormatError(
            f"{str(path)!r} does not hold rows one after the other",
            expected="an array of at least one row, as np.save writes it: in C order, not packed",
            got=f"shape {getattr(array, 'shape', 'of several arrays')}",
            fix="save it again: np.save(path, np.ascontiguousarray(array))",
        )
    file = open(path, "rb")  # noqa: SIM115 - as long as there are rows to be read
    return Raw(file, array.offset, len(array), array.shape[1:], array.dtype)
