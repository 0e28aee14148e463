"""``dataclass`` as in the standard library, but cheap to define.

The standard library writes the source of up to seven methods for each class and compiles it: 0.3 ms a class, a sixth of
the life of a program that trains a small network. Here the methods are written once and read the class's fields; the
classes are dataclasses all the same, to ``dataclasses.fields``, ``replace`` and type checkers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from thalweg.errors import ArgumentError, did_you_mean

__all__ = ["dataclass", "has_field_constructor"]

_Values = tuple[Any, ...]


def _define(cls: Any, *, frozen: bool, eq: bool, kw_only: bool) -> Any:
    # Without a docstring dataclasses would make one from a signature, which takes longer than everything else.
    cls.__doc__ = cls.__doc__ or cls.__name__
    with _as_if_not_frozen(cls):
        cls = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    cls.__dataclass_params__.frozen = frozen
    methods: dict[str, Any] = {"__init__": _constructor(cls, frozen), "__repr__": _repr, "__signature__": _Signature()}
    if eq:
        methods |= {"__eq__": _equal, "__hash__": _hash if frozen else None}
    if frozen:
        methods |= {"__setattr__": _no_assignment, "__delattr__": _no_deletion}
    for name, method in methods.items():
        if cls.__dict__.get(name) is None:  # handwritten ones stay; None is what Python makes of __hash__ beside __eq__
            setattr(cls, name, method)
    return cls


@contextmanager
def _as_if_not_frozen(cls: Any) -> Iterator[None]:
    """Keeps ``dataclasses`` from compiling the two methods of a frozen class, which it wants below a frozen base."""
    bases = [base.__dict__.get("__dataclass_params__") for base in cls.__mro__]
    frozen = [base for base in bases if base and base.frozen]
    for base in frozen:
        base.frozen = False
    try:
        yield
    finally:
        for base in frozen:
            base.frozen = True


class _Plan:
    """How a class's constructor takes its arguments."""

    def __init__(self, cls: Any) -> None:
        every = dataclasses.fields(cls)
        self.defaults: list[tuple[str, Any, Any, bool]] = [
            (field.name, field.default, field.default_factory, field.init) for field in every
        ]
        self.positional = positional(cls)
        in_order = [field.name for field in every] == list(self.positional)
        self.all_in_places = len(every) if in_order else -1
        self.accepted = frozenset(field.name for field in every if field.init)
        self.after = hasattr(cls, "__post_init__")


def positional(cls: Any) -> tuple[str, ...]:
    """The arguments that may be given by their places: all fields but those that are for keywords only.

    A class whose places would otherwise mean something else than in Keras says them itself: ``argument_order``, a
    ClassVar. The fields that it leaves out are for keywords only. Those of a class derived from it follow.
    """
    every = dataclasses.fields(cls)
    places = [field.name for field in every if field.init and not field.kw_only]
    for base in cls.__mro__:
        if "argument_order" in vars(base):
            known = {field.name for field in dataclasses.fields(base)}
            return (*base.argument_order, *(name for name in places if name not in known))
    return tuple(places)


def _constructor(cls: Any, frozen: bool) -> Callable[..., None]:
    plan: _Plan | None = None
    missing: Any = dataclasses.MISSING
    assign: Callable[[Any, str, Any], None] = object.__setattr__ if frozen else setattr

    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:
        nonlocal plan
        if plan is None:
            plan = _Plan(cls)
        if not kwargs and len(args) == plan.all_in_places:  # as the operations of a graph are made
            for name, value in zip(plan.positional, args, strict=True):
                assign(self, name, value)
            if plan.after:
                self.__post_init__()
            return
        given = dict(zip(plan.positional, args, strict=False))
        if len(args) > len(plan.positional):
            _misfit(cls, args, kwargs)
        if kwargs:
            unknown = kwargs.keys() - plan.accepted
            if unknown and type(self).__init__ is not __init__:  # handed on by a constructor with **options
                _unknown(type(self), unknown, plan.accepted)
            if unknown or not given.keys().isdisjoint(kwargs):
                _misfit(cls, args, kwargs)
            given |= kwargs
        for name, default, factory, wanted in plan.defaults:
            if name in given:
                assign(self, name, given[name])
            elif default is not missing:
                assign(self, name, default)
            elif factory is not missing:
                assign(self, name, factory())
            elif wanted:
                _misfit(cls, args, kwargs)
        if plan.after:
            self.__post_init__()

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    _written_here.add(__init__)
    return __init__


_written_here: WeakSet[Any] = WeakSet()


def has_field_constructor(cls: type) -> bool:
    """Whether ``cls(...)`` takes the class's fields: it, or the base it has its ``__init__`` from, was defined here."""
    return cls.__init__ in _written_here  # type: ignore[misc]


def _unknown(cls: Any, unknown: Collection[str], known: Collection[str]) -> None:
    """Raises ArgumentError for keywords that neither a constructor nor that of its base has."""
    name = min(unknown)
    raise ArgumentError(
        f"{cls.__name__}: there is no argument {name!r}",
        expected=f"those of its __init__, and {', '.join(sorted(known))}",
        got=f"{name}=",
        fix=did_you_mean(name, known),
    )


def _misfit(cls: Any, args: _Values, kwargs: dict[str, Any]) -> None:
    """Raises the TypeError that says which argument is missing or too much."""
    try:
        _signature(cls).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{cls.__name__}.__init__(): {error}") from None
    raise AssertionError(f"{cls.__name__}: its fields and its signature differ")


def _signature(cls: Any) -> Any:
    import inspect  # here, because only an error or a help text needs it

    kinds = inspect.Parameter
    parameters = []
    places = positional(cls)
    order = [*places, *(field.name for field in dataclasses.fields(cls) if field.name not in places)]
    for field in sorted(dataclasses.fields(cls), key=lambda field: order.index(field.name)):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if field.init:
            kind = kinds.POSITIONAL_OR_KEYWORD if field.name in places else kinds.KEYWORD_ONLY
            shown = kinds.empty if default is dataclasses.MISSING else default
            parameters.append(kinds(field.name, kind, default=shown, annotation=field.type))
    return inspect.Signature(parameters, return_annotation=None)


class _Signature:
    """What ``inspect.signature(cls)`` and help texts ask for; made when they do."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is not None:
            raise AttributeError("__signature__")
        if has_field_constructor(owner):
            return _signature(owner)
        import inspect  # as in _signature

        written = inspect.signature(owner.__init__)
        return written.replace(parameters=list(written.parameters.values())[1:])


@cache
def _compared(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls) if field.compare)


def _values(self: Any) -> _Values:
    cls: Any = type(self)
    return tuple([getattr(self, name) for name in _compared(cls)])


def _repr(self: Any) -> str:
    shown = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _equal(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return self is other or _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash((type(self), _values(self)))


def _no_assignment(self: Any, name: str, value: Any) -> None:
    """Only a subclass that is no dataclass itself, a user's with its own ``__init__``, may add attributes."""
    if "__dataclass_params__" not in vars(type(self)) and name not in {f.name for f in dataclasses.fields(self)}:
        object.__setattr__(self, name, value)
        return
    refuse = getattr(self, "refuse_assignment", None)
    if refuse is not None:
        refuse(name)
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_deletion(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, eq=True, kw_only=False):
        """Class decorator: ``dataclasses.dataclass`` with these of its options."""

        def decorate(cls):
            return _define(cls, frozen=frozen, eq=eq, kw_only=kw_only)

        return decorate if cls is None else decorate(cls)
