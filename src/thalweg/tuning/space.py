"""What a search may choose from: ranges of numbers, lists of things, or a function that asks for them in turn."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from thalweg.checks import Finite, In, check_fields, check_value
from thalweg.errors import ArgumentError, NameNotFoundError, did_you_mean
from thalweg.fields import dataclass

__all__ = ["Choice", "Float", "Int", "Range", "Space", "Suggesting", "Values", "parameters"]

Values = dict[str, Any]
"""Name of what is searched for -> value of one trial."""


class Suggesting(Protocol):
    """A trial of Optuna's, as a space sees it."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float:
        """A number of a range."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        """A whole number of a range."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of some things."""


class Range:
    """The base of what one value may be."""

    def suggest(self, trial: Suggesting, name: str) -> Any:
        """A value for the trial."""
        raise NotImplementedError(f"{type(self).__name__} has no suggest()")

    def points(self) -> list[Any]:
        """All values that there are, as a storage keeps them. Raises ArgumentError if they cannot be counted."""
        raise NotImplementedError(f"{type(self).__name__} has no points()")

    def kept(self, value: Any) -> Any:
        """A value as a storage keeps it."""
        return value

    def value(self, kept: Any) -> Any:
        """What a storage keeps, as the value that it was."""
        return kept

    def holds(self, value: Any) -> bool:
        """Whether it is one of them."""
        raise NotImplementedError(f"{type(self).__name__} has no holds()")


