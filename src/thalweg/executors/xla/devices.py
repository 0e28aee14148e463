"""JAX itself: whether it is there, what it computes on, and the settings that our programs need."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from thalweg.errors import ExecutorError, MissingPackageError
from thalweg.extras import needed

OLDEST = (0, 6)
"""The version of JAX that has all that is used here."""


def jax_module() -> Any:
    """JAX, loaded. Raises MissingPackageError if it is not installed or too old."""
    jax = needed(
        "jax",
        "the xla executor needs JAX",
        expected="JAX, which brings the compiler XLA",
        fix="pip install 'thalweg[xla]'; for a GPU of NVIDIA also: pip install 'jax[cuda13]'",
    )
    if tuple(jax.version.__version_info__[:2]) < OLDEST:
        raise MissingPackageError(
            "this version of JAX is too old for the xla executor",
            expected=f"JAX {'.'.join(map(str, OLDEST))} or newer",
            got=f"JAX {jax.__version__}",
            fix="pip install --upgrade 'thalweg[xla]'",
        )
    return jax


def wide() -> AbstractContextManager[Any]:
    """Inside, JAX has float64 and int64, whatever it is told elsewhere in this process."""
    context: AbstractContextManager[Any] = jax_module().enable_x64(True)
    return context


def devices(kind: str | None = None) -> list[Any]:
    """The devices of a kind ("cpu", "gpu", "tpu"), or those that JAX prefers.

    Raises: MissingPackageError without JAX. ExecutorError if there is none of this kind.
    """
    jax = jax_module()
    try:
        return list(jax.devices() if kind is None else jax.devices(kind))
    except RuntimeError as error:
        raise ExecutorError(
            f"JAX sees no device of the kind {kind!r}",
            expected=", ".join(sorted({repr(device.platform) for device in jax.devices()})),
            got=str(error).splitlines()[0],
            fix="for a GPU of NVIDIA pip install 'jax[cuda13]' and look at nvidia-smi, or leave the device out",
        ) from error


def name_of(device: Any) -> str:
    """As ``"gpu:1"``."""
    return f"{device.platform}:{device.id}"


def by_name(names: Iterable[str]) -> list[Any]:
    """The devices of these names, which are there."""
    names = list(names)
    known = {name_of(device): device for kind in {name.partition(":")[0] for name in names} for device in devices(kind)}
    return [known[name] for name in names]
