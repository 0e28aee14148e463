"""Every error of thalweg: what is wrong, what was expected, what came instead, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

__all__ = [
    "AbsentImportError",
    "ArgumentError",
    "DTypeError",
    "DataError",
    "ExecutorError",
    "FileFormatError",
    "GraphError",
    "InsufficientMemoryError",
    "MissingPackageError",
    "NameNotFoundError",
    "NonFiniteError",
    "ProcessError",
    "ShapeError",
    "StorageError",
    "ThalwegError",
    "did_you_mean",
    "listed",
    "nearest",
]


OUR_FAULT = (
    "this is a fault of thalweg; please report it with the graph: what print(model.explain('graph')) shows, "
    "or for a function what it prints when it is run with THALWEG_DEBUG=4"
)
"""What there is to do about an error that no user can have made."""


MOST_NAMES = 120
"""In a message: a page full."""


class ThalwegError(Exception):
    """The base of all errors: four parts, none of which can be left out.

    Arguments:
        problem: one line, without the class name; no full stop.
        expected: the value or kind of value that would have been right, with the reason where it is not plain.
        got: what came instead, with its origin where known.
        fix: one thing to do about it.
        layer: the layer concerned, as printed: ``"layer 'dense_2' (Dense)"``.
        disease: the label of ``thalweg.diagnosis`` that this is a case of, if it is one.

    Attributes:
        diagnosis: what the doctor says of it, a ``thalweg.diagnosis.Diagnosis``, where a model raises such a thing in
            ``compile`` or ``fit``, or one that ended a training; else None.

    Example:
        >>> print(ThalwegError("too few rows", expected="at least 1", got="0", fix="pass some data"))
        too few rows
          expected: at least 1
          got:      0
          to fix:   pass some data
    """

    diagnosis: Any = None

    def __init__(
        self,
        problem: str,
        *,
        expected: str,
        got: str,
        fix: str,
        layer: str | None = None,
        disease: str | None = None,
    ) -> None:
        super().__init__(problem)
        self.disease = disease
        self.problem = problem
        self.expected = expected
        self.got = got
        self.fix = fix
        self.layer = layer

    def __str__(self) -> str:
        head = self.problem if self.layer is None else f"{self.layer}: {self.problem}"
        parts = (("expected:", self.expected), ("got:", self.got), ("to fix:", self.fix))
        return "\n".join([head, *(f"  {label:<9} {_hang(text)}" for label, text in parts)])

    def __reduce__(self) -> tuple[Callable[..., ThalwegError], tuple[str], dict[str, object]]:
        # Exceptions are rebuilt from ``args`` alone, which cannot carry keyword-only arguments.
        rebuild = partial(type(self), expected=self.expected, got=self.got, fix=self.fix, layer=self.layer)
        return rebuild, (self.problem,), self.__dict__


class ShapeError(ThalwegError, ValueError):
    """A shape does not fit."""


class DTypeError(ThalwegError, TypeError):
    """A dtype does not fit."""


class ArgumentError(ThalwegError, ValueError):
    """An argument is of the wrong kind, outside its range, or unknown."""


class NameNotFoundError(ThalwegError, ValueError, LookupError):
    """A name stands for nothing registered. A ValueError as in Keras, a LookupError by nature."""


class DataError(ThalwegError, ValueError):
    """The data cannot be used: empty, not finite, labels out of range."""


class NonFiniteError(ThalwegError, ArithmeticError):
    """A computation gave NaN or infinity."""


class FileFormatError(ThalwegError, ValueError):
    """A file's bytes are not what its format prescribes."""


class StorageError(ThalwegError, OSError):
    """A file cannot be read or written: missing, not permitted, disk full."""


class InsufficientMemoryError(ThalwegError, MemoryError):
    """Something takes more memory than there is."""

    @classmethod
    def found(cls, what: str, error: MemoryError, layer: str | None = None) -> InsufficientMemoryError:
        """For memory that the system has refused on the way."""
        return cls(
            f"{what}: the memory is used up",
            expected="memory for all that is made on the way",
            got=str(error) or "the system gave no more",
            fix="use a smaller batch_size, fewer rows at a time or smaller layers, or run where there is more memory",
            layer=layer,
        )


class GraphError(ThalwegError, ValueError):
    """A graph breaks one of its own rules."""


class ExecutorError(ThalwegError, RuntimeError):
    """An executor cannot compile or run a graph."""


class ProcessError(ThalwegError, RuntimeError):
    """Processes that run one program together do not find each other, are not alike, or have lost one."""


class MissingPackageError(ThalwegError, ImportError):
    """A package that an optional feature needs is not installed."""


class AbsentAttributeError(ThalwegError, AttributeError):
    """An attribute or a method that Keras has, and that is something else here."""


class AbsentImportError(ThalwegError, ImportError):
    """A module of thalweg, or a name to import from one, is not there."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The ``fix`` for a mistyped name: the nearest known name, or all of them if none is near.

    Case, spaces, ``_`` and ``-`` do not count, so that ``"MeanSquaredError"`` finds ``"mean_squared_error"``.

    Example:
        >>> did_you_mean("hubert", ["huber", "mse"])
        "did you mean 'huber'?"
        >>> did_you_mean("xyz", ["huber", "mse"])
        "known names: 'huber', 'mse'"
    """
    names = sorted(set(known))
    near = nearest(name, names)
    if near is not None:
        return f"did you mean {near!r}?"
    if not names:
        return "no names are known here"
    return f"known names: {listed(names)}"


def listed(names: Iterable[str]) -> str:
    """Names for a message; of very many the first ones and how many there are.

    Example:
        >>> listed(["huber", "mse"])
        "'huber', 'mse'"
    """
    several = list(names)
    shown = ", ".join(map(repr, several[:MOST_NAMES]))
    return shown if len(several) <= MOST_NAMES else f"{shown} ... ({len(several)} in all)"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like a mistyped one; None if none is like it by ``cutoff``, of 1 for the same."""
    import difflib  # here, because only a mistyped name needs it

    spelled = {_bare(candidate): candidate for candidate in known}
    near = difflib.get_close_matches(_bare(name), spelled, n=1, cutoff=cutoff)
    return spelled[near[0]] if near else None


def _bare(name: str) -> str:
    return "".join(character for character in name.casefold() if character not in "_- ")


def _hang(text: str) -> str:
    """Align further lines of a part under its first."""
    return text.replace("\n", "\n" + " " * 12)
