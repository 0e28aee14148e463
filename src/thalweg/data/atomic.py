"""Writing a file so that there is always a whole one: the old until the new is complete and on the disk."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from thalweg.errors import StorageError

__all__ = ["write"]

BytesLike = bytes | bytearray | memoryview


def write(path: str | os.PathLike[str], chunks: Iterable[BytesLike], *, durable: bool = True) -> None:
    """Write the chunks, one after the other, as the new content of a file; it appears complete or not at all.

    They go to a temporary file in the same directory (``os.replace`` is atomic only within one file system), which
    is flushed to the disk before it takes the name. If anything fails on the way, the old file stands unchanged and
    the temporary one is removed. A link is followed: the file that it points to is replaced. Without ``durable``
    nothing is flushed, which is quicker; should the machine stop just then, the file may be damaged.

    Raises:
        StorageError: if the directory is missing or not writable, the disk is full, or the path is not a plain file.
    """
    target = os.path.realpath(os.fspath(path))
    mode = _mode_of(target)
    directory, name = os.path.split(target)
    temporary = os.path.join(directory, f".{name[:50]}.{os.urandom(6).hex()}.tmp")
    try:
        _write_whole(temporary, chunks, mode, durable)
        os.replace(temporary, target)
    except OSError as error:
        _remove(temporary)
        raise _cannot_write(target, error.strerror or str(error)) from error
    except BaseException:
        _remove(temporary)
        raise
    if durable:
        _flush_directory(directory)


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


def _write_whole(temporary: str, chunks: Iterable[BytesLike], mode: int | None, durable: bool) -> None:
    # Created like any other file, so that the user's umask decides who may read a new one.
    with open(temporary, "xb") as file:
        file.writelines(chunks)
        if mode is not None:
            os.chmod(temporary, mode)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _flush_directory(directory: str) -> None:
    """Make the new name itself last. Best effort: Windows cannot open a directory, some file systems not flush it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(temporary: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(temporary)


def _cannot_write(target: str, reason: str) -> StorageError:
    return StorageError(
        f"cannot write {target!r}",
        expected="a file name in an existing, writable directory with enough free space",
        got=reason,
        fix="choose another path, or check that directory's permissions and free space; nothing was changed",
    )
