"""Argument names: older spellings are read with a notice, those of other libraries refused with the right one."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from abc import ABCMeta
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from thalweg.errors import ArgumentError, did_you_mean
from thalweg.fields import dataclass, has_field_constructor

__all__ = [
    "Spelled",
    "SpellingNotice",
    "accept_spellings",
    "constructor_arguments",
    "given_arguments",
    "has_own_constructor",
]


class SpellingNotice(UserWarning):
    """An older spelling of an argument was read as the present one."""


# Spellings that course material uses, of Keras 2 and 1; accepted with a notice where the class has one of the new names
# and lacks the old one.
OLDER_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "lr": ("learning_rate",),
    "alpha": ("negative_slope",),
    "p": ("rate",),
    "sigma": ("stddev",),
    "bias": ("use_bias",),
    "init": ("kernel_initializer", "embeddings_initializer", "alpha_initializer"),
    "beta_init": ("beta_initializer",),
    "gamma_init": ("gamma_initializer",),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer"),
    "W_constraint": ("kernel_constraint", "embeddings_constraint"),
    "b_regularizer": ("bias_regularizer",),
    "b_constraint": ("bias_constraint",),
    "output_dim": ("units",),
    "nb_filter": ("filters",),
    "filter_length": ("kernel_size",),
    "pool_length": ("pool_size",),
    "border_mode": ("padding",),
    "subsample": ("strides",),
    "subsample_length": ("strides",),
    "stride": ("strides",),
    "weights": ("initial_weights",),
}

# Names from other libraries whose meaning or default may differ: refused, naming what to use.
FOREIGN_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "eps": ("epsilon",),
    "betas": ("beta_1", "beta_2"),
    "alpha": ("rho",),
    "out_features": ("units",),
}


@dataclass(frozen=True)
class Rewritten:
    """Older arguments that together make a present one.

    Arguments:
        older: their names, in the order in which ``value`` takes those that are given.
        said: whether there is a notice here. Of ``input_shape`` there is one where it is used.
    """

    older: tuple[str, ...]
    present: str
    value: Callable[..., Any]
    said: bool = True


REWRITTEN = (
    Rewritten(("input_length", "input_dim"), "input_shape", lambda *sizes: sizes, said=False),
    Rewritten(("batch_input_shape",), "input_shape", lambda shape: tuple(shape)[1:], said=False),
    Rewritten(("nb_row", "nb_col"), "kernel_size", lambda *sizes: sizes),
    Rewritten(("dim_ordering",), "data_format", {"tf": "channels_last", "th": "channels_first"}.__getitem__),
)
"""Of Keras 2 and 1. A name that the class has itself (``input_dim`` of an Embedding) is not among the older ones."""


IGNORED: Mapping[str, str] = {"batch_size": "input_shape"}
"""Older arguments of classes that have another one, beside which they say nothing: a model takes any batch size."""

# Arguments that are gone: what to write instead. Their nearest present name would mean something else.
GONE: Mapping[str, str] = {
    "decay": "pass learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay); weight_decay= is another thing",
}


def accept_spellings(owner: str, known: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments under their present names.

    Arguments:
        owner: the class or function, for the message.
        known: the names of its arguments.
        given: the keywords as the caller wrote them.

    Raises:
        ArgumentError: for a foreign or unknown name, naming the right one, and for one argument in two spellings.

    Example:
        >>> accept_spellings("SGD", ["learning_rate", "momentum"], {"momentum": 0.9})
        {'momentum': 0.9}
    """
    if given.keys() <= set(known):
        return dict(given)
    accepted: dict[str, Any] = {}
    for name, value in rewritten(owner, known, given).items():
        present = _present_spelling(owner, name, known)
        if present in accepted or (present != name and present in given):
            raise _given_twice(owner, present, name)
        if present != name:
            # Three frames up: past this function and Spelled.__call__ to the caller's own line.
            warnings.warn(f"{owner}: {name}= is read as {present}=", SpellingNotice, stacklevel=3)
        accepted[present] = value
    return accepted


