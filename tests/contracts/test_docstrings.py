"""Everything public says what it is.

Public is what has a name without an underscore in a module of thalweg: its classes and functions, and their methods and
properties. A method that overrides one with a docstring need not repeat it. Of the native executor, whose names are
those of instructions, the modules and classes are enough.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

import thalweg
from thalweg.graph.node import Op

SAID_ELSEWHERE: dict[type, tuple[str, ...]] = {Op: ("infer", "reference")}
"""What a base documents as an annotation, because each subclass has arguments of its own."""

NATIVE = "thalweg.executors.native"


def modules() -> list[Any]:
    names = [module.name for module in pkgutil.walk_packages(thalweg.__path__, "thalweg.")]
    public = ["thalweg", *(name for name in names if not any(part.startswith("_") for part in name.split(".")))]
    needs = {"thalweg.sklearn.": "sklearn", "thalweg.executors.xla.": "jax"}
    marks = {name: [pytest.mark.needs(needs[part]) for part in needs if name.startswith(part)] for name in public}
    return [pytest.param(name, marks=marks[name]) for name in public]


def defined_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public classes and functions that a module does not only import."""
    for name, thing in vars(module).items():
        is_code = inspect.isclass(thing) or inspect.isfunction(thing)
        if is_code and not name.startswith("_") and thing.__module__ == module.__name__:
            yield name, thing


def says_something(thing: Any, name: str) -> bool:
    """Whether there is a docstring that is more than the name; ``fields.dataclass`` puts the class's name there."""
    return (thing.__doc__ or "").strip() not in ("", name)


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that a class defines itself."""
    for name, member in vars(cls).items():
        function = getattr(member, "__func__", getattr(member, "fget", getattr(member, "func", member)))
        if isinstance(function, FunctionType) and not name.startswith("_") and function.__name__ != "<lambda>":
            yield name, function


def is_said_by_a_base(cls: type, name: str) -> bool:
    bases = cls.__mro__[1:]
    by_method = any(says_something(vars(base)[name], name) for base in bases if name in vars(base))
    return by_method or any(name in SAID_ELSEWHERE.get(base, ()) for base in bases)


def silent(module: ModuleType) -> list[str]:
    """What of a module has no docstring."""
    native = module.__name__.startswith(NATIVE)
    found = [] if says_something(module, module.__name__) else ["the module"]
    for name, thing in defined_in(module):
        if inspect.isfunction(thing):
            if not native and not says_something(thing, name):
                found.append(name)
            continue
        if not says_something(thing, name):
            found.append(name)
        for own, function in members(thing) if not native else ():
            if not says_something(function, own) and not is_said_by_a_base(thing, own):
                found.append(f"{name}.{own}")
    return found


@pytest.mark.parametrize("name", modules())
def test_everything_public_has_a_docstring(name):
    assert silent(importlib.import_module(name)) == []


@pytest.mark.parametrize("name", sorted(thalweg.ops.__all__))
def test_every_operation_says_its_shapes(name):
    function = getattr(thalweg.ops, name)
    if inspect.isfunction(function):
        assert "Shapes:" in (function.__doc__ or ""), f"{name} says no shapes"


class _Base:
    def said(self) -> None:
        """Once."""

    def unsaid(self) -> None: ...


class _Derived(_Base):
    """A class."""

    def said(self) -> None: ...

    def unsaid(self) -> None: ...

    @property
    def shown(self) -> int:
        return 1


def test_what_the_test_itself_finds():
    module = ModuleType("made_up", "A module.")
    for name, thing in {"Derived": _Derived, "function": lambda: None}.items():
        setattr(module, name, thing)
        thing.__module__ = "made_up"
    assert silent(module) == ["Derived.unsaid", "Derived.shown", "function"]
