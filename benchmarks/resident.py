"""The resident size of this process, now and at its largest."""

import os
import sys
from pathlib import Path

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""What ``ru_maxrss`` counts in."""


def resident_bytes() -> int:
    """Bytes of memory in use now (Linux only)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """Largest resident size of this process.

    From /proc where there is one: ``ru_maxrss`` starts at the size of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource  # here, because Windows has none

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES
