"""Neural-network training near the CPU's physical limit, with the API of Keras."""

import importlib
import os.path
import sys
from importlib.machinery import ModuleSpec
from typing import Any

from thalweg.version import __version__ as __version__
from thalweg.version import version as version  # the function, over the module of that name


def _public_names() -> dict[str, str]:
    """Name -> the module to import it from, as ``__init__.pyi`` lists them for type checkers: the only list.

    Each line of it is ``from module import name as name``; parsing it for good would take longer than all of this.
    """
    with open(os.path.join(os.path.dirname(__file__), "__init__.pyi"), encoding="utf-8") as stub:
        imports = [line.split() for line in stub if line.startswith("from ")]
    return {name: module for _, module, _, name, *_ in imports}


_NAMES = _public_names()

__all__ = list(_NAMES)


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are first used: a script that only asks for the version loads nothing."""
    if name not in _NAMES:
        from thalweg.absent import answers  # "from thalweg import absent" would ask here for it

        return answers(__name__)(name)
    if _NAMES[name] == "thalweg":
        return importlib.import_module(f"thalweg.{name}")
    return getattr(importlib.import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _OlderPaths:
    """The last finder of all: asked for a module of thalweg that is not there, it finds the present one, or advice."""

    @staticmethod
    def find_spec(module: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if not module.startswith("thalweg."):
            return None
        from thalweg.absent import find_spec

        return find_spec(module)


sys.meta_path.append(_OlderPaths)
