"""The folder of a backup: always a whole file in it, one training at a time, and damage is noticed."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from typing import Any, BinaryIO

from thalweg.data import atomic
from thalweg.errors import FileFormatError, StorageError
from thalweg.training import checkpoint
from thalweg.training.callbacks import make_folder

LATEST, PREVIOUS = "latest.thalweg", "previous.thalweg"
"""The last backup, and the one before it."""
NEXT = "next.thalweg"
"""A whole backup that has not taken the name of the last one yet."""
LOCK = "lock"
"""The file that the training holds that runs; in it the number of its process."""

Contents = tuple[checkpoint.Arrays, dict[str, Any]]
"""The arrays and the description of a file."""

_held: dict[str, int] = {}  # folder -> the process that holds it; what a forked child finds here is its parent's
_changing = threading.Lock()


class BackupNotice(UserWarning):
    """A backup is damaged, or cannot be written."""


class BackupFolder:
    """Files of one training, written whole, read as long as they are.

    Arguments:
        path: of the folder; made when it is taken.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock: BinaryIO | None = None
        self._holds: str | None = None

    def part(self, number: int) -> BackupFolder:
        """The folder in it for a part of the training: one of several models."""
        return BackupFolder(self.file(str(number)))

    def file(self, name: str) -> str:
        """The path of a file in it."""
        return os.path.join(self.path, name)

    # One training at a time

    def take(self) -> None:
        """Make the folder, and be the only one that uses it until ``leave``.

        Raises: StorageError if another training does, or nothing can be written there.
        """
        make_folder(self.path)
        real = os.path.realpath(self.path)
        with _changing:
            if _held.get(real) == os.getpid():
                raise self._in_use("another fit of this process")
            self._lock = self._locked()
            _held[real], self._holds = os.getpid(), real

    def leave(self) -> None:
        """Let others use it."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.file(LOCK))
            self._lock.close()
            self._lock = None
        if self._holds is not None:
            with _changing:
                _held.pop(self._holds, None)
            self._holds = None

    def _locked(self) -> BinaryIO:
        """The lock, held by this process; the system lets go of it when the process dies, and no child inherits it."""
        while True:
            try:
                file = open(self.file(LOCK), "a+b")  # noqa: SIM115
            except OSError as error:
                raise StorageError(
                    f"the backup folder {self.path!r} cannot be written",
                    expected="a folder in which this user may make files",
                    got=error.strerror or str(error),
                    fix="choose another backup_dir",
                ) from error
            if not _alone(file):
                file.seek(0)
                holder = file.read(20).decode(errors="replace").strip()
                file.close()
                raise self._in_use(f"process {holder}" if holder else "another process")
            if os.path.exists(self.file(LOCK)) and os.path.samestat(os.fstat(file.fileno()), os.stat(file.name)):
                file.truncate(0)
                file.write(str(os.getpid()).encode())
                file.flush()
                return file
            file.close()  # it was just removed by the one who had it

    def _in_use(self, by: str) -> StorageError:
        return StorageError(
            f"the backup folder {self.path!r} is in use",
            expected="a folder of its own for each training that runs",
            got=f"one that {by} writes to",
            fix="wait until that training has ended, or choose another backup_dir",
        )

    # Files

    def newest(self) -> tuple[str, Contents] | None:
        """The newest backup that is whole, with its path; a notice says which are damaged. None if there is none.

        Raises: FileFormatError if all are damaged.
        """
        damaged: FileFormatError | None = None
        for name in (NEXT, LATEST, PREVIOUS):
            path = self.file(name)
            if not os.path.exists(path):
                continue
            try:
                found = checkpoint.read(path)
            except FileFormatError as error:
                damaged = error
                continue
            if damaged is not None:
                warnings.warn(
                    f"{damaged.problem}; training goes on from the backup before it", BackupNotice, stacklevel=2
                )
            return path, found
        if damaged is not None:
            raise FileFormatError(
                f"no backup in {self.path!r} can be read: {damaged.problem}",
                expected=damaged.expected,
                got=damaged.got,
                fix="delete the folder, and training begins anew",
            )
        return None

    def write(self, contents: Contents, keep_two: bool) -> None:
        """Put in a new backup; the one before stays too, if two are kept.

        Raises: StorageError; what was there is there still.
        """
        arrays, description = contents
        checkpoint.save(self.file(NEXT), arrays, description, overwrite=True)
        try:
            if keep_two and os.path.exists(self.file(LATEST)):
                os.replace(self.file(LATEST), self.file(PREVIOUS))
            os.replace(self.file(NEXT), self.file(LATEST))
        except OSError as error:
            raise StorageError(
                f"the backup {self.file(NEXT)!r} cannot be renamed",
                expected="a folder whose files may be renamed",
                got=error.strerror or str(error),
                fix="check the folder's permissions",
            ) from error

    def clear(self) -> None:
        """Delete the backups, those of parts too, and the folder if nothing else is in it.

        Raises: StorageError if another training uses it.
        """
        if not os.path.isdir(self.path):
            return
        if self._holds is None:
            self.take()
        atomic.remove_stale(self.path)  # what a killed process has begun to write
        with contextlib.suppress(OSError):
            for name in (PREVIOUS, LATEST, NEXT):
                if os.path.exists(self.file(name)):
                    os.unlink(self.file(name))
            for name in os.listdir(self.path):
                if name.isdecimal() and os.path.isdir(self.file(name)):
                    self.part(int(name)).clear()
        self.leave()
        with contextlib.suppress(OSError):
            os.rmdir(self.path)


def _alone(file: BinaryIO) -> bool:
    """Whether this process has the file to itself now; yes where there are no locks."""
    try:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except (ImportError, OSError):
        return True
    return True
