"""The few settings of the whole process, as in ``keras.config``: number formats, epsilon, root seed, executor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from thalweg import absent, dtype_policies
from thalweg.checks import In, OneOf, check_value, checked
from thalweg.errors import ArgumentError, did_you_mean
from thalweg.fields import dataclass
from thalweg.processes.job import current

__all__ = [
    "backend",
    "disable_traceback_filtering",
    "dtype_policy",
    "epsilon",
    "executor",
    "floatx",
    "image_data_format",
    "is_traceback_filtering_enabled",
    "new_seed",
    "seeded",
    "set_dtype_policy",
    "set_epsilon",
    "set_executor",
    "set_floatx",
    "set_image_data_format",
    "set_random_seed",
]

EXECUTORS = ("native", "numpy", "xla")

ENVIRONMENT = "THALWEG_EXECUTOR"

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)


@dataclass
class _Settings:
    floatx: str = "float32"
    dtype_policy: str | None = None  # floatx unless set
    epsilon: float = 1e-7
    executor: str | None = None  # as the environment says unless set
    distribution: Any = None  # over devices, by thalweg.distribution, which takes time to load
    root_seed: int | None = None
    models: int = 0  # how many took a seed from the root


_settings = _Settings()


def epsilon() -> float:
    """The distance that crossentropies keep probabilities away from 0 and 1: 1e-7 unless changed."""
    return _settings.epsilon


@checked
def set_epsilon(value: Annotated[float, In("(0, 1)")]) -> None:
    """Let what is compiled from now on take another ``epsilon``. Raises: ArgumentError."""
    _settings.epsilon = value


def executor() -> str | None:
    """What runs models that are not told: as ``set_executor`` has said, or ``THALWEG_EXECUTOR``.

    None where neither says anything: thalweg chooses then.
    """
    return _settings.executor or os.environ.get(ENVIRONMENT) or None


def set_executor(name: str | None) -> None:
    """Let models that have not run yet, and are not told otherwise, run on this executor.

    ``fit(..., executor=...)`` and ``model.executor`` say it of one model.

    Arguments:
        name: ``"native"``, ``"numpy"`` or ``"xla"``, which may name a kind of device: ``"xla:gpu"``. None: as before
            anything was set.

    Raises: ArgumentError for another name.
    """
    if name is not None:
        executor_and_device(check_value("set_executor", "name", str, name))
    _settings.executor = name


def distribution() -> Any:
    """What ``distribution.set_distribution`` has said last; None before."""
    return _settings.distribution


def set_distribution(value: Any) -> None:
    """See ``distribution.set_distribution``, which checks the value."""
    _settings.distribution = value


def executor_and_device(name: str) -> tuple[str, str | None]:
    """The parts of an executor's name; the kind of device is None where it names none. Raises ArgumentError.

    Example:
        >>> executor_and_device("native"), executor_and_device("xla:gpu")
        (('native', None), ('xla', 'gpu'))
    """
    family, colon, device = name.partition(":")
    if family not in EXECUTORS:
        raise ArgumentError(
            "there is no executor of this name",
            expected=f"{' or '.join(map(repr, EXECUTORS))}, or one with a kind of device, as 'xla:gpu'",
            got=repr(name),
            fix=did_you_mean(family, EXECUTORS),
        )
    if colon and (family != "xla" or not device):
        raise ArgumentError(
            f"the executor {family!r} cannot be put on the device {device!r}",
            expected="'xla:cpu', 'xla:gpu' or 'xla:tpu'; the other executors are for the CPU",
            got=repr(name),
            fix=f"write {family!r}, or 'xla:{device or 'gpu'}'",
        )
    return family, device or None


def backend() -> str:
    """What computes: thalweg itself."""
    return "thalweg"


def image_data_format() -> str:
    """Where layers that are not told otherwise expect the channels of images: ``"channels_last"``."""
    return "channels_last"


@checked
def set_image_data_format(data_format: Annotated[str, OneOf("channels_last")]) -> None:
    """Accepted for ``"channels_last"``; ``data_format=`` of a layer says more. Raises: ArgumentError."""


def disable_traceback_filtering() -> None:
    """Accepted: tracebacks of thalweg are always whole."""


def is_traceback_filtering_enabled() -> bool:
    """False: tracebacks are always whole."""
    return False


def floatx() -> str:
    """The dtype of layers that are given none: ``"float32"`` unless changed."""
    return _settings.floatx


def set_floatx(value: str) -> None:
    """Let layers made from now on compute in ``"float32"`` or ``"float64"``, if ``set_dtype_policy`` says nothing else.

    Raises: ArgumentError for another dtype.
    """
    _settings.floatx = check_value("set_floatx", "value", Annotated[str, OneOf("float32", "float64")], value)


def dtype_policy() -> dtype_policies.DTypePolicy:
    """The policy of layers that are given none: that of ``floatx`` unless changed."""
    return dtype_policies.DTypePolicy(_settings.dtype_policy or _settings.floatx)


def set_dtype_policy(policy: str | dtype_policies.DTypePolicy) -> None:
    """Let layers made from now on compute by ``"float32"``, ``"float64"`` or ``"mixed_bfloat16"``, as in Keras.

    Under the last products of matrices and convolutions have factors in bfloat16, and all else is float32.

    Raises: ArgumentError for another policy.
    """
    name = dtype_policies.get(policy).name
    _settings.dtype_policy = None if name == _settings.floatx else name  # then it is as if none had been set


def set_random_seed(seed: int) -> None:
    """Make every model built from now on repeatable: the n-th one gets a seed made of ``seed`` and n.

    It sets nothing else: no random numbers are drawn from a state shared between models.

    Raises: ArgumentError if the seed is no integer in [0, 2^32).
    """
    _settings.root_seed = check_value("set_random_seed", "seed", Annotated[int, In("[0, 4294967296)")], seed)
    _settings.models = 0


@checked
@contextmanager
def seeded(seed: Annotated[int, In("[0, 4294967296)")]) -> Iterator[None]:
    """Inside, models get their seeds as after ``set_random_seed(seed)``; afterwards it is as before."""
    before = (_settings.root_seed, _settings.models)
    set_random_seed(seed)
    try:
        yield
    finally:
        _settings.root_seed, _settings.models = before


def root_seed() -> int | None:
    """What ``set_random_seed`` has said last; None before."""
    return _settings.root_seed


def new_seed() -> int:
    """A seed (uint32) for a new model: from the root seed, or from the operating system where none was set.

    Several processes of one job get the same.
    """
    if _settings.root_seed is None:
        seed: int = current().agreed("seed", int(np.random.SeedSequence().generate_state(1)[0]))
        return seed
    _settings.models += 1
    return int(np.random.SeedSequence([_settings.root_seed, _settings.models]).generate_state(1)[0])
