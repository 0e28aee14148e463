"""Writing a file so that there is always a whole one: the old until the new is complete and on the disk."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from thalweg.data import opening
from thalweg.errors import StorageError, ThalwegError
from thalweg.processes.job import current

__all__ = ["remove_stale", "write", "write_own", "writing"]

BytesLike = bytes | bytearray | memoryview

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp", re.DOTALL)
"""What temporary files are called: ``.`` and the beginning of the name that they are for, 12 digits, ``.tmp``."""

_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)


def write(path: str | os.PathLike[str], chunks: Iterable[BytesLike]) -> None:
    """Write the chunks, one after the other, as the new content of a file; it appears complete or not at all.

    They go to a temporary file in the same directory (``os.replace`` is atomic only within one file system), which
    is flushed to the disk before it takes the name. If anything fails on the way, the old file stands unchanged and
    the temporary one is removed; one that was left by a process that died is removed too. A link is followed: the
    file that it points to is replaced. At no moment may anybody read it who may not read the old one.

    Raises:
        StorageError: if the directory is missing or not writable, the disk is full, or the path is not a plain file.
    """
    with writing(path) as file:
        file.writelines(chunks)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """The file that becomes the new content, as ``write`` says, when the block ends; nothing changes if it fails.

    Of several processes of a job only the first writes: what the others write is nowhere.

    Raises: StorageError, as ``write``; what is raised in the block, if it is one of thalweg's errors, as it is.
    """
    if not current().is_first:
        with open(os.devnull, "wb") as nowhere:
            yield nowhere
        return
    target = os.path.realpath(os.fspath(path))
    mode = _mode_of(target)
    directory, name = os.path.split(target)
    remove_stale(directory, _prefix(name))
    with _replacing(target, mode, durable=True) as file:
        yield file
    _flush_directory(directory)


def write_own(path: str | os.PathLike[str], chunks: Iterable[BytesLike]) -> None:
    """Write a file that nobody else may read, into an own folder. A link in its place is replaced, not followed.

    Nothing is flushed, which is quicker; should the machine stop just then, the file may be damaged.

    Raises: StorageError.
    """
    with _replacing(os.fspath(path), 0o600, durable=False) as file:
        file.writelines(chunks)


def remove_stale(directory: str | os.PathLike[str], prefix: str = ".") -> None:
    """Remove temporary files that begin so and that nobody writes any more: their process died before it was done."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.name.startswith(prefix) and TEMPORARY.fullmatch(entry.name):
                _remove_abandoned(entry.path)


def _prefix(name: str) -> str:
    """How the temporary files for a name begin."""
    return f".{name[:50]}."


def _mode_of(target: str) -> int | None:
    """The permissions to keep; None for a new file.

    Raises:
        StorageError: if the target is not a plain file. Replacing ``/dev/null``, say, would harm the whole machine.
    """
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot_write(target, error.strerror or str(error)) from error
    if not stat.S_ISREG(mode):
        raise _cannot_write(target, "a directory" if stat.S_ISDIR(mode) else "a device, pipe or socket")
    return stat.S_IMODE(mode)


@contextlib.contextmanager
def _replacing(target: str, mode: int | None, *, durable: bool) -> Iterator[BinaryIO]:
    directory, name = os.path.split(target)
    temporary = ""
    try:
        descriptor, temporary = _create(directory, _prefix(name), mode)
        with open(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(temporary, target)
    except ThalwegError:
        _remove(temporary)
        raise
    except OSError as error:
        _remove(temporary)
        raise _cannot_write(target, error.strerror or str(error)) from error
    except BaseException:
        _remove(temporary)
        raise


def _create(directory: str, prefix: str, mode: int | None) -> tuple[int, str]:
    """A new temporary file with these permissions; without any the user's umask decides, as for every new file."""
    while True:
        temporary = os.path.join(directory, f"{prefix}{os.urandom(6).hex()}.tmp")
        descriptor = os.open(temporary, _CREATE, 0o666 if mode is None else 0o600)
        if _claimed(descriptor, without_locks=True) and os.path.lexists(temporary):  # else it was just cleared away
            if mode is not None:
                os.chmod(temporary, mode)
            return descriptor, temporary
        os.close(descriptor)


def _claimed(descriptor: int, *, without_locks: bool) -> bool:
    """Whether this process has the file to itself, as the writer of a temporary file has until it is closed.

    The system lets go of it when the process dies.

    Arguments:
        without_locks: the answer where there are none: on Windows, and on some network file systems.
    """
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return without_locks
    return True


def _remove_abandoned(temporary: str) -> None:
    with contextlib.suppress(OSError):
        file = opening.plain(temporary, opening.NO_LINKS)
        with file:
            if _claimed(file.fileno(), without_locks=False):
                os.unlink(temporary)


def _flush_directory(directory: str) -> None:
    """Make the new name itself last. Best effort: Windows cannot open a directory, some file systems not flush it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(temporary: str) -> None:
    if temporary:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _cannot_write(target: str, reason: str) -> StorageError:
    return StorageError(
        f"cannot write {target!r}",
        expected="a file name in an existing, writable directory with enough free space",
        got=reason,
        fix="choose another path, or check that directory's permissions and free space; nothing was changed",
    )
