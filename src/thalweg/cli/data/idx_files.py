"""Images and classes in idx files, as MNIST comes: ``train-images-idx3-ubyte`` ..., packed or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from thalweg.cli.data import archives
from thalweg.cli.data.images import Images, Part, Pile, given, numbered
from thalweg.data import image_files
from thalweg.errors import StorageError

TRAIN, TEST = "train", ("t10k", "test")
"""How the names of the files of a part begin."""


def holds_idx(folder: Path) -> bool:
    """Whether these are idx files, and not folders of pictures."""
    return any(image_files.is_idx(entry) for entry in folder.iterdir() if entry.is_file())


def load(path: Path) -> Images | Pile:
    """The images of a folder of idx files, or of one file of images beside its classes.

    Raises: StorageError if a file is missing; FileFormatError, ShapeError or DataError naming the file.
    """
    if path.is_dir():
        begins = [entry for entry in sorted(path.iterdir()) if image_files.is_idx(entry) and "images" in entry.name]
        train = next((entry for entry in begins if entry.name.startswith(TRAIN)), None)
        test = next((entry for entry in begins if entry.name.startswith(TEST)), None)
        train = train or next((entry for entry in begins if entry != test), path / "train-images-idx3-ubyte")
    else:
        train = path
        others = [path.with_name(path.name.replace(TRAIN, other)) for other in TEST] if TRAIN in path.name else []
        test = next((other for other in others if other.exists()), None)
    x, y = _part(train)
    if test is None:
        return Pile(str(path), x, y, numbered(1 + int(y.max())))
    other = _part(test)
    return given(str(path), (x, y), other, numbered(1 + int(max(y.max(), other[1].max()))))


def _part(images: Path) -> Part:
    labels = images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels == images or not labels.exists():
        raise StorageError(
            f"the classes of {images.name!r} are not there",
            expected=f"a file {labels.name!r} beside it" if labels != images else "names like train-images-idx3-ubyte",
            got="no such file",
            fix="put both into one folder",
        )
    x, y = image_files.read_idx(images), image_files.read_idx(labels)
    archives.check(str(images), x, y)
    return np.ascontiguousarray(x, x.dtype.newbyteorder("=")), archives.class_numbers(y, str(labels))
