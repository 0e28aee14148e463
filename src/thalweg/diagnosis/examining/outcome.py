"""What one test of an examination found."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from thalweg.errors import ThalwegError
from thalweg.fields import dataclass
from thalweg.table import Table, Tabular

__all__ = ["Cannot", "Outcome"]


@dataclass(frozen=True)
class Outcome(Tabular):
    """What a test found; a subclass adds its numbers as fields.

    Attributes:
        code: the verdict in a word or two that stay the same, for programs.
        verdict: in a sentence with the numbers.
        change: what to do; "" where nothing is to be done.
    """

    code: str
    verdict: str
    change: str

    @property
    def numbers(self) -> dict[str, float]:
        """Those of the fields that are one number each."""
        values = {name: getattr(self, name) for name in _own(self)}
        return {n: v for n, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}

    def table(self) -> Table:
        rows = [[name.replace("_", " "), f"{value:.4g}"] for name, value in self.numbers.items()]
        lines = [self.verdict, f"to do: {self.change}"] if self.change else [self.verdict]
        return Table("\n".join(lines), (self.code, ""), rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows."""
        return {name: plain(getattr(self, name)) for name in ("code", "verdict", "change", *_own(self))}


@dataclass(frozen=True)
class Cannot(Outcome):
    """A test that does not apply to this model or these data; ``verdict`` says why, ``code`` is "cannot"."""

    @classmethod
    def because(cls, error: ThalwegError) -> Cannot:
        """Of the error that a test ended with."""
        return cls("cannot", f"cannot, because {error.problem}; got {error.got}", error.fix)


def plain(value: Any) -> Any:
    """A value in JSON types; None for NaN and infinity."""
    if isinstance(value, np.ndarray):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.to_dict() if hasattr(value, "to_dict") else value


def _own(outcome: Outcome) -> Iterator[str]:
    """The names of the fields that the subclass adds."""
    return (f.name for f in dataclasses.fields(outcome) if f.name not in ("code", "verdict", "change"))
