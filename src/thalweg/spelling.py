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

__all__ = ["Spelled", "SpellingNotice", "accept_spellings"]


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
        fix=f"use {written}" if right else did_you_mean(name, known),
    )


class Spelled(ABCMeta):
    """Metaclass of the bases Layer, Loss, Optimizer ...: constructors read older spellings of their argument names.

    A metaclass, because ``@dataclass`` writes ``__init__`` only after ``__init_subclass__`` has run: this way each
    subclass stays a plain dataclass, and one with a handwritten ``__init__`` is served as well.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            older = getattr(cls, "older_arguments", None)
            kwargs = kwargs if older is None else older(args, kwargs)
            known, takes_any = constructor_arguments(cls)
            kwargs = (rewritten if takes_any else accept_spellings)(cls.__name__, known, kwargs)
        made = super().__call__(*args, **kwargs)
        if not has_field_constructor(cls):
            object.__setattr__(made, MADE_WITH, _bound(cls, args, kwargs))
        return made


MADE_WITH = "made_with"
"""The attribute that holds what a handwritten constructor was told, by name."""


def _bound(cls: Any, args: Collection[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor by name, those of ``**options`` among them."""
    signature = inspect.signature(inspect.getattr_static(cls, "__init__"))
    given = signature.bind(None, *args, **kwargs).arguments
    kinds = {parameter.name: parameter.kind for parameter in signature.parameters.values()}
    named = {name: value for name, value in list(given.items())[1:] if kinds[name] is not inspect.Parameter.VAR_KEYWORD}
    for name, kind in kinds.items():
        if kind is inspect.Parameter.VAR_KEYWORD:
            named |= given.get(name, {})
    return named


@lru_cache(maxsize=1024)
def constructor_arguments(cls: Any) -> tuple[tuple[str, ...], bool]:
    """The keywords that the constructor takes, and whether it takes any besides, for the constructor of its base."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    of_fields = [field.name for field in fields if field.init]
    if has_field_constructor(cls):
        return tuple(of_fields), False
    parameters = list(inspect.signature(inspect.getattr_static(cls, "__init__")).parameters.values())[1:]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    own = [parameter.name for parameter in parameters if parameter.kind in named]
    return tuple(dict.fromkeys([*own, *of_fields] if takes_any else own)), takes_any
