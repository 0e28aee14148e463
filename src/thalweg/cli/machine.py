"""What ``thalweg info`` says about this installation and this machine."""

from __future__ import annotations

import importlib.metadata
import platform
import sys

import thalweg
from thalweg import cores, executors
from thalweg.errors import ExecutorError, MissingPackageError


def facts() -> dict[str, str]:
    """Heading -> text, in the order to print."""
    executor = executors.default().name
    return {
        "thalweg": thalweg.__version__,
        "Python": f"{sys.version.split()[0]}, {platform.system()} {platform.machine()}",
        "NumPy": importlib.metadata.version("numpy"),
        "llvmlite": _version("llvmlite"),
        "executor": executor,
        **(_native() if executor == "native" else {}),
        "threads": str(cores.wanted(None)),
        **_jax(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _jax() -> dict[str, str]:
    """The version of JAX and the devices that the xla executor computes on."""
    from thalweg.executors.xla.devices import facts

    try:
        return facts()
    except MissingPackageError:  # of a version that is too old, which is why the version stands here
        return {"JAX": _version("jax")}
    except ExecutorError as error:
        return {"JAX": _version("jax"), "devices": f"none: {error.got}"}


def _native() -> dict[str, str]:
    """What the native executor knows: the processor, and where compiled code is kept."""
    from thalweg.executors.native import machine  # only where it is the executor
    from thalweg.executors.native.run import cache

    folder = cache.directory()
    sizes = [] if folder is None else [status.st_size for _, status in cache.entries(folder)]
    return {**machine.facts(), "cache": f"{folder} ({len(sizes)} files, {sum(sizes) / 1024:.0f} KB)"}
