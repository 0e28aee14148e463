"""The few settings that hold for the whole process, as in ``keras.config``: number format, epsilon, root seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import numpy as np

from thalweg.checks import In, OneOf, check_value, checked
from thalweg.fields import dataclass

__all__ = ["epsilon", "floatx", "new_seed", "seeded", "set_floatx", "set_random_seed"]


@dataclass
class _Settings:
    floatx: str = "float32"
    root_seed: int | None = None
    models: int = 0  # how many took a seed from the root


_settings = _Settings()


def epsilon() -> float:
    """The distance that crossentropies keep probabilities away from 0 and 1: 1e-7."""
    return 1e-7


def floatx() -> str:
    """The dtype of layers that are given none: ``"float32"`` unless changed."""
    return _settings.floatx


def set_floatx(value: str) -> None:
    """Let layers made from now on compute in ``"float32"`` or ``"float64"``.

    Raises: ArgumentError for another dtype.
    """
    _settings.floatx = check_value("set_floatx", "value", Annotated[str, OneOf("float32", "float64")], value)


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


def new_seed() -> int:
    """A seed (uint32) for a new model: from the root seed, or from the operating system where none was set."""
    if _settings.root_seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    _settings.models += 1
    return int(np.random.SeedSequence([_settings.root_seed, _settings.models]).generate_state(1)[0])
