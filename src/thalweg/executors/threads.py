"""How many threads there are to use."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path
from typing import Annotated

from thalweg.checks import In, check_value
from thalweg.errors import ArgumentError

ENVIRONMENT = "THALWEG_THREADS"
MOST = 4096
"""More than any machine has cores."""


def wanted(threads: int | None) -> int:
    """The argument if given, else the environment's, else every core that this process may use.

    Raises: ArgumentError for a number below 1, or of more threads than any machine has.
    """
    if threads is not None:
        return int(check_value("fit", "threads", Annotated[int, In(f"[1, {MOST}]")], threads))
    given = os.environ.get(ENVIRONMENT)
    if not given:
        return available()
    if not given.isdecimal() or not 1 <= int(given) <= MOST:
        raise ArgumentError(
            f"the environment variable {ENVIRONMENT} does not fit its rule",
            expected=f"an integer from 1 to {MOST}",
            got=repr(given),
            fix=f"unset {ENVIRONMENT}, or set it to a number of threads",
        )
    return int(given)


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
