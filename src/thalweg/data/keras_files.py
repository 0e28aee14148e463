"""Files where Keras keeps them, ``~/.keras`` or ``$KERAS_HOME``. They are read; nothing is downloaded."""

from __future__ import annotations

import hashlib
import os

from thalweg.errors import FileFormatError, StorageError


def home() -> str:
    """The folder of Keras's files."""
    return os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")


def located(name: str, origin: str, folder: str | None = None, digest: str | None = None) -> str:
    """The path of a file, which may be given as a path; else it is looked for in the folder.

    Arguments:
        origin: where it can be had, for the error.
        folder: ``~/.keras/datasets`` unless given.
        digest: its sha256 or md5 in hexadecimal, if it is known.

    Raises: StorageError if it is not there; FileFormatError if it has another digest.
    """
    folder = os.path.join(home(), "datasets") if folder is None else folder
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        raise StorageError(
            f"{name!r} is not on this machine, and thalweg downloads nothing",
            expected=f"the file {path}",
            got="no such file",
            fix=f"get {origin} with a browser or another program, and put it there",
        )
    if digest is not None and os.path.isfile(path):
        require_digest(path, digest)
    return path


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
