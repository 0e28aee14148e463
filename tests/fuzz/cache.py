"""Damaged entries of the cache of compiled code: what is read is what was written, or nothing.

A case is ``set 12 255``, or what became of the file: ``link``, ``fifo``, ``folder``, ``other``, ``writable``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.fuzz import edits
from tests.fuzz.running import Outcome, tried

from thalweg.executors.native.run import cache

BODY = bytes(range(256)) * 2
NAME, OTHER = "1" * 64, "2" * 64
FATES = ("link", "fifo", "folder", "other", "writable", "gone")


def make(random: Random) -> str:
    return random.choice(FATES) if random.random() < 0.1 else edits.make(random, len(BODY) + 60)


def run(case: str) -> Outcome:
    os.environ[cache.ENVIRONMENT] = str(Path("cache").absolute())
    for name in (NAME, OTHER):
        _remove(name)
        cache.save(name, BODY if name == NAME else BODY[::-1])
    path, other = _path(NAME), _path(OTHER)
    written = path.read_bytes()
    if case not in FATES:
        path.write_bytes(edits.applied(written, case))
    elif case == "writable":
        path.chmod(0o666)
    else:
        path.unlink()
        match case:
            case "link":
                path.symlink_to(other)
            case "fifo":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "other":
                other.rename(path)
    unchanged = path.is_file() and not path.is_symlink() and path.read_bytes() == written
    read: list[bytes | None] = []
    outcome = tried(lambda: read.append(cache.load(NAME)))
    if outcome.result == "accepted" and read[0] is not None and not (unchanged and read[0] == BODY):
        return Outcome("failed", "believed", f"{len(read[0])} bytes are taken for what was written")
    return outcome


def _path(name: str) -> Path:
    folder = cache.directory()
    assert folder is not None
    return folder / f"{name}.code"


def _remove(name: str) -> None:
    path = _path(name)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def smaller(case: str) -> Iterator[str]:
    return edits.smaller(case)
