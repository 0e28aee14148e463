"""Folders of pictures: one folder for each class, perhaps below one for training and one for testing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from thalweg.data import pictures
from thalweg.errors import ArgumentError, DataError, StorageError, listed
from thalweg.fields import dataclass

__all__ = ["Labelled", "labelled", "listing", "parts"]

TRAINING, TESTING = ("train", "training"), ("test", "testing", "val", "valid", "validation")
"""Names of folders that hold a part of the pictures each, by use; of several for testing the first is taken."""


@dataclass(frozen=True)
class Labelled:
    """Files with their classes.

    Attributes:
        files: in the order of their names, class by class.
        labels: the number of each file's class.
        classes: the names of the classes.
        others: how many files are there that are no pictures, by their names.
    """

    files: tuple[Path, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    others: int = 0


def labelled(folder: Path, class_names: Sequence[str] | None = None, follow_links: bool = False) -> Labelled:
    """The pictures in a folder of folders, each of which is named after a class; folders inside belong to it too.

    Arguments:
        class_names: the classes in their order; the folders in the order of their names unless given.

    Raises: StorageError if there is no folder; DataError if it has no folders of classes; ArgumentError if the names
        that are given are not those of the folders.
    """
    found = _folders(folder)
    if class_names is not None and set(class_names) != set(found):
        raise ArgumentError(
            "class_names does not name the folders",
            expected=listed(found),
            got=listed(class_names),
            fix="name each folder once, in the order that the classes shall have",
        )
    classes = tuple(class_names or found)
    files: list[Path] = []
    labels: list[int] = []
    others = 0
    for number, name in enumerate(classes):
        inside, strange = listing(folder / name, follow_links)
        files += inside
        labels += [number] * len(inside)
        others += strange
    if not files:
        loose = any(pictures.is_picture(entry.name) for entry in folder.iterdir())
        raise DataError(
            f"{str(folder)!r} holds no classes of pictures",
            expected=f"a folder for each class with pictures in it ({', '.join(pictures.ENDS)})",
            got="pictures without folders"
            if loose
            else f"folders without pictures: {listed(found)}"
            if found
            else "none",
            fix="move the pictures of each class into a folder of its name, or make a table of file names and classes",
        )
    return Labelled(tuple(files), np.array(labels), classes, others)


def parts(folder: Path) -> tuple[Path, Path] | None:
    """The folders to train on and to judge by; None if the folder holds classes itself."""
    names = {name.lower(): name for name in _folders(folder)}
    if not names or not set(names) <= {*TRAINING, *TESTING}:
        return None
    train, test = (next((names[name] for name in use if name in names), None) for use in (TRAINING, TESTING))
    return (folder / train, folder / test) if train and test else None


def listing(folder: Path, follow_links: bool = False) -> tuple[list[Path], int]:
    """The pictures in a folder and below, in the order of their names, and how many other files there are."""
    found: list[Path] = []
    others = 0
    for place, below, files in os.walk(folder, followlinks=follow_links):
        below[:] = sorted(name for name in below if not _is_hidden(name))
        for name in sorted(files):
            if pictures.is_picture(name):
                found.append(Path(place, name))
            elif not _is_hidden(name):
                others += 1
    return found, others


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not _is_hidden(entry.name))
    except OSError as error:
        raise StorageError(
            f"cannot read the folder {str(folder)!r}",
            expected="a folder with a folder for each class",
            got=error.strerror or str(error),
            fix="check the path",
        ) from error


def _is_hidden(name: str) -> bool:
    """What file managers leave behind: .DS_Store, __MACOSX, Thumbs.db."""
    return name.startswith((".", "__")) or name in ("Thumbs.db", "desktop.ini")
