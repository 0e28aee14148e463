"""Argument rules, held where the argument is declared: in the annotation of a dataclass field.

``rate: Annotated[float, In("[0, 1)")] = 0.5`` is the check, the error message, the line in the reference and the
source of the test's bad values. :func:`check_fields` applies the rules of one instance; a base class calls it in
``__post_init__``. Functions say the same in the annotations of their arguments, under :func:`checked`.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import math
import os
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Protocol, TypeVar, Union, cast, get_args, get_origin, runtime_checkable

import numpy as np

from thalweg.errors import ArgumentError, InsufficientMemoryError, ThalwegError, did_you_mean
from thalweg.fields import dataclass

__all__ = [
    "Count",
    "FileName",
    "FilePath",
    "Finite",
    "In",
    "ArgumentRules",
    "NotEmpty",
    "OneOf",
    "Reserved",
    "Rule",
    "WholeNumber",
    "bad_values",
    "check_fields",
    "check_value",
    "checked",
    "report_from",
    "reporting",
    "rules",
]


@runtime_checkable
class Rule(Protocol):
    """A marker inside ``Annotated``: what a value of the right type must also satisfy."""

    def admits(self, value: Any) -> bool:
        """Whether the value satisfies the rule."""

    def describe(self, noun: str) -> str:
        """The rule in words, given the noun for the type: ``"a number"`` -> ``"a number in [0, 1)"``."""

    def outside(self) -> tuple[Any, ...]:
        """Values of the right type that break the rule, for tests."""


_INTERVAL = re.compile(r"\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*")


@dataclass(frozen=True)
class In(Rule):
    """A number in an interval, written as in mathematics; NaN lies in none.

    Example:
        >>> In("[0, 1)").admits(0), In("[0, 1)").admits(1)
        (True, False)
    """

    interval: str

    def __post_init__(self) -> None:
        low, high = self.bounds
        assert low <= high, f"the interval {self.interval} is written with its bounds in ascending order"

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound."""
        _, low, high, _ = self._parts
        return float(low), float(high)

    @cached_property
    def _parts(self) -> tuple[str, str, str, str]:
        match = _INTERVAL.fullmatch(self.interval)
        assert match is not None, f"an interval is written like '[0, 1)', not {self.interval!r}"
        opening, low, high, closing = match.groups()
        return opening, low, high, closing

    def admits(self, value: Any) -> bool:
        opening, _, _, closing = self._parts
        low, high = self.bounds
        above = value >= low if opening == "[" else value > low
        below = value <= high if closing == "]" else value < high
        return bool(above and below)

    def describe(self, noun: str) -> str:
        return f"{noun} in {self.interval}"

    def outside(self) -> tuple[float, ...]:
        low, high = self.bounds
        beyond = [bound for bound in (low - 1, high + 1) if math.isfinite(bound)]
        return tuple(value for value in (*beyond, low, high, math.nan) if not self.admits(value))


Finite = Annotated[float, In("(-inf, inf)")]
Count = Annotated[int, In("[1, inf)")]
WholeNumber = Annotated[int, In("[0, inf)")]


class OneOf(Rule):
    """One of a few values, compared with ``==``; mistyped strings get a suggestion.

    Example:
        >>> OneOf("sum", "none").describe("a string")
        "one of 'sum', 'none'"
    """

    def __init__(self, *choices: Any) -> None:
        self.choices = choices

    def __repr__(self) -> str:
        return f"OneOf({', '.join(map(repr, self.choices))})"

    def admits(self, value: Any) -> bool:
        # Compared by type as well: 1 == True in Python.
        return any(type(value) is type(choice) and value == choice for choice in self.choices)

    def describe(self, noun: str) -> str:
        return "one of " + ", ".join(map(repr, self.choices))

    def outside(self) -> tuple[str]:
        return ("no such choice",)


class NotEmpty(Rule):
    """A list or tuple with at least one item.

    Example:
        >>> NotEmpty().admits(())
        False
    """

    def admits(self, value: Any) -> bool:
        return len(value) > 0

    def describe(self, noun: str) -> str:
        return f"{noun}, at least one"

    def outside(self) -> tuple[tuple[()]]:
        return ((),)


