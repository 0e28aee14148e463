"""The few settings that hold for the whole process, as in ``keras.config``: number formats, epsilon, root seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import numpy as np

from thalweg import absent, dtype_policies
from thalweg.checks import In, OneOf, check_value, checked
from thalweg.fields import dataclass
from thalweg.processes.job import current

__all__ = [
    "backend",
    "disable_traceback_filtering",
    "dtype_policy",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_traceback_filtering_enabled",
    "new_seed",
    "seeded",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_random_seed",
]

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)


@dataclass
class _Settings:
    floatx: str = "float32"
    dtype_policy: str | None = None  # floatx unless set
    epsilon: float = 1e-7
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