@dataclass(frozen=True)
class Float(Range):
    """A number from ``low`` to ``high``, both among them.

    Arguments:
        log: each factor is as likely as the next, as for learning rates; ``low`` is then above 0.
        step: only every so many; not with ``log``.

    Raises: ArgumentError.

    Example: ``Float(1e-4, 1e-1, log=True)``
    """

    low: Finite
    high: Finite
    log: bool = False
    step: Annotated[float, In("(0, inf)")] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        _check_form(self, self.low, self.high, self.log, stepped=self.step is not None)

    def suggest(self, trial: Suggesting, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def points(self) -> list[float]:
        if self.step is None:
            raise ArgumentError(
                "a grid has no end of values in a range of numbers",
                expected="ranges with a step, whole numbers, or lists of values",
                got=repr(self),
                fix="list the values: [0.001, 0.01, 0.1], or choose another sampler",
            )
        return [self.low + i * self.step for i in range(math.floor((self.high - self.low) / self.step + 1e-9) + 1)]

    def holds(self, value: Any) -> bool:
        near = self.step is None or any(math.isclose(value, point) for point in self.points())
        return self.low <= value <= self.high and near


@dataclass(frozen=True)
class Int(Range):
    """A whole number from ``low`` to ``high``, both among them.

    Arguments:
        log: each factor is as likely as the next, as for numbers of units; ``low`` is then above 0.
        step: only every so many; 1 with ``log``.

    Raises: ArgumentError.

    Example: ``Int(16, 256, log=True)``
    """

    low: int
    high: int
    log: bool = False
    step: Annotated[int, In("[1, inf)")] = 1

    def __post_init__(self) -> None:
        check_fields(self)
        _check_form(self, self.low, self.high, self.log, stepped=self.step != 1)

    def suggest(self, trial: Suggesting, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, step=self.step, log=self.log)

    def points(self) -> list[int]:
        return list(range(self.low, self.high + 1, self.step))

    def holds(self, value: Any) -> bool:
        return value in self.points()


@dataclass(frozen=True)
class Choice(Range):
    """One of some values, of any kind: numbers, names, tuples, optimizers. A list in a space means the same.

    Raises: ArgumentError if there are none, or two look alike.

    Example: ``Choice(["relu", "tanh"])``
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        check_value("Choice", "values", Sequence[Any], self.values)
        names = [_name(value) for value in self.values]
        if not names or len(set(names)) < len(names):
            raise ArgumentError(
                "Choice: there is nothing to choose from" if not names else "Choice: two values look alike",
                expected="at least one value, each once",
                got=f"{list(self.values)!r:.80}",
                fix="leave the argument out of the space" if not names else "list each once",
            )

    def suggest(self, trial: Suggesting, name: str) -> Any:
        return self.value(trial.suggest_categorical(name, self.points()))

    def points(self) -> list[Any]:
        return [_name(value) for value in self.values]

    def kept(self, value: Any) -> Any:
        return _name(value)

    def value(self, kept: Any) -> Any:
        return next(value for value, point in zip(self.values, self.points(), strict=True) if point == kept)

    def holds(self, value: Any) -> bool:
        return _name(value) in self.points()


def _name(value: Any) -> Any:
    """What a storage holds of a value: the value itself if it is a plain one, else its words."""
    return value if value is None or isinstance(value, str | int | float) else repr(value)


def _check_form(owner: Range, low: float, high: float, log: bool, stepped: bool) -> None:
    """Raise ArgumentError for what is no range of numbers."""
    kind = type(owner).__name__
    if low > high or (log and low <= 0):
        raise ArgumentError(
            f"{kind}: this is no range",
            expected="low up to high, with low above 0 where log=True",
            got=repr(owner),
            fix="exchange the two" if low > high else "begin above 0, or leave log out",
        )
    if log and stepped:
        raise ArgumentError(
            f"{kind}: steps are of equal length, which those of log are not",
            expected="log=True or a step",
            got=repr(owner),
            fix="leave one out, or list the values: [0.001, 0.01, 0.1]",
        )


class Space:
    """What there is to choose, checked against who gets it.

    Arguments:
        given: name -> Range, or a list of values; or a function of Optuna's trial that gives name -> value, for choices
            that depend on each other.
        allowed: the names that there may be; None for any.

    Raises: NameNotFoundError for a name that nobody takes; ArgumentError for what is no range.
    """

    def __init__(self, given: Any, allowed: Sequence[str] | None, what: str) -> None:
        self.ranges: dict[str, Range] | None = None
        self._choose: Callable[[Any], Mapping[str, Any]] | None = None
        self._allowed, self._what = allowed, what
        if callable(given):
            self._choose = given
            return
        if not isinstance(given, Mapping) or not given:
            raise ArgumentError(
                "the space is no mapping with something to choose",
                expected="name -> Float, Int, Choice or a list of values",
                got=f"{given!r:.80} ({type(given).__name__})",
                fix='pass for example {"units": Int(16, 256), "activation": ["relu", "tanh"]}',
            )
        self._require(given)
        self.ranges = {name: _range(name, one) for name, one in given.items()}

    def suggest(self, trial: Any) -> Values:
        """Values for a trial."""
        if self._choose is None:
            assert self.ranges is not None, "one of the two is given"
            return {name: one.suggest(trial, name) for name, one in self.ranges.items()}
        chosen = self._choose(trial)
        if not isinstance(chosen, Mapping):
            raise ArgumentError(
                "the space gives no values",
                expected="a function of a trial that returns name -> value",
                got=f"{chosen!r:.80} ({type(chosen).__name__})",
                fix='return a mapping: {"units": trial.suggest_int("units", 16, 256)}',
            )
        self._require(chosen)
        return dict(chosen)

    def among(self, values: Mapping[str, Any]) -> Values | None:
        """Of these values those that the space names; None if one of them is none that it could choose."""
        if self.ranges is None or not all(one.holds(values[name]) for name, one in self.ranges.items()):
            return None
        return {name: values[name] for name in self.ranges}

    def kept(self, values: Values) -> Values:
        """Values as a storage keeps them."""
        return {name: self.ranges[name].kept(one) if self.ranges else one for name, one in values.items()}

    def values(self, kept: Mapping[str, Any]) -> Values:
        """What a storage keeps, as the values that they were; a function's are kept as they are."""
        return {name: self.ranges[name].value(one) if self.ranges else one for name, one in kept.items()}

    def grid(self) -> dict[str, list[Any]]:
        """All values of each name. Raises ArgumentError where they cannot be counted."""
        if self.ranges is None:
            raise ArgumentError(
                "a grid needs to know all values beforehand",
                expected="a space that is a mapping",
                got="a function",
                fix="choose another sampler, or write the space as a mapping",
            )
        return {name: one.points() for name, one in self.ranges.items()}

    def places(self) -> int:
        """How many places the grid has."""
        return math.prod(map(len, self.grid().values()))

    def __str__(self) -> str:
        """The same for the same space: what a storage holds of it."""
        return "a function" if self.ranges is None else ", ".join(f"{k}: {v!r}" for k, v in sorted(self.ranges.items()))

    def _require(self, names: Mapping[Any, Any]) -> None:
        for name in names:
            if self._allowed is not None and name not in self._allowed:
                raise NameNotFoundError(
                    f"the space names {name!r}, which nobody takes",
                    expected=f"{self._what}: {', '.join(self._allowed)}",
                    got=repr(name),
                    fix=did_you_mean(str(name), self._allowed),
                )


def _range(name: str, given: Any) -> Range:
    if isinstance(given, Range):
        return given
    if isinstance(given, list | tuple) and given:
        return Choice(list(given))
    raise ArgumentError(
        f"the space does not say what {name!r} may be",
        expected="Float(low, high), Int(low, high), Choice(values) or a list of values",
        got=f"{given!r:.80} ({type(given).__name__})",
        fix=f"write for example {{{name!r}: [1, 2, 4]}}; what does not change belongs into build",
    )


def parameters(function: Callable[..., Any]) -> list[str] | None:
    """The names of a function's arguments; None if it takes any, or cannot be asked."""
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(one.kind is one.VAR_KEYWORD for one in known):
        return None
    return [one.name for one in known if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
