"""Whether other programs used the processor while something was measured.

Loaded by timed processes: nothing heavy here.
"""

import os
import resource
from pathlib import Path

FOREIGN_SHARE = 0.02  # of the wall time, in cores: one core of two that is taken for 2 % of a run is within its noise
FOREIGN_FLOOR_SECONDS = 0.03  # /proc/stat counts in ticks of 10 ms, so less says nothing


def is_disturbed(foreign: float | None, wall: float) -> bool:
    """Whether other processes took so much CPU time that the run's figures mean little."""
    return foreign is not None and foreign > max(FOREIGN_FLOOR_SECONDS, FOREIGN_SHARE * wall)


def foreign_seconds(busy_before: float | None, busy_after: float | None, own: float) -> float | None:
    """CPU time that went elsewhere while this process and its children used ``own`` seconds."""
    if busy_before is None or busy_after is None:
        return None
    return max(0.0, busy_after - busy_before - own)


def busy_seconds() -> float | None:
    """CPU time that all cores spent on anything since the machine started, stolen time included (Linux only)."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, stat.read_text().splitlines()[0].split()[1:])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """CPU time of this process and of all its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