class FileName(Rule):
    """A string or path that can stand for a file.

    Example:
        >>> FileName().admits("model.thalweg"), FileName().admits("")
        (True, False)
    """

    def admits(self, value: Any) -> bool:
        try:
            name = os.fsencode(value)
        except (TypeError, UnicodeEncodeError):
            return False
        return bool(name) and b"\0" not in name and isinstance(os.fspath(value), str)

    def describe(self, noun: str) -> str:
        return "the name of a file, or a path"

    def outside(self) -> tuple[str, ...]:
        return ("", "a\0b", "\ud800")


FilePath = Annotated[str | os.PathLike[str], FileName()]


class Reserved(Rule):
    """An argument whose name is kept for later: only its default is admitted.

    Example:
        >>> Reserved(False).describe("an object")
        'False (other values are not there yet)'
    """

    def __init__(self, default: Any = None) -> None:
        self.default = default

    def __repr__(self) -> str:
        return f"Reserved({self.default!r})"

    def admits(self, value: Any) -> bool:
        return type(value) is type(self.default) and value == self.default

    def describe(self, noun: str) -> str:
        return f"{self.default!r} (other values are not there yet)"

    def outside(self) -> tuple[str]:
        return ("not there yet",)


# A checked value, or _REFUSED. Checking also converts: NumPy scalars and lists would otherwise end up in a frozen
# dataclass, where they break hashing, equality and saving.
_REFUSED: Any = type("Refused", (), {})()
_INT = (int, np.integer)
_REAL = (int, float, np.integer, np.floating)
_AS_THEY_ARE = (bool, int, str)
"""Types of which a value can be taken without a second look: what most of a graph's arguments are."""

_BOOL = (bool, np.bool_)


