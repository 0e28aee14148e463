"""Packages that thalweg does without: each is loaded when something that needs it is used."""

from __future__ import annotations

import importlib
from typing import Any

from thalweg.errors import MissingPackageError

__all__ = ["needed"]


def needed(module: str, problem: str, expected: str, fix: str) -> Any:
    """The module of this name.

    Raises: MissingPackageError, in these words, if it cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(problem, expected=expected, got=str(error), fix=fix) from error
