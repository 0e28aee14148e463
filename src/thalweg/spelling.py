"""Argument names: older spellings are read with a notice, those of other libraries refused with the right one."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from abc import ABCMeta
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from thalweg.errors import ArgumentError, did_you_mean
from thalweg.fields import has_field_constructor

__all__ = ["Spelled", "SpellingNotice", "accept_spellings"]


class SpellingNotice(UserWarning):
    """An older spelling of an argument was read as the present one."""


# Spellings that course material uses; accepted with a notice where the class has the new name and lacks the old one.
OLDER_SPELLINGS: Mapping[str, str] = {"lr": "learning_rate", "alpha": "negative_slope"}

# Names from other libraries whose meaning or default may differ: refused, naming what to use.
FOREIGN_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "eps": ("epsilon",),
    "betas": ("beta_1", "beta_2"),
    "alpha": ("rho",),
    "p": ("rate",),
    "bias": ("use_bias",),
    "out_features": ("units",),
    "input_dim": ("input_shape",),
}


# Arguments that are gone: what to write instead. Their nearest present name would mean something else.
GONE: Mapping[str, str] = {
    "decay": "pass learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay); weight_decay= is another thing",
    "weights": "for a table that is there already pass embeddings_initializer=initializers.Constant(table)",
    "input_length": "leave it out; Input(shape=(length,)) before the layer says it",
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
    for name, value in given.items():
        present = _present_spelling(owner, name, known)
        if present in accepted or (present != name and present in given):
            raise ArgumentError(
                f"{owner}: argument {present!r} is given twice",
                expected="one spelling of it",
                got=f"{present!r} and {name!r}" if present != name else f"{name!r} and its older spelling",
                fix=f"keep {present}= and drop the other",
            )
        if present != name:
            # Three frames up: past this function and Spelled.__call__ to the caller's own line.
            warnings.warn(f"{owner}: {name}= is read as {present}=", SpellingNotice, stacklevel=3)
        accepted[present] = value
    return accepted


def _present_spelling(owner: str, name: str, known: Collection[str]) -> str:
    if name in known:
        return name
    present = OLDER_SPELLINGS.get(name)
    if present in known:
        return str(present)
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
        if not kwargs:
            return super().__call__(*args)
        known = _constructor_arguments(cls)
        if known is None:
            return super().__call__(*args, **kwargs)
        return super().__call__(*args, **accept_spellings(cls.__name__, known, kwargs))


@lru_cache(maxsize=1024)
def _constructor_arguments(cls: type) -> tuple[str, ...] | None:
    """The keywords that the constructor takes; None if it takes any."""
    if has_field_constructor(cls):
        return tuple(field.name for field in dataclasses.fields(cls) if field.init)
    parameters = list(inspect.signature(inspect.getattr_static(cls, "__init__")).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(parameter.name for parameter in parameters if parameter.kind in named)
