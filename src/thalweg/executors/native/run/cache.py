"""Object code on disk, so that a net compiled once starts at once in every later process.

One file per program, named after everything that its code depends on: the graph, the options, the processor, the
versions. What is in such a file is run, so it is believed only if this user wrote it: see "Compiled code" in
docs/files.md for what could happen otherwise, and what is done about each.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import itertools
import os
import re
import stat
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from thalweg.data import atomic, opening
from thalweg.errors import StorageError

ENVIRONMENT = "THALWEG_CACHE_DIR"
LIMIT_BYTES = 64 << 20
"""When the files take more than this together, the ones that were not used for longest go."""

SAVES_PER_PRUNE = 64
"""A process looks at all files after its first save, then after so many more: that takes milliseconds when many."""

_saves = itertools.count()
_MAGIC = b"thalweg object 2\n"
_SEAL_BYTES, _SECRET_BYTES = 32, 32
_NAME = re.compile(r"[0-9a-f]{64}\.code")
"""What entries are called. Nothing else is ever read or removed."""


class CacheNotice(UserWarning):
    """Compiled code cannot be kept, so every process compiles anew."""


def directory() -> Path | None:
    """Where entries lie: in a folder that only thalweg uses, inside of what ``THALWEG_CACHE_DIR`` names or the user's
    cache folder. None if there is neither."""
    given = os.path.expanduser(os.environ.get(ENVIRONMENT, ""))
    home = _absolute(given) if given and not given.startswith("~") else _user_folder()
    return None if home is None else home / "thalweg" / "compiled"


@functools.cache
def _absolute(given: str) -> Path:
    """Once and for all: a program that changes its working directory keeps its cache."""
    return Path(os.path.abspath(given))


def _user_folder() -> Path | None:
    """The user's cache folder of this system; None for a user without a home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home))
    if sys.platform == "darwin":
        return home / "Library/Caches"
    given = os.environ.get("XDG_CACHE_HOME", "")
    return Path(given) if os.path.isabs(given) else home / ".cache"


def key(*parts: str) -> str:
    """The name for code that depends on these texts, and on how thalweg generates code."""
    digest = hashlib.sha256(generator_digest())
    for part in parts:
        digest.update(b"%d\n" % len(part) + part.encode())
    return digest.hexdigest()


@functools.cache
def generator_digest() -> bytes:
    """A hash of the sources that decide what code a graph gives."""
    package = Path(__file__).parents[3]
    digest = hashlib.sha256()
    for path in generator_sources(package):
        digest.update(path.read_bytes())
    return digest.digest()


def generator_sources(package: Path) -> list[Path]:
    """The modules that decide what code a graph gives, however their folders are nested."""
    return [path for stage in GENERATOR for path in sorted((package / stage).rglob("*.py"))]


GENERATOR = ("executors", "passes", "ops", "graph", "state")
"""The packages that take part in making code."""


def load(name: str) -> bytes | None:
    """The content kept under a name, or None if there is none that this user can have put there."""
    try:
        folder = _folder(make=False)
        with opening.own(folder / f"{name}.code") as file:
            if os.fstat(file.fileno()).st_size > LIMIT_BYTES:
                return None
            content = file.read()
            with contextlib.suppress(OSError, TypeError):  # Windows needs the path
                os.utime(file.fileno())  # the time of last use, for prune
        secret = _secret(_secret_folders(folder))
    except OSError:
        return None
    head, body = content[: len(_MAGIC) + _SEAL_BYTES], content[len(_MAGIC) + _SEAL_BYTES :]
    return body if hmac.compare_digest(head, _MAGIC + _seal(secret, name, body)) else None


def save(name: str, body: bytes) -> None:
    """Keeps content under a name. A folder that cannot be written, or not trusted, gives a notice, not an error."""
    try:
        folder = _folder(make=True)
        seal = _seal(_secret(_secret_folders(folder)), name, body)
        atomic.write_own(folder / f"{name}.code", [_MAGIC, seal, body])
        if next(_saves) % SAVES_PER_PRUNE == 0:
            prune(folder)
    except StorageError as error:
        _notice(error.got, directory())
    except OSError as error:
        _notice(error.strerror or str(error), directory())


