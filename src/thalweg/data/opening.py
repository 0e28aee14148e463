"""Opening files of which one does not know what they are: never a wait, and where asked never another user's."""

from __future__ import annotations

import os
import stat
from io import BufferedReader

__all__ = ["NO_LINKS", "OTHERS_ANYTHING", "OTHERS_WRITE", "own", "plain", "require_own"]

OTHERS_WRITE, OTHERS_ANYTHING = 0o022, 0o077
"""Of a file's mode: what its group or everybody may do."""

NO_LINKS = getattr(os, "O_NOFOLLOW", 0)

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Opening a FIFO that nobody writes to would wait for ever, but not with O_NONBLOCK."""


def plain(path: str | os.PathLike[str], flags: int = 0) -> BufferedReader:
    """A file to read; links are followed. Raises OSError, also for a folder, device, pipe or socket."""
    descriptor = os.open(path, _FLAGS | flags)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(f"{os.fspath(path)!r} is no plain file: a folder, device, pipe or socket")
    return file


def own(path: str | os.PathLike[str], unwanted: int = OTHERS_WRITE) -> BufferedReader:
    """A file to read that only this user can have written. Links are not followed: they may lead to another's.

    Arguments:
        unwanted: what its mode must not allow.

    Raises: OSError, also if somebody else owns it, or may write to it.
    """
    file = plain(path, NO_LINKS)
    try:
        require_own(os.fstat(file.fileno()), unwanted)
    except OSError:
        file.close()
        raise
    return file


def require_own(status: os.stat_result, unwanted: int = OTHERS_WRITE) -> None:
    """Raise PermissionError if another user may have written a file or folder; Windows keeps its own lists of who."""
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid != os.geteuid():
        raise PermissionError("it belongs to another user")
    if stat.S_IMODE(status.st_mode) & unwanted:
        raise PermissionError(f"other users may {'write to' if unwanted == OTHERS_WRITE else 'read'} it")
