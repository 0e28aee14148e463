"""Files where Keras keeps them, ``~/.keras`` or ``$KERAS_HOME``. They are read; nothing is downloaded."""

from __future__ import annotations

import hashlib
import os

from thalweg.errors import FileFormatError, StorageError


def home() -> str:
    """The folder of Keras's files."""
    return os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")


def datasets() -> str:
    """The folder of the data sets in it."""
    return os.path.join(home(), "datasets")


def located(name: str, origin: str, folder: str | None = None) -> str:
    """The path of a file that is in Keras's folder, or that is given as a path.

    Arguments:
        origin: where it can be had, for the error.
        folder: ``~/.keras/datasets`` unless given.

    Raises: StorageError if it is not there.
    """
    paths = [os.path.join(datasets() if folder is None else folder, name), name]
    found = next((path for path in paths if os.path.exists(path)), None)
    if found is None:
        raise missing(paths[0], origin)
    return found


def missing(path: str, origin: str) -> StorageError:
    """The error for a file that is not there."""
    return StorageError(
        f"{os.path.basename(path)!r} is not on this machine, and thalweg downloads nothing",
        expected=f"the file {path}",
        got="no such file",
        fix=f"get {origin} with a browser or another program, and put it there",
    )


def require_digest(path: str, digest: str) -> None:
    """Raise FileFormatError unless the file has this sha256 or, of 32 digits, md5."""
    algorithm = "md5" if len(digest) == 32 else "sha256"
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != digest.casefold():
        raise FileFormatError(
            f"the file {path!r} is not the one that was asked for",
            expected=f"the {algorithm} {digest}",
            got=found,
            fix="get it again: it is damaged, or another version",
        )