def _alone(value: Any) -> Any:
    """The number in an array without axes; anything else as it is."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _admit_bool(value: Any) -> Any:
    value = _alone(value)
    return bool(value) if isinstance(value, _BOOL) else _REFUSED


def _admit_int(value: Any) -> Any:
    value = _alone(value)
    if not isinstance(value, _INT) or isinstance(value, _BOOL):
        return _REFUSED
    return value if isinstance(value, int) else int(value)  # a size that is open is an int of its own kind


def _admit_float(value: Any) -> Any:
    value = _alone(value)
    if not isinstance(value, _REAL) or isinstance(value, _BOOL):
        return _REFUSED
    try:
        return _REFUSED if math.isnan(value) else float(value)
    except OverflowError:  # an integer of more than 308 digits
        return _REFUSED


def _admit_str(value: Any) -> Any:
    return str(value) if isinstance(value, str) else _REFUSED


_SCALARS: dict[Any, tuple[str, Callable[[Any], Any]]] = {
    bool: ("True or False", _admit_bool),
    int: ("an integer", _admit_int),
    float: ("a number", _admit_float),
    str: ("a string", _admit_str),
}


def _admit(annotation: Any, value: Any) -> Any:
    """The value as its annotation wants it, or ``_REFUSED``."""
    if annotation is Any or annotation is object or (type(value) is annotation and annotation in _AS_THEY_ARE):
        return value
    if isinstance(annotation, TypeVar):
        return _admit(annotation.__bound__ or Any, value)
    if annotation is None or annotation is type(None):
        return None if value is None else _REFUSED
    if annotation in _SCALARS:
        return _SCALARS[annotation][1](value)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _admit_annotated(arguments, value)
    if origin in (Union, types.UnionType):
        return _admit_union(arguments, value)
    if origin is Literal:
        return value if OneOf(*arguments).admits(value) else _REFUSED
    if origin is tuple:
        return _admit_tuple(arguments, value)
    if origin in (list, collections.abc.Sequence):
        return _admit_list(arguments[0], value)
    if origin in (dict, collections.abc.Mapping):
        return _admit_mapping(arguments, value)
    if origin is type:
        return value if isinstance(value, type) and issubclass(value, arguments[0]) else _REFUSED
    return value if _is_instance(value, origin or annotation) else _REFUSED


def _admit_annotated(arguments: tuple[Any, ...], value: Any) -> Any:
    admitted = _admit(arguments[0], value)
    if admitted is _REFUSED or not all(
        marker.admits(admitted) for marker in arguments[1:] if _is_rule(marker.__class__)
    ):
        return _REFUSED
    return admitted


@lru_cache
def _is_rule(kind: Any) -> bool:
    return issubclass(kind, Rule)  # of a protocol, which takes longer than all the rest of a check


def _admit_union(alternatives: tuple[Any, ...], value: Any) -> Any:
    admitted: list[Any] = []
    for one in alternatives:
        checked = _admit(one, value)
        if checked is value and not admitted:
            return value
        if checked is not _REFUSED:
            admitted.append(checked)
    # An int given to `float | int` stays an int: the alternative that changes nothing wins.
    same = [checked for checked in admitted if type(checked) is type(value)]
    return (same or admitted or [_REFUSED])[0]


def _admit_tuple(items: tuple[Any, ...], value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, (tuple, list, range)):
        return _REFUSED
    if len(items) == 2 and items[1] is Ellipsis:
        if type(value) is tuple and items[0] in _AS_THEY_ARE and set(map(type, value)) <= {items[0]}:
            return value
        items = (items[0],) * len(value)
    if len(items) != len(value):
        return _REFUSED
    admitted = tuple(map(_admit, items, value))
    return _REFUSED if any(item is _REFUSED for item in admitted) else admitted


def _admit_list(item: Any, value: Any) -> Any:
    admitted = _admit_tuple((item, Ellipsis), value)
    return admitted if admitted is _REFUSED or isinstance(value, tuple) else list(admitted)


def _admit_mapping(arguments: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, Mapping):
        return _REFUSED
    keys = _admit_tuple((arguments[0], Ellipsis), tuple(value.keys()))
    values = _admit_tuple((arguments[1], Ellipsis), tuple(value.values()))
    return _REFUSED if keys is _REFUSED or values is _REFUSED else dict(zip(keys, values, strict=True))


def _is_instance(value: Any, kind: Any) -> bool:
    if kind is collections.abc.Callable:
        return callable(value)
    if kind is collections.abc.Iterable:  # an array of no axes says that it can be iterated, and cannot
        return isinstance(value, kind) and not (isinstance(value, np.ndarray) and value.ndim == 0)
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that is not runtime-checkable, or another form that only a type checker can judge
        return True


def _describe(annotation: Any) -> str:
    """The annotation in words: ``"a number in (0, inf), or a Schedule"``."""
    if annotation in (Any, object):
        return "of any kind"
    if isinstance(annotation, TypeVar):
        return _describe(annotation.__bound__ or Any)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation in _SCALARS:
        return _SCALARS[annotation][0]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _describe_annotated(arguments)
    if origin in (Union, types.UnionType):
        return ", or ".join(map(_describe, arguments))
    if origin is Literal:
        return OneOf(*arguments).describe("")
    if origin is tuple:
        return _describe_tuple(arguments)
    if origin in (list, collections.abc.Sequence):
        return f"a list, each item {_describe(arguments[0])}"
    if origin in (dict, collections.abc.Mapping):
        return f"a mapping, each key {_describe(arguments[0])} and each value {_describe(arguments[1])}"
    if origin is type:
        return f"a class derived from {arguments[0].__name__}"
    kind = origin or annotation
    if kind is collections.abc.Callable:
        return "a function"
    name = getattr(kind, "__name__", str(kind))
    return f"{'an' if name[:1] in 'AEIOUaeiou' else 'a'} {name}"


def _describe_annotated(arguments: tuple[Any, ...]) -> str:
    text = _describe(arguments[0])
    for marker in arguments[1:]:
        text = marker.describe(text) if isinstance(marker, Rule) else text
    return text


def _describe_tuple(items: tuple[Any, ...]) -> str:
    if len(items) == 2 and items[1] is Ellipsis:
        return f"a tuple, each item {_describe(items[0])}"
    return "a tuple of " + "; ".join(map(_describe, items))


# Reading annotations takes some 50 microseconds a class; layers are built by the dozen.
@lru_cache(maxsize=1024)
def _annotations(cls: type) -> dict[str, Any]:
    """Field name -> annotation, for every dataclass field that the constructor takes."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise ArgumentError(
            f"{cls.__name__}: an annotation of this class cannot be read",
            expected="types that can be found from the module that defines the class",
            got=str(error),
            fix=f"define or import {error.name!r} at the top level of {cls.__module__!r}",
        ) from error
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def rules(cls: type) -> dict[str, str]:
    """Field name -> its rule in words, for reference pages.

    Example:
        >>> @dataclasses.dataclass
        ... class Dropout:
        ...     rate: Annotated[float, In("[0, 1)")]
        >>> rules(Dropout)
        {'rate': 'a number in [0, 1)'}
    """
    return {name: _describe(annotation) for name, annotation in _annotations(cls).items()}


