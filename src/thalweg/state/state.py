"""Arrays that last, one by one and all of a model together.

Everybody reads and writes them here and nobody keeps a NumPy array of them, so that an executor whose arrays live on a
device changes this file and no other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from thalweg.data.arrays import find_non_finite
from thalweg.graph.types import TensorType
from thalweg.state import layout
from thalweg.state.names import level

Snapshot = dict[str, np.ndarray]
"""Copies of states by name, as they were at one moment."""


class Variable:
    """An array that lasts. It is itself: models that share a layer share its variables, however they name them.

    Arguments:
        start: what it holds at first; a number fills it.
    """

    __slots__ = ("memory", "type")

    def __init__(self, kind: TensorType, start: Any = 0) -> None:
        self.type = kind
        self.memory = layout.empty(kind)
        """The array itself, on the host, for executors that work there. Others read a copy."""
        self.write(start)

    def read(self) -> np.ndarray:
        """A copy of the value."""
        return self.memory.copy()

    def number(self) -> Any:
        """The value of a scalar as a number of Python."""
        return self.memory.item()

    def write(self, value: Any) -> None:
        """Put in another value, cast to the type; a number fills the array."""
        self.memory[...] = value

    def non_finite(self) -> tuple[int, ...] | None:
        """Where the first NaN or infinity stands; None if there is none."""
        if not self.type.rank:  # asked of the loss after every call
            return None if math.isfinite(self.memory.item()) else ()
        return find_non_finite(self.memory)

    def __reduce__(self) -> tuple[Callable[..., Variable], tuple[TensorType, np.ndarray]]:
        """Copies and pickles get memory of their own, laid out anew."""
        return Variable, (self.type, self.read())

    def __repr__(self) -> str:
        return f"Variable({self.type})"


class State:
    """The variables of a model by name (see ``state.names``).

    Attributes:
        memory: name -> array on the host: what ``Program.run`` takes and changes. Always the same mapping.
    """

    def __init__(self) -> None:
        self._variables: dict[str, Variable] = {}
        self._levels: dict[str, dict[str, None]] = {}  # the names of each level, in their order
        self.memory: dict[str, np.ndarray] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __getitem__(self, name: str) -> Variable:
        return self._variables[name]

    def names(self, *levels: str) -> list[str]:
        """The names of these levels, one level after the other, each in the order in which they came."""
        return [name for each in levels for name in self._levels.get(each, ())]

    def types(self) -> dict[str, TensorType]:
        """The type of every variable, by its name."""
        return {name: variable.type for name, variable in self._variables.items()}

    def add(self, name: str, kind: TensorType, start: Any = 0) -> None:
        """A new variable under a name that is not there yet; what is there, of this type, stays as it is."""
        if name not in self._variables or self._variables[name].type != kind:
            self.put(name, Variable(kind, start))

    def put(self, name: str, variable: Variable) -> None:
        """A variable that others may have, too, in place of what is there."""
        self._variables[name] = variable
        self._levels.setdefault(level(name), {})[name] = None
        self.memory[name] = variable.memory

    def drop(self, *levels: str) -> None:
        """Forget all names of these levels."""
        for name in self.names(*levels):
            del self._variables[name], self.memory[name], self._levels[level(name)][name]

    def read(self, name: str) -> np.ndarray:
        """A copy of the value."""
        return self._variables[name].read()

    def number(self, name: str) -> Any:
        """The value of a scalar as a number of Python."""
        return self._variables[name].number()

    def write(self, name: str, value: Any) -> None:
        """Put in another value, cast to the type; a number fills the array."""
        self._variables[name].write(value)

    def snapshot(self, names: Iterable[str] | None = None, into: Snapshot | None = None) -> Snapshot:
        """Copies of all states, or of those of these names.

        Arguments:
            into: an older snapshot, whose memory is used again if it is of the same names.
        """
        wanted = list(self._variables if names is None else names)
        if into is None or into.keys() != set(wanted):
            return {name: self.read(name) for name in wanted}
        for name in wanted:
            np.copyto(into[name], self.memory[name])
        return into

    def restore(self, snapshot: Snapshot) -> None:
        """Make the states of a snapshot what they were then; the others stay."""
        for name, value in snapshot.items():
            self.write(name, value)
