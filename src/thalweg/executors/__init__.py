"""What runs graphs: the numpy executor defines every operation, the native one compiles for this machine, and the xla
one for what JAX computes on.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import warnings
from typing import TYPE_CHECKING, Any

from thalweg import config
from thalweg.errors import ArgumentError, ExecutorError
from thalweg.executors import debug
from thalweg.processes.job import current

if TYPE_CHECKING:
    from thalweg.executors.executor import Executor
    from thalweg.executors.xla.distribution import Distribution


class ExecutorNotice(UserWarning):
    """Training runs on the slow executor: llvmlite is not installed, or the system does not let its code run."""


def default() -> Executor:
    """The native executor; the numpy one, with a notice, where llvmlite is not installed or its code may not run.

    ``config.set_executor`` and the environment variable ``THALWEG_EXECUTOR`` choose one by name;
    ``distribution.set_distribution`` means the xla executor, and several processes that run a program together have it.
    """
    debug.level()  # what does not fit it should be said before anything runs
    chosen = config.executor()
    if config.distribution() is not None:
        return over(config.distribution(), chosen)
    if chosen is not None:
        return named(chosen)
    if current().count > 1:
        return named("xla")
    # find_spec does not import: loading llvmlite takes 50 ms, and cached programs may not need it at all.
    if importlib.util.find_spec("llvmlite") is None:
        return _slow("llvmlite is not installed")
    from thalweg.executors.native.run.loader import may_execute

    if not may_execute():
        return _slow("the system does not let compiled code be executed (MemoryDenyWriteExecute, SELinux's execmem)")
    return named("native")


def tell_of_accelerator() -> None:
    """Say in one line how to use a GPU or a TPU that JAX sees, where nobody has said what to run on; once."""
    if config.executor() is None and config.distribution() is None:
        _tell_once()


@functools.cache
def _tell_once() -> None:
    from thalweg.executors.xla.devices import accelerator

    found = accelerator()
    if found is not None and sys.stderr is not None:
        name, kind = found
        how = f"fit(..., executor='xla:{kind}'), THALWEG_EXECUTOR=xla:{kind} or thalweg train --device {kind}"
        print(f"JAX sees a {name} here. To train on it: {how}.", file=sys.stderr)


def _slow(reason: str) -> Executor:
    warnings.warn(f"{reason}: thalweg runs on NumPy, many times slower", ExecutorNotice, stacklevel=3)
    return named("numpy")


def named(name: str) -> Executor:
    """The executor of this name, as ``"native"``, ``"numpy"``, ``"xla"`` or ``"xla:gpu"``.

    Raises: ArgumentError for an unknown one, and for a kind of device that ``set_distribution`` has said to be another.
        MissingPackageError for "xla" without JAX, ExecutorError if there is no device of the kind, or no memory to load
        the native executor into.
    """
    family, device = config.executor_and_device(name)
    if family == "numpy":
        from thalweg.executors.numpy import NumpyExecutor

        return NumpyExecutor()
    if family == "native":
        return _native()
    return _xla(device, config.distribution())


def over(spread: Distribution, told: Executor | str | None = None) -> Executor:
    """The xla executor, over the devices of a distribution.

    Arguments:
        told: what somebody has said to run on, or its name.

    Raises: ArgumentError if that is another executor, or on devices of another kind.
    """
    name = "xla" if told is None else told if isinstance(told, str) else told.name
    family, device = config.executor_and_device(name)
    if family != "xla":
        raise ArgumentError(
            f"the {family} executor computes on one CPU, and cannot be spread over devices",
            expected="the xla executor, or none named",
            got=f"{family!r}, and {spread!r}",
            fix='say executor="xla", or leave the distribution out: distribution.set_distribution(None)',
        )
    return _xla(device, spread)


def _xla(kind: str | None, spread: Distribution | None) -> Executor:
    from thalweg.executors.xla.devices import require
    from thalweg.executors.xla.executor import XlaExecutor

    require(kind)
    return XlaExecutor(kind, spread)


def _native() -> Executor:
    try:
        from thalweg.executors.native.executor import NativeExecutor  # the machinery of code generation
    except ImportError as error:  # one of Python's own libraries could not be mapped
        raise ExecutorError(
            "the native executor cannot be loaded",
            expected="memory to map it into, and a whole installation of Python and NumPy",
            got=str(error),
            fix="raise the limit if there is one (ulimit -v), or set THALWEG_EXECUTOR=numpy",
        ) from error
    return NativeExecutor()


def meant(executor: Any) -> Executor:
    """The executor that a name stands for, or this one. Raises ArgumentError for what is none."""
    if isinstance(executor, str):
        return named(executor)
    if callable(getattr(executor, "compile", None)) and hasattr(executor, "stages"):
        one: Executor = executor
        return one
    raise ArgumentError(
        "this is no executor",
        expected=f"{' or '.join(map(repr, config.EXECUTORS))}, or an executor",
        got=f"{executor!r:.80} ({type(executor).__name__})",
        fix="leave it out: thalweg.executors.default() chooses",
    )