def bad_values(cls: type) -> dict[str, tuple[Any, ...]]:
    """Field name -> values that :func:`check_fields` must refuse, read from the fields' own rules."""
    refused = {}
    for name, annotation in _annotations(cls).items():
        candidates = [value for marker in _markers(annotation) for value in marker.outside()]
        candidates += [True, math.nan, "no such choice", object()]
        refused[name] = tuple(value for value in candidates if _admit(annotation, value) is _REFUSED)
    return refused


def _markers(annotation: Any) -> list[Rule]:
    nested = [marker for argument in get_args(annotation) for marker in _markers(argument)]
    return [annotation, *nested] if isinstance(annotation, Rule) and not isinstance(annotation, type) else nested


def check_value(owner: str, name: str, annotation: Any, value: Any) -> Any:
    """The value, converted as its annotation wants it: NumPy scalars become Python's, an int given for a float a float.

    Arguments:
        owner: the class or function whose argument it is, for the message.
        annotation: a type, ``Annotated[type, rule]``, or a union of such.

    Raises:
        ArgumentError: if the value is of another type or breaks a rule.

    Example:
        >>> check_value("Dropout", "rate", Annotated[float, In("[0, 1)")], 0)
        0.0
    """
    admitted = _admit(annotation, value)
    if admitted is not _REFUSED:
        return admitted
    raise ArgumentError(
        f"{owner}: argument {name!r} does not fit its rule",
        expected=_describe(annotation),
        got=_show(value),
        fix=_fix(name, annotation, value),
    )


def _show(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def _fix(name: str, annotation: Any, value: Any) -> str:
    choices = [choice for choice in _choices(annotation) if isinstance(choice, str)]
    if choices and isinstance(value, str):
        return did_you_mean(value, choices)
    return f"give {name} {_describe(annotation)}"


def _choices(annotation: Any) -> list[Any]:
    if isinstance(annotation, OneOf):
        return list(annotation.choices)
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for argument in get_args(annotation) for choice in _choices(argument)]


def check_fields(instance: Any, owner: str | None = None) -> None:
    """Check every field of a dataclass instance against its annotation, and store the converted values.

    To be called in the ``__post_init__`` of a base class; frozen dataclasses are fine.

    Arguments:
        owner: whose arguments the message says they are; the class unless given.

    Raises:
        ArgumentError: names the class and the first field that does not fit.
    """
    cls: type = type(instance)
    for name, annotation in _annotations(cls).items():
        given = getattr(instance, name)
        checked = check_value(owner or cls.__name__, name, annotation, given)
        if checked is not given:
            object.__setattr__(instance, name, checked)


F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """Decorator: what a function is given is checked, and converted, as the annotations of its arguments say.

    ``Any`` admits everything, and what is left out keeps its default. An annotation that only a type checker can read,
    because its names are not there when the program runs, admits everything too.

    Raises: ArgumentError, when the function is called, naming it and the first argument that does not fit;
        InsufficientMemoryError in place of Python's and NumPy's MemoryError.

    Example:
        >>> @checked
        ... def power(x: float, n: Annotated[int, In("[0, inf)")] = 2) -> float:
        ...     return x**n
        >>> power(3)
        9.0
        >>> power(3, -1)
        Traceback (most recent call last):
        thalweg.errors.ArgumentError: power: argument 'n' does not fit its rule
          expected: an integer in [0, inf)
          got:      -1 (int)
          to fix:   give n an integer in [0, inf)
    """
    plan: ArgumentRules | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal plan
        if plan is None:
            plan = ArgumentRules(function)
        args, kwargs = plan.fitted(args, kwargs)
        try:
            return function(*args, **kwargs)
        except MemoryError as error:
            if isinstance(error, ThalwegError):
                raise
            raise InsufficientMemoryError.found(plan.owner, error) from error

    return cast(F, call)


