"""What a training ran on and with: what its bits may depend on beside its data, settings and seed."""

from __future__ import annotations

import platform
from functools import cache

import numpy as np

from thalweg import cores
from thalweg.version import __version__

__all__ = ["decisive", "surroundings"]


@cache
def surroundings(executor: str) -> dict[str, str]:
    """Versions and the machine, by what they are of.

    Arguments:
        executor: the name of that which trains.

    Raises: where that is "xla", what ``executors.named`` raises.
    """
    found = {
        "thalweg": __version__,
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "host": platform.node(),
        "cores": str(cores.available()),
        "executor": executor,
    }
    if executor == "native":
        import llvmlite  # loaded already, or about to be

        from thalweg.executors.native import machine

        facts = machine.facts()
        found |= {"llvmlite": llvmlite.__version__, "CPU": facts["CPU"], "vectors": facts["vectors"].split(",")[0]}
    elif executor.partition(":")[0] == "xla":
        from thalweg.executors.xla.devices import facts as devices

        found |= devices(executor.partition(":")[2] or None)
    return found


def decisive(now: dict[str, str], before: dict[str, str]) -> list[str]:
    """What differs and may change the bits of a training, in words."""
    names = ("thalweg", "NumPy", "llvmlite", "JAX", "executor", "vectors", "devices", "system")
    return [
        f"{name}: {now.get(name, 'none')}, was {before.get(name, 'none')}"
        for name in names
        if now.get(name) != before.get(name)
    ]
