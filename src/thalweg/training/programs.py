"""The compiled programs of one model, each made when it is first needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import field, replace
from typing import Any

from thalweg.executors.executor import Executor, Program, leaf_types
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType
from thalweg.state import State, Variable
from thalweg.training.step import Step


@dataclass
class Programs:
    """Steps and their programs by whatever tells them apart.

    Arguments:
        state: gets a variable for every state of a step that it lacks (the running sums).

    Attributes:
        starts: what states are before the first step, where that is not 0.
        drawn: the steps, and what else was found out of the layers, by whatever tells it apart. Models of the very same
            layers may share it.
    """

    executor: Executor
    state: State
    starts: dict[str, Any] = field(default_factory=dict)
    drawn: dict[Hashable, Any] = field(default_factory=dict)
    _making_seconds: float = 0.0
    _programs: dict[Hashable, Program] = field(default_factory=dict)
    _states: dict[str, TensorType] = field(default_factory=dict)

    @property
    def compile_seconds(self) -> float:
        """How long making the programs took so far, and what they compiled when they first ran."""
        return self._making_seconds + sum(program.compile_seconds for program in self._programs.values())

    def step(self, key: Hashable, build: Callable[[], Step]) -> Step:
        """The step of this key, built by ``build`` if it is the first time."""
        step: Step = self.once(key, build)
        return step

    def once(self, key: Hashable, find: Callable[[], Any]) -> Any:
        """What was found under this key; found by ``find`` if it is the first time."""
        if key not in self.drawn:
            self.drawn[key] = find()
        return self.drawn[key]

    def program(self, key: Hashable, build: Callable[[], Step], *, gather: bool = True) -> Program:
        """The program of this key; ``gather`` says whether it gets an index of rows."""
        program = self._programs.get((key, gather))
        return program if program is not None else self._compiled(key, build, gather)

    def claim_states(self) -> None:
        """Give the states the shapes that these programs take: other programs may have wanted other running sums."""
        for name, kind in self._states.items():
            self.state.add(name, kind, self.starts.get(name, 0))

    def on(self, state: State) -> Programs:
        """These programs, and those that either will make, on another state, which has the same parameters."""
        other = replace(self, state=state)
        other.claim_states()
        return other

    def _compiled(self, key: Hashable, build: Callable[[], Step], gather: bool) -> Program:
        began = time.perf_counter()
        step = self.step(key, build)
        graph = step.graph
        for name, variable in step.variables.items():
            self._put(name, variable)
        _, states = leaf_types(graph)
        self.starts |= step.starts
        self._states |= {**states, **step.added}
        self.claim_states()
        self._programs[key, gather] = self.executor.compile(graph, gather=gather)
        self._making_seconds += time.perf_counter() - began
        return self._programs[key, gather]

    def _put(self, name: str, variable: Variable) -> None:
        """A state that is kept elsewhere, too; what a file said that it is comes first."""
        if name in self.state and self.state[name] is not variable:
            variable.write(self.state.read(name))
        self.state.put(name, variable)