class ArgumentRules:
    """What there is to check in the calls of a function.

    Arguments:
        left_out: words; arguments in whose annotations one of them stands are not looked at.
        arithmetic: whether the function computes with numbers, of which NaN is one.

    Attributes:
        owner: how messages call the function.
        places: name and annotation of each argument that may be given by its place.
        rest: the same for what comes after them, ``*layers``.
        named: name -> annotation.
        hands_on: whether it takes functions.
    """

    def __init__(self, function: Callable[..., Any], left_out: Sequence[str] = (), *, arithmetic: bool = False) -> None:
        self.function = function
        self.arithmetic = arithmetic
        self.owner = function.__name__
        if self.owner.startswith("__"):
            self.owner = function.__qualname__.rpartition(".")[0]
        self.places: list[tuple[str, Any]] = []
        self.rest: tuple[str, Any] = ("", Any)
        self.named: dict[str, Any] = {}
        self.hands_on = False
        scope = inspect.unwrap(function).__globals__
        for name, parameter in inspect.signature(function).parameters.items():
            self.hands_on |= "Callable" in str(parameter.annotation)
            unseen = any(word in str(parameter.annotation) for word in left_out)
            annotation = Any if unseen else _evaluated(parameter.annotation, scope)
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.rest = (name, annotation)
            elif parameter.kind is not parameter.VAR_KEYWORD:
                self.named[name] = annotation
                if parameter.kind is not parameter.KEYWORD_ONLY:
                    self.places.append((name, annotation))

    def fitted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call as their annotations want them. Raises ArgumentError for the first that cannot be."""
        given = args
        for at, value in enumerate(args):
            name, annotation = self.places[at] if at < len(self.places) else self.rest
            if annotation is not Any and not self._is_any_number(annotation, value):
                fitting = check_value(self.owner, name, annotation, value)
                if fitting is not value:
                    given = (*given[:at], fitting, *given[at + 1 :])
        for name, value in kwargs.items():
            annotation = self.named.get(name, Any)
            if annotation is not Any and not self._is_any_number(annotation, value):
                kwargs[name] = check_value(self.owner, name, annotation, value)
        return given, kwargs

    def _is_any_number(self, annotation: Any, value: Any) -> bool:
        """Whether it is NaN where arithmetic may have it, in an argument that is a number without a rule."""
        is_nan = self.arithmetic and isinstance(value, float) and value != value
        return is_nan and (annotation is float or float in get_args(annotation))

    def misfit(self, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Exception:
        """What to raise for an error that a call ended in: for one that these arguments led to, one that shows them.

        An error of thalweg's stays as it is, and so does every one where the function was given functions to call.
        """
        if isinstance(error, ThalwegError) or self.hands_on:
            return error
        shown = [_show(value) for value in args] + [f"{name}={_show(value)}" for name, value in kwargs.items()]
        return ArgumentError(
            f"{self.owner} cannot be computed of these arguments",
            expected=f"{self.owner}{_plain_signature(self.function)}",
            got=f"{', '.join(shown) or 'no arguments'}: {type(error).__name__}: {str(error)[:300]}",
            fix=f"compare with help({'.'.join(self.function.__module__.split('.')[:2])}.{self.owner})",
        )


def reporting(function: F) -> F:
    """Decorator, for functions of anything that can be an array: as ``checked``, and what else goes wrong is told.

    Raises: ArgumentError for whatever error the arguments lead to.
    """
    plan: ArgumentRules | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal plan
        if plan is None:
            plan = ArgumentRules(function, arithmetic=True)
        args, kwargs = plan.fitted(args, kwargs)
        try:
            with np.errstate(all="ignore"):  # what overflows is infinite in the result, as in compiled code
                return function(*args, **kwargs)
        except Exception as error:
            told = plan.misfit(args, kwargs, error)
            if told is error:
                raise
            raise told from error

    return cast(F, call)


def report_from(module: dict[str, Any]) -> None:
    """Put every public function that is written in a module (given as its ``globals()``) under ``reporting``."""
    for name, value in list(module.items()):
        if isinstance(value, types.FunctionType) and value.__module__ == module["__name__"] and name[0] != "_":
            module[name] = reporting(value)


def _plain_signature(function: Callable[..., Any]) -> str:
    """Names and defaults, without annotations."""
    signature = inspect.signature(function)
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def _evaluated(annotation: Any, scope: dict[str, Any]) -> Any:
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, scope)  # what typing.get_type_hints does, which gives up all where one name is missing
    except NameError:
        return Any
