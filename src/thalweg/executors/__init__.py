"""What runs graphs: the numpy executor defines every operation, the native one compiles for this machine, and the xla
one for what JAX computes on.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from typing import TYPE_CHECKING, Any

from thalweg.errors import ArgumentError, ExecutorError, did_you_mean
from thalweg.executors import debug

if TYPE_CHECKING:
    from thalweg.executors.executor import Executor

NAMES = ("native", "numpy", "xla")
ENVIRONMENT = "THALWEG_EXECUTOR"


class ExecutorNotice(UserWarning):
    """Training runs on the slow executor: llvmlite is not installed, or the system does not let its code run."""


def default() -> Executor:
    """The native executor; the numpy one, with a notice, where llvmlite is not installed or its code may not run.

    The environment variable ``THALWEG_EXECUTOR`` chooses one by name.
    """
    debug.level()  # what does not fit it should be said before anything runs
    chosen = os.environ.get(ENVIRONMENT)
    if chosen:
        return named(chosen)
    # find_spec does not import: loading llvmlite takes 50 ms, and cached programs may not need it at all.
    if importlib.util.find_spec("llvmlite") is None:
        return _slow("llvmlite is not installed")
    from thalweg.executors.native.run.loader import may_execute

    if not may_execute():
        return _slow("the system does not let compiled code be executed (MemoryDenyWriteExecute, SELinux's execmem)")
    return named("native")


def _slow(reason: str) -> Executor:
    warnings.warn(f"{reason}: thalweg runs on NumPy, many times slower", ExecutorNotice, stacklevel=3)
    return named("numpy")


def named(name: str) -> Executor:
    """The executor of this name.

    Raises: ArgumentError for an unknown one, ExecutorError if there is no memory to load it into.
    """
    if name == "numpy":
        from thalweg.executors.numpy import NumpyExecutor

        return NumpyExecutor()
    if name == "native":
        return _native()
    if name == "xla":
        from thalweg.executors.xla.executor import XlaExecutor

        return XlaExecutor()
    raise ArgumentError(
        "there is no executor of this name",
        expected=" or ".join(map(repr, NAMES)),
        got=repr(name),
        fix=did_you_mean(name, NAMES),
    )


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
        expected=f"{' or '.join(map(repr, NAMES))}, or an executor",
        got=f"{executor!r:.80} ({type(executor).__name__})",
        fix="leave it out: thalweg.executors.default() chooses",
    )
