"""JAX itself: whether it is there, what it computes on, and the settings that our programs need."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from thalweg.errors import ExecutorError, MissingPackageError, nearest
from thalweg.extras import needed

OLDEST = (0, 8)
"""The version of JAX that has all that is used here: ``jax.enable_x64``."""

KINDS = ("cpu", "gpu", "tpu", "cuda", "rocm")
"""Of devices, as JAX names them; a package may bring more."""

NOTHING_THERE = (RuntimeError, AssertionError)
"""What JAX raises where it finds no device; the second where JAX_PLATFORMS names only what this machine lacks."""

ACCELERATORS = (
    ("GPU", "gpu", ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"), ("jax_cuda13_plugin", "jax_cuda12_plugin")),
    ("GPU", "gpu", ("/dev/kfd",), ("jax_rocm7_plugin", "jax_rocm60_plugin")),
    ("TPU", "tpu", ("/dev/accel0", "/dev/vfio/0"), ("libtpu",)),
)
"""What there is beside the CPU: its name, its kind, the files by which the system shows it, the packages by which JAX
computes on it. JAX looks at such files, too (``jax._src.hardware_utils``).
"""

_process: int | None = None
"""In which JAX computes; None before it does."""


def jax_module() -> Any:
    """JAX, loaded. Raises MissingPackageError if it is not installed, too old, or has parts that do not fit."""
    try:
        jax = needed(
            "jax",
            "the xla executor needs JAX",
            expected="JAX, which brings the compiler XLA",
            fix="pip install 'thalweg[xla]'; for a GPU of NVIDIA also: pip install 'jax[cuda13]'",
        )
    except RuntimeError as error:  # so it says that jaxlib is of another version
        raise MissingPackageError(
            "JAX cannot be loaded",
            expected="JAX with a jaxlib that fits it",
            got=str(error).splitlines()[0],
            fix="pip install --upgrade --force-reinstall 'thalweg[xla]'",
        ) from error
    if tuple(jax.version.__version_info__[:2]) < OLDEST:
        raise MissingPackageError(
            "this version of JAX is too old for the xla executor",
            expected=f"JAX {'.'.join(map(str, OLDEST))} or newer",
            got=f"JAX {jax.__version__}",
            fix="pip install --upgrade 'thalweg[xla]'",
        )
    return jax


def wide() -> AbstractContextManager[Any]:
    """Inside, JAX has float64 and int64, whatever it is told elsewhere in this process.

    Raises: ExecutorError in a child of the process in which JAX computes: without its threads it would wait for ever.
    """
    if _process not in (None, os.getpid()):
        raise ExecutorError(
            "JAX does not compute in a process that was forked from one in which it computes",
            expected="a process in which JAX has started itself",
            got=f"process {os.getpid()}, forked from {_process}",
            fix="start processes anew (multiprocessing.get_context('spawn')), or fork before the first step on xla; "
            "the native executor may run in both",
        )
    context: AbstractContextManager[Any] = jax_module().enable_x64(True)
    return context


def devices(kind: str | None = None) -> list[Any]:
    """The devices of a kind ("cpu", "gpu", "tpu"), or those that JAX prefers.

    Raises: MissingPackageError without JAX. ExecutorError if there is none of this kind.
    """
    global _process
    jax = jax_module()
    try:
        found = list(jax.devices() if kind is None else jax.devices(kind))
    except NOTHING_THERE as error:
        platforms = f"nothing for JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}"
        raise _none_of(kind, (str(error) or platforms).splitlines()[0]) from error
    _process = os.getpid()
    return found


def name_of(device: Any) -> str:
    """As ``"gpu:1"``."""
    return f"{device.platform}:{device.id}"


def by_name(names: Iterable[str]) -> list[Any]:
    """The devices of these names, which are there."""
    names = list(names)
    known = {name_of(device): device for kind in {name.partition(":")[0] for name in names} for device in devices(kind)}
    return [known[name] for name in names]


def _none_of(kind: str | None, reason: str) -> ExecutorError:
    """There is no such device, or one that does not work."""
    if kind is None:
        return ExecutorError(
            "JAX finds nothing that it could compute on",
            expected="a device that works",
            got=reason,
            fix="unset JAX_PLATFORMS, or set it to cpu; look whether the device's driver fits JAX",
        )
    near = None if kind in KINDS else nearest(kind, KINDS)
    mend = "for a GPU of NVIDIA pip install 'jax[cuda13]' and look at nvidia-smi, or leave the device out"
    return ExecutorError(
        f"JAX sees no device of the kind {kind!r}",
        expected=_seen(),
        got=reason,
        fix=mend if near is None else f"did you mean {near!r}?",
    )


def _seen() -> str:
    """The kinds of devices that there are, in words."""
    try:
        return " or ".join(sorted({repr(device.platform) for device in jax_module().devices()}))
    except NOTHING_THERE:
        return "none: JAX finds nothing that it could compute on"


def require(kind: str | None) -> None:
    """Raises what ``devices`` raises. Where no kind is named JAX may look for its devices later: several processes tell
    each other of theirs first.
    """
    if kind is None:
        jax_module()
    else:
        devices(kind)


def facts(kind: str | None = None) -> dict[str, str]:
    """The version of JAX and what it computes on: ``{"JAX": "0.10.2", "devices": "2 x NVIDIA H200 (gpu)"}``.

    Raises: as ``devices``.
    """
    counts = Counter(
        one.platform if one.device_kind == one.platform else f"{one.device_kind} ({one.platform})"
        for one in devices(kind)
    )
    told = ", ".join(f"{count} x {name}" if count > 1 else name for name, count in counts.items())
    return {"JAX": jax_module().__version__, "devices": told}


def accelerator() -> tuple[str, str] | None:
    """The name and kind of what JAX would compute on if it is not the CPU; None if there is nothing.

    By the files and packages that there are: JAX is not loaded for it, and takes no memory of a GPU.
    """
    if os.environ.get("JAX_PLATFORMS") == "cpu":
        return None
    for name, kind, files, packages in ACCELERATORS:
        if any(map(os.path.exists, files)) and any(map(importlib.util.find_spec, packages)):
            return name, kind
    return None