def rewritten(owner: str, known: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments with those of ``REWRITTEN`` in their present form, and without those of ``IGNORED``.

    Raises: ArgumentError for a value that has no present form, and for one argument in two forms.
    """
    left = {name: value for name, value in given.items() if name in known or IGNORED.get(name) not in known}
    for rule in REWRITTEN:
        older = [name for name in rule.older if name in left and name not in known]
        if not older or rule.present not in known:
            continue
        if rule.present in left:
            raise _given_twice(owner, rule.present, older[0])
        values = [left.pop(name) for name in older]
        try:
            left[rule.present] = rule.value(*values)
        except (KeyError, TypeError) as error:
            raise ArgumentError(
                f"{owner}: the older argument {older[0]!r} has no present form",
                expected=f"what {rule.present}= takes",
                got=f"{older[0]}={values[0]!r:.60}",
                fix=f"pass {rule.present}=",
            ) from error
        if rule.said:
            names = " and ".join(f"{name}=" for name in older)
            warnings.warn(f"{owner}: {names} is read as {rule.present}={left[rule.present]!r}", SpellingNotice, 4)
    return left


def _given_twice(owner: str, present: str, name: str) -> ArgumentError:
    return ArgumentError(
        f"{owner}: argument {present!r} is given twice",
        expected="one spelling of it",
        got=f"{present!r} and {name!r}" if present != name else f"{name!r} and its older spelling",
        fix=f"keep {present}= and drop the other",
    )


def _present_spelling(owner: str, name: str, known: Collection[str]) -> str:
    if name in known:
        return name
    older = [candidate for candidate in OLDER_SPELLINGS.get(name, ()) if candidate in known]
    if older:
        return older[0]
    right = [candidate for candidate in FOREIGN_SPELLINGS.get(name, ()) if candidate in known]
    written = " and ".join(f"{candidate}=" for candidate in right)
    raise ArgumentError(
        f"{owner}: there is no argument {name!r}",
        expected=", ".join(known) or "no arguments",
        got=f"{name}=",
        fix=f"use {written}" if right else GONE.get(name) or did_you_mean(name, known),
    )


class Spelled(ABCMeta):
    """Metaclass of the bases Layer, Loss, Optimizer ...: constructors read older spellings of their argument names.

    A metaclass, because ``@dataclass`` writes ``__init__`` only after ``__init_subclass__`` has run: this way each
    subclass stays a plain dataclass, and one with a handwritten ``__init__`` is served as well.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            known, takes_any = constructor_arguments(cls)
            read = rewritten if takes_any else accept_spellings
            kwargs = read(cls.__name__, known, kwargs)
        made = super().__call__(*args, **kwargs)
        if has_own_constructor(cls):
            vars(made)[_GIVEN] = _Given(args, kwargs)
        return made


_GIVEN = "_given"


class _Given:
    """What a constructor was given: no tuple, in which layers would be looked for."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs


def has_own_constructor(cls: Any) -> bool:
    """Whether a user has written the constructor, with arguments that are no fields."""
    if has_field_constructor(cls) or cls.__module__.partition(".")[0] == "thalweg":
        return False
    fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    return not set(_parameters(cls)) <= fields


def given_arguments(thing: Any) -> dict[str, Any] | None:
    """What a constructor of a user's own was given, by name; None for things that are made of their fields."""
    given = vars(thing).get(_GIVEN)
    if given is None:
        return None
    signature = inspect.signature(type(thing).__init__)
    arguments = signature.bind(thing, *given.args, **given.kwargs).arguments
    named: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name in arguments and parameter.kind is parameter.VAR_KEYWORD:
            named |= arguments[parameter.name]
        elif parameter.name in arguments:
            named[parameter.name] = arguments[parameter.name]
    return named


def _parameters(cls: Any) -> list[str]:
    """The arguments of the constructor that have a name of their own."""
    parameters = list(inspect.signature(inspect.getattr_static(cls, "__init__")).parameters.values())[1:]
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


@lru_cache(maxsize=1024)
def constructor_arguments(cls: Any) -> tuple[tuple[str, ...], bool]:
    """The keywords that the constructor takes, and whether it takes any besides, for the constructor of its base."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    of_fields = [field.name for field in fields if field.init]
    if has_field_constructor(cls):
        return tuple(of_fields), False
    parameters = inspect.signature(inspect.getattr_static(cls, "__init__")).parameters.values()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    own = _parameters(cls)
    return tuple(dict.fromkeys([*own, *of_fields] if takes_any else own)), takes_any
