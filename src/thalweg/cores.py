"""How many threads there are to use."""

from __future__ import annotations

import functools
import math
import os
import sys
from pathlib import Path
from typing import Annotated

from thalweg.checks import In, check_value
from thalweg.errors import ArgumentError

ENVIRONMENT = "THALWEG_THREADS"
MOST = 4096
"""More than any machine has cores."""


class AtMost(int):
    """A number of threads that may be used: an executor takes as many of them as are quickest. A plain int is exact."""


def wanted(threads: int | None) -> int:
    """The argument if given, else the environment's; else at most every core that this process may use.

    Raises: ArgumentError for a number below 1, or of more threads than any machine has.
    """
    if isinstance(threads, AtMost):
        return threads
    if threads is not None:
        return _exactly(int(check_value("fit", "threads", Annotated[int, In(f"[1, {MOST}]")], threads)))
    given = os.environ.get(ENVIRONMENT)
    if not given:
        return AtMost(available())
    if not given.isdecimal() or not 1 <= int(given) <= MOST:
        raise ArgumentError(
            f"the environment variable {ENVIRONMENT} does not fit its rule",
            expected=f"an integer from 1 to {MOST}",
            got=repr(given),
            fix=f"unset {ENVIRONMENT}, or set it to a number of threads",
        )
    return _exactly(int(given))


def _exactly(threads: int) -> int:
    """So many, as somebody wants it; said once if there are fewer cores."""
    if threads > available():
        _say_once(threads, available())
    return threads


@functools.cache
def _say_once(threads: int, cores: int) -> None:
    how = f"on {cores} core{'s' if cores > 1 else ''} each waits for others that wait for a core"
    print(f"{threads} threads as told; {how}. The results do not depend on it.", file=sys.stderr)


@functools.cache
def available() -> int:
    """Cores that the process may run on, fewer where a container's quota or a pool of workers allows less time.

    Pools of processes (joblib, PyTorch's workers) give each its share through ``OMP_NUM_THREADS``.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pool = os.environ.get("OMP_NUM_THREADS", "")
    limits = [cores, _quota(), int(pool) if pool.isdecimal() and int(pool) > 0 else None]
    return max(1, min(limit for limit in limits if limit is not None))


def _quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The cores' worth of time that the control group grants, rounded up; None for no limit. Versions 2 and 1."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max"
        return None
    return math.ceil(share) if share > 0 else None
