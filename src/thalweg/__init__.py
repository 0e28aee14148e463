"""Neural-network training near the CPU's physical limit, with the API of Keras."""

import ast
import importlib
from pathlib import Path
from typing import Any

from thalweg.version import __version__ as __version__


def _public_names() -> dict[str, str]:
    """Name -> the module to import it from, as ``__init__.pyi`` lists them for type checkers: the only list."""
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [statement for statement in tree.body if isinstance(statement, ast.ImportFrom)]
    return {alias.name: str(statement.module) for statement in imports for alias in statement.names}


_NAMES = _public_names()

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are first used: a script that only asks for the version loads nothing."""
    if name not in _NAMES:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    if _NAMES[name] == "thalweg":
        return importlib.import_module(f"thalweg.{name}")
    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
