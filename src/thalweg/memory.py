"""What memory there is, asked before it is taken: a program that takes more is killed by the system without a word.

Pages count when they are written, so what is asked for here is only what a step is sure to write.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from thalweg.errors import InsufficientMemoryError

SMALL_BYTES = 16 << 20
"""Less than this is taken unasked: to ask takes a tenth of a millisecond."""

ADDRESSES = 1 << 47
"""Bytes that a processor can tell apart: no machine has more."""

_ROOT = Path("/")


def require(needed: int, what: str, biggest: Callable[[], str], layer: str | None = None) -> None:
    """Raises InsufficientMemoryError if so many bytes are more than this process can get.

    Arguments:
        what: the bytes are for.
        biggest: says what takes most of them.
    """
    if needed < SMALL_BYTES:
        return
    available, source = min(limits(), default=(ADDRESSES, "any machine"))
    if needed <= available:
        return
    raise InsufficientMemoryError(
        f"{what} would take more memory than there is",
        expected=f"at most {in_words(available)}: what {source} has left",
        got=f"{in_words(needed)}: {biggest()}",
        fix="make that smaller, or the batch_size if there are samples in it, or run where there is more memory",
        layer=layer,
    )


def available() -> int:
    """Bytes that this process can still get."""
    return min(limits(), default=(ADDRESSES, ""))[0]


def require_parts(parts: Mapping[str, int], what: str) -> None:
    """The same for parts that are all needed at once: name -> bytes."""
    require(sum(parts.values()), what, lambda: most_of(parts))


def most_of(parts: Mapping[str, int]) -> str:
    """Which part is the largest, in words."""
    name = max(parts, key=lambda name: parts[name])
    return f"{name!r} alone takes {in_words(parts[name])}"


def in_words(count: int) -> str:
    """Bytes for people.

    Example:
        >>> in_words(3 * 2**30)
        '3.0 GB'
    """
    size, unit = float(count), "bytes"
    for larger in ("KB", "MB", "GB", "TB", "PB", "EB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def limits() -> Iterator[tuple[int, str]]:
    """Bytes that this process can still get, and what sets that limit; nothing where the system does not tell."""
    swap = 0
    machine = _numbers(_ROOT / "proc/meminfo", 1024)
    if "MemAvailable" in machine:
        swap = machine.get("SwapFree", 0)
        yield machine["MemAvailable"] + swap, "the machine"
    for left in _groups(swap):
        yield left, "the control group (container)"
    yield from _own_limits()


def _groups(swap: int) -> Iterator[int]:
    """What the control groups that this process is in have left, of both versions. Cached files make way."""
    for line in _text(_ROOT / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        kinds, _, path = rest.partition(":")
        if kinds and "memory" not in kinds.split(","):
            continue
        top = _ROOT / "sys/fs/cgroup" / ("memory" if kinds else "")
        most, used, cached = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            if kinds
            else ("memory.max", "memory.current", "inactive_file")
        )
        group = top / path.strip("/")
        for folder in (group, *group.parents) if group != top else (top,):
            limit = _text(folder / most).strip()
            if limit.isdecimal():
                spare = _numbers(folder / "memory.stat", 1).get(cached, 0)
                taken = int(_text(folder / used).strip() or 0) - spare
                yield max(int(limit) - taken, 0) + swap
            if folder == top:
                break


def _own_limits() -> Iterator[tuple[int, str]]:
    """Those of ``ulimit``."""
    try:
        import resource
    except ImportError:  # Windows
        return
    sizes = _text(_ROOT / "proc/self/statm").split()
    if len(sizes) < 6:
        return
    page = os.sysconf("SC_PAGE_SIZE")
    for limit, taken, name in (
        (resource.RLIMIT_AS, sizes[0], "the limit of addresses (ulimit -v)"),
        (resource.RLIMIT_DATA, sizes[5], "the limit of data (ulimit -d)"),
    ):
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            yield max(soft - int(taken) * page, 0), name


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _numbers(path: Path, unit: int) -> dict[str, int]:
    """``name: number`` or ``name number`` in each line, in bytes."""
    words = (line.replace(":", " ").split() for line in _text(path).splitlines())
    return {parts[0]: int(parts[1]) * unit for parts in words if len(parts) > 1 and parts[1].isdecimal()}
