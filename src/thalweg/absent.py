"""Names of Keras that thalweg has elsewhere or not at all: older paths lead on, the rest is an error with advice.

A module that users read from has ``__getattr__ = absent.answers(__name__)``. So a name that it lacks is an error in
four parts, in ``thalweg.layers.LSTM`` as in ``from thalweg.layers import LSTM``: where an import statement does not
find a name in a module with a ``__path__``, Python looks for a submodule, and then the finder that
``thalweg/__init__.py`` puts up is asked, which raises the advice.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from thalweg.errors import AbsentAttributeError, AbsentImportError, ThalwegError, did_you_mean, nearest

if TYPE_CHECKING:
    from thalweg.advice import Advice

_ROOT = "thalweg"


class AbsentNameError(ThalwegError, AttributeError):
    """A public module lacks a name. The four parts are looked up when they are asked for: ``hasattr`` does not ask."""

    def __init__(self, module: str, name: str) -> None:
        AttributeError.__init__(self, f"{module} has no {name!r}", name=name, obj=None)  # obj: or Python adds a guess
        self.module = module
        self.layer = None

    def __getattr__(self, part: str) -> str:
        if part not in ("problem", "expected", "got", "fix"):
            raise AttributeError(part)
        return explained(self.module, str(self.name))[part]

    def __reduce__(self) -> tuple[Callable[..., AbsentNameError], tuple[str, str]]:  # type: ignore[override]
        return AbsentNameError, (self.module, str(self.name))


def absent_attribute(owner: str, name: str) -> AttributeError:
    """The error for an attribute that an object of this class does not have; with advice if Keras has it."""
    from fnmatch import fnmatchcase  # here, because only a name that is not there needs it

    from thalweg.advice import ATTRIBUTES

    meant = (p for p in ATTRIBUTES if name == p or ("*" in p and fnmatchcase(name, p)))  # to compile one takes 0.1 ms
    advised = None if name.startswith("_") else next(meant, None)
    if advised is None:
        return AttributeError(f"{owner!r} object has no attribute {name!r}")
    return AbsentAttributeError(
        f"{owner} has no {name}", expected="the names in docs/keras.md", got=f".{name}", fix=ATTRIBUTES[advised]
    )


def answers(module: str, find: Callable[[str], Any] | None = None) -> Callable[[str], Any]:
    """The ``__getattr__`` of a public module; one that is a single file gets an empty ``__path__`` as well.

    Arguments:
        find: gives what the module loads or makes when it is asked for a name, None where there is nothing.
    """
    vars(sys.modules[module]).setdefault("__path__", [])

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        found = None if find is None else find(name)
        if found is None:
            from thalweg.advice import OLDER_PATHS  # here, as all that only a name that is not there needs

            if _below_root(f"{module}.{name}") not in OLDER_PATHS:
                raise AbsentNameError(module, name)
            found = importlib.import_module(f"{module}.{name}")
        return found

    return __getattr__


def find_spec(module: str) -> ModuleSpec | None:
    """How to make a module of an older path; None for private ones. What is no module is an error with advice.

    Raises: AbsentImportError.
    """
    parent, _, name = module.rpartition(".")
    if name.startswith("_"):
        return None
    if PathFinder.find_spec(module, getattr(sys.modules.get(parent), "__path__", None)) is not None:
        return None  # asked although it is there, as pytest asks every finder
    from thalweg.advice import OLDER_PATHS

    if _below_root(module) in OLDER_PATHS:
        loader: Any = _OlderPath()  # not derived from importlib.abc.Loader, which takes milliseconds to import
        return ModuleSpec(module, loader, is_package=True)
    parts = explained(parent, name)
    raise AbsentImportError(parts["problem"], expected=parts["expected"], got=parts["got"], fix=parts["fix"])


class _OlderPath:
    """A loader. It makes the module of an older path: all that it has is what the present one has."""

    def create_module(self, spec: ModuleSpec) -> None:
        """As any other module is made."""

    def exec_module(self, module: ModuleType) -> None:
        from thalweg.advice import OLDER_PATHS

        present = importlib.import_module(f"{_ROOT}.{OLDER_PATHS[_below_root(module.__name__)]}")
        module.__doc__ = f"An older path of {present.__name__}."
        vars(module)["__all__"] = public_names(present)
        vars(module)["__getattr__"] = answers(module.__name__, lambda name: getattr(present, name, None))


def advice(path: str) -> Advice | None:
    """The row for a name by its path below ``keras``, ``"layers.LSTM"``; None if there is none."""
    from fnmatch import fnmatchcase

    from thalweg.advice import ADVICE

    return next((row for row in ADVICE if any(fnmatchcase(path, pattern) for pattern in row.names.split())), None)


def explained(module: str, name: str) -> dict[str, str]:
    """The four parts of the error for a name that a module lacks."""
    known = public_names(sys.modules[module]) if module in sys.modules else []
    parts = {"problem": f"{module} has no {name!r}", "expected": f"a name that {module} has: docs/keras.md lists them"}
    row = advice(_below_root(f"{module}.{name}"))
    if row is None:
        return {**parts, "got": repr(name), "fix": did_you_mean(name, known)}
    near = nearest(name, known, cutoff=0.75)
    fix = f"did you mean {near!r}? If not: {row.instead}" if near else row.instead
    return {**parts, "got": f"{name!r} ({row.kind})", "fix": fix}


def public_names(module: ModuleType) -> list[str]:
    """Its ``__all__``; without one what is defined in it or below it, or else all of thalweg's that it hands on."""
    listed: list[str] | None = getattr(module, "__all__", None)
    if listed is not None:
        return listed
    homes = {
        name: str(getattr(value, "__module__", ""))
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_")
    }
    own = [name for name, home in homes.items() if f"{home}.".startswith(f"{module.__name__}.")]
    return own or [name for name, home in homes.items() if home.startswith(_ROOT)]


def _below_root(path: str) -> str:
    """``"thalweg.layers.core"`` -> ``"layers.core"``."""
    return path.removeprefix(f"{_ROOT}.")