def entries(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The files in a folder that are entries of this cache."""
    with contextlib.suppress(OSError):  # there is no folder yet
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):  # another process may be removing it
                status = entry.stat(follow_symlinks=False)
                if _NAME.fullmatch(entry.name) and stat.S_ISREG(status.st_mode):
                    yield Path(entry.path), status


def prune(folder: Path) -> None:
    """Removes what was not used for longest while all entries together are too large, and what was never finished."""
    atomic.remove_stale(folder)
    files = sorted(entries(folder), key=lambda entry: entry[1].st_mtime)
    total = sum(status.st_size for _, status in files)
    for path, status in files:
        if total <= LIMIT_BYTES:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= status.st_size


def _folder(*, make: bool) -> Path:
    """The folder of the entries. Raises OSError if it is not there, or if others can put files into it."""
    folder = directory()
    if folder is None:
        raise FileNotFoundError("there is no home folder")
    if make:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True, mode=0o700)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError("a link or a file has the folder's name")
    opening.require_own(status)
    return folder


@functools.cache
def _notice(reason: str, folder: Path | None) -> None:
    """Once per reason, not for every net."""
    where = "" if folder is None else f" in {folder}"
    message = f"compiled code cannot be kept{where} ({reason}); set {ENVIRONMENT} to a folder that can be written"
    warnings.warn(message, CacheNotice, stacklevel=2)


# --- the seal ---------------------------------------------------------------------------------------------------------


def _seal(secret: bytes, name: str, body: bytes) -> bytes:
    """What only this user can compute, and for this body under this name only.

    Source: Saarinen, Aumasson (2015), RFC 7693, section 2.9, "Keyed hashing".
    """
    digest = hashlib.blake2b(name.encode() + b"\n", digest_size=_SEAL_BYTES, key=secret)
    digest.update(body)
    return digest.digest()


def _secret_folders(folder: Path) -> tuple[Path, ...]:
    """Where the secret may lie: in the user's own cache folder, whatever the environment names; only a user who has
    none keeps it beside the entries."""
    home = _user_folder()
    return (folder,) if home is None else (home / "thalweg", folder)


@functools.cache
def _secret(folders: tuple[Path, ...]) -> bytes:
    """The user's secret, from the first of the folders that can hold it; made the first time.

    Raises: OSError if none can.
    """
    for folder in folders[:-1]:
        with contextlib.suppress(OSError):
            return _kept_secret(folder)
    return _kept_secret(folders[-1])


def _kept_secret(folder: Path) -> bytes:
    """Raises OSError if the folder cannot hold it, or if the file of that name is not this user's."""
    path = folder / "secret"
    secret = _read_secret(path)
    if secret is not None:
        return secret
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = folder / f"secret.{os.urandom(6).hex()}"
    try:
        atomic.write_own(made, [os.urandom(_SECRET_BYTES)])
        try:
            os.link(made, path)
        except FileExistsError:  # another process was quicker: its secret holds
            pass
        except OSError:  # a file system without links
            os.replace(made, path)
    finally:
        with contextlib.suppress(OSError):
            made.unlink()
    secret = _read_secret(path)
    if secret is None:
        raise FileNotFoundError("the secret that entries are sealed with does not stay")
    return secret


def _read_secret(path: Path) -> bytes | None:
    """None if there is none, or none that nobody else can know; that is removed."""
    try:
        with opening.own(path, 0) as file, contextlib.suppress(PermissionError):
            opening.require_own(os.fstat(file.fileno()), opening.OTHERS_ANYTHING)
            secret = file.read(_SECRET_BYTES + 1)
            if len(secret) == _SECRET_BYTES:
                return secret
        path.unlink()
    except FileNotFoundError:
        pass
    return None
