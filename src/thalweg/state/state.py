"""Arrays that last, one by one and all of a model together.

Everybody reads and writes them here and nobody keeps a NumPy array of them. An executor that computes elsewhere keeps
the newest value there (``Variable.keep``) until somebody asks for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol
from weakref import WeakSet

import numpy as np

from thalweg.data.arrays import find_non_finite
from thalweg.graph.types import TensorType
from thalweg.state import layout
from thalweg.state.names import level

Snapshot = dict[str, np.ndarray]
"""Copies of states by name, as they were at one moment."""


class Kept(Protocol):
    """The value of a variable where an executor keeps it."""

    def send(self) -> None:
        """Begin to copy the value to the host, without waiting: it will be read, and others with it."""

    def read(self) -> np.ndarray:
        """The value on the host."""


class Variable:
    """An array that lasts. It is itself: models that share a layer share its variables, however they name them.

    Arguments:
        start: what it holds at first; a number fills it.

    Attributes:
        kept: the value where an executor keeps it; None if nobody does, or the host's has changed since.
    """

    __slots__ = ("__weakref__", "_host", "_host_is_old", "kept", "type")

    def __init__(self, kind: TensorType, start: Any = 0) -> None:
        self.type = kind
        self.kept: Kept | None = None
        self._host = layout.empty(kind)
        self._host_is_old = False
        self.write(start)

    @property
    def memory(self) -> np.ndarray:
        """The array itself, on the host, to be changed by whoever asks: what is kept elsewhere counts no more."""
        array = self._at_home()
        self.kept = None
        return array

    def keep(self, kept: Kept, *, newer: bool) -> None:
        """An executor keeps the value; ``newer`` says whether it has computed it, so that the host's is old."""
        if self.kept is None:
            _ELSEWHERE.add(self)
        self.kept = kept
        self._host_is_old = newer

    @property
    def is_home(self) -> bool:
        """Whether the host's value is the newest, or as new as any."""
        return not self._host_is_old

    def send(self) -> None:
        """Begin to bring the newest value to the host, without waiting for it."""
        if self._host_is_old and self.kept is not None:
            self.kept.send()

    def bring_home(self) -> None:
        """Have the newest value on the host, too."""
        self._at_home()

    def _at_home(self) -> np.ndarray:
        if self._host_is_old:
            assert self.kept is not None, "what is newer is kept"
            self._host[...] = self.kept.read()
            self._host_is_old = False
        return self._host

    def read(self) -> np.ndarray:
        """A copy of the value."""
        return self._at_home().copy()

    def number(self) -> Any:
        """The value of a scalar as a number of Python."""
        return self._at_home().item()

    def write(self, value: Any) -> None:
        """Put in another value, cast to the type; a number fills the array."""
        self._host[...] = value
        self.kept, self._host_is_old = None, False

    def non_finite(self) -> tuple[int, ...] | None:
        """Where the first NaN or infinity stands; None if there is none."""
        array = self._at_home()
        if not self.type.rank:  # asked of the loss after every call
            return None if math.isfinite(array.item()) else ()
        return find_non_finite(array)

    def __reduce__(self) -> tuple[Callable[..., Variable], tuple[TensorType, np.ndarray]]:
        """Copies and pickles get memory of their own, laid out anew."""
        return Variable, (self.type, self.read())

    def __repr__(self) -> str:
        return f"Variable({self.type})"


_ELSEWHERE: WeakSet[Variable] = WeakSet()
"""Those that any executor ever kept: as long as there are none, nobody has to look."""


class CompiledStep(Protocol):
    """A program of any executor, see ``executors.executor.Program``."""

    @property
    def keeps_state(self) -> bool:
        """Whether it takes variables, and keeps their values where it computes; else it takes their arrays."""

    def run(self, state: Any, data: Any, index: Any = None, outputs: Any = None, threads: int = 1) -> None:
        """Run the graph once for every row of ``index``."""


class State:
    """The variables of a model by name (see ``state.names``)."""

    def __init__(self) -> None:
        self._variables: dict[str, Variable] = {}
        self._levels: dict[str, dict[str, None]] = {}  # the names of each level, in their order
        self._arrays: dict[str, np.ndarray] = {}

    @property
    def memory(self) -> dict[str, np.ndarray]:
        """name -> array on the host, to be changed: what is kept elsewhere counts no more. Always the same mapping."""
        if _ELSEWHERE:
            self.send(self._variables)
            for name, variable in self._variables.items():
                self._arrays[name] = variable.memory
        return self._arrays

    def run(
        self,
        program: CompiledStep,
        data: Mapping[str, np.ndarray],
        index: np.ndarray | None = None,
        outputs: Mapping[str, np.ndarray] | None = None,
        threads: int = 1,
    ) -> None:
        """Run a program on these variables; see ``Program.run``."""
        program.run(self._variables if program.keeps_state else self.memory, data, index, outputs, threads)

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
        self._arrays[name] = variable.memory

    def drop(self, *levels: str) -> None:
        """Forget all names of these levels."""
        for name in self.names(*levels):
            del self._variables[name], self._arrays[name], self._levels[level(name)][name]

    def read(self, name: str) -> np.ndarray:
        """A copy of the value."""
        return self._variables[name].read()

    def number(self, name: str) -> Any:
        """The value of a scalar as a number of Python."""
        return self._variables[name].number()

    def write(self, name: str, value: Any) -> None:
        """Put in another value, cast to the type; a number fills the array."""
        self._variables[name].write(value)

    def send(self, names: Iterable[str]) -> None:
        """Begin to bring these to the host: where values are kept elsewhere, all of them take not much longer than one.

        Needed by nobody, and for whoever reads many.
        """
        if _ELSEWHERE:
            for name in names:
                self._variables[name].send()

    def snapshot(self, names: Iterable[str] | None = None, into: Snapshot | None = None) -> Snapshot:
        """Copies of all states, or of those of these names.

        Arguments:
            into: an older snapshot, whose memory is used again if it is of the same names.
        """
        wanted = list(self._variables if names is None else names)
        self.send(wanted)
        if into is None or into.keys() != set(wanted):
            return {name: self.read(name) for name in wanted}
        for name in wanted:
            into[name][...] = self._variables[name].read()
        return into

    def restore(self, snapshot: Snapshot) -> None:
        """Make the states of a snapshot what they were then; the others stay."""
        for name, value in snapshot.items():
            self.write(name, value)
