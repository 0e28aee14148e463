"""Which machine, which versions: what a table means nothing without."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("thalweg", "numpy", "llvmlite", "torch", "jax", "jaxlib", "keras", "scikit-learn")


def describe_machine() -> dict[str, str]:
    """CPU, cores, system, date, versions of whatever is installed."""
    return {
        "cpu": cpu_model(),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        **{name: found for name in PACKAGES if (found := installed_version(name))},
    }


def cpu_model() -> str:
    """As /proc/cpuinfo has it (model, family, stepping), or what Python knows."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor()
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return f"{fields.get('model name', '?')} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def installed_version(package: str) -> str | None:
    """None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
