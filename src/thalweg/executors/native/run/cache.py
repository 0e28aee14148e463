"""Object code on disk, so that a net compiled once starts at once in every later process.

One file per program, named after everything that its code depends on: the graph, the options, the processor, the
versions. A file begins with the hash of its content, which is checked before anything in it becomes executable.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import os
import sys
import warnings
from pathlib import Path

from thalweg.data import atomic
from thalweg.errors import StorageError

ENVIRONMENT = "THALWEG_CACHE_DIR"
LIMIT_BYTES = 64 << 20
"""When the files take more than this together, the ones that were not used for longest go."""

SAVES_PER_PRUNE = 64
"""A process looks at all files after its first save, then after so many more: that takes milliseconds when many."""

_saves = itertools.count()
_MAGIC = b"thalweg object 1\n"


class CacheNotice(UserWarning):
    """Compiled code cannot be kept, so every process compiles anew."""


def directory() -> Path:
    """``THALWEG_CACHE_DIR``, or the user's cache folder of this system."""
    given = os.environ.get(ENVIRONMENT)
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "thalweg"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/thalweg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "thalweg"


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
    """The content kept under a name, or None if there is none or it is damaged."""
    path = directory() / name
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head, body = content[: len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    if head != _MAGIC + hashlib.sha256(body).digest():
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the time of last use, for prune
    return body


def save(name: str, body: bytes) -> None:
    """Keeps content under a name. A folder that cannot be written gives a notice, not an error."""
    folder = directory()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic.write(folder / name, [_MAGIC, hashlib.sha256(body).digest(), body], durable=False)
        if next(_saves) % SAVES_PER_PRUNE == 0:
            prune(folder)
    except (OSError, StorageError) as error:
        _notice(str(error.args[0] if error.args else error), folder)


@functools.cache
def _notice(reason: str, folder: Path) -> None:
    """Once per reason, not for every net."""
    message = f"compiled code cannot be kept in {folder} ({reason}); set {ENVIRONMENT} to a folder that can be written"
    warnings.warn(message, CacheNotice, stacklevel=2)


def prune(folder: Path) -> None:
    """Removes what was not used for longest while all files together are too large."""
    files = []
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):  # another process may be removing it too
            status = entry.stat()
            files.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT_BYTES:
            return
        with contextlib.suppress(OSError):
            os.unlink(path)
        total -= size
