"""The resident size of this process."""

import os
from pathlib import Path


def resident_bytes() -> int:
    """Bytes of memory in use now (Linux only)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
